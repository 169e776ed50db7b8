"""The simulated carrier by itself: the same at each run, bounded, and not forgetful at a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from bellwire.carriers.simulator import SimulatedCarrier
from bellwire.errors import Unavailable
from bellwire.model.sms import (
    DeliveryReceipt,
    InboundText,
    MessageId,
    MessageStatus,
    NotNow,
    OutgoingText,
    Refused,
    Submitted,
    SubmitUnknown,
)
from tests.doubles.stepped_clock import SteppedClock

OURS = "+16505550180"


class Reports:
    """`CarrierReports` that notes what came, in order."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.texts: list[InboundText] = []
        self.refusals = 0
        self.came = asyncio.Event()

    async def receipts(self, receipts: Sequence[DeliveryReceipt]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("not now")
        self.heard += [f"{one.carrier_id} {one.status} {one.error_code}" for one in receipts]
        self.came.set()

    async def inbound(self, texts: Sequence[InboundText]) -> None:
        self.heard += [one.text for one in texts]
        self.texts += texts
        self.came.set()


class Stage:
    def __init__(self, **options: int) -> None:
        self.clock = SteppedClock()
        self.reports = Reports()
        self.failures: list[BaseException] = []
        self.taken: list[OutgoingText] = []
        self.carrier = SimulatedCarrier(
            clock=self.clock, taken=self._taken, on_fatal=self.failures.append, mean_delay_seconds=10, **options
        )

    async def _taken(self, after: MessageId | None, limit: int) -> list[OutgoingText]:
        return [text for text in self.taken if int(text.message) > int(after or 0)][:limit]

    async def heard(self, number: int) -> list[str]:
        async with asyncio.timeout(10):
            while len(self.reports.heard) < number:
                self.reports.came.clear()
                await self.reports.came.wait()
        return self.reports.heard

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.carrier.look_again()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.carrier.stop(drain_seconds=0)
    assert stage.failures == []


def to(last_four: str, id_: int = 1) -> OutgoingText:
    return OutgoingText(MessageId(str(id_)), OURS, f"+1415555{last_four}", "hello")


async def test_a_text_is_taken_and_reported_on_after_its_delay(stage: Stage) -> None:
    await stage.carrier.start(stage.reports)
    assert await stage.carrier.submit([to("0101")]) == [Submitted(("sim-1",))]
    stage.advance(4.9)
    for _ in range(10):
        await asyncio.sleep(0)
    assert stage.reports.heard == []
    stage.advance(10.2)
    assert await stage.heard(1) == ["sim-1 Delivered None"]


async def test_each_number_has_its_outcome(stage: Stage) -> None:
    await stage.carrier.start(stage.reports)
    outcomes = await stage.carrier.submit([to("9430"), to("8411", 2), to("9004", 3), to("9003", 4), to("9001", 5)])
    assert outcomes == [
        Refused("SMS-UP-430"),
        Submitted(("sim-2",)),
        SubmitUnknown(),
        NotNow(0.5),
        Submitted(("sim-5",)),
    ]
    assert await stage.carrier.submit([to("9003", 4)]) == [Submitted(("sim-4",))]
    stage.advance(20)
    assert sorted(await stage.heard(2)) == ["sim-2 DeliveryFailed SMS-CAR-411", "sim-4 Delivered None"]


async def test_a_receipt_can_come_before_the_answer(stage: Stage) -> None:
    await stage.carrier.start(stage.reports)
    submitting = stage.carrier.submit([to("9002")])
    assert await submitting == [Submitted(("sim-1",))]
    assert stage.reports.heard == ["sim-1 Delivered None"]


async def test_a_recipient_answers_before_the_receipt_and_under_one_key(stage: Stage) -> None:
    await stage.carrier.start(stage.reports)
    await stage.carrier.submit([to("9101")])
    stage.advance(20)
    assert await stage.heard(2) == ["STOP", "sim-1 Delivered None"]
    (text,) = stage.reports.texts
    assert (text.sender, text.recipient, text.carrier_key) == ("+14155559101", OURS, "reply sim-1")


async def test_reports_that_can_not_be_taken_come_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bellwire.carriers.simulator._RETRY_SECONDS", 0.01)
    stage.reports.refusals = 2
    await stage.carrier.start(stage.reports)
    await stage.carrier.submit([to("9102")])
    stage.advance(20)
    assert await stage.heard(2) == ["START", "sim-1 Delivered None"]


async def test_after_a_restart_it_reports_on_what_it_had_taken(stage: Stage) -> None:
    stage.taken = [to("0101", number) for number in range(1, 601)]
    await stage.carrier.start(stage.reports)
    stage.advance(20)
    assert len(set(await stage.heard(600))) == 600


async def test_it_takes_no_more_than_it_can_remember() -> None:
    stage = Stage(window=2)
    await stage.carrier.start(stage.reports)
    await stage.carrier.submit([to("0101"), to("0102", 2)])
    waiting = asyncio.create_task(stage.carrier.submit([to("0103", 3)]))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    stage.advance(20)
    assert await asyncio.wait_for(waiting, 10) == [Submitted(("sim-3",))]
    await stage.carrier.stop(drain_seconds=0)


async def test_the_same_texts_are_reported_on_in_the_same_order_each_time() -> None:
    orders = []
    for _ in range(2):
        stage = Stage(seed=7)
        await stage.carrier.start(stage.reports)
        await stage.carrier.submit([to("0101", number) for number in range(1, 50)])
        stage.advance(20)
        orders.append(list(await stage.heard(49)))
        await stage.carrier.stop(drain_seconds=0)
    assert orders[0] == orders[1]
    assert MessageStatus.DELIVERED in orders[0][0]
