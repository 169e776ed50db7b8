"""How a command ends that could not do what it was asked for."""

from __future__ import annotations

import sys

EXIT_FAILED = 1
EXIT_USAGE = 2


class CommandFailed(Exception):
    """One plain sentence for the user, and the exit code."""

    def __init__(self, message: str, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def complain(line: str) -> None:
    """Say something on standard error."""
    sys.stderr.write(f"bellwire: {line}\n")
