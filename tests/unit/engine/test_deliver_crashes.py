"""The delivery engine through many lives: crashes at random moments, endpoints that fail, hang and lose answers.

Nothing that was logged is lost; of one key, all comes in order; and an event comes again only where an attempt failed
or its outcome was not on disk when the process died (engine.md, Duplicates).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace

import pytest

from bellwire.delivery.lane import LaneLimits
from bellwire.model.attempt import AttemptOutcome, AttemptResult
from bellwire.model.ids import EMBEDDED_PARTITION, SubscriptionId
from tests.doubles.delivering import FAILED, QUICK, TAKEN, ScriptedSender, Sent, Stage, an_event, until

SUBSCRIPTIONS = ("steady", "shaky", "awful")
TROUBLE = {"steady": 0.0, "shaky": 0.1, "awful": 0.5}
KEYS = 4
EVENTS = 120
LIVES = 5


class Story:
    """What the endpoints saw, and how often they may have seen each event beyond once."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.received: dict[str, list[str]] = {subscription: [] for subscription in SUBSCRIPTIONS}
        self.may_repeat: Counter[tuple[str, str]] = Counter()
        self.is_calm = False
        limits = replace(QUICK, lane=LaneLimits(waiting=6, parallel=3, page=8), in_flight=6, in_flight_per_origin=3)
        self.stage = Stage(sender=ScriptedSender(self.answer), limits=limits)

    def answer(self, sent: Sent) -> AttemptResult | None:
        """What becomes of a request: taken, refused, hanging, or taken with its answer lost."""
        trouble = 0.0 if self.is_calm else TROUBLE[sent.to]
        if self.chance.random() >= trouble:
            self.received[sent.to].append(sent.uuid)
            return TAKEN
        fate = self.chance.random()
        if fate < 0.4:
            return FAILED
        self.received[sent.to].append(sent.uuid)
        self.may_repeat[sent.to, sent.uuid] += 1
        return FAILED if fate < 0.8 else None

    async def live(self, events: range, seconds: float | None) -> None:
        """One process: it routes, while events are published, and dies without warning, or else does all there is."""
        stage = self.stage
        watermark = await stage.start(*SUBSCRIPTIONS)
        following = asyncio.create_task(stage.follow(watermark, *SUBSCRIPTIONS))
        for number in events:
            event = an_event(f"{number % KEYS}-{number:05d}", f"key{number % KEYS}")
            await stage.engine.event_log.append(EMBEDDED_PARTITION, [event])
            if self.chance.random() < 0.1:
                await asyncio.sleep(0.001)
        if seconds is None:
            await until(lambda: all(set(seen) >= self.logged for seen in self.received.values()), 10)
            await until(lambda: stage.rows == 0 and stage.deliveries.committed_watermark == EVENTS, 10)
        else:
            await asyncio.sleep(seconds)
            self._count_what_is_not_on_disk()
        following.cancel()
        await stage.crash()
        await asyncio.gather(following, return_exceptions=True)

    @property
    def logged(self) -> set[str]:
        return {f"{number % KEYS}-{number:05d}" for number in range(EVENTS)}

    def _count_what_is_not_on_disk(self) -> None:
        on_disk = {
            (attempt.subscription, attempt.uuid)
            for attempt in self.stage.engine.backlog.attempts
            if attempt.outcome is AttemptOutcome.DELIVERED
        }
        for subscription, seen in self.received.items():
            for uuid in set(seen):
                if (SubscriptionId(subscription), uuid) not in on_disk:
                    self.may_repeat[subscription, uuid] += 1


@pytest.mark.parametrize("seed", range(12))
async def test_nothing_is_lost_or_out_of_order_and_repeated_only_what_was_uncertain(seed: int) -> None:
    story = Story(seed)
    share = EVENTS // LIVES
    for life in range(LIVES):
        is_last = life == LIVES - 1
        story.is_calm = is_last
        events = range(life * share, EVENTS if is_last else (life + 1) * share)
        await story.live(events, None if is_last else story.chance.uniform(0.0, 0.08))

    assert story.stage.failures == []
    for subscription, seen in story.received.items():
        assert set(seen) == story.logged, subscription
        first_comings = list(dict.fromkeys(seen))
        for key in range(KEYS):
            of_key = [uuid for uuid in first_comings if uuid.startswith(f"{key}-")]
            assert of_key == sorted(of_key), f"{subscription}: key {key} is out of order"
        for uuid, times in Counter(seen).items():
            assert times - 1 <= story.may_repeat[subscription, uuid], f"{subscription}: {uuid} came {times} times"
