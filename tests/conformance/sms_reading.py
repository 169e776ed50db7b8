"""What every store that clients read High Volume SMS from must do.

A backend's test class gives `shelf`, which has the port and puts records where it reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from bellwire.model.ids import AccountId
from bellwire.model.sms import BatchId, BatchStatus, MessageDirection, MessageId, MessageStatus
from bellwire.model.sms_records import Batch, Message
from bellwire.ports.slices import Slice
from bellwire.ports.sms_store import BatchQuery, Cursor, MessageQuery, SmsReading, StatusCount

ACCOUNT = AccountId("1")
OTHERS = AccountId("2")
OURS = "+16505550180"
TOLL_FREE = "+18885550190"
THEIRS = "+12025550101"
NOW = datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=UTC)
ALL = Slice[Cursor](1000)


@dataclass(frozen=True, slots=True)
class SharedText:
    """What a batch says to all of its recipients."""

    text: str | None = "hello"
    segments: int | None = 1


HELLO = SharedText()


class Shelf(Protocol):
    reading: SmsReading

    async def put_batch(self, batch: Batch, *, accepted: bool = True, shared: SharedText = HELLO) -> None: ...

    async def put_messages(self, *messages: Message) -> list[MessageId]:
        """Store messages under new ids, which ascend. `text` and `segments` None: those of the batch."""
        ...


def a_batch(name: str, *, minutes: int = 0, account: AccountId = ACCOUNT) -> Batch:
    at = NOW + timedelta(minutes=minutes)
    return Batch(
        id=BatchId(name),
        account_id=account,
        sender=OURS,
        size=2,
        processed=1,
        status=BatchStatus.PROCESSING,
        cost_micros=7000,
        created_at=at,
        modified_at=at + timedelta(seconds=1),
    )


def a_message(batch: Batch | None = None, *, to: str = THEIRS, minutes: int = 0) -> Message:
    """An outbound one of a batch, or an inbound one."""
    at = batch.created_at if batch is not None else NOW + timedelta(minutes=minutes)
    return Message(
        id=MessageId(""),
        account_id=batch.account_id if batch is not None else ACCOUNT,
        batch_id=batch.id if batch is not None else None,
        sender=batch.sender if batch is not None else to,
        recipient=to if batch is not None else OURS,
        text="own text",
        direction=MessageDirection.OUTBOUND if batch is not None else MessageDirection.INBOUND,
        status=MessageStatus.DELIVERED,
        segments=2,
        cost_micros=14000,
        error_code=None,
        created_at=at,
        modified_at=at + timedelta(seconds=2),
    )


async def ids_of(reading: SmsReading, query: MessageQuery, part: Slice[Cursor] = ALL) -> list[MessageId]:
    return [placed.record.id for placed in await reading.messages(ACCOUNT, query, part, with_text=False)]


class SmsReadingContract:
    async def test_a_batch_and_a_message_come_back_with_every_field(self, shelf: Shelf) -> None:
        batch = a_batch("a")
        await shelf.put_batch(batch)
        message = replace(a_message(batch), error_code="SMS-CAR-413", status=MessageStatus.DELIVERY_FAILED)
        (number,) = await shelf.put_messages(message)
        assert await shelf.reading.batch(ACCOUNT, batch.id) == batch
        assert await shelf.reading.message(ACCOUNT, number) == replace(message, id=number)
        (placed,) = await shelf.reading.batches(ACCOUNT, BatchQuery(), ALL)
        assert placed.record == batch

    async def test_what_is_not_there_or_of_another_account_is_none(self, shelf: Shelf) -> None:
        foreign = a_batch("foreign", account=OTHERS)
        await shelf.put_batch(foreign)
        (number,) = await shelf.put_messages(a_message(foreign))
        for unknown in (number, "0", "99999", "abc", "", "-1", "1" * 40, "٣"):
            assert await shelf.reading.message(ACCOUNT, MessageId(unknown)) is None
        for name in ("foreign", "nothing"):
            assert await shelf.reading.batch(ACCOUNT, BatchId(name)) is None
        assert await shelf.reading.batches(ACCOUNT, BatchQuery(), ALL) == []
        assert await ids_of(shelf.reading, MessageQuery()) == []
        assert await ids_of(shelf.reading, MessageQuery(batch=foreign.id)) == []
        assert await shelf.reading.statuses(ACCOUNT, MessageQuery(batch=foreign.id)) == {}

    async def test_a_batch_that_is_not_accepted_is_not_there_nor_are_its_messages(self, shelf: Shelf) -> None:
        batch = a_batch("a")
        await shelf.put_batch(batch, accepted=False)
        (number,) = await shelf.put_messages(a_message(batch))
        assert await shelf.reading.batch(ACCOUNT, batch.id) is None
        assert await shelf.reading.batches(ACCOUNT, BatchQuery(), ALL) == []
        assert await shelf.reading.message(ACCOUNT, number) is None
        for query in (MessageQuery(), MessageQuery(batch=batch.id), MessageQuery(numbers=(OURS,))):
            assert await ids_of(shelf.reading, query) == []
            assert await shelf.reading.statuses(ACCOUNT, query) == {}

    async def test_text_is_there_when_asked_for(self, shelf: Shelf) -> None:
        await shelf.put_messages(a_message())
        with_text = await shelf.reading.messages(ACCOUNT, MessageQuery(), ALL, with_text=True)
        without = await shelf.reading.messages(ACCOUNT, MessageQuery(), ALL, with_text=False)
        assert [placed.record.text for placed in (*with_text, *without)] == ["own text", None]

    async def test_a_message_has_its_batch_s_text_and_segments_unless_it_has_its_own(self, shelf: Shelf) -> None:
        batch = a_batch("a")
        await shelf.put_batch(batch, shared=SharedText("to all", 3))
        await shelf.put_messages(replace(a_message(batch), text=None, segments=None), a_message(batch))
        found = await shelf.reading.messages(ACCOUNT, MessageQuery(), ALL, with_text=True)
        assert [(placed.record.text, placed.record.segments) for placed in found] == [("to all", 3), ("own text", 2)]

    async def test_a_message_that_failed_to_be_sent_has_neither_cost_nor_segments(self, shelf: Shelf) -> None:
        batch = a_batch("a")
        await shelf.put_batch(batch)
        failed = replace(
            a_message(batch),
            segments=None,
            cost_micros=None,
            status=MessageStatus.SENDING_FAILED,
            error_code="SMS-RC-413",
        )
        queued = replace(failed, status=MessageStatus.QUEUED, error_code=None)
        numbers = await shelf.put_messages(failed, queued)
        found = [await shelf.reading.message(ACCOUNT, number) for number in numbers]
        assert [(one.segments, one.cost_micros) for one in found if one is not None] == [(None, None), (1, None)]

    async def test_batches_are_found_by_time_sender_and_status(self, shelf: Shelf) -> None:
        await shelf.put_batch(a_batch("a"))
        await shelf.put_batch(replace(a_batch("b", minutes=1), sender=TOLL_FREE))
        await shelf.put_batch(replace(a_batch("c", minutes=2), status=BatchStatus.COMPLETED))

        async def names(query: BatchQuery) -> list[str]:
            return [placed.record.id for placed in await shelf.reading.batches(ACCOUNT, query, ALL)]

        minute = timedelta(minutes=1)
        assert await names(BatchQuery()) == ["a", "b", "c"]
        assert await names(BatchQuery(since=NOW + minute)) == ["b", "c"]
        assert await names(BatchQuery(until=NOW + minute)) == ["a", "b"]
        assert await names(BatchQuery(sender=TOLL_FREE)) == ["b"]
        assert await names(BatchQuery(statuses=frozenset({BatchStatus.COMPLETED}))) == ["c"]
        assert await names(BatchQuery(statuses=frozenset(BatchStatus))) == ["a", "b", "c"]
        assert await names(BatchQuery(statuses=frozenset())) == []

    async def test_messages_are_found_by_batch_direction_time_and_numbers(self, shelf: Shelf) -> None:
        batch = a_batch("a", minutes=1)
        await shelf.put_batch(batch)
        await shelf.put_batch(a_batch("empty"))
        early, late, first, second = await shelf.put_messages(
            a_message(), a_message(minutes=5), a_message(batch), a_message(batch, to="+12025550102")
        )
        minute = timedelta(minutes=1)
        expected = {
            MessageQuery(): [early, first, second, late],
            MessageQuery(batch=batch.id): [first, second],
            MessageQuery(batch=BatchId("empty")): [],
            MessageQuery(directions=frozenset({MessageDirection.INBOUND})): [early, late],
            MessageQuery(directions=frozenset(MessageDirection)): [early, first, second, late],
            MessageQuery(directions=frozenset()): [],
            MessageQuery(since=NOW + minute, until=NOW + minute): [first, second],
            MessageQuery(numbers=(THEIRS,)): [early, first, late],
            MessageQuery(numbers=(OURS,)): [early, first, second, late],
            MessageQuery(numbers=(THEIRS, OURS, "+12025550102")): [early, first, second, late],
            MessageQuery(numbers=("+12025550102", "+12025550103")): [second],
            MessageQuery(batch=batch.id, numbers=(THEIRS,)): [first],
            MessageQuery(batch=batch.id, since=NOW + 2 * minute): [],
            MessageQuery(numbers=(THEIRS,), directions=frozenset({MessageDirection.OUTBOUND})): [first],
        }
        for query, numbers in expected.items():
            assert await ids_of(shelf.reading, query) == numbers, query
            counted = await shelf.reading.statuses(ACCOUNT, query)
            assert sum(count.count for count in counted.values()) == len(numbers), query

    async def test_following_the_cursor_meets_each_batch_once_forward_and_back(self, shelf: Shelf) -> None:
        for number in range(7):  # three of each minute: the time alone does not tell them apart
            await shelf.put_batch(a_batch(f"b{number}", minutes=number // 3))
        seen: list[str] = []
        part = Slice[Cursor](2)
        while page := await shelf.reading.batches(ACCOUNT, BatchQuery(), part):
            seen += [placed.record.id for placed in page]
            part = Slice(2, page[-1].cursor)
        assert seen == [f"b{number}" for number in range(7)]
        assert part.start is not None
        before = await shelf.reading.batches(ACCOUNT, BatchQuery(), Slice(3, part.start, backward=True))
        assert [placed.record.id for placed in before] == ["b3", "b4", "b5"]

    async def test_following_the_cursor_meets_each_message_once_though_more_are_added(self, shelf: Shelf) -> None:
        batch = a_batch("a")
        await shelf.put_batch(batch)
        stored = await shelf.put_messages(*[a_message(batch) for _ in range(5)], *[a_message() for _ in range(4)])
        queries: dict[MessageQuery, Sequence[MessageId]] = {
            MessageQuery(since=NOW, until=NOW): stored,
            MessageQuery(batch=batch.id): stored[:5],
            MessageQuery(since=NOW, until=NOW, numbers=(OURS, THEIRS)): stored,
        }
        for query, numbers in queries.items():
            seen: list[MessageId] = []
            part = Slice[Cursor](2)
            while page := await shelf.reading.messages(ACCOUNT, query, part, with_text=False):
                seen += [placed.record.id for placed in page]
                part = Slice(2, page[-1].cursor)
                await shelf.put_messages(a_message(minutes=-1))  # before what was read: it shifts nothing
            assert seen == list(numbers), query
            assert part.start is not None
            back = await ids_of(shelf.reading, query, Slice(3, part.start, backward=True))
            assert back == list(numbers)[-4:-1], query
            assert await ids_of(shelf.reading, query, Slice(2, backward=True)) == list(numbers)[-2:], query

    async def test_a_message_that_is_added_is_after_all_that_were_read(self, shelf: Shelf) -> None:
        for query in (MessageQuery(), MessageQuery(numbers=(OURS,))):
            await shelf.put_messages(a_message(), a_message())
            *_, last = await shelf.reading.messages(ACCOUNT, query, ALL, with_text=False)
            (added,) = await shelf.put_messages(a_message())
            assert await ids_of(shelf.reading, query, Slice(2, last.cursor)) == [added]

    async def test_statuses_are_counted_with_their_cost_and_error_codes(self, shelf: Shelf) -> None:
        batch = a_batch("a")
        await shelf.put_batch(batch)
        refused = replace(
            a_message(batch), status=MessageStatus.SENDING_FAILED, cost_micros=None, error_code="SMS-RC-413"
        )
        undelivered = replace(a_message(batch), status=MessageStatus.DELIVERY_FAILED, error_code="SMS-CAR-411")
        await shelf.put_messages(
            a_message(batch),
            a_message(batch),
            refused,
            replace(refused, error_code="SMS-UP-410"),
            refused,
            undelivered,
            replace(undelivered, error_code=None),
        )
        assert await shelf.reading.statuses(ACCOUNT, MessageQuery()) == {
            MessageStatus.DELIVERED: StatusCount(2, 28000),
            MessageStatus.SENDING_FAILED: StatusCount(3, 0, {"SMS-RC-413": 2, "SMS-UP-410": 1}),
            MessageStatus.DELIVERY_FAILED: StatusCount(2, 28000, {"SMS-CAR-411": 1}),
        }
