"""The simulated carrier: takes texts, reports on them after a while, and answers for some recipients.

What happens is a function of the recipient, the seed and the message id (`sms/simulation.py`), and so are the ids that
it gives out. It remembers nothing itself: after a restart it is told which messages it had taken, and reports on those
again, as a carrier would that never heard its reports acknowledged.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from bellwire.errors import Unavailable
from bellwire.model.sms import (
    DeliveryReceipt,
    InboundText,
    MessageId,
    MessageStatus,
    NotNow,
    OutgoingText,
    Refused,
    SubmitOutcome,
    Submitted,
    SubmitUnknown,
)
from bellwire.ports.carrier import CarrierReports
from bellwire.ports.clock import Clock
from bellwire.sms.simulation import Peculiarity, Script, receipt_delay, script_of

WINDOW = 10_000
"""Reports that are still to come, at which it takes no more."""
GROUP = 256
_THROTTLE_SECONDS = 0.5
_RETRY_SECONDS = 1.0

Taken = Callable[[MessageId | None, int], Awaitable[Sequence[OutgoingText]]]
"""After this message, at most so many: messages that were taken and not reported on, in the order of their ids."""

_log = structlog.get_logger("bellwire.carrier")


@dataclass(frozen=True, slots=True)
class _Report:
    """What is to come of one message."""

    text: OutgoingText
    script: Script

    @property
    def receipt(self) -> DeliveryReceipt | None:
        if self.script.peculiarity in {Peculiarity.NO_RECEIPT, Peculiarity.EARLY_RECEIPT}:
            return None
        return receipt_of(self.text.message, self.script)

    def reply(self, clock: Clock) -> InboundText | None:
        if self.script.reply is None:
            return None
        return InboundText(
            sender=self.text.recipient,
            recipient=self.text.sender,
            text=self.script.reply.replace("{text}", self.text.text),
            received_at=clock.now(),
            carrier_key=f"reply {carrier_id(self.text.message)}",
        )


def carrier_id(message: MessageId) -> str:
    return f"sim-{message}"


def receipt_of(message: MessageId, script: Script) -> DeliveryReceipt:
    status = MessageStatus.DELIVERED if script.failure is None else MessageStatus.DELIVERY_FAILED
    return DeliveryReceipt(carrier_id(message), status, script.failure)


class SimulatedCarrier:
    """`Carrier`."""

    resubmits_safely = True

    def __init__(
        self,
        *,
        clock: Clock,
        taken: Taken,
        on_fatal: Callable[[BaseException], None],
        seed: int = 1,
        mean_delay_seconds: float = 0.3,
        window: int = WINDOW,
    ) -> None:
        self._clock = clock
        self._taken = taken
        self._on_fatal = on_fatal
        self._seed = seed
        self._mean_delay_seconds = mean_delay_seconds
        self._window = window
        self._reports: CarrierReports
        self._to_come: list[tuple[float, int, _Report]] = []
        self._serial = 0
        self._throttled: set[MessageId] = set()
        self._wake = asyncio.Event()
        self._has_room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, reports: CarrierReports) -> None:
        self._reports = reports
        after: MessageId | None = None
        while texts := await self._taken(after, GROUP):
            for text in texts:
                self._expect(text)
            after = texts[-1].message
        self._task = asyncio.create_task(self._run(), name="simulated carrier")
        self._task.add_done_callback(self._ended)

    async def stop(self, *, drain_seconds: float) -> None:
        """What it would still report comes again at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def look_again(self) -> None:
        """The clock was moved ahead."""
        self._wake.set()

    async def room(self) -> int:
        """It can be asked what it has, so nothing that it is given is ever in doubt."""
        return GROUP

    async def submit(self, texts: Sequence[OutgoingText]) -> list[SubmitOutcome]:
        while len(self._to_come) >= self._window:
            self._has_room.clear()
            await self._has_room.wait()
        early = [
            receipt_of(text.message, script)
            for text in texts
            if (script := script_of(text.recipient)).peculiarity is Peculiarity.EARLY_RECEIPT
        ]
        if early:
            await self._reports.receipts(early)
        return [self._take(text) for text in texts]

    def _take(self, text: OutgoingText) -> SubmitOutcome:
        script = script_of(text.recipient)
        if script.refusal is not None:
            return Refused(script.refusal)
        match script.peculiarity:
            case Peculiarity.THROTTLED_ONCE if text.message not in self._throttled:
                self._throttled.add(text.message)
                return NotNow(_THROTTLE_SECONDS)
            case Peculiarity.NO_ANSWER:
                return SubmitUnknown()
        self._throttled.discard(text.message)
        self._expect(text)
        return Submitted((carrier_id(text.message),))

    def _expect(self, text: OutgoingText) -> None:
        report = _Report(text, script_of(text.recipient))
        if report.receipt is None and report.script.reply is None:
            return
        due = self._clock.monotonic() + receipt_delay(self._seed, text.message, self._mean_delay_seconds)
        self._serial += 1
        heapq.heappush(self._to_come, (due, self._serial, report))
        self._wake.set()

    async def _run(self) -> None:
        while True:
            group = self._due()
            if group:
                await self._report(group)
                continue
            self._wake.clear()
            timeout = self._to_come[0][0] - self._clock.monotonic() if self._to_come else None
            try:
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _due(self) -> list[_Report]:
        now = self._clock.monotonic()
        group: list[_Report] = []
        while self._to_come and self._to_come[0][0] <= now and len(group) < GROUP:
            group.append(heapq.heappop(self._to_come)[2])
        if len(self._to_come) < self._window:
            self._has_room.set()
        return group

    async def _report(self, group: list[_Report]) -> None:
        """Answers first: once its receipt is recorded, nothing would bring a message's answer again after a crash."""
        replies = [reply for report in group if (reply := report.reply(self._clock)) is not None]
        receipts = [receipt for report in group if (receipt := report.receipt) is not None]
        while True:
            try:
                if replies:
                    await self._reports.inbound(replies)
                    replies = []
                if receipts:
                    await self._reports.receipts(receipts)
                return
            except Unavailable as problem:
                _log.warning("carrier.reports_held", error=str(problem), receipts=len(receipts))
                await asyncio.sleep(_RETRY_SECONDS)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fatal(error)
