"""Replays: a stretch of history, sent to one subscription again."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bellwire.model.ids import AccountId, Position, ReplayId, SubscriptionId


class ReplayState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    """All of the stretch was looked at, and each notification of it has its outcome."""
    CANCELLED = "cancelled"
    """It was told to stop, or its subscription ended; `reason` says which."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """One job, as it is stored. Times are milliseconds since the epoch; `from_ms` and `until_ms` are of the events.

    The stretch is `(after, until]` by position, and `[from_ms, until_ms)` by the events' time where that is given.
    `cursor`: up to there, all has its outcome. `done`: notifications above it that have theirs already.
    """

    id: ReplayId
    subscription: SubscriptionId
    account: AccountId
    after: Position
    until: Position
    from_ms: int | None = None
    until_ms: int | None = None
    state: ReplayState = ReplayState.RUNNING
    cursor: Position
    done: tuple[tuple[Position, str], ...] = ()
    delivered: int = 0
    given_up: int = 0
    failed_attempts: int = 0
    created_ms: int
    ended_ms: int | None = None
    reason: str = ""
    """One plain sentence: why it ended before its time, or what went wrong last."""
