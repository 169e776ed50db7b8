"""The publish endpoint over a log in memory: bodies of every form, and what each is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from bellwire.api import problems
from bellwire.api.publish import PATH, PublishLimits, _Lines, publish_route
from bellwire.engine.fairness import Unrouted
from bellwire.engine.publish import Publisher, Submissions
from bellwire.model.event import Event
from bellwire.model.identity import ApiKey, KeyKind
from bellwire.model.ids import EMBEDDED_PARTITION, LOG_START
from bellwire.observe.metrics import Metrics
from bellwire.observe.publishing import PublishWatch
from bellwire.storage.memory import MemoryEngine
from tests.doubles.identity import every_account
from tests.doubles.stepped_clock import SteppedClock

TOPIC = "/restapi/v1.0/account/1/extension/2/favorite"
NDJSON = "application/x-ndjson"
LIMITS = PublishLimits(event_bytes=1024, json_bytes=20_000, stream_bytes=400_000, group=8)
KEY = ApiKey(
    id="key-1",
    kind=KeyKind.PUBLISHER,
    label="a key",
    key_hash=b"x",
    account_id=None,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def line(**fields: Any) -> bytes:
    return json.dumps({"event": TOPIC, "body": {"extensionId": "2"}, **fields}).encode()


BAD = line(uuid="not a uuid")


async def until(condition: Callable[[], bool]) -> None:
    """Give the others turns until it holds."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")


async def let_run() -> None:
    """Give the others more turns than they would need for what should not happen."""
    for _ in range(200):
        await asyncio.sleep(0)


@dataclass
class Endpoint:
    """The route, and the log behind it."""

    engine: MemoryEngine = field(default_factory=MemoryEngine)
    limits: PublishLimits = LIMITS
    unrouted: Unrouted = field(default_factory=lambda: Unrouted(limit=1 << 30))

    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        async def authenticate(_request: Request) -> ApiKey:
            return KEY

        app = FastAPI()
        problems.install(app)
        app.router.routes.append(
            publish_route(
                authenticate=authenticate,
                submissions=Submissions(
                    clock=SteppedClock(), max_event_bytes=self.limits.event_bytes, status_of=every_account
                ),
                publisher=Publisher(log=self.engine.event_log, partition=EMBEDDED_PARTITION, unrouted=self.unrouted),
                limits=self.limits,
                watch=PublishWatch(Metrics(), SteppedClock(), {}, debug=False),
                stopping=self.stopping,
            )
        )
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bellwire.example.com")

    async def post(
        self, content: bytes | AsyncIterator[bytes], media: str | None = "application/json", **headers: str
    ) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._http.post(
            PATH, content=content, headers=given | ({} if media is None else {"Content-Type": media})
        )

    async def taken(self, content: bytes, media: str = "application/json", **headers: str) -> dict[str, Any]:
        answer = await self.post(content, media, **headers)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @property
    def logged(self) -> int:
        return self.engine.event_log.head(EMBEDDED_PARTITION) - LOG_START

    async def events(self) -> list[Event]:
        if not self.logged:
            return []
        found = await self.engine.event_log.read(EMBEDDED_PARTITION, LOG_START, 1 << 30)
        return [logged.event for logged in found]


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


def ndjson(*lines: bytes) -> bytes:
    return b"\n".join(lines) + b"\n"


