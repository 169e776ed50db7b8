"""The command line, run within the test's process: quick, and with everything it prints."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from bellwire.cli import main


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended."""

    exit_code: int
    out: str
    err: str


def run(*arguments: str, stdin: bytes = b"", environ: Mapping[str, str] | None = None) -> Finished:
    """Run `bellwire` with these arguments, this standard input, and nothing but `environ` for its environment."""
    out, err = io.StringIO(), io.StringIO()
    with _environment(environ or {}), redirect_stdout(out), redirect_stderr(err), _standard_input(stdin):
        try:
            main(arguments)
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    return Finished(code, out.getvalue(), err.getvalue())


@contextmanager
def _environment(environ: Mapping[str, str]) -> Iterator[None]:
    with mock.patch.dict("os.environ", dict(environ), clear=True):
        yield


@contextmanager
def _standard_input(content: bytes) -> Iterator[None]:
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(content))):
        yield
