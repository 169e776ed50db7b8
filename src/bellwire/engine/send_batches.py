"""Sending: queued messages go to the carrier, in the order and at the pace that their sender's number allows.

    accepted, or found at the start ─▶ Throughput says whose turn it is ─▶ read a chunk ─▶ carrier ─▶ record
                                                   ▲                                        │
                                                   └──────────────── NotNow ────────────────┘

What is known of each message is in the records alone; memory has, for each batch, how far it was read. A few chunks are
under way at the same time. A chunk that the carrier was given is recorded whatever it takes: the records may be
unavailable for a while, but what was sent must not be sent again.

A message that may have been sent, where the carrier can't be asked again (`Carrier.resubmits_safely`), is never sent
again: its link ended before the answer (`SubmitUnknown`), or this process did, between `hand_over` and `record`. Its
final state is DeliveryFailed with SMS-CAR-199, "unknown status", which is no proof of failure (wire contract, 6.4); it
is paid for, since the carrier may have carried it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar, assert_never

import structlog

from bellwire.errors import Unavailable
from bellwire.model.sms import (
    BatchId,
    MessageId,
    MessageStatus,
    NotNow,
    Refused,
    SubmitOutcome,
    Submitted,
    SubmitUnknown,
)
from bellwire.ports.carrier import Carrier
from bellwire.ports.clock import Clock
from bellwire.ports.sms_progress import Processed, QueuedMessage, SmsProgress, Waiting
from bellwire.ports.sms_store import BatchKey
from bellwire.sms.codes import ErrorCode
from bellwire.sms.throughput import Share, Throughput

T = TypeVar("T")

CHUNK = 256
"""Messages of one call of the carrier."""
CHUNKS_UNDER_WAY = 4
PROGRESS_SECONDS = 1.0
"""A batch's progress is announced at most once in this time."""
LONGEST_WAIT_SECONDS = 60.0
_RETRY_SECONDS = 1.0

_log = structlog.get_logger("bellwire.sms")


@dataclass(slots=True)
class _Line:
    """A batch's messages that are still to be read, and how far that is."""

    waiting: Waiting
    read_to: MessageId | None = None
    returned: list[MessageId] = field(default_factory=list)
    """Read before, and not sent after all."""
    left: int = 0
    """Messages that are not recorded yet."""
    announced_at: float = 0.0


