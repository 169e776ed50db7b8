"""A webhook address taken apart, and the whole answer that a validation handshake is judged by."""

from __future__ import annotations

from dataclasses import dataclass

from bellwire.model.attempt import FailureCode


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook address, taken apart. `host` is lower case, ASCII (IDNA), without brackets."""

    scheme: str
    """http or https."""
    host: str
    port: int
    target: str
    """Path and query, at least `/`."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """What connections are pooled by."""
        return (self.scheme, self.host, self.port)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, for the validation handshake.

    `failure` is set, and the rest zero or empty, when no whole answer came. Header names are lower case.
    `size_bytes` is what the handshake's limit counts: the header lines as received, each with its CRLF, and the body
    without chunk framing; not the status line, the empty line after the headers, or interim (1xx) answers.
    """

    failure: FailureCode | None
    detail: str
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    size_bytes: int = 0
    duration_seconds: float = 0.0
