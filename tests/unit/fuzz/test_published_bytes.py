"""What publishers send, as anything at all: counted once each, and only what is an event becomes one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from bellwire.families import presence
from tests.unit.api.test_publish import LIMITS, Endpoint

TOPIC = "/restapi/v1.0/account/400100/extension/400101/presence"
GOOD = json.dumps({"event": TOPIC, "body": dict(presence.FAMILY.sample)}).encode()
BAD = [
    b"",
    b" ",
    b"null",
    b"{}",
    b"[]",
    b"\xff\xfe",
    b"\x00",
    b'{"event":',
    GOOD[:-1],
    GOOD + b"}",
    GOOD.replace(b"presence", b"\\ud800"),
    GOOD.replace(b"400100", b"9" * 300),
    GOOD.replace(b'"body": {', b'"body": ' + b'{"x":' * 3000),
    GOOD.replace(b'"event"', b'"event":1,"event"'),
    b"[" * 5000,
    b"9" * 5000,
]
lines = st.lists(st.one_of(st.just(GOOD), st.sampled_from(BAD), st.binary(max_size=40)), max_size=8)
LARGEST_JSON = LIMITS.json_bytes
"""Bytes."""
media_types = st.sampled_from(["application/json", "application/x-ndjson"])


def pieces_of(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(ends)]


def publish(pieces: list[bytes], media: str) -> tuple[int, dict[str, Any], int]:
    """Status, answer, and how many events are in the log."""

    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def run() -> tuple[int, dict[str, Any], int]:
        endpoint = Endpoint()
        answer = await endpoint.post(stream(), media)
        return answer.status_code, answer.json(), endpoint.logged

    return asyncio.run(run())


@given(st.one_of(st.binary(max_size=200), lines.map(b"\n".join)), media_types)
@example(b"[" * 15_000, "application/json")
@example(b'{"event":' * 20_000, "application/x-ndjson")
@example(b"1e999999999", "application/json")
@example(b" " * (LARGEST_JSON + 1), "application/json")
def test_any_bytes_are_counted_or_refused(body: bytes, media: str) -> None:
    status, answer, logged = publish([body], media)

    if status == 202:
        assert answer["processed"] == answer["accepted"] + answer["duplicates"] + answer["rejectedCount"]
        assert logged == answer["accepted"]
        assert len(answer["rejected"]) == min(100, answer["rejectedCount"])
    else:
        is_too_large = media == "application/json" and len(body) > LARGEST_JSON
        assert (status, logged) == (413 if is_too_large else 400, 0)
        assert answer["errorCode"] in {"CMN-101", "CMN-103"}


@given(lines, st.lists(st.integers(0, 5000), max_size=6))
def test_lines_are_the_same_events_however_they_are_cut(sent: list[bytes], places: list[int]) -> None:
    body = b"\n".join(sent)
    whole = publish([body], "application/x-ndjson")
    assert whole == publish(pieces_of(body, places), "application/x-ndjson")
    assert whole[2] == sum(line == GOOD for line in body.split(b"\n"))