class TestForms:
    async def test_a_single_event(self, endpoint: Endpoint) -> None:
        answer = await endpoint.taken(line(uuid="a"))

        assert answer == {"accepted": 1, "duplicates": 0, "processed": 1, "rejectedCount": 0, "rejected": []}
        assert [event.uuid for event in await endpoint.events()] == ["a"]

    @pytest.mark.parametrize("around", [b"%s", b" \r\n\t[%s]\n", b"[%s, " + line(uuid="b") + b"]"])
    async def test_arrays_and_blanks_around(self, endpoint: Endpoint, around: bytes) -> None:
        answer = await endpoint.taken(around % line(uuid="a"))

        assert answer["accepted"] == around.count(b"event") + 1

    async def test_an_empty_array_is_nothing_to_do(self, endpoint: Endpoint) -> None:
        assert (await endpoint.taken(b"[]"))["processed"] == 0

    @pytest.mark.parametrize("media", [NDJSON, "application/ndjson", "application/jsonl", f"{NDJSON}; charset=utf-8"])
    async def test_lines(self, endpoint: Endpoint, media: str) -> None:
        answer = await endpoint.taken(ndjson(line(uuid="a"), line(uuid="b")), media)

        assert answer["accepted"] == 2
        assert [event.uuid for event in await endpoint.events()] == ["a", "b"]

    async def test_lines_end_with_either_line_end_and_the_last_with_none(self, endpoint: Endpoint) -> None:
        content = line(uuid="a") + b"\r\n" + line(uuid="b") + b"\n" + line(uuid="c")

        assert (await endpoint.taken(content, NDJSON))["accepted"] == 3

    async def test_blank_lines_do_not_count(self, endpoint: Endpoint) -> None:
        answer = await endpoint.taken(b"\n \r\n" + ndjson(line(), b"", b"\t", BAD) + b"\n", NDJSON)

        assert (answer["accepted"], answer["processed"]) == (1, 2)
        assert [rejected["index"] for rejected in answer["rejected"]] == [1]

    async def test_an_empty_stream_is_nothing_to_do(self, endpoint: Endpoint) -> None:
        assert (await endpoint.taken(b"", NDJSON))["processed"] == 0

    async def test_without_content_type_it_is_json(self, endpoint: Endpoint) -> None:
        assert (await endpoint.post(line(), None)).status_code == 202

    @pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
    async def test_other_media_types_are_415(self, endpoint: Endpoint, media: str) -> None:
        answer = await endpoint.post(line(), media)

        assert (answer.status_code, answer.json()["errorCode"]) == (415, "CMN-104")
        assert "application/x-ndjson" in answer.json()["message"]

    @pytest.mark.parametrize("content", [b"", b"  \n", b"{", b"[", b"[1,]", b"nonsense", b"[" * 100_000, b"\xff"])
    async def test_a_body_that_is_no_json_is_400(self, content: bytes) -> None:
        answer = await Endpoint(limits=PublishLimits()).post(content)

        assert (answer.status_code, answer.json()["errorCode"]) == (400, "CMN-103")

    async def test_more_events_than_a_group_keep_their_order(self, endpoint: Endpoint) -> None:
        uuids = [f"e{number}" for number in range(50)]
        await endpoint.taken(b"[" + b",".join(line(uuid=uuid) for uuid in uuids) + b"]")
        await endpoint.taken(ndjson(*(line(uuid=f"n{uuid}") for uuid in uuids)), NDJSON)

        assert [event.uuid for event in await endpoint.events()] == [*uuids, *(f"n{uuid}" for uuid in uuids)]


class TestRejections:
    @pytest.mark.parametrize("media", ["application/json", NDJSON])
    async def test_the_rest_goes_on(self, endpoint: Endpoint, media: str) -> None:
        events = [line(uuid="a"), BAD, line(uuid="b"), b"7", line(uuid="c")]
        content = ndjson(*events) if media == NDJSON else b"[" + b",".join(events) + b"]"

        answer = await endpoint.taken(content, media)

        assert (answer["accepted"], answer["rejectedCount"]) == (3, 2)
        assert [(r["index"], r["errorCode"]) for r in answer["rejected"]] == [(1, "CMN-101"), (3, "CMN-101")]
        assert answer["rejected"][0]["message"].startswith("uuid must be")
        assert [event.uuid for event in await endpoint.events()] == ["a", "b", "c"]

    async def test_a_line_that_is_no_json_is_rejected_alone(self, endpoint: Endpoint) -> None:
        answer = await endpoint.taken(ndjson(line(), b'{"event":', line()), NDJSON)

        assert (answer["accepted"], answer["rejected"][0]["errorCode"]) == (2, "CMN-103")

    async def test_a_line_that_is_too_long_is_rejected_alone(self, endpoint: Endpoint) -> None:
        long = b'{"pad":"' + b"x" * LIMITS.line_bytes + b'"}'

        answer = await endpoint.taken(ndjson(line(), long, line(), long) + long, NDJSON)

        assert [rejected["index"] for rejected in answer["rejected"]] == [1, 3, 4]
        assert f"over {LIMITS.line_bytes} bytes" in answer["rejected"][0]["message"]
        assert answer["accepted"] == 2

    @pytest.mark.parametrize("media", ["application/json", NDJSON])
    async def test_the_first_hundred_are_listed_and_all_are_counted(self, endpoint: Endpoint, media: str) -> None:
        content = ndjson(*[BAD] * 130) if media == NDJSON else b"[" + b",".join([BAD] * 130) + b"]"

        answer = await endpoint.taken(content, media)

        assert [rejected["index"] for rejected in answer["rejected"]] == list(range(100))
        assert (answer["rejectedCount"], answer["processed"], endpoint.logged) == (130, 130, 0)


