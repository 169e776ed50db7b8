"""What a verification has found: plain lines for people, each with its file and its weight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

LISTED = 5
"""Of things of one kind that are wrong, so many are named; the others are counted."""


class Grade(StrEnum):
    SOUND = "sound"
    NOTE = "note"
    """Worth knowing; the next start takes care of it."""
    PROBLEM = "problem"
    """Something is lost, or would be at the next start."""


@dataclass(frozen=True, slots=True)
class Finding:
    grade: Grade
    file: str
    text: str


@dataclass(slots=True)
class Verification:
    """All findings, in the order in which they were made."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def problems(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.grade is Grade.PROBLEM]

    @property
    def is_sound(self) -> bool:
        return not self.problems

    def of(self, file: str) -> Findings:
        return Findings(self, file)


class Findings:
    """Takes findings about one file."""

    def __init__(self, verification: Verification, file: str) -> None:
        self._verification = verification
        self._file = file

    def sound(self, text: str) -> None:
        self._add(Grade.SOUND, text)

    def note(self, text: str) -> None:
        self._add(Grade.NOTE, text)

    def problem(self, text: str) -> None:
        self._add(Grade.PROBLEM, text)

    def problems(self, what: str, instances: Iterable[str]) -> None:
        """One problem that may have many instances; none if there is no instance."""
        named: list[str] = []
        count = 0
        for instance in instances:
            count += 1
            if count <= LISTED:
                named.append(instance)
        if count:
            more = f" and {count - LISTED} more" if count > LISTED else ""
            self.problem(f"{what}: {', '.join(named)}{more}")

    def _add(self, grade: Grade, text: str) -> None:
        self._verification.findings.append(Finding(grade, self._file, text))
