"""Accepting batches over real records: all of it or nothing, whatever ends the request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, func, select

from bellwire.engine.accept_batch import BatchAcceptance
from bellwire.errors import InvalidRequest, Unavailable
from bellwire.model.directory import PhoneNumber, Status
from bellwire.ports.sms_progress import Waiting
from bellwire.storage.records import RecordsStores
from bellwire.storage.records.outbox import SqlOutbox
from bellwire.storage.records.sms_intake import SqlBatchIntake
from bellwire.storage.records.sms_reading import SqlSmsReading
from bellwire.storage.records.sms_tables import batch, message
from tests.conformance.sms_stores import ACCOUNT, OURS, theirs
from tests.doubles.stepped_clock import SteppedClock


class HungUp(Exception):
    """The client is gone."""


class Stage:
    def __init__(self, records: RecordsStores, *, max_messages: int | None = None) -> None:
        self.records = records
        self.offered: list[Waiting] = []
        self.outbox = SqlOutbox(records.records)
        self.reading = SqlSmsReading(records.records)
        ids = iter(f"b-{number}" for number in range(100))
        self.acceptance = BatchAcceptance(
            intake=SqlBatchIntake(records.records, self.outbox),
            directory=records.directory,
            clock=SteppedClock(),
            new_uuid=lambda: next(ids),
            on_accepted=self.offered.append,
            max_messages=max_messages,
        )

    async def nothing_is_left(self) -> None:
        await self.acceptance.stop()
        assert await self.records.records.read(_rows) == [0, 0]
        assert await self.outbox.size() == 0
        assert self.offered == []


def _rows(connection: Connection) -> list[int]:
    return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (batch, message)]


async def in_chunks(*chunks: bytes, ends: Exception | None = None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    if ends is not None:
        raise ends


def a_request(recipients: int, **more: Any) -> bytes:
    messages = [{"to": [f"+1202{number:07}"]} for number in range(recipients)]
    return json.dumps({"from": OURS, "text": "hello", "messages": messages, **more}).encode()


async def test_a_batch_is_durable_before_it_is_offered(records: RecordsStores) -> None:
    stage = Stage(records)
    accepted = await stage.acceptance.accept(ACCOUNT, in_chunks(a_request(25_000)))
    assert await stage.reading.batch(ACCOUNT, accepted.batch.id) == accepted.batch
    assert (accepted.batch.size, accepted.rejected) == (25_000, [])
    (waiting,) = stage.offered
    assert (waiting.account_id, waiting.sender, waiting.queued) == (ACCOUNT, OURS, 25_000)
    assert stage.acceptance.counts == {"accepted": 25_000, "rejected": 0}


async def test_rejected_entries_are_numbered_by_their_place_in_the_request(records: RecordsStores) -> None:
    stage = Stage(records)
    messages = [{"to": [number]} for number in (theirs(1), "nobody", theirs(2), "+442071838750")]
    body = json.dumps({"messages": messages, "text": "hello", "from": OURS}).encode()
    accepted = await stage.acceptance.accept(ACCOUNT, in_chunks(body[:50], body[50:]))
    rejected = [msgspec.json.decode(one) for one in accepted.rejected]
    assert [(one["index"], one["to"], one["errorCode"]) for one in rejected] == [
        (2, ["nobody"], "SMS-RC-410"),
        (4, ["+442071838750"], "SMS-RC-410"),
    ]
    assert accepted.batch.size == 2


@pytest.mark.parametrize("recipients", [5, 12_000])
async def test_a_client_that_hangs_up_leaves_nothing(records: RecordsStores, recipients: int) -> None:
    stage = Stage(records)
    with pytest.raises(HungUp):
        await stage.acceptance.accept(ACCOUNT, in_chunks(a_request(recipients)[:-1], ends=HungUp()))
    await stage.nothing_is_left()


async def test_a_request_that_is_cancelled_leaves_nothing(records: RecordsStores) -> None:
    stage = Stage(records)
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield a_request(12_000)[:-1]
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(stage.acceptance.accept(ACCOUNT, endless()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await stage.nothing_is_left()


async def test_a_request_that_is_cancelled_once_it_has_come_whole_is_carried_to_its_end(
    records: RecordsStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(records)
    committed, goes_on = asyncio.Event(), asyncio.Event()
    accept = SqlBatchIntake.accept

    async def accept_slowly(*arguments: Any, **named: Any) -> None:
        await accept(*arguments, **named)
        committed.set()
        await goes_on.wait()

    monkeypatch.setattr(SqlBatchIntake, "accept", accept_slowly)
    task = asyncio.create_task(stage.acceptance.accept(ACCOUNT, in_chunks(a_request(2))))
    await committed.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    goes_on.set()
    await stage.acceptance.stop()
    (told,) = await stage.outbox.first(10)
    (waiting,) = stage.offered
    batch_id = msgspec.json.decode(told.event.body)["id"]
    assert await stage.reading.batch(ACCOUNT, batch_id) is not None
    assert (waiting.queued, await records.records.read(_rows)) == (2, [1, 2])


async def test_a_batch_that_can_not_be_accepted_in_the_end_leaves_nothing(
    records: RecordsStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(records)

    async def accept(*_arguments: Any, **_named: Any) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(SqlBatchIntake, "accept", accept)
    with pytest.raises(Unavailable):
        await stage.acceptance.accept(ACCOUNT, in_chunks(a_request(2)))
    await stage.nothing_is_left()


async def test_a_mistake_in_the_last_entry_refuses_the_whole_request(records: RecordsStores) -> None:
    stage = Stage(records)
    body = a_request(11_000)[:-2] + b', {"to": []}]}'
    with pytest.raises(InvalidRequest) as refused:
        await stage.acceptance.accept(ACCOUNT, in_chunks(body))
    assert refused.value.entries[0].parameter == "messages[11000].to"
    await stage.nothing_is_left()


async def test_an_operators_cap_refuses_more_and_takes_as_many(records: RecordsStores) -> None:
    stage = Stage(records, max_messages=10)
    with pytest.raises(InvalidRequest) as refused:
        await stage.acceptance.accept(ACCOUNT, in_chunks(a_request(11)))
    assert refused.value.code == "CMN-106"
    await stage.nothing_is_left()
    assert (await stage.acceptance.accept(ACCOUNT, in_chunks(a_request(10)))).batch.size == 10


@pytest.mark.parametrize(
    "changes", [{"status": Status.DISABLED}, {"features": ("SmsSender",)}, {"phone_number": "+16505550199"}]
)
async def test_a_number_that_may_not_send_is_refused_before_anything_else_is_read(
    records: RecordsStores, changes: dict[str, Any]
) -> None:
    number = PhoneNumber(id="9", account_id=ACCOUNT, phone_number=OURS, features=("A2PSmsSender",))
    await records.directory.save_number(replace(number, **changes))
    stage = Stage(records)

    async def more_than_is_read() -> AsyncIterator[bytes]:
        yield b'{"from": "%b", ' % OURS.encode()
        raise AssertionError("it was read on")

    with pytest.raises(InvalidRequest) as refused:
        await stage.acceptance.accept(ACCOUNT, more_than_is_read())
    assert refused.value.entries[0].parameter == "from"
    await stage.nothing_is_left()
