"""Ask an advisory service about what Bellwire runs on, and say what came of it: `make audit`, and CI.

    python -m tests.advisories PIP_AUDIT [--unless-unreachable]

What was found out is one of three things, and never looks like another: nothing is known against any package (0);
something is (1); the service did not say (2). CI may be where there is no such service: with `--unless-unreachable`
the last is no failure, but is said all the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from tests.licences import REQUIREMENTS

ACCEPTED: Mapping[str, str] = {}
"""Advisories that we live with, by an id or alias of theirs, each with the reason why it can't hurt here."""

MAX_SECONDS = 300
_OPTIONS = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json", "--desc", "off")


class Outcome(IntEnum):
    """As the exit code says it."""

    CLEAN = 0
    FOUND = 1
    NOT_DONE = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    lines: tuple[str, ...]


def judge(output: str, errors: str, *, accepted: Mapping[str, str] = ACCEPTED) -> Verdict:
    """What pip-audit found out.

    Args:
        output: its report in JSON; empty or anything else where it could not ask.
        errors: what it wrote beside.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, LookupError, TypeError):
        return _not_done(errors.strip().splitlines()[-1] if errors.strip() else "it said nothing")
    found = tuple(line for package in packages for line in _found(package, accepted))
    if found:
        return Verdict(Outcome.FOUND, (f"audit: FOUND {len(found)} known vulnerabilities", *found))
    skipped = [package for package in packages if "vulns" not in package]
    if skipped:
        reason = skipped[0].get("skip_reason", "no reason given")
        return _not_done(f"nothing was said of {len(skipped)} of {len(packages)} packages ({reason})")
    if not packages:
        return _not_done("it was asked about no package")
    return Verdict(Outcome.CLEAN, (f"audit: nothing is known against any of {len(packages)} packages",))


def _found(package: Mapping[str, Any], accepted: Mapping[str, str]) -> Iterator[str]:
    for known in package.get("vulns", ()):
        names = [known["id"], *known.get("aliases", ())]
        if accepted.keys().isdisjoint(names):
            mended = ", ".join(known.get("fix_versions", ())) or "no version yet"
            yield f"  {package['name']} {package['version']}: {', '.join(names)}; mended in {mended}"


def _not_done(reason: str) -> Verdict:
    return Verdict(Outcome.NOT_DONE, (f"audit: NOT DONE, the advisory service could not be asked: {reason[:500]}",))


def ask(pip_audit: str) -> Verdict:
    """Have the pinned packages looked up; bounded in time, since what has no internet may also just be silent."""
    command = [pip_audit, *_OPTIONS, "-r", str(REQUIREMENTS / "run.txt")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return _not_done(f"no answer within {MAX_SECONDS} s")
    except OSError as error:
        return _not_done(f"{pip_audit}: {error.strerror}")
    return judge(done.stdout, done.stderr)


def main(arguments: Sequence[str]) -> int:
    pip_audit, *options = arguments
    verdict = ask(pip_audit)
    print(*verdict.lines, sep="\n", flush=True)  # noqa: T201
    if verdict.outcome is Outcome.NOT_DONE and "--unless-unreachable" in options:
        return 0
    return verdict.outcome


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
