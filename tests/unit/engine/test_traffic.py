from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bellwire.engine.traffic import Publication, Traffic, run_traffic
from bellwire.engine.traffic_scenarios import SCENARIOS
from bellwire.engine.traffic_stage import Person, Scene, Stage
from bellwire.families import REGISTRY
from bellwire.model.ids import AccountId, ExtensionId

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_person(number: int) -> Person:
    return Person(
        extension_id=ExtensionId(f"20000{number}"),
        extension_number=f"10{number}",
        first_name="Ada",
        last_name=f"No{number}",
        phone_number=f"+1650555010{number}",
    )


SCENE = Scene(
    account_id=AccountId("1000001"),
    people=tuple(a_person(number) for number in range(5)),
    queues=(ExtensionId("300001"),),
    device_ids=("800001",),
    a2p_number="+16505550190",
)


def events(count: int, seed: int = 1) -> list[dict[str, Any]]:
    traffic = Traffic(SCENE, random.Random(seed))
    return [dict(traffic.next(NOON + timedelta(seconds=second))) for second in range(count)]


def test_the_same_seed_tells_the_same_stories_and_another_others() -> None:
    assert events(200, seed=5) == events(200, seed=5)
    assert events(200, seed=5) != events(200, seed=6)


def test_every_event_can_be_published_and_has_a_fresh_uuid() -> None:
    published = events(500)

    assert len({event["uuid"] for event in published}) == 500
    for event in published:
        assert event["event"].startswith("/")
        assert "~" not in event["event"]
        assert json.loads(json.dumps(event)) == event


def test_a_hundred_events_are_of_many_kinds() -> None:
    without_ids = Counter("".join(c for c in event["event"] if not c.isdigit()) for event in events(100))

    assert len(without_ids) >= 18


def test_a_call_rings_is_answered_and_ends_in_this_order() -> None:
    sessions: dict[str, list[tuple[int, str]]] = {}
    for event in events(1000):
        if event["event"].endswith("/telephony/sessions"):
            body = event["body"]
            step = (body["sequence"], body["parties"][0]["status"]["code"])
            sessions.setdefault(body["telephonySessionId"], []).append(step)
    stories = {tuple(code for _, code in steps) for steps in sessions.values()}

    assert all([number for number, _ in steps] == list(range(1, len(steps) + 1)) for steps in sessions.values())
    assert ("Setup", "Proceeding", "Answered", "Disconnected") in stories
    assert ("Proceeding", "Disconnected") in stories


def test_times_are_those_of_the_moment() -> None:
    traffic = Traffic(SCENE, random.Random(1))
    times = {traffic.next(NOON)["body"].get("lastModifiedTime") for _ in range(50)} - {None}

    assert times == {"2026-11-23T12:00:00.000Z"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_each_scenario_ends_even_where_there_is_only_one_person_and_nothing_else(scenario: Any) -> None:
    alone = Scene(account_id=AccountId("1"), people=(a_person(1),))

    assert len(list(scenario(Stage(alone, random.Random(1))))) < 50


async def test_the_runner_publishes_until_it_is_cancelled() -> None:
    published: list[Publication] = []
    enough = asyncio.Event()

    async def publish(publication: Publication) -> None:
        published.append(publication)
        if len(published) == 5:
            enough.set()

    class Noon:
        def now(self) -> datetime:
            return NOON

        def now_ms(self) -> int:
            return int(NOON.timestamp() * 1000)

        def monotonic(self) -> float:
            return 0.0

    rng = random.Random(1)
    running = asyncio.create_task(run_traffic(Traffic(SCENE, rng), publish, Noon(), rng, pause_seconds=(0, 0.001)))
    await asyncio.wait_for(enough.wait(), 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert len(published) >= 5


def test_every_event_is_one_that_its_family_takes_published_where_it_is_announced_most_widely() -> None:
    seen: set[str] = set()
    for event in events(1500):
        match = REGISTRY.match(event["event"])
        assert match is not None, event["event"]
        assert match.family.publishable
        assert match.index == 0, f"{event['event']} is announced on this topic alone"
        match.family.body.model_validate(event["body"])
        seen.add(match.family.name)

    assert len(seen) >= 20
