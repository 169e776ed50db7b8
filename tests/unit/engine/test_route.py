"""Routing: who gets an event, on which topics, and that each is routed once, in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from bellwire.engine.fairness import Unrouted
from bellwire.engine.publish import Submissions
from bellwire.engine.route import Announcements, Router
from bellwire.engine.subscribers import Subscribers
from bellwire.filters import parse_filter
from bellwire.model.directory import Extension
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.identity import ApiKey, KeyKind
from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START, AccountId, ExtensionId, Position, SubscriptionId
from bellwire.model.subscription import FilterVersion
from bellwire.subscriptions.versions import with_next_version
from tests.doubles.attempts import an_attempt
from tests.doubles.delivering import TAKEN, RealClock, ScriptedSender, Stage, until
from tests.doubles.identity import MemoryIdentity, every_account
from tests.doubles.stepped_clock import SteppedClock
from tests.doubles.subscriptions import NOW, a_subscription

ACCOUNT = "/restapi/v1.0/account/1"
MESSAGES = f"{ACCOUNT}/a2p-sms/messages"
KEY = ApiKey(
    id="k",
    kind=KeyKind.PUBLISHER,
    label="",
    key_hash=b"",
    account_id=None,
    default_account_id=AccountId("1"),
    created_at=NOW,
)
SUBMISSIONS = Submissions(clock=SteppedClock(), max_event_bytes=1 << 20, status_of=every_account)


def an_event(topic: str, body: dict[str, Any], **fields: Any) -> Event:
    item = json.dumps({"event": topic, "body": body, **fields}).encode()
    event = SUBMISSIONS.read(item, KEY, None)
    assert isinstance(event, Event), event
    return event


def a_message(direction: str = "Inbound", **fields: Any) -> Event:
    body = {"id": "1", "from": "+16505550100", "to": ["+16505550101"], "direction": direction, "messageStatus": "Sent"}
    return an_event(MESSAGES, body, **fields)


def presence_of(extension: str, **fields: Any) -> Event:
    body = {"extensionId": extension, "sequence": 1}
    return an_event(f"{ACCOUNT}/extension/{extension}/presence", body, **fields)


class ClockOfThen(RealClock):
    """Runs as the real one does, from the time at which the doubles' subscriptions are made."""

    def __init__(self) -> None:
        self.ahead = NOW - super().now()

    def now(self) -> datetime:
        return super().now() + self.ahead


class Scene:
    """A router before deliveries that write down who got what."""

    def __init__(self) -> None:
        self.stage = Stage(sender=ScriptedSender(lambda _: TAKEN))
        self.directory = MemoryIdentity()
        self.clock = ClockOfThen()
        self.subscribers = Subscribers()
        self.unrouted = Unrouted(limit=2)
        self.counted: list[tuple[str, int]] = []
        self.announcements = Announcements(self.directory)
        self.router: Router
        self.routing: asyncio.Task[None] | None = None
        self._position = LOG_START

    async def begin(self) -> Position:
        watermark = await self.stage.start()
        self.router = Router(
            partition=EMBEDDED_PARTITION,
            log=self.stage.engine.event_log,
            announcements=self.announcements,
            subscribers=self.subscribers,
            deliveries=self.stage.deliveries,
            unrouted=self.unrouted,
            clock=self.clock,
            on_routed=lambda event, number: self.counted.append((event.uuid, number)),
        )
        return watermark

    def subscribe(self, id_: str, *filters: str, owner: str = "11", from_position: int = 0) -> None:
        record = a_subscription(
            id_,
            owner_id=ExtensionId(owner),
            versions=(FilterVersion(version=1, filters=filters, from_position=Position(from_position)),),
        )
        self.subscribers.open(record, [[self._parsed(record, text) for text in filters]])
        self.stage.open(id_)

    def refilter(self, id_: str, *filters: str, at: int) -> None:
        subscriber = self.subscribers.get(SubscriptionId(id_))
        assert subscriber is not None
        record = with_next_version(subscriber.subscription, filters, Position(at))
        self.subscribers.refilter(record, [self._parsed(record, text) for text in filters])

    def route(self, event: Event) -> None:
        self._position = Position(self._position + 1)
        self.router.route(LoggedEvent(self._position, event))

    async def further(self) -> dict[str, bool | None]:
        """By topic, what the rows of the backlog say."""
        await self.stage.deliveries.commit()
        return {row.topic: row.further for row in self.stage.engine.backlog.rows.values()}

    def got(self, id_: str) -> list[str]:
        return self.stage.sender.uuids(id_)

    @staticmethod
    def _parsed(record: Any, text: str) -> Any:
        return parse_filter(
            text, account=record.account_id, extension=record.owner_id, api=record.api, subscription=record.id
        )


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.begin()
    yield scene
    if scene.routing is not None:
        scene.routing.cancel()
        await asyncio.gather(scene.routing, return_exceptions=True)
    await scene.stage.stop()
    assert scene.stage.failures == []


