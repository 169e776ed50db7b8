"""`bellwire check`: whether a data directory is whole, before a server is trusted with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bellwire.cli.failure import EXIT_FAILED


def check(
    data: Annotated[Path, typer.Option("--data", help="The data directory; no server may use it meanwhile.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Verify a data directory that no server uses: files, positions, backlog, subscriptions, keys.

    Nothing is changed. Exit code 1: something is wrong with it.
    """
    from bellwire.storage.verification import Grade, verify_directory

    verification = verify_directory(data)
    if as_json:
        findings = [
            {"grade": str(finding.grade), "file": finding.file, "text": finding.text}
            for finding in verification.findings
        ]
        typer.echo(json.dumps({"sound": verification.is_sound, "findings": findings}, indent=2))
    else:
        for finding in verification.findings:
            mark = {Grade.SOUND: "ok      ", Grade.NOTE: "note    ", Grade.PROBLEM: "PROBLEM "}[finding.grade]
            typer.echo(f"{mark} {finding.file}: {finding.text}")
        count = len(verification.problems)
        typer.echo(f"{data} is sound" if not count else f"{data} has {count} problem{'s' if count > 1 else ''}")
    if not verification.is_sound:
        raise typer.Exit(EXIT_FAILED)
