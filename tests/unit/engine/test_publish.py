"""What becomes of a submitted event: taken as it is, or rejected with the place and the reason."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.engine.fairness import Unrouted
from bellwire.engine.publish import Publisher, Rejection, Submissions, Tally, repeatable_uuid
from bellwire.errors import Overloaded
from bellwire.model.directory import Status
from bellwire.model.event import Event
from bellwire.model.identity import ApiKey, KeyKind
from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START, AccountId
from bellwire.storage.memory import MemoryEngine
from tests.doubles.identity import every_account
from tests.doubles.stepped_clock import SteppedClock

TOPIC = "/restapi/v1.0/account/1/extension/2/favorite"
POSTS = "/team-messaging/v1/posts"
POST = {"id": "1", "eventType": "PostRemoved"}
BODY = {"extensionId": "2"}
MAX_EVENT_BYTES = 4096
CLOCK = SteppedClock()
SUBMISSIONS = Submissions(clock=CLOCK, max_event_bytes=MAX_EVENT_BYTES, status_of=every_account)


def a_key(account: str | None = None, default: str | None = None) -> ApiKey:
    return ApiKey(
        id="key-1",
        kind=KeyKind.PUBLISHER,
        label="a key",
        key_hash=b"x",
        account_id=None if account is None else AccountId(account),
        default_account_id=None if default is None else AccountId(default),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def judged(
    event: str = TOPIC, body: bytes | dict[str, Any] | None = None, *, key: ApiKey | None = None, **fields: Any
) -> Event | Rejection:
    raw = body if isinstance(body, bytes) else json.dumps(BODY if body is None else body).encode()
    item = json.dumps({"event": event, **fields})[:-1].encode() + b',"body":' + raw + b"}"
    return SUBMISSIONS.read(item, key or a_key(), None)


def taken(*args: Any, **fields: Any) -> Event:
    found = judged(*args, **fields)
    assert isinstance(found, Event), found
    return found


def refused(*args: Any, **fields: Any) -> Rejection:
    found = judged(*args, **fields)
    assert isinstance(found, Rejection)
    return found


class TestWhatIsTaken:
    def test_the_body_is_kept_byte_for_byte(self) -> None:
        raw = b'{ "extensionId":"2" ,"n":[1.50, 1E+2,-0.0,98765432109876543210],\n"s":"\\u00e9\xc3\xa9\\/", "n":null}'

        assert taken(TOPIC, raw).body == raw

    def test_without_uuid_it_gets_one_that_is_not_looked_up_for_duplicates(self) -> None:
        first, second = taken(), taken()

        assert first.uuid != second.uuid
        assert not first.chosen

    def test_a_given_uuid_is_chosen(self) -> None:
        event = taken(uuid="A-z.0_9:x")

        assert (event.uuid, event.chosen) == ("A-z.0_9:x", True)

    def test_the_fallback_uuid_is_for_events_without_one(self) -> None:
        with_own = SUBMISSIONS.read(
            json.dumps({"event": TOPIC, "body": BODY, "uuid": "own"}).encode(), a_key(), "fallback"
        )
        without = SUBMISSIONS.read(json.dumps({"event": TOPIC, "body": BODY}).encode(), a_key(), "fallback")

        assert isinstance(with_own, Event)
        assert isinstance(without, Event)
        assert with_own.uuid == "own"
        assert (without.uuid, without.chosen) == ("fallback", True)

    def test_a_notification_that_was_received_can_be_published_as_it_is(self) -> None:
        event = taken(uuid="1", timestamp="2026-03-02T09:15:04.300Z", subscriptionId="s", ownerId="o")

        assert event.topic == TOPIC

    def test_time_is_now_unless_it_is_given(self) -> None:
        assert taken().timestamp_ms == CLOCK.now_ms()

    @pytest.mark.parametrize(
        ("text", "milliseconds"),
        [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-03-02T09:15:04.3Z", 1_772_442_904_300),
            ("2026-03-02T09:15:04.300999Z", 1_772_442_904_300),
            ("2026-03-02T14:45:04.3+05:30", 1_772_442_904_300),
            ("2026-03-02T09:15:04.300", 1_772_442_904_300),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ],
    )
    def test_a_given_time_is_kept_to_the_millisecond(self, text: str, milliseconds: int) -> None:
        assert taken(timestamp=text).timestamp_ms == milliseconds

    @given(st.integers(0, 253_402_300_799_999))
    def test_no_millisecond_is_lost(self, milliseconds: int) -> None:
        text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)).isoformat()

        assert taken(timestamp=text).timestamp_ms == milliseconds

    def test_the_account_comes_from_the_path(self) -> None:
        assert taken(key=a_key(default="9")).account == "1"

    @pytest.mark.parametrize(
        ("key", "stated", "account"),
        [(a_key(), "7", "7"), (a_key("7"), None, "7"), (a_key(default="7"), None, "7"), (a_key(default="8"), "7", "7")],
        ids=["stated", "the key's only", "the key's default", "stated against a default"],
    )
    def test_where_the_path_has_none_it_is_stated_or_the_keys(
        self, key: ApiKey, stated: str | None, account: str
    ) -> None:
        fields = {} if stated is None else {"accountId": stated}

        assert taken(POSTS, POST, key=key, **fields).account == account

    def test_audience_is_kept_also_an_empty_one(self) -> None:
        assert taken(POSTS, POST, accountId="1", audience=["3", "4"]).audience == ("3", "4")
        assert taken(POSTS, POST, accountId="1", audience=[]).audience == ()
        assert taken(POSTS, POST, accountId="1").audience is None
        assert taken(POSTS, POST, accountId="1", audience=None).audience is None

    def test_an_alias_means_its_topic(self) -> None:
        assert taken("/restapi/v1.0/glip/posts", POST, accountId="1").topic == POSTS

    def test_facts_are_read_for_the_router(self) -> None:
        facts = taken().facts

        assert facts is not None
        assert facts.ordering_key == "2"

    def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(self) -> None:
        def of_size(size: int) -> bytes:
            start = b'{"extensionId":"2","pad":"'
            return start + b"x" * (size - len(start) - 2) + b'"}'

        assert len(taken(TOPIC, of_size(MAX_EVENT_BYTES)).body) == MAX_EVENT_BYTES
        assert refused(TOPIC, of_size(MAX_EVENT_BYTES + 1)).message.startswith("body has 4097 bytes")


class TestRejections:
    @pytest.mark.parametrize(
        ("status", "code", "reason"),
        [(None, "CMN-102", "account 1 is not found"), (Status.DISABLED, "CMN-109", "account 1 is disabled")],
    )
    def test_events_of_an_account_that_takes_no_part(self, status: Status | None, code: str, reason: str) -> None:
        submissions = Submissions(clock=CLOCK, max_event_bytes=MAX_EVENT_BYTES, status_of={AccountId("1"): status}.get)
        rejection = submissions.read(json.dumps({"event": TOPIC, "body": BODY}).encode(), a_key(), None)

        assert isinstance(rejection, Rejection)
        assert rejection.code == code
        assert reason in rejection.message

    """Each names the field and says why."""

    @pytest.mark.parametrize(
        ("field", "fields"),
        [
            ("uuid", {"uuid": ""}),
            ("uuid", {"uuid": "x" * 65}),
            ("uuid", {"uuid": "a b"}),
            ("uuid", {"uuid": "é"}),
            ("uuid", {"uuid": "line\n"}),
            ("uuid", {"uuid": 7}),
            ("timestamp", {"timestamp": "yesterday"}),
            ("timestamp", {"timestamp": ""}),
            ("timestamp", {"timestamp": "1969-12-31T23:59:59Z"}),
            ("timestamp", {"timestamp": "2026-02-30T00:00:00Z"}),
            ("timestamp", {"timestamp": 1_772_442_904}),
            ("accountId", {"accountId": "a/b"}),
            ("accountId", {"accountId": ""}),
            ("accountId", {"accountId": 1}),
            ("audience", {"audience": ["a b"]}),
            ("audience", {"audience": [7]}),
            ("audience", {"audience": "3"}),
            ("audience", {"audience": ["3"] * 10_001}),
            ("event", {"event": "/no/such/event"}),
            ("event", {"event": "/restapi/v1.0/account/~/extension/2/favorite"}),
            ("event", {"event": "x" * 3000}),
            ("event", {"event": 7}),
            ("event", {"event": "/restapi/v1.0/subscription/1?threshold=60&interval=15"}),
            ("nonsense", {"nonsense": 1}),
        ],
        ids=str,
    )
    def test_a_bad_field_is_named(self, field: str, fields: dict[str, Any]) -> None:
        rejection = refused(**{"event": TOPIC, **fields})

        assert rejection.code == "CMN-101"
        assert field in rejection.message

    @pytest.mark.parametrize("field", ["event", "body"])
    def test_a_missing_field_is_named(self, field: str) -> None:
        item = {"event": TOPIC, "body": BODY}
        del item[field]

        found = SUBMISSIONS.read(json.dumps(item).encode(), a_key(), None)

        assert isinstance(found, Rejection)
        assert field in found.message

    def test_a_body_that_breaks_its_schema_is_rejected_with_place_reason_and_family(self) -> None:
        rejection = refused(TOPIC, {"extensionId": 7})

        assert rejection.code == "CMN-101"
        assert rejection.message == "body.extensionId: Input should be a valid string; family extension_favorites"

    def test_of_several_problems_the_first_is_told_and_the_others_counted(self) -> None:
        rejection = refused(
            "/restapi/v1.0/account/1/a2p-sms/messages",
            {"id": "1", "from": "1650", "to": [7], "direction": "Up", "messageStatus": "Sent"},
        )

        assert rejection.message.startswith("body.from: ")
        assert "(and 2 more); family a2p_message" in rejection.message

    def test_places_within_lists_are_numbered(self) -> None:
        rejection = refused(
            "/restapi/v1.0/account/1/a2p-sms/messages",
            {
                "id": "1",
                "from": "+16505550100",
                "to": ["+16505550100", 7],
                "direction": "Inbound",
                "messageStatus": "Sent",
            },
        )

        assert rejection.message.startswith("body.to.1: ")

    def test_a_place_names_fields_alone_not_the_variants_of_a_body(self) -> None:
        missing = refused(POSTS, {**POST, "eventType": "PostAdded"}, accountId="1").message
        wrong = refused("/restapi/v1.0/account/1/directory/entries", {"contacts": [{"id": 7}]}).message

        line = "/restapi/v1.0/account/1/extension/2/presence/line"
        whole = refused(line, {"extension": "12", "sequence": 1}).message

        assert whole.startswith("body.extension: Input should be a valid array")
        assert re.match(r"body\.[a-z]\w+: Field required", missing)
        assert wrong.startswith("body.contacts.0.id: Input should be a valid string")

    def test_no_account_to_be_had(self) -> None:
        rejection = refused(POSTS, POST)

        assert rejection.code == "CMN-101"
        assert "accountId" in rejection.message

    def test_an_account_that_contradicts_the_path(self) -> None:
        assert "accountId is 9, but the event's path says 1" in refused(accountId="9").message

    def test_an_account_that_the_key_is_not_for(self) -> None:
        for rejection in (refused(key=a_key("9")), refused(POSTS, POST, key=a_key("9"), accountId="1")):
            assert rejection.code == "CMN-401"
            assert "the publisher key is for account 9, not 1" in rejection.message

    @pytest.mark.parametrize(
        "item",
        [
            b"",
            b" ",
            b"{",
            b"nonsense",
            b'{"event":"/x",}',
            b'{"event":"\xff","body":{}}',
            b'{"event":"\\ud800","body":{}}',
            b"\xef\xbb\xbf{}",
            b'{"event":"' + TOPIC.encode() + b'","body":{"extensionId":"\xff"}}',
            b'{"event":"' + TOPIC.encode() + b'","body":{"extensionId":"2","x":NaN}}',
            b'{"event":"' + TOPIC.encode() + b'","body":{"extensionId":"2","x":01}}',
            b'{"event":"' + TOPIC.encode() + b'","body":{"extensionId":"2"}} trailing',
        ],
    )
    def test_what_is_no_json_is_rejected_as_such(self, item: bytes) -> None:
        found = SUBMISSIONS.read(item, a_key(), None)

        assert isinstance(found, Rejection)
        assert "JSON" in found.message

    @pytest.mark.parametrize("item", [b"null", b"[]", b"7", b'"text"', b"{}", b"[{}]"])
    def test_what_is_no_event_is_rejected(self, item: bytes) -> None:
        assert isinstance(SUBMISSIONS.read(item, a_key(), None), Rejection)

    @pytest.mark.parametrize("body", [b"null", b"[]", b"7", b'"text"', b"true"])
    def test_a_body_that_is_no_object_is_rejected(self, body: bytes) -> None:
        assert "body" in refused(TOPIC, body).message

    @pytest.mark.parametrize("depth", [200, 500, 990, 1000, 1900])
    @pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
    def test_deep_nesting_is_rejected(self, depth: int, opening: bytes, closing: bytes) -> None:
        submissions = Submissions(clock=CLOCK, max_event_bytes=1 << 20, status_of=every_account)
        nested = opening * depth + b"1" + closing * depth
        item = b'{"event":"' + TOPIC.encode() + b'","body":{"extensionId":"2","deep":' + nested + b"}}"

        assert isinstance(submissions.read(item, a_key(), None), Rejection)

    @pytest.mark.parametrize("digits", [4299, 4300, 4301, 100_000])
    def test_a_number_too_long_for_python_is_rejected_or_taken_but_no_crash(self, digits: int) -> None:
        submissions = Submissions(clock=CLOCK, max_event_bytes=1 << 20, status_of=every_account)
        body = b'{"extensionId":"2","n":' + b"9" * digits + b"}"
        found = submissions.read(b'{"event":"' + TOPIC.encode() + b'","body":' + body + b"}", a_key(), None)

        assert isinstance(found, Rejection) or found.body == body

    @given(st.binary(max_size=200))
    def test_no_bytes_raise(self, item: bytes) -> None:
        SUBMISSIONS.read(item, a_key(), None)

    @given(
        st.dictionaries(
            st.sampled_from(["event", "body", "uuid", "timestamp", "accountId", "audience", "x"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([TOPIC, POSTS]),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
                max_leaves=10,
            ),
        )
    )
    def test_no_json_raises(self, item: dict[str, Any]) -> None:
        SUBMISSIONS.read(json.dumps(item).encode(), a_key(default="1"), None)


class TestRepeatableUuid:
    def test_it_is_the_same_for_the_same_key_header_and_line(self) -> None:
        assert repeatable_uuid(a_key(), "header", 3) == repeatable_uuid(a_key(), "header", 3)

    def test_it_differs_by_header_and_line(self) -> None:
        made = {repeatable_uuid(a_key(), header, line) for header in ("a", "b") for line in range(3)}

        assert len(made) == 6

    def test_it_is_a_uuid_that_could_be_chosen(self) -> None:
        assert isinstance(judged(uuid=repeatable_uuid(a_key(), "header", 3)), Event)


class TestPublisher:
    def publisher(self, engine: MemoryEngine, unrouted: Unrouted | None = None) -> Publisher:
        return Publisher(log=engine.event_log, partition=EMBEDDED_PARTITION, unrouted=unrouted or Unrouted())

    async def test_it_counts_what_was_accepted_and_what_is_a_duplicate(self) -> None:
        publisher = self.publisher(MemoryEngine())

        first = await publisher.publish([taken(uuid="a"), taken(uuid="b"), taken(uuid="a"), taken()])
        second = await publisher.publish([taken(uuid="b"), taken(uuid="c")])

        assert (first.accepted, first.duplicates) == (3, 1)
        assert (second.accepted, second.duplicates) == (1, 1)

    async def test_the_same_uuid_in_another_account_is_another_event(self) -> None:
        publisher = self.publisher(MemoryEngine())

        tally = await publisher.publish([taken(POSTS, POST, uuid="a", accountId=account) for account in ("1", "2")])

        assert (tally.accepted, tally.duplicates) == (2, 0)

    async def test_it_returns_only_when_the_events_are_durable(self) -> None:
        engine = MemoryEngine(is_automatic=False)
        publishing = asyncio.create_task(self.publisher(engine).publish([taken()]))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not publishing.done()

        engine.flush()

        assert (await publishing).accepted == 1

    async def test_a_publisher_waits_while_its_account_has_too_many_unrouted_events_and_others_do_not(self) -> None:
        unrouted = Unrouted(limit=2)
        publisher = self.publisher(MemoryEngine(), unrouted)
        await publisher.publish([taken(), taken()])
        waiting = asyncio.create_task(publisher.publish([taken()]))
        await publisher.publish([taken(POSTS, POST, accountId="2")])
        assert not waiting.done()

        unrouted.routed(AccountId("1"))

        assert (await waiting).accepted == 1

    async def test_duplicates_are_not_waited_for(self) -> None:
        unrouted = Unrouted(limit=2)
        publisher = self.publisher(MemoryEngine(), unrouted)
        for _ in range(5):  # each leaves one event unrouted at most
            await publisher.publish([taken(uuid="a")])

        assert (await publisher.publish([taken(uuid="a")])).duplicates == 1

    async def test_what_the_log_refuses_is_not_waited_for_either(self) -> None:
        engine = MemoryEngine(is_automatic=False, waiting_events=1)
        unrouted = Unrouted(limit=2)
        publisher = self.publisher(engine, unrouted)
        first = asyncio.create_task(publisher.publish([taken()]))
        await asyncio.sleep(0)

        for _ in range(5):
            with pytest.raises(Overloaded):
                await publisher.publish([taken()])

        engine.flush()
        await first
        assert engine.event_log.head(EMBEDDED_PARTITION) == LOG_START + 1


def test_a_tally_lists_the_first_rejections_and_counts_all() -> None:
    tally = Tally()
    for index in range(250):
        tally.reject(index, Rejection("CMN-101", "bad"))

    assert [index for index, _ in tally.rejected] == list(range(100))
    assert (tally.rejected_count, tally.processed) == (250, 250)
