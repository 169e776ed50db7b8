"""What every carrier promises, simulated or real."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import ClassVar

from bellwire.errors import Unavailable
from bellwire.model.sms import MessageId, MessageStatus, OutgoingText, Submitted
from bellwire.ports.carrier import Carrier
from tests.doubles.carrier_reports import RecordingReports

_messages = count(1)


@dataclass(frozen=True, slots=True)
class Started:
    """A carrier that was started with these reports."""

    carrier: Carrier
    reports: RecordingReports


class CarrierContract:
    """Subclasses have a fixture `started`, and numbers to which their carrier behaves so."""

    good: ClassVar[str]
    failing: ClassVar[str]
    """Taken, and then reported as not delivered."""
    early: ClassVar[str]
    """Its receipt comes before the answer to its submission."""

    def text(self, recipient: str) -> OutgoingText:
        return OutgoingText(MessageId(str(next(_messages))), "+16505550180", recipient, "Your parcel is here")

    async def submit(self, started: Started, *recipients: str) -> list[Submitted]:
        assert await started.carrier.room() >= 1
        outcomes = await started.carrier.submit([self.text(recipient) for recipient in recipients])
        taken = [outcome for outcome in outcomes if isinstance(outcome, Submitted)]
        assert len(taken) == len(recipients), outcomes
        return taken

    async def test_every_text_has_an_outcome_and_ids_of_its_own(self, started: Started) -> None:
        outcomes = await self.submit(started, *[self.good] * 5)

        ids = [carrier_id for outcome in outcomes for carrier_id in outcome.carrier_ids]
        assert len(set(ids)) == len(ids) >= 5

    async def test_each_receipt_is_about_the_text_in_that_place(self, started: Started) -> None:
        outcomes = await self.submit(started, self.good, self.failing, self.early, self.good)
        await started.reports.until(lambda: len(started.reports.receipts_got) >= 4)

        reported = {receipt.carrier_id: receipt for receipt in started.reports.receipts_got}
        statuses = [[reported[carrier_id].status for carrier_id in outcome.carrier_ids] for outcome in outcomes]
        delivered, failed = MessageStatus.DELIVERED, MessageStatus.DELIVERY_FAILED
        assert statuses == [[delivered], [failed], [delivered], [delivered]]
        for receipt in reported.values():
            assert (receipt.error_code is not None) == (receipt.status is failed)

    async def test_a_report_that_could_not_be_kept_comes_again(self, started: Started) -> None:
        started.reports.fail_with = lambda _: Unavailable("the disk is full")
        (outcome,) = await self.submit(started, self.good)
        await started.reports.until(lambda: started.reports.asked >= 1)
        assert started.reports.receipts_got == []
        started.reports.fail_with = lambda _: None

        await started.reports.until(lambda: len(started.reports.receipts_got) >= 1)
        assert {receipt.carrier_id for receipt in started.reports.receipts_got} == set(outcome.carrier_ids)

    async def test_several_calls_may_be_under_way(self, started: Started) -> None:
        calls = [self.submit(started, self.good, self.good) for _ in range(4)]

        outcomes = [outcome for call in await asyncio.gather(*calls) for outcome in call]
        assert len({outcome.carrier_ids for outcome in outcomes}) == 8

    async def test_it_may_be_stopped_twice(self, started: Started) -> None:
        await started.carrier.stop(drain_seconds=1)
        await started.carrier.stop(drain_seconds=1)
