"""The dependency audit: what is found is never taken for nothing, nor is an audit that could not be made."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests import advisories
from tests.advisories import Outcome, judge, main

ROOT = Path(__file__).resolve().parents[2]
WELL: dict[str, Any] = {"name": "aiodns", "version": "4.0.4", "vulns": []}
SKIPPED = {"name": "anyio", "skip_reason": "Dependency not found on PyPI and could not be audited: anyio (4.9.0)"}
HOLE = {
    "name": "jinja2",
    "version": "3.1.5",
    "vulns": [{"id": "GHSA-cpwx-vrp4-4pq7", "fix_versions": ["3.1.6"], "aliases": ["CVE-2025-27516"]}],
}


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_nothing_known_against_any_package_is_clean() -> None:
    verdict = judge(report(WELL, WELL | {"name": "anyio"}), "No known vulnerabilities found")
    assert (verdict.outcome, verdict.lines) == (0, ("audit: nothing is known against any of 2 packages",))


@pytest.mark.parametrize("others", [(), (WELL,), (SKIPPED,)])
def test_what_is_found_is_named_whatever_else_was_not_asked(others: tuple[dict[str, Any], ...]) -> None:
    verdict = judge(report(*others, HOLE), "")
    assert verdict.outcome is Outcome.FOUND
    assert verdict.lines[1] == "  jinja2 3.1.5: GHSA-cpwx-vrp4-4pq7, CVE-2025-27516; mended in 3.1.6"


def test_what_is_lived_with_is_named_by_any_of_its_ids() -> None:
    assert judge(report(HOLE), "", accepted={"CVE-2025-27516": "no templates of others"}).outcome is Outcome.CLEAN
    assert judge(report(HOLE), "", accepted={"CVE-2025-1": "another"}).outcome is Outcome.FOUND


@pytest.mark.parametrize(
    ("output", "errors", "said"),
    [
        ("", "WARNING: x\nERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed\n", "Could not connect"),
        ("", "", "it said nothing"),
        ("No known vulnerabilities found", "", "it said nothing"),
        ("[]", "", "it said nothing"),
        ("null", "", "it said nothing"),
        (report(), "", "no package"),
        (report(SKIPPED, SKIPPED), "No known vulnerabilities found", "2 of 2 packages (Dependency not found on PyPI"),
        (report(WELL, SKIPPED), "No known vulnerabilities found", "1 of 2 packages"),
    ],
)
def test_an_audit_that_could_not_be_made_is_not_clean(output: str, errors: str, said: str) -> None:
    verdict = judge(output, errors)
    assert verdict.outcome is Outcome.NOT_DONE
    assert "NOT DONE" in verdict.lines[0]
    assert said in verdict.lines[0]


def a_pip_audit(directory: Path, output: str, code: int) -> str:
    program = directory / "pip-audit"
    program.write_text(f"#!/bin/sh\ncat <<'REPORT'\n{output}\nREPORT\nexit {code}\n")
    program.chmod(0o700)
    return str(program)


@pytest.mark.parametrize(
    ("output", "strictly", "in_ci"), [(report(WELL), 0, 0), (report(HOLE), 1, 1), (report(SKIPPED), 2, 0), ("", 2, 0)]
)
def test_in_ci_only_what_is_found_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str, strictly: int, in_ci: int
) -> None:
    program = a_pip_audit(tmp_path, output, strictly)
    assert main([program]) == strictly
    assert main([program, "--unless-unreachable"]) == in_ci
    said = capsys.readouterr().out.splitlines()
    assert sum("audit: NOT DONE" in line for line in said) == (2 if strictly == 2 else 0)


def test_a_service_that_is_silent_or_a_program_that_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No such file" in advisories.ask(str(tmp_path / "nothing")).lines[0]
    monkeypatch.setattr(advisories, "MAX_SECONDS", 0.05)
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o700)
    assert "no answer within" in advisories.ask(str(slow)).lines[0]


def test_ci_asks_and_fails_for_what_is_found() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert re.search(r"^make audit .*AUDIT=--unless-unreachable( .*)? \|\| status=\$\?$", script, re.MULTILINE)
    assert script.index("make test") < script.index("make audit") < script.rindex('exit "$status"')


def test_every_accepted_advisory_has_its_reason() -> None:
    assert all(len(reason) > 20 for reason in advisories.ACCEPTED.values())
