"""Accepting a batch: read as it comes, judged entry by entry, stored in steps, and there for everybody all at once.

Whatever ends the request early (a refusal, a client that hangs up, a crash) leaves nothing that anybody sees: until
`accept` the batch is only in the intake, and what is left there is deleted, at the latest by the next start. Once the
request has come whole it is carried to its end, whether anybody waits for the answer or not: the event that tells of
the batch is there with it, and must not tell of one that is deleted again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec
import structlog

from bellwire.errors import BellwireError, InvalidRequest
from bellwire.model.directory import Status
from bellwire.model.ids import AccountId
from bellwire.model.sms import BatchId, BatchStatus
from bellwire.model.sms_records import Batch
from bellwire.ports.clock import Clock
from bellwire.ports.identity import Directory
from bellwire.ports.sms_progress import Waiting
from bellwire.ports.sms_store import BatchIntake, BatchKey, NewMessage
from bellwire.sms import segments
from bellwire.sms.batch_request import BatchRequestReader, Entry, bad
from bellwire.sms.numbers import Unusable, is_e164, recipient_number

A2P_FEATURE = "A2PSmsSender"
STEP = 10_000
"""Messages that are stored together, and so the most that are in memory."""

T = TypeVar("T")

_log = structlog.get_logger("bellwire.sms")


@dataclass(slots=True)
class Accepted:
    """What a request came to. `rejected`: entries as the answer lists them, each one encoded, since half a million of
    them may be there."""

    batch: Batch
    rejected: list[bytes] = field(default_factory=list)


class BatchAcceptance:
    """Takes batches in. `counts`: entries since the start, by what became of them."""

    def __init__(
        self,
        *,
        intake: BatchIntake,
        directory: Directory,
        clock: Clock,
        new_uuid: Callable[[], str],
        on_accepted: Callable[[Waiting], None],
        max_messages: int | None = None,
    ) -> None:
        """
        Args:
            on_accepted: told of each batch that has something to send, after it is durable.
            max_messages: the operator's cap of entries in one request; None: no other than the body's size.
        """
        self._intake = intake
        self._directory = directory
        self._clock = clock
        self._new_uuid = new_uuid
        self._on_accepted = on_accepted
        self._max_messages = max_messages
        self._under_way: set[asyncio.Task[object]] = set()
        self.counts = {"accepted": 0, "rejected": 0}

    async def accept(self, account: AccountId, chunks: AsyncIterator[bytes]) -> Accepted:
        """Read one request and make its batch durable.

        Raises:
            InvalidRequest: CMN-103 no JSON, CMN-101 with the field's name, CMN-106 too many entries.
            Unavailable: the records can't take it now.
        """
        now = self._clock.now()
        batch = Batch(
            id=BatchId(self._new_uuid()),
            account_id=account,
            sender="",
            size=0,
            processed=0,
            status=BatchStatus.PROCESSING,
            cost_micros=0,
            created_at=now,
            modified_at=now,
        )
        taking = _Taking(self._intake, batch, await self._intake.begin(batch))
        try:
            reader = await self._take(taking, chunks)
        except BaseException:
            self._discard(taking.key)
            raise
        return await asyncio.shield(self._begin(self._finish(taking, reader), name="accept batch"))

    async def stop(self) -> None:
        """Let what is being accepted be accepted, and what is being discarded be discarded."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _finish(self, taking: _Taking, reader: BatchRequestReader) -> Accepted:
        try:
            accepted = await taking.finish(reader, self._clock)
        except BaseException:
            self._discard(taking.key)
            raise
        self._accepted(accepted, taking.key)
        return accepted

    async def _take(self, taking: _Taking, chunks: AsyncIterator[bytes]) -> BatchRequestReader:
        reader = BatchRequestReader()
        sender_known = False
        async for chunk in chunks:
            entries = reader.feed(chunk)
            if self._max_messages is not None and reader.count > self._max_messages:
                raise InvalidRequest(
                    "CMN-106", f"Too many messages: at most {self._max_messages} are allowed in one batch"
                )
            if not sender_known and reader.sender is not None:
                self._require_sender(taking.batch.account_id, reader.sender)
                await taking.name_sender(reader.sender)
                sender_known = True
            taking.judge(entries)
            await taking.store(at_least=STEP)
        reader.end()
        return reader

    def _require_sender(self, account: AccountId, sender: str) -> None:
        if not is_e164(sender):
            raise bad("from", "a phone number in E.164 form is expected, such as +16505550100", sender)
        number = self._directory.number(sender)
        if number is None or number.account_id != account or number.status is not Status.ENABLED:
            raise bad("from", "it is not a phone number of this account", sender)
        if A2P_FEATURE not in number.features:
            raise bad("from", f"it may not send High Volume SMS: the number lacks the feature {A2P_FEATURE}", sender)

    def _discard(self, key: BatchKey) -> None:
        """In the background, since the request that failed may be cancelled."""
        self._begin(self._discard_quietly(key), name="discard batch")

    def _begin(self, work: Coroutine[object, object, T], *, name: str) -> asyncio.Task[T]:
        """On its own, so that it ends also where the request is cancelled."""
        task = asyncio.create_task(work, name=name)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _discard_quietly(self, key: BatchKey) -> None:
        try:
            await self._intake.discard(key)
        except BellwireError as problem:  # the next start does it
            _log.warning("batch.discard_failed", error=str(problem))

    def _accepted(self, accepted: Accepted, key: BatchKey) -> None:
        batch = accepted.batch
        self.counts["accepted"] += batch.size
        self.counts["rejected"] += len(accepted.rejected)
        _log.info(
            "batch.accepted",
            account_id=batch.account_id,
            batch_id=batch.id,
            batch_size=batch.size,
            rejected=len(accepted.rejected),
        )
        if batch.size:
            self._on_accepted(Waiting(key, batch.account_id, batch.sender, batch.size))