class TestWho:
    async def test_those_whose_filter_matches_and_nobody_else(self, scene: Scene) -> None:
        scene.subscribe("all", MESSAGES)
        scene.subscribe("inbound", f"{MESSAGES}?direction=Inbound")
        scene.subscribe("outbound", f"{MESSAGES}?direction=Outbound")

        scene.route(a_message(uuid="m"))

        assert (scene.got("all"), scene.got("inbound"), scene.got("outbound")) == (["m"], ["m"], [])
        assert scene.counted == [("m", 2)]

    async def test_one_notification_where_several_filters_match_on_one_topic(self, scene: Scene) -> None:
        scene.subscribe("s", MESSAGES, f"{MESSAGES}?direction=Inbound")

        scene.route(a_message(uuid="m"))

        assert scene.got("s") == ["m"]

    async def test_one_for_each_topic(self, scene: Scene) -> None:
        scene.subscribe("s", f"{ACCOUNT}/presence", f"{ACCOUNT}/extension/11/presence")

        scene.route(presence_of("11", uuid="p"))

        await until(lambda: scene.got("s") == ["p", "p"])

    async def test_all_but_the_first_are_marked_as_further_ones(self, scene: Scene) -> None:
        """The order is that of the event's topics, whatever the order of the filters."""
        scene.subscribe("s", f"{ACCOUNT}/presence", f"{ACCOUNT}/extension/11/presence")
        scene.stage.deliveries.hold(SubscriptionId("s"))

        scene.route(presence_of("11"))

        assert await scene.further() == {f"{ACCOUNT}/extension/11/presence": False, f"{ACCOUNT}/presence": True}

    async def test_they_come_in_the_order_of_the_backlog_whatever_topic_was_published(self, scene: Scene) -> None:
        """A batch is published on its own topic, which sorts after that of all batches."""
        scene.subscribe("s", f"{ACCOUNT}/a2p-sms/batches", f"{ACCOUNT}/a2p-sms/batches/77")
        scene.stage.deliveries.hold(SubscriptionId("s"))
        body = {"id": "77", "from": "+16505550100", "batchSize": 1, "processedCount": 0, "status": "Processing"}

        scene.route(an_event(f"{ACCOUNT}/a2p-sms/batches/77", body))

        further = await scene.further()
        assert list(further) == [f"{ACCOUNT}/a2p-sms/batches", f"{ACCOUNT}/a2p-sms/batches/77"]
        assert further == {f"{ACCOUNT}/a2p-sms/batches": True, f"{ACCOUNT}/a2p-sms/batches/77": False}

    async def test_a_further_one_stays_one_where_the_first_was_settled_before_a_crash(self, scene: Scene) -> None:
        first = an_attempt(1, subscription=SubscriptionId("s"), topic=f"{ACCOUNT}/extension/11/presence")
        lease = await scene.stage.engine.backlog.claim(EMBEDDED_PARTITION)
        await scene.stage.engine.backlog.commit(lease, LOG_START, [first], [], [])
        await scene.stage.crash()
        await scene.begin()
        scene.subscribe("s", f"{ACCOUNT}/presence", f"{ACCOUNT}/extension/11/presence")
        scene.stage.deliveries.hold(SubscriptionId("s"))

        scene.route(presence_of("11"))

        assert await scene.further() == {f"{ACCOUNT}/presence": True}

    async def test_those_who_watch_are_told_as_the_directory_is_now(self, scene: Scene) -> None:
        scene.subscribe("s", f"{ACCOUNT}/extension/11/presence/line/presence")
        scene.route(presence_of("12", uuid="before"))
        await scene.directory.save_extension(
            Extension(
                id=ExtensionId("11"),
                account_id=AccountId("1"),
                extension_number="11",
                first_name="Ada",
                monitored_lines=(ExtensionId("12"),),
            )
        )

        scene.route(presence_of("12", uuid="after"))

        assert scene.got("s") == ["after"]

    async def test_an_audience_is_of_subscription_owners(self, scene: Scene) -> None:
        posts = "/team-messaging/v1/posts"
        removed = {"id": "1", "eventType": "PostRemoved"}
        scene.subscribe("in", posts, owner="11")
        scene.subscribe("out", posts, owner="12")

        scene.route(an_event(posts, removed, uuid="some", audience=["11", "99"]))
        scene.route(an_event(posts, removed, uuid="nobody", audience=[]))
        scene.route(an_event(posts, removed, uuid="all"))

        await until(lambda: scene.got("in") == ["some", "all"])
        assert scene.got("out") == ["all"]

    async def test_topics_without_account_are_kept_apart_by_account(self, scene: Scene) -> None:
        posts = "/team-messaging/v1/posts"
        scene.subscribe("s", posts)

        scene.route(an_event(posts, {"id": "1", "eventType": "PostRemoved"}, accountId="2"))

        assert scene.got("s") == []

    async def test_what_the_publisher_stated_counts_where_the_body_says_nothing(self, scene: Scene) -> None:
        store = f"{ACCOUNT}/extension/11/message-store"
        body = {"lastUpdated": "2026-03-02T09:15:04.300Z", "changes": [{"type": "SMS"}]}
        scene.subscribe("s", f"{store}?direction=Inbound")

        scene.route(an_event(f"{store}?direction=Outbound", body, uuid="out"))
        scene.route(an_event(f"{store}?direction=Inbound", body, uuid="in"))

        assert scene.got("s") == ["in"]

    async def test_a_subscription_whose_time_is_up_gets_nothing_more(self, scene: Scene) -> None:
        scene.subscribe("s", MESSAGES)
        scene.routing = asyncio.create_task(scene.router.run(LOG_START))
        await scene.stage.engine.event_log.append(EMBEDDED_PARTITION, [a_message(uuid="in-time")])
        await until(lambda: scene.got("s") == ["in-time"])

        scene.clock.ahead += timedelta(days=7)
        await scene.stage.engine.event_log.append(EMBEDDED_PARTITION, [a_message(uuid="late")])
        await until(lambda: len(scene.counted) == 2)

        assert scene.counted[-1] == ("late", 0)
        assert scene.got("s") == ["in-time"]

    async def test_filters_hold_from_the_position_they_began_at_to_the_one_they_ended_at(self, scene: Scene) -> None:
        inbound, outbound = f"{MESSAGES}?direction=Inbound", f"{MESSAGES}?direction=Outbound"
        scene.subscribe("s", inbound, from_position=1)
        scene.refilter("s", outbound, at=3)

        for number in range(1, 6):
            scene.route(a_message("Inbound", uuid=f"in{number}"))

        assert scene.counted == [("in1", 0), ("in2", 1), ("in3", 1), ("in4", 0), ("in5", 0)]
        await until(lambda: scene.got("s") == ["in2", "in3"])