class TestDuplicates:
    async def test_within_one_request(self, endpoint: Endpoint) -> None:
        answer = await endpoint.taken(ndjson(*[line(uuid="same")] * 20), NDJSON)

        assert (answer["accepted"], answer["duplicates"]) == (1, 19)

    async def test_across_requests(self, endpoint: Endpoint) -> None:
        await endpoint.taken(line(uuid="same"))

        answer = await endpoint.taken(b"[" + line(uuid="same") + b"," + line(uuid="other") + b"]")

        assert (answer["accepted"], answer["duplicates"]) == (1, 1)

    async def test_events_without_uuid_are_never_duplicates(self, endpoint: Endpoint) -> None:
        await endpoint.taken(line())

        assert (await endpoint.taken(line()))["accepted"] == 1


class TestIdempotencyKey:
    @pytest.mark.parametrize("media", ["application/json", NDJSON])
    async def test_a_repeated_request_adds_nothing(self, endpoint: Endpoint, media: str) -> None:
        events = [line(), BAD, line(uuid="own"), line()]
        content = ndjson(*events) if media == NDJSON else b"[" + b",".join(events) + b"]"

        first = await endpoint.taken(content, media, Idempotency_Key="order-7")
        second = await endpoint.taken(content, media, Idempotency_Key="order-7")

        assert (first["accepted"], first["duplicates"]) == (3, 0)
        assert (second["accepted"], second["duplicates"]) == (0, 3)
        assert second["rejected"] == first["rejected"]

    async def test_a_longer_repetition_adds_what_is_new(self, endpoint: Endpoint) -> None:
        await endpoint.taken(ndjson(*[line()] * 3), NDJSON, Idempotency_Key="k")

        answer = await endpoint.taken(ndjson(*[line()] * 5), NDJSON, Idempotency_Key="k")

        assert (answer["accepted"], answer["duplicates"]) == (2, 3)

    async def test_another_key_is_another_request(self, endpoint: Endpoint) -> None:
        await endpoint.taken(line(), Idempotency_Key="one")

        assert (await endpoint.taken(line(), Idempotency_Key="two"))["accepted"] == 1

    @pytest.mark.parametrize("key", ["", "a b", "x" * 256])
    async def test_a_key_out_of_bounds_is_400(self, endpoint: Endpoint, key: str) -> None:
        answer = await endpoint.post(line(), Idempotency_Key=key)

        assert (answer.status_code, answer.json()["errorCode"]) == (400, "CMN-407")
        assert "Idempotency-Key" in answer.json()["message"]
        assert endpoint.logged == 0


