"""Demo traffic: believable events of many families, as `bellwire dev` publishes them.

A scenario is a short story told in events (`traffic_scenarios.py`). `Traffic` tells a few of them at a time, mixed,
and goes through all scenarios before any comes again, so that a minute shows most families. It is pure: chance and
time are handed in, so that the same seed tells the same stories.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from bellwire.engine.traffic_scenarios import SCENARIOS
from bellwire.engine.traffic_stage import Happening, Scene, Stage
from bellwire.ports.clock import Clock

STORIES_AT_A_TIME = 4

Publication = Mapping[str, Any]
"""An event as the publish API takes it."""


class Traffic:
    """An endless supply of events of one account."""

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        self._rng = rng
        self._stage = Stage(scene, rng)
        self._deck: list[Callable[[Stage], Iterator[Happening]]] = []
        self._stories: list[Iterator[Happening]] = []

    def next(self, now: datetime) -> Publication:
        """The next event, happening now, ready to be published."""
        self._stage.now = now
        while True:
            while len(self._stories) < STORIES_AT_A_TIME:
                self._stories.append(self._deal()(self._stage))
            story = self._rng.choice(self._stories)
            happening = next(story, None)
            if happening is None:
                self._stories.remove(story)
                continue
            return self._publication(happening)

    def _deal(self) -> Callable[[Stage], Iterator[Happening]]:
        if not self._deck:
            self._deck = list(SCENARIOS)
            self._rng.shuffle(self._deck)
        return self._deck.pop()

    def _publication(self, happening: Happening) -> Publication:
        publication: dict[str, Any] = {
            "event": happening.topic,
            "body": happening.body,
            "uuid": str(UUID(int=self._rng.getrandbits(128), version=4)),
            "accountId": self._stage.scene.account_id,
        }
        if happening.audience is not None:
            publication["audience"] = list(happening.audience)
        return publication


async def run_traffic(
    traffic: Traffic,
    publish: Callable[[Publication], Awaitable[None]],
    clock: Clock,
    rng: random.Random,
    *,
    pause_seconds: tuple[float, float] = (0.4, 0.9),
) -> None:
    """Publish one event after the other, with pauses between, until cancelled (or until `publish` raises)."""
    while True:
        await publish(traffic.next(clock.now()))
        await asyncio.sleep(rng.uniform(*pause_seconds))