class TestFacts:
    @pytest.mark.parametrize(
        "event",
        [
            a_message("Outbound"),
            presence_of("11"),
            an_event("/team-messaging/v1/posts", {"id": "1", "eventType": "PostRemoved"}),
        ],
        ids=["message", "presence", "post"],
    )
    def test_read_again_from_the_body_they_are_the_same(self, scene: Scene, event: Event) -> None:
        stored = msgspec.structs.replace(event, facts=None)

        assert scene.announcements.facts(stored) == event.facts

    def test_topics_come_with_the_published_one_first(self, scene: Scene) -> None:
        assert [topic for topic, _ in scene.announcements.topics(presence_of("11"))] == [
            f"{ACCOUNT}/extension/11/presence",
            f"{ACCOUNT}/presence",
        ]


class TestRunning:
    async def publish(self, scene: Scene, *events: Event) -> None:
        for event in events:
            scene.unrouted.published(event.account, 1)
        await scene.stage.engine.event_log.append(EMBEDDED_PARTITION, events)

    async def test_all_after_a_position_is_routed_in_order(self, scene: Scene) -> None:
        scene.subscribe("s", MESSAGES)
        events = [a_message(uuid=f"m{number}") for number in range(100)]
        await self.publish(scene, *events[:50])
        scene.stage.deliveries.settling.route(Position(10), 0, 0.0)

        scene.routing = asyncio.create_task(scene.router.run(Position(10)))
        await until(lambda: len(scene.got("s")) == 40)
        await self.publish(scene, *events[50:])
        await until(lambda: len(scene.got("s")) == 90)

        assert scene.got("s") == [f"m{number}" for number in range(10, 100)]
        assert scene.stage.deliveries.settling.routed == 100

    async def test_the_next_process_skips_what_was_delivered_and_tries_the_rest_again(self, scene: Scene) -> None:
        scene.stage.sender.script = lambda sent: TAKEN if sent.uuid == "taken" else None
        scene.subscribe("s", MESSAGES)
        hangs = an_event(MESSAGES, json.loads(a_message().body) | {"id": "2"}, uuid="hangs")
        await self.publish(scene, hangs, a_message(uuid="taken"))
        scene.routing = asyncio.create_task(scene.router.run(LOG_START))
        await until(lambda: len(scene.stage.attempts) == 1)
        await scene.stage.deliveries.commit()
        scene.routing.cancel()
        await scene.stage.crash()

        scene.stage.sender.script = lambda _: TAKEN
        watermark = await scene.begin()
        scene.stage.open("s")
        scene.routing = asyncio.create_task(scene.router.run(watermark))
        await until(lambda: scene.got("s") == ["hangs", "taken", "hangs"])
        await until(lambda: scene.stage.deliveries.committed_watermark == 2)

        assert scene.got("s") == ["hangs", "taken", "hangs"]

    async def test_publishers_that_wait_go_on_when_their_events_are_routed(self, scene: Scene) -> None:
        await self.publish(scene, a_message(), a_message())
        waiting = asyncio.create_task(scene.unrouted.room(AccountId("1")))
        await asyncio.sleep(0)
        assert not waiting.done()

        scene.routing = asyncio.create_task(scene.router.run(LOG_START))

        await asyncio.wait_for(waiting, 5)

    async def test_a_long_log_does_not_keep_the_event_loop(self, scene: Scene) -> None:
        await scene.stage.engine.event_log.append(EMBEDDED_PARTITION, [a_message() for _ in range(1000)])
        scene.routing = asyncio.create_task(scene.router.run(LOG_START))

        turns = 0
        while len(scene.counted) < 1000:
            await asyncio.sleep(0)
            turns += 1

        assert turns >= 1000 / 64
