"""How long a subscription lives (wire contract, 3.4)."""

from __future__ import annotations

from datetime import datetime, timedelta

from bellwire.errors import InvalidRequest

DEFAULT_SECONDS = 604_800
"""Seven days: granted when the request says nothing."""

MAX_SECONDS = 315_360_000
"""Ten years: what asks for more gets this much."""


def granted_seconds(expires_in: int | None) -> int:
    """The lifetime that a request gets.

    Raises:
        InvalidRequest: CMN-101 for less than one second.
    """
    if expires_in is None:
        return DEFAULT_SECONDS
    if expires_in < 1:
        raise InvalidRequest(
            "CMN-101",
            "Parameter [expiresIn] is invalid: it must be at least 1 second.",
            parameter="expiresIn",
            value=str(expires_in)[:32],
        )
    return min(expires_in, MAX_SECONDS)


def remaining_seconds(expires_at: datetime, now: datetime) -> int:
    """What `expiresIn` says: the whole seconds that are left, and never less than the schema's minimum of one, also
    in the moment between expiry and the job that removes what expired."""
    return max(1, (expires_at - now) // timedelta(seconds=1))
