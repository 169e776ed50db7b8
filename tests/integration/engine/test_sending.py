"""Sending over real records, to a carrier that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bellwire.engine.receive_sms import AutomaticReplies, Receiving
from bellwire.engine.send_batches import Sending
from bellwire.errors import Unavailable
from bellwire.model.directory import Account, PhoneNumber
from bellwire.model.ids import AccountId
from bellwire.model.sms import (
    ConsentStatus,
    InboundText,
    MessageStatus,
    NotNow,
    OutgoingText,
    Refused,
    SubmitOutcome,
    Submitted,
    SubmitUnknown,
)
from bellwire.ports.carrier import CarrierReports
from bellwire.ports.sms_progress import SmsProgress, Waiting
from bellwire.sms.throughput import SenderLimits, Throughput
from bellwire.storage.records import RecordsStores
from bellwire.storage.records.consents import SqlConsentWriter
from bellwire.storage.records.consents_reading import SqlConsentReading
from bellwire.storage.records.outbox import SqlOutbox
from bellwire.storage.records.sms_intake import SqlBatchIntake
from bellwire.storage.records.sms_progress import SqlSmsProgress
from bellwire.storage.records.sms_reading import SqlSmsReading
from tests.conformance.sms_stores import OURS, SmsStores, a_batch, a_change, accepted, some, theirs
from tests.doubles.stepped_clock import SteppedClock

Answer = Callable[[OutgoingText], SubmitOutcome]


def take(text: OutgoingText) -> SubmitOutcome:
    return Submitted((f"c-{text.message}",))


class ToldCarrier:
    """`Carrier` that answers as `answer` says, and notes what it was given."""

    def __init__(self, *, resubmits_safely: bool = False) -> None:
        self.resubmits_safely = resubmits_safely
        self.answer: Answer = take
        self.given: list[OutgoingText] = []
        self.holds = asyncio.Event()
        """Cleared: it keeps its answers to itself."""
        self.holds.set()
        self._came = asyncio.Event()

    async def start(self, reports: CarrierReports) -> None:
        return None

    async def room(self) -> int:
        return 256

    async def submit(self, texts: Sequence[OutgoingText]) -> list[SubmitOutcome]:
        self.given += texts
        self._came.set()
        await self.holds.wait()
        return [self.answer(text) for text in texts]

    async def stop(self, *, drain_seconds: float) -> None:
        return None

    async def was_given(self, number: int) -> list[str]:
        """The recipients of what it was given, once it is so many."""
        async with asyncio.timeout(20):
            while len(self.given) < number:
                self._came.clear()
                await self._came.wait()
        return [text.recipient for text in self.given]


class Stage:
    def __init__(self, records: RecordsStores, carrier: ToldCarrier, limits: SenderLimits | None = None) -> None:
        outbox = SqlOutbox(records.records)
        self.records = records
        self.carrier = carrier
        self.clock = SteppedClock()
        self.stores = SmsStores(
            intake=SqlBatchIntake(records.records, outbox),
            progress=SqlSmsProgress(records.records, outbox),
            consents=SqlConsentWriter(outbox),
            outbox=outbox,
            reading=SqlSmsReading(records.records),
            consent_reading=SqlConsentReading(records.records),
        )
        self.failures: list[BaseException] = []
        self.has_room = asyncio.Event()
        self.has_room.set()
        self._put = asyncio.Event()
        outbox.on_put(lambda _events: self._put.set())
        self.sending = self.a_sending(self.stores.progress, limits)

    def a_sending(self, progress: SmsProgress, limits: SenderLimits | None = None) -> Sending:
        async def room() -> None:
            await self.has_room.wait()

        return Sending(
            progress=progress,
            carrier=self.carrier,
            throughput=Throughput(limits or SenderLimits(local=None, toll_free=None)),
            clock=self.clock,
            segment_price_micros=7000,
            room=room,
            on_fatal=self.failures.append,
        )

    async def offer(self, *numbers: int, name: str = "b-1") -> Waiting:
        waiting = await accepted(self.stores, some(*numbers), name)
        self.sending.offer(waiting)
        return waiting

    async def told(self, statuses: Sequence[str]) -> None:
        """Wait until exactly these events are in the outbox, in this order."""
        async with asyncio.timeout(20):
            while len(found := await self.stores.told_statuses()) < len(statuses):
                self._put.clear()
                if len(await self.stores.told_statuses()) == len(found):
                    await self._put.wait()
        assert found == list(statuses)

    async def told_at_least(self, events: int) -> None:
        async with asyncio.timeout(20):
            while await self.stores.outbox.size() < events:
                self._put.clear()
                if await self.stores.outbox.size() < events:
                    await self._put.wait()

    async def completed(self) -> None:
        while True:
            told = await self.stores.outbox.size()  # before the status: what completes it must not be missed
            if await self.batch_status() == "Completed":
                return
            await self.told_at_least(told + 1)

    async def batch_status(self) -> str:
        return (await self.stores.batch(a_batch())).status

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.sending.look_again()


@pytest.fixture
async def stage(records: RecordsStores) -> AsyncIterator[Stage]:
    stage = Stage(records, ToldCarrier())
    yield stage
    stage.carrier.holds.set()
    stage.has_room.set()
    await stage.sending.stop(drain_seconds=5)
    assert stage.failures == []


async def test_what_waits_is_sent_and_what_comes_later_too(stage: Stage) -> None:
    await accepted(stage.stores, some(1, 2))
    await stage.sending.start()
    first = ["Processing 0", "Queued", "Queued", "Sent", "Sent", "Completed 2"]
    await stage.told(first)
    await stage.offer(3, name="b-2")
    assert await stage.carrier.was_given(3) == [theirs(1), theirs(2), theirs(3)]
    await stage.told([*first, "Processing 0", "Queued", "Sent", "Completed 1"])
    assert stage.sending.waiting == 0


async def test_who_opted_out_is_never_given_to_the_carrier(stage: Stage) -> None:
    await stage.stores.consents.change([a_change(ConsentStatus.OPT_OUT, 1)])
    await stage.stores.forget_told()
    await stage.sending.start()
    await stage.offer(1, 2)
    assert await stage.carrier.was_given(1) == [theirs(2)]
    await stage.told(["Processing 0", "Queued", "Queued", "SendingFailed", "Sent", "Completed 2"])


@pytest.mark.parametrize(
    ("outcome", "status", "code", "cost"),
    [
        (Refused("SMS-UP-430"), MessageStatus.SENDING_FAILED, "SMS-UP-430", None),
        (SubmitUnknown(), MessageStatus.DELIVERY_FAILED, "SMS-CAR-199", 7000),
    ],
)
async def test_what_the_carrier_did_not_take_ends_as_failed(
    stage: Stage, outcome: SubmitOutcome, status: MessageStatus, code: str, cost: int | None
) -> None:
    stage.carrier.answer = lambda _text: outcome
    await stage.sending.start()
    await stage.offer(1)
    await stage.told(["Processing 0", "Queued", status, "Completed 1"])
    (message,) = await stage.stores.listed()
    assert (message.error_code, message.cost_micros) == (code, cost)
    assert len(stage.carrier.given) == 1


async def test_what_the_carrier_can_not_take_now_is_sent_when_it_can(stage: Stage) -> None:
    stage.carrier.answer = lambda text: NotNow(30) if text.recipient == theirs(1) else take(text)
    await stage.sending.start()
    await stage.offer(1, 2)
    await stage.told(["Processing 0", "Queued", "Queued", "Sent"])
    stage.carrier.answer = take
    await stage.offer(3, name="b-2")
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(stage.carrier.given) == 2, "the whole carrier was to rest"
    stage.advance(30)
    assert sorted((await stage.carrier.was_given(4))[2:]) == [theirs(1), theirs(3)]
    async with asyncio.timeout(20):
        while stage.sending.waiting:  # noqa: ASYNC110 - of the records, not of a task
            await asyncio.sleep(0.01)
    assert {one.status for one in await stage.stores.listed()} == {MessageStatus.SENT}
    assert await stage.stores.progress.handed_over(limit=10) == []


async def test_a_recipient_who_opts_out_while_the_carrier_rests_is_not_texted(stage: Stage) -> None:
    stage.carrier.answer = lambda _text: NotNow(30)
    await stage.sending.start()
    await stage.offer(1)
    await stage.carrier.was_given(1)
    await stage.stores.consents.change([a_change(ConsentStatus.OPT_OUT, 1)])
    async with asyncio.timeout(20):
        while (await stage.stores.listed())[0].status is MessageStatus.QUEUED:
            stage.advance(30)
            await asyncio.sleep(0.01)
    assert (await stage.stores.listed())[0].error_code == "SMS-RC-413"
    assert len(stage.carrier.given) == 1


async def test_a_number_with_a_limit_sends_no_faster(records: RecordsStores) -> None:
    stage = Stage(records, ToldCarrier(), SenderLimits(local=2))
    await stage.sending.start()
    await stage.offer(1, 2, 3, 4, 5)
    await stage.carrier.was_given(2)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(stage.carrier.given) == 2
    stage.advance(1)
    await stage.carrier.was_given(4)
    stage.advance(1)
    assert await stage.carrier.was_given(5) == [theirs(number) for number in (1, 2, 3, 4, 5)]
    await stage.sending.stop(drain_seconds=5)


async def test_a_small_batch_is_not_kept_behind_a_large_one(records: RecordsStores) -> None:
    stage = Stage(records, ToldCarrier(), SenderLimits(local=2))
    large, small = (
        await accepted(stage.stores, some(*range(10, 20)), "b-1"),
        await accepted(stage.stores, some(1), "b-2"),
    )
    assert (large.queued, small.queued) == (10, 1)
    await stage.sending.start()
    assert set(await stage.carrier.was_given(2)) == {theirs(10), theirs(1)}
    await stage.sending.stop(drain_seconds=5)


async def test_nothing_is_begun_while_the_log_can_not_follow(stage: Stage) -> None:
    stage.has_room.clear()
    await stage.sending.start()
    await stage.offer(1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert stage.carrier.given == []
    stage.has_room.set()
    assert await stage.carrier.was_given(1) == [theirs(1)]


async def test_what_was_in_doubt_at_a_crash_is_given_up_and_the_rest_sent(records: RecordsStores) -> None:
    before = Stage(records, ToldCarrier())
    before.carrier.holds.clear()
    await before.sending.start()
    await before.offer(1)
    await before.carrier.was_given(1)
    await accepted(before.stores, some(2), "b-2")
    await before.sending.stop(drain_seconds=0)  # as a crash: the answer was never heard

    after = Stage(records, ToldCarrier())
    await after.sending.start()
    assert await after.carrier.was_given(1) == [theirs(2)]
    await after.told(
        ["Processing 0", "Queued", "Processing 0", "DeliveryFailed", "Completed 1", "Queued", "Sent", "Completed 1"]
    )
    doubtful, _ = await after.stores.listed()
    assert (doubtful.status, doubtful.error_code) == (MessageStatus.DELIVERY_FAILED, "SMS-CAR-199")
    await after.sending.stop(drain_seconds=5)


async def test_a_carrier_that_can_be_asked_is_asked_again_after_a_crash(records: RecordsStores) -> None:
    before = Stage(records, ToldCarrier(resubmits_safely=True))
    before.carrier.holds.clear()
    await before.sending.start()
    waiting = await before.offer(1)
    await before.carrier.was_given(1)
    await before.sending.stop(drain_seconds=0)

    after = Stage(records, ToldCarrier(resubmits_safely=True))
    await after.sending.start()
    assert await after.carrier.was_given(1) == [theirs(1)]
    assert after.carrier.given == before.carrier.given
    await after.told(["Processing 0", "Queued", "Queued", "Sent", "Completed 1"])
    first, again = [one.event.uuid for one in (await after.stores.outbox.first(10))[1:3]]
    assert first == again, "the log knows the second as a duplicate"
    assert waiting.key is not None
    await after.sending.stop(drain_seconds=5)


class Unsteady:
    """`SmsProgress` whose `record` fails for its first calls."""

    def __init__(self, progress: SmsProgress, failures: int) -> None:
        self._progress = progress
        self._failures = failures

    def __getattr__(self, name: str) -> object:
        return getattr(self._progress, name)

    async def record(self, *arguments: object, **named: object) -> None:
        if self._failures:
            self._failures -= 1
            raise Unavailable("the disk is full")
        await self._progress.record(*arguments, **named)  # type: ignore[arg-type]


async def test_what_was_sent_is_recorded_however_long_that_takes(
    records: RecordsStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bellwire.engine.send_batches._RETRY_SECONDS", 0.01)
    stage = Stage(records, ToldCarrier())
    stage.sending = stage.a_sending(Unsteady(stage.stores.progress, 3))  # type: ignore[arg-type]
    await stage.sending.start()
    await stage.offer(1)
    await stage.told(["Processing 0", "Queued", "Sent", "Completed 1"])
    assert len(stage.carrier.given) == 1
    await stage.sending.stop(drain_seconds=5)


async def test_progress_is_told_at_most_once_a_second(records: RecordsStores) -> None:
    stage = Stage(records, ToldCarrier(), SenderLimits(local=1))
    await stage.sending.start()
    await stage.offer(*range(1, 6))
    for number in range(2, 6):
        await stage.carrier.was_given(number - 1)
        await stage.told_at_least(2 * (number - 1))
        stage.advance(1)
    await stage.told_at_least(12)
    await stage.completed()
    counts = [status for status in await stage.stores.told_statuses() if " " in status]
    assert counts[0] == "Processing 0"
    assert counts[-1] == "Completed 5"
    assert len(counts) <= 6
    await stage.sending.stop(drain_seconds=5)


def a_receiving(stage: Stage, replies: AutomaticReplies) -> Receiving:
    async def room() -> None:
        await stage.has_room.wait()

    return Receiving(
        progress=stage.stores.progress,
        directory=stage.records.directory,
        clock=stage.clock,
        segment_price_micros=7000,
        replies=replies,
        room=room,
        on_reply=stage.sending.offer,
    )


def a_text(text: str, to: str = OURS) -> InboundText:
    return InboundText(theirs(1), to, text, a_batch().created_at)


async def test_keywords_are_answered_where_an_operator_says_so(stage: Stage) -> None:
    receiving = a_receiving(stage, AutomaticReplies(opt_out="Bye", opt_in="Welcome back"))
    await stage.sending.start()
    await receiving.inbound([a_text("stop"), a_text("hello?")])
    await stage.carrier.was_given(1)
    await receiving.inbound([a_text("START")])
    await stage.carrier.was_given(2)
    assert [(text.sender, text.recipient, text.text) for text in stage.carrier.given] == [
        (OURS, theirs(1), "Bye"),
        (OURS, theirs(1), "Welcome back"),
    ]


async def test_by_default_nothing_is_answered(stage: Stage) -> None:
    receiving = a_receiving(stage, AutomaticReplies())
    await receiving.inbound([a_text("stop")])
    assert await stage.stores.progress.waiting() == []


async def test_a_text_to_a_number_that_nobody_has_is_counted_and_keeps_no_other_back(stage: Stage) -> None:
    receiving = a_receiving(stage, AutomaticReplies())
    await receiving.inbound([a_text("lost", "+12025550000"), a_text("found")])
    assert [one.text for one in await stage.stores.listed()] == ["found"]
    assert receiving.counts == {"receipts": 0, "texts": 1, "misaddressed": 1}


async def test_a_text_to_an_account_that_is_just_being_removed_keeps_no_other_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = stage.records.directory
    await directory.save_account(Account(id=AccountId("2"), company_name="Elsewhere"))
    number = PhoneNumber(id="n-2", account_id=AccountId("2"), phone_number="+16505550182", features=("A2PSmsSender",))
    await directory.save_number(number)
    receive = SqlSmsProgress.receive

    async def receive_after_the_removal(*arguments: Any) -> Any:
        await directory.remove_account(AccountId("2"))
        return await receive(*arguments)

    monkeypatch.setattr(SqlSmsProgress, "receive", receive_after_the_removal)
    receiving = a_receiving(stage, AutomaticReplies())
    await receiving.inbound([a_text("lost", number.phone_number), a_text("found")])
    assert [one.text for one in await stage.stores.listed()] == ["found"]
    assert receiving.counts == {"receipts": 0, "texts": 1, "misaddressed": 1}


async def test_a_number_that_lost_its_feature_takes_no_texts(stage: Stage) -> None:
    receiving = a_receiving(stage, AutomaticReplies())
    number = stage.records.directory.number(OURS)
    assert number is not None
    await stage.records.directory.save_number(replace(number, features=()))
    assert receiving.addressee(OURS) is None
    await stage.records.directory.save_number(replace(number, phone_number="+16505550181"))
    assert stage.records.directory.number(OURS) is None
    assert receiving.addressee("+16505550181") is not None
