"""The error tree, branched by who must act.

    BellwireError
    ├── InvalidRequest            the caller: 400 unless a subclass says otherwise
    │   ├── Unauthenticated       401
    │   ├── Forbidden             403
    │   ├── NotFound              404
    │   ├── NotAllowedHere        405
    │   ├── Conflict              409
    │   ├── TooLarge              413
    │   ├── UnsupportedMedia      415
    │   ├── BodyBrokenOff         400: there will be no more of the body
    │   │   └── BodyStalled       408
    │   ├── TooManyRequests       429, with seconds to wait
    │   └── OAuthRefused          400 in the form of RFC 6749 section 5.2
    ├── Unavailable               the operator: 503, with seconds to wait
    │   ├── Overloaded            more is waiting than may; slow down
    │   └── Fenced                another process owns the partition now
    └── Misconfigured             the operator: every problem listed, each with its key

Anything else that is raised is our own bug, and surfaces as one (500 CMN-203). Outcomes that are expected (a refused
webhook, a rejected event of a list) are values, not exceptions. `api/problems.py` is the one map from here to HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass


class BellwireError(Exception):
    """Base of all errors that Bellwire raises on purpose."""


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One entry of the protocol's `errors` list (wire contract, 2.5)."""

    code: str
    message: str
    parameter: str | None = None
    value: str | None = None


class InvalidRequest(BellwireError):
    """The caller asked for something that can't be done; carries the protocol's error code.

    `entries` has at least one entry; the first is repeated at the top level of the answer.
    """

    http_status = 400

    def __init__(
        self,
        code: str,
        message: str,
        *,
        parameter: str | None = None,
        value: str | None = None,
        more: tuple[ErrorEntry, ...] = (),
    ) -> None:
        super().__init__(message)
        self.entries = (ErrorEntry(code, message, parameter, value), *more)

    @property
    def code(self) -> str:
        return self.entries[0].code

    @property
    def message(self) -> str:
        return self.entries[0].message


class Unauthenticated(InvalidRequest):
    """No token, or one that is expired, revoked or unreadable."""

    http_status = 401


class Forbidden(InvalidRequest):
    """Known caller, not allowed."""

    http_status = 403


class NotFound(InvalidRequest):
    """No such resource, or none that this caller may know of."""

    http_status = 404


class NotAllowedHere(InvalidRequest):
    """The action does not fit this kind of resource."""

    http_status = 405


class Conflict(InvalidRequest):
    """The resource is in a state that forbids the action."""

    http_status = 409


class TooLarge(InvalidRequest):
    """The body or one of its parts is over its limit."""

    http_status = 413


class UnsupportedMedia(InvalidRequest):
    """The body's media type is not one that this operation reads."""

    http_status = 415


class BodyBrokenOff(InvalidRequest):
    """The body ended before its end; raised where it is read, after all that came of it."""


class BodyStalled(BodyBrokenOff):
    """Nothing of the body came for too long."""

    http_status = 408


class TooManyRequests(InvalidRequest):
    """A limit in time; `retry_after_seconds` is a whole number of seconds (wire contract, 2.3)."""

    http_status = 429

    def __init__(self, code: str, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(code, message)
        self.retry_after_seconds = retry_after_seconds


class OAuthRefused(InvalidRequest):
    """A refusal of the token or authorize endpoint: RFC 6749 `error` beside the protocol code (contract 1.7)."""

    def __init__(self, error: str, code: str, description: str) -> None:
        super().__init__(code, description)
        self.error = error


class Unavailable(BellwireError):
    """Bellwire can't serve this now; trying again later may help."""

    def __init__(self, message: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Overloaded(Unavailable):
    """More work is waiting already than may: the caller is asked to slow down, and nothing of its call was done."""


class Fenced(Unavailable):
    """Another process claimed the partition: nothing of this one may be committed any more."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the configuration: the setting's key, and what to do."""

    key: str
    message: str


class Misconfigured(BellwireError):
    """The configuration is refused; `problems` lists all that is wrong with it, not only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(f"{p.key}: {p.message}" for p in problems))
        self.problems = problems