class _Taking:
    """One request's batch in the intake."""

    def __init__(self, intake: BatchIntake, batch: Batch, key: BatchKey) -> None:
        self._intake = intake
        self.batch = batch
        self.key = key
        self._entries = 0
        self._gathered: list[NewMessage] = []
        self._stored = 0
        self._rejected: list[bytes] = []

    def judge(self, entries: list[Entry]) -> None:
        """Entries become messages, or rejected entries with their number from 1."""
        for entry in entries:
            self._entries += 1
            number = recipient_number(entry.to)
            if isinstance(number, Unusable):
                self._rejected.append(_rejected(self._entries, entry, number))
            else:
                count = None if entry.text is None else segments.count(entry.text)
                self._gathered.append(NewMessage(number, entry.text, count))

    async def store(self, *, at_least: int) -> None:
        """Store what is gathered, when it is that many."""
        if self._gathered and len(self._gathered) >= at_least:
            messages, self._gathered = self._gathered, []
            await self._intake.add(self.key, self.batch, messages)
            self._stored += len(messages)

    async def name_sender(self, sender: str) -> None:
        self.batch = replace(self.batch, sender=sender)
        if self._stored:
            await self._intake.name_sender(self.key, sender)

    async def finish(self, reader: BatchRequestReader, clock: Clock) -> Accepted:
        await self.store(at_least=1)
        self.batch = replace(
            self.batch,
            size=self._stored,
            status=BatchStatus.PROCESSING if self._stored else BatchStatus.COMPLETED,
            modified_at=clock.now(),
        )
        text = reader.text
        await self._intake.accept(
            self.key, self.batch, text=text, segments=None if text is None else segments.count(text)
        )
        return Accepted(self.batch, self._rejected)


def _rejected(index: int, entry: Entry, why: Unusable) -> bytes:
    return msgspec.json.encode(
        {"index": index, "to": [entry.to], "errorCode": why.error_code, "description": why.reason}
    )
