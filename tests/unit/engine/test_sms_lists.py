"""Which window a list has, which page follows, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bellwire.engine.sms_lists import MessageQuestion, SmsLists
from bellwire.errors import InvalidRequest, NotFound
from bellwire.model.ids import AccountId
from bellwire.model.sms import BatchId, MessageId, MessageStatus
from bellwire.model.sms_records import Batch, Message
from bellwire.ports.slices import Slice
from bellwire.ports.sms_store import BatchQuery, Cursor, MessageQuery, Placed, StatusCount
from tests.conformance.sms_reading import ACCOUNT, NOW, a_batch, a_message
from tests.conformance.subscription_store import StoppedClock

DAY = timedelta(hours=24)


class Recorded:
    """A store that answers with five messages, and keeps what it was asked."""

    def __init__(self) -> None:
        self.batch_queries: list[BatchQuery] = []
        self.queries: list[MessageQuery] = []
        self.with_text: list[bool] = []

    async def batches(self, account: AccountId, query: BatchQuery, part: Slice[Cursor]) -> list[Placed[Batch]]:
        self.batch_queries.append(query)
        return [Placed(a_batch("a"), Cursor(NOW, 1))]

    async def batch(self, account: AccountId, batch: BatchId) -> Batch | None:
        return None

    async def messages(
        self, account: AccountId, query: MessageQuery, part: Slice[Cursor], *, with_text: bool
    ) -> list[Placed[Message]]:
        self.queries.append(query)
        self.with_text.append(with_text)
        places = [n for n in range(1, 6) if part.start is None or n > part.start.serial][: part.limit]
        return [Placed(replace(a_message(), id=MessageId(str(n))), Cursor(NOW, n)) for n in places]

    async def message(self, account: AccountId, message: MessageId) -> Message | None:
        return None

    async def statuses(self, account: AccountId, query: MessageQuery) -> Mapping[MessageStatus, StatusCount]:
        self.queries.append(query)
        return {MessageStatus.SENT: StatusCount(1, 7000)}


@pytest.fixture
def store() -> Recorded:
    return Recorded()


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock(NOW)


@pytest.fixture
def lists(store: Recorded, clock: StoppedClock) -> SmsLists:
    return SmsLists(reading=store, clock=clock, key=b"key")


@pytest.mark.parametrize(
    ("asked", "since", "until"),
    [
        (MessageQuery(), NOW - DAY, NOW),
        (MessageQuery(until=NOW - DAY), NOW - 2 * DAY, NOW - DAY),
        (MessageQuery(since=NOW - 9 * DAY), NOW - 9 * DAY, NOW),
        (MessageQuery(since=NOW - 2 * DAY, until=NOW - DAY), NOW - 2 * DAY, NOW - DAY),
        (MessageQuery(batch=BatchId("b")), None, None),
        (MessageQuery(batch=BatchId("b"), since=NOW - DAY), NOW - DAY, NOW),
        (MessageQuery(until=datetime.min.replace(tzinfo=NOW.tzinfo)), datetime.min.replace(tzinfo=NOW.tzinfo),
         datetime.min.replace(tzinfo=NOW.tzinfo)),
    ],
)  # fmt: skip
async def test_the_window_is_a_day_unless_dates_or_a_batch_are_given(
    lists: SmsLists, store: Recorded, asked: MessageQuery, since: datetime | None, until: datetime | None
) -> None:
    await lists.messages(ACCOUNT, MessageQuestion(asked, None), token=None, per_page=None)
    await lists.statuses(ACCOUNT, asked)
    assert [(query.since, query.until) for query in store.queries] == [(since, until)] * 2


async def test_batches_have_the_same_window(lists: SmsLists, store: Recorded) -> None:
    await lists.batches(ACCOUNT, BatchQuery(), token=None, per_page=None)
    assert store.batch_queries == [BatchQuery(since=NOW - DAY, until=NOW)]


async def test_a_window_that_ends_before_it_begins_is_refused(lists: SmsLists) -> None:
    with pytest.raises(InvalidRequest, match="dateFrom"):
        await lists.statuses(ACCOUNT, MessageQuery(since=NOW, until=NOW - DAY))


async def test_a_token_alone_goes_on_with_the_same_question_though_time_has_passed(
    lists: SmsLists, store: Recorded, clock: StoppedClock
) -> None:
    asked = MessageQuestion(MessageQuery(numbers=("+12025550101",)), with_text=True)
    first = await lists.messages(ACCOUNT, asked, token=None, per_page=2)
    clock.time += timedelta(hours=3)
    alone = await lists.messages(ACCOUNT, MessageQuestion(MessageQuery(), None), token=first.next_token, per_page=None)
    repeated = await lists.messages(ACCOUNT, asked, token=first.next_token, per_page=3)
    assert [len(page.records) for page in (first, alone, repeated)] == [2, 2, 3]
    assert [placed.record.id for placed in alone.records] == ["3", "4"]
    assert store.queries == [MessageQuery(numbers=("+12025550101",), since=NOW - DAY, until=NOW)] * 3
    assert store.with_text == [True] * 3


async def test_a_view_beside_the_token_is_the_one_that_counts(lists: SmsLists, store: Recorded) -> None:
    question = MessageQuestion(MessageQuery(), with_text=True)
    first = await lists.messages(ACCOUNT, question, token=None, per_page=2)
    await lists.messages(ACCOUNT, replace(question, with_text=False), token=first.next_token, per_page=None)
    assert store.with_text == [True, False]


async def test_another_question_beside_the_token_is_refused(lists: SmsLists) -> None:
    first = await lists.messages(ACCOUNT, MessageQuestion(MessageQuery(), None), token=None, per_page=2)
    with pytest.raises(InvalidRequest, match="other parameters"):
        await lists.messages(
            ACCOUNT, MessageQuestion(MessageQuery(batch=BatchId("b")), None), token=first.next_token, per_page=2
        )
    with pytest.raises(InvalidRequest, match="pageToken"):
        await lists.batches(ACCOUNT, BatchQuery(), token=first.next_token, per_page=2)


async def test_more_than_fifteen_numbers_are_refused(lists: SmsLists) -> None:
    numbers = tuple(f"+120255501{n:02}" for n in range(16))
    await lists.statuses(ACCOUNT, MessageQuery(numbers=numbers[:15]))
    with pytest.raises(InvalidRequest, match="at most 15"):
        await lists.statuses(ACCOUNT, MessageQuery(numbers=numbers))


async def test_every_status_is_counted(lists: SmsLists) -> None:
    counted = await lists.statuses(ACCOUNT, MessageQuery())
    assert counted == dict.fromkeys(MessageStatus, StatusCount()) | {MessageStatus.SENT: StatusCount(1, 7000)}


async def test_what_is_not_there_is_not_found(lists: SmsLists) -> None:
    with pytest.raises(NotFound, match="batchId"):
        await lists.batch(ACCOUNT, BatchId("nothing"))
    with pytest.raises(NotFound, match="messageId"):
        await lists.message(ACCOUNT, MessageId("1"))