class Sending:
    """Sends what waits, for as long as it runs. `counts`: messages since the start, by what became of them."""

    def __init__(
        self,
        *,
        progress: SmsProgress,
        carrier: Carrier,
        throughput: Throughput,
        clock: Clock,
        segment_price_micros: int,
        room: Callable[[], Awaitable[None]],
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        """`room`: waits while events of what happened before can't be published."""
        self._progress = progress
        self._carrier = carrier
        self._throughput = throughput
        self._clock = clock
        self._price = segment_price_micros
        self._room = room
        self._on_fatal = on_fatal
        self._lines: dict[BatchId, _Line] = {}
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(CHUNKS_UNDER_WAY)
        self._under_way: set[asyncio.Task[None]] = set()
        self._paused_until = 0.0
        self._submitted = asyncio.Event()
        """Nothing is between being read and being submitted."""
        self._submitted.set()
        self._task: asyncio.Task[None] | None = None
        self.counts: dict[str, int] = {}

    @property
    def waiting(self) -> int:
        """Messages that are queued."""
        return sum(line.left for line in self._lines.values())

    def offer(self, waiting: Waiting) -> None:
        """These messages wait now, durably."""
        id_ = _line_id(waiting)
        line = self._lines.get(id_)
        if line is None:
            line = self._lines[id_] = _Line(waiting, announced_at=self._clock.monotonic())
        line.left += waiting.queued
        self._throughput.offer(waiting.sender, id_, waiting.queued)
        self._wake.set()

    async def start(self) -> None:
        """Settle what a crash left in doubt, and go on with what waits."""
        await self._give_up_doubtful()
        for waiting in await self._progress.waiting():
            self.offer(waiting)
        self._task = asyncio.create_task(self._run(), name="send messages")
        self._task.add_done_callback(self._ended)

    async def stop(self, *, drain_seconds: float) -> None:
        """Send nothing more; what the carrier was given has this time to be answered and recorded. The carrier is to
        be stopped after."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def look_again(self) -> None:
        """The clock was moved ahead."""
        self._wake.set()

    async def _give_up_doubtful(self) -> None:
        """What a process before this one gave to a carrier that can't be asked, and didn't live to record."""
        given_up = 0
        while doubtful := await self._progress.handed_over(limit=CHUNK):
            await self._progress.record(
                [self._unknown(message) for message in doubtful], self._clock.now(), announce=frozenset()
            )
            given_up += len(doubtful)
        if given_up:
            _log.warning("messages.in_doubt", messages=given_up, error_code=ErrorCode.CAR_199)

    async def _run(self) -> None:
        while True:
            await self._room()
            await self._slots.acquire()
            chunk: list[QueuedMessage] = []
            try:
                chunk = await self._next_chunk()
            finally:
                if not chunk:
                    self._slots.release()
            task = asyncio.create_task(self._send(chunk), name="send chunk")
            self._under_way.add(task)
            task.add_done_callback(self._sent)

    async def _next_chunk(self) -> list[QueuedMessage]:
        """Wait for some messages that may go now."""
        while True:
            self._wake.clear()
            now = self._clock.monotonic()
            chunk: list[QueuedMessage] = []
            if now >= self._paused_until:
                most = await self._carriers_room()
                for share in self._throughput.take(self._clock.monotonic(), most):
                    chunk += await self._patiently(partial(self._read, share))
            if chunk:
                self._submitted.clear()
                return chunk
            await self._sleep(now)

    async def _carriers_room(self) -> int:
        """How many messages may be handed over. Where these are in doubt until they are submitted, what is on its way
        has to have arrived first: the carrier does not know of it yet."""
        if not self._carrier.resubmits_safely:
            await self._submitted.wait()
        return min(CHUNK, await self._carrier.room())

    async def _sleep(self, now: float) -> None:
        """Until something may go, or something new comes."""
        ready_at = self._throughput.ready_at(now)
        timeout = None
        if ready_at is not None:
            timeout = min(max(ready_at, self._paused_until) - now, LONGEST_WAIT_SECONDS)
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _read(self, share: Share) -> list[QueuedMessage]:
        line = self._lines[share.batch]
        again = line.returned[: share.messages]
        chunk = await self._progress.queued_again(again) if again else []
        del line.returned[: len(again)]
        more = share.messages - len(again)
        if more:
            found = await self._progress.queued(line.waiting, after=line.read_to, limit=more)
            if found:
                line.read_to = found[-1].id
            chunk += found
        self._settle(line, share.batch, share.messages - len(chunk))  # removed meanwhile, with their account
        return chunk

    async def _send(self, chunk: list[QueuedMessage]) -> None:
        processed = [
            Processed(message, MessageStatus.SENDING_FAILED, error_code=ErrorCode.RC_413)
            for message in chunk
            if message.opted_out
        ]
        to_send = [message for message in chunk if not message.opted_out]
        returned: list[QueuedMessage] = []
        in_doubt = not self._carrier.resubmits_safely
        try:
            await self._patiently(lambda: self._progress.hand_over(chunk, in_doubt=in_doubt))
        finally:
            self._submitted.set()
        if to_send:
            outcomes = await self._carrier.submit([message.outgoing for message in to_send])
            for message, outcome in zip(to_send, outcomes, strict=True):
                became = self._judge(message, outcome)
                if became is None:
                    returned.append(message)
                else:
                    processed.append(became)
            if returned and in_doubt:
                back = [message.id for message in returned]
                await self._patiently(lambda: self._progress.take_back(back))
        if processed:
            await self._record(processed)
        self._return(returned)

    def _judge(self, message: QueuedMessage, outcome: SubmitOutcome) -> Processed | None:
        """What became of a message; None: it is still to be sent."""
        match outcome:
            case Submitted(carrier_ids):
                return Processed(message, MessageStatus.SENT, self._cost(message), carrier_ids=carrier_ids)
            case Refused(error_code):
                return Processed(message, MessageStatus.SENDING_FAILED, error_code=error_code)
            case NotNow(retry_after_seconds):
                until = self._clock.monotonic() + retry_after_seconds
                self._paused_until = max(self._paused_until, until)
                return None
            case SubmitUnknown():
                return self._unknown(message)
            case impossible:
                assert_never(impossible)

    def _unknown(self, message: QueuedMessage) -> Processed:
        return Processed(message, MessageStatus.DELIVERY_FAILED, self._cost(message), ErrorCode.CAR_199)

    def _cost(self, message: QueuedMessage) -> int:
        return message.segments * self._price

    async def _record(self, processed: Sequence[Processed]) -> None:
        now = self._clock.monotonic()
        due: set[BatchKey] = set()
        for key in {one.message.batch_key for one in processed} - {None}:
            line = self._lines.get(BatchId(str(key)))
            if key is not None and line is not None and now - line.announced_at >= PROGRESS_SECONDS:
                line.announced_at = now
                due.add(key)
        at = self._clock.now()
        await self._patiently(lambda: self._progress.record(processed, at, announce=frozenset(due)))
        for one in processed:
            self.counts[one.status] = self.counts.get(one.status, 0) + 1
            id_ = _line_of(one.message)
            line = self._lines.get(id_)
            if line is not None:
                self._settle(line, id_, 1)

    def _settle(self, line: _Line, id_: BatchId, messages: int) -> None:
        """So many messages of the line are done with; one that has none left is forgotten."""
        line.left -= messages
        if line.left <= 0:
            self._lines.pop(id_, None)

    def _return(self, messages: Sequence[QueuedMessage]) -> None:
        for message in messages:
            id_ = _line_of(message)
            line = self._lines.get(id_)
            if line is not None:
                line.returned.append(message.id)
                self._throughput.offer(message.sender, id_, 1)
        if messages:
            self._wake.set()

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """Try until the records take it: what the carrier has must not be forgotten."""
        while True:
            try:
                return await step()
            except Unavailable as problem:
                _log.warning("records.unavailable", error=str(problem))
                await asyncio.sleep(_RETRY_SECONDS)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._slots.release()
        self._ended(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fatal(error)


def _line_id(waiting: Waiting) -> BatchId:
    """What `Throughput` knows a line by: the batch's key, or the number that replies automatically."""
    return BatchId(f"replies {waiting.sender}" if waiting.key is None else str(waiting.key))


def _line_of(message: QueuedMessage) -> BatchId:
    return BatchId(f"replies {message.sender}" if message.batch_key is None else str(message.batch_key))
