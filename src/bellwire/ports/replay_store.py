"""Where replays are kept: durable jobs, each with how far it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bellwire.model.attempt import Attempt
from bellwire.model.ids import ReplayId
from bellwire.model.replay import Replay


class ReplayStore(Protocol):
    async def all(self) -> list[Replay]:
        """Every replay that was not forgotten, oldest first."""
        ...

    async def save(self, replay: Replay, attempts: Sequence[Attempt] = ()) -> None:
        """Create or replace a replay and record its attempts, all or nothing; durable on return.

        The attempts name the replay. They are history: no recovery takes them for the outcome of a notification.
        """
        ...

    async def forget(self, replays: Sequence[ReplayId]) -> None:
        """Drop these; unknown ones change nothing. Their attempts stay in history."""
        ...