class TestTooMuch:
    async def test_a_json_body_over_the_limit_is_413_and_nothing_of_it_is_taken(self, endpoint: Endpoint) -> None:
        content = b"[" + b",".join([line()] * 300) + b"]"
        assert len(content) > LIMITS.json_bytes

        answer = await endpoint.post(content)

        assert answer.status_code == 413
        assert f"over {LIMITS.json_bytes} bytes" in answer.json()["message"]
        assert endpoint.logged == 0

    async def test_a_stream_over_the_limit_is_413_and_says_what_of_it_was_taken(self, endpoint: Endpoint) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield ndjson(*[line()] * 100)

        answer = await endpoint.post(chunks(), NDJSON)

        assert answer.status_code == 413
        summary = answer.json()
        assert 0 < summary["accepted"] < 10_000
        assert summary["accepted"] == summary["processed"] == endpoint.logged
        assert summary["errorCode"] == summary["errors"][0]["errorCode"]

    async def test_a_log_that_cannot_keep_up_is_429_with_retry_after(self) -> None:
        endpoint = Endpoint(MemoryEngine(is_automatic=False, waiting_events=1))
        first = asyncio.create_task(endpoint.post(line()))
        await until(lambda: endpoint.engine.event_log._waiting > 0)

        answer = await endpoint.post(line())

        assert (answer.status_code, answer.json()["errorCode"]) == (429, "CMN-310")
        assert int(answer.headers["Retry-After"]) >= 1
        endpoint.engine.flush()
        assert (await first).status_code == 202
        assert endpoint.logged == 1

    async def test_a_stream_that_the_log_refuses_half_way_answers_with_what_was_taken(self) -> None:
        engine = MemoryEngine(is_automatic=False, waiting_events=LIMITS.group)
        endpoint = Endpoint(engine)
        other = asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            yield ndjson(*[line()] * LIMITS.group)
            await until(lambda: engine.event_log._waiting > 0)
            engine.flush()
            await other.wait()  # somebody else fills what may wait
            yield ndjson(*[line()] * 40)

        streaming = asyncio.create_task(endpoint.post(chunks(), NDJSON))
        await until(lambda: endpoint.logged >= LIMITS.group)
        filling = asyncio.create_task(endpoint.post(b"[" + b",".join([line()] * LIMITS.group) + b"]"))
        await until(lambda: engine.event_log._waiting > 0)
        other.set()
        answer = await streaming

        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert (answer.json()["accepted"], answer.json()["processed"]) == (LIMITS.group, LIMITS.group)
        engine.flush()
        assert (await filling).json()["accepted"] == LIMITS.group
        assert endpoint.logged == 2 * LIMITS.group

    async def test_a_stream_that_the_servers_end_breaks_off_answers_with_what_was_taken(
        self, endpoint: Endpoint
    ) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield ndjson(*[line()] * 3) + b"half a li"
            await asyncio.Event().wait()

        streaming = asyncio.create_task(endpoint.post(chunks(), NDJSON))
        await until(lambda: endpoint.logged == 3)

        endpoint.stopping.set()
        answer = await streaming

        assert (answer.status_code, answer.json()["errorCode"]) == (503, "CMN-201")
        assert int(answer.headers["Retry-After"]) >= 1
        assert (answer.json()["accepted"], answer.json()["processed"]) == (3, 3)

    async def test_202_is_not_said_before_all_is_durable(self) -> None:
        endpoint = Endpoint(MemoryEngine(is_automatic=False))
        posting = asyncio.create_task(endpoint.post(line()))
        await until(lambda: endpoint.engine.event_log._waiting > 0)
        await let_run()
        assert not posting.done()

        endpoint.engine.flush()

        assert (await posting).status_code == 202

    async def test_reading_pauses_while_the_account_has_too_many_unrouted_events(self) -> None:
        endpoint = Endpoint(unrouted=Unrouted(limit=2 * LIMITS.group))
        sent = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(1000):
                sent += 1
                yield ndjson(*[line()] * LIMITS.group)

        posting = asyncio.create_task(endpoint.post(chunks(), NDJSON))
        await until(lambda: endpoint.logged >= 2 * LIMITS.group)
        await let_run()

        assert endpoint.logged == 2 * LIMITS.group
        assert sent < 20, "the body is read no further than a few chunks ahead"
        posting.cancel()


class TestLines:
    @given(st.lists(st.binary(max_size=30).filter(lambda of: b"\n" not in of)), st.lists(st.integers(0, 40)))
    def test_lines_are_the_same_however_the_bytes_are_cut(self, lines: list[bytes], cuts: list[int]) -> None:
        content = b"\n".join(lines)
        cutter = _Lines(limit=20)
        found: list[bytes | None] = []
        for size in cuts:
            found += cutter.feed(content[:size])
            content = content[size:]
        found += cutter.feed(content)
        found += cutter.end()

        expected = [each if len(each) <= 20 else None for each in lines]
        assert found == (expected[:-1] if expected and expected[-1] == b"" else expected)

    def test_a_line_without_end_is_not_gathered(self) -> None:
        cutter = _Lines(limit=1000)
        for _ in range(1000):
            assert cutter.feed(b"x" * 999) == []
            assert len(cutter._rest) <= 2000
        assert cutter.feed(b"x\nnext\n") == [None, b"next"]
