"""What comes in over SMPP: receipts and texts, handed on in order, and acknowledged once they are durable.

    deliver_sm ─┬─ receipt ──────▶ reports.receipts ──durable──▶ acknowledged
                ├─ whole text ───▶ reports.inbound ───durable──▶ acknowledged
                ├─ part ─────────▶ part store ────────durable──▶ acknowledged … whole, or waited for long enough ─▶
                │                                                                       reports.inbound, by its key
                └─ neither ──────▶ refused

A part can't wait for its text to be whole before it is acknowledged: a peer that sends one deliver_sm at a time would
never send the next part. So it is kept durably here, and a text that was handed on before a crash is handed on again
with the same key, by which it is stored once.

What can't be made durable now (`Unavailable`, or a fault of ours) is answered "temporarily not": the peer keeps it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from bellwire.carriers.smpp_codes import status_of
from bellwire.carriers.smpp_outbound import PartOf
from bellwire.carriers.smpp_texts import join_parts, read_text
from bellwire.errors import Unavailable
from bellwire.model.sms import DeliveryReceipt, InboundText
from bellwire.ports.carrier import CarrierReports
from bellwire.ports.clock import Clock
from bellwire.ports.part_store import PartStore
from bellwire.ports.smpp_link import SmppConnection
from bellwire.wire.smpp.addresses import to_number
from bellwire.wire.smpp.pdus import DeliverSm, Status, Tlv
from bellwire.wire.smpp.reassembly import Here, New, NoRoom, Reassembly, ReassemblyLimits, TextPart
from bellwire.wire.smpp.receipts import IdForm, Receipt, UnreadableReceipt, comparable_id, read_receipt
from bellwire.wire.smpp.session import Delivery
from bellwire.wire.smpp.user_data import read_user_data

SWEEP_SECONDS = 1.0

T = TypeVar("T")

_log = structlog.get_logger("bellwire.smpp")


@dataclass(frozen=True, slots=True)
class _Arrival(Generic[T]):
    """Something to hand on, and what to acknowledge for it."""

    connection: SmppConnection[PartOf]
    sequence: int
    content: T

    def acknowledge(self, status: int = Status.OK) -> None:
        self.connection.acknowledge(self.sequence, status)


class Inbound:
    """One task (`run`) that hands on; `deliver` is called from the event loop and only puts in line."""

    def __init__(
        self,
        reports: CarrierReports,
        store: PartStore,
        *,
        clock: Clock,
        id_form: IdForm,
        limits: ReassemblyLimits,
    ) -> None:
        self._reports = reports
        self._store = store
        self._clock = clock
        self._id_form = id_form
        self._reassembly = Reassembly(limits, new_id=lambda: uuid.uuid4().hex)
        self._line: list[_Arrival[DeliverSm]] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.arrivals: Counter[str] = Counter()
        """deliver_sm by what they were or came to."""

    @property
    def waiting_parts(self) -> int:
        """Parts of long texts that wait for the rest."""
        return self._reassembly.waiting_parts

    def deliver(self, connection: SmppConnection[PartOf], delivery: Delivery) -> None:
        """The session bounds how many there are without an acknowledgement."""
        self._line.append(_Arrival(connection, delivery.sequence, delivery.pdu))
        self._idle.clear()
        self._wake.set()

    async def drain(self, seconds: float) -> None:
        """Wait until nothing is in line, for so long at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            pass

    async def restore(self) -> None:
        """Take up the parts that were kept, before anything is delivered.

        Raises:
            Unavailable: they can't be read now.
            Misconfigured: they can't be read at all.
        """
        for text in await self._store.load():
            self._reassembly.restore(text.text, text.parts, text.handed_on_ms)

    async def run(self) -> None:
        while True:
            await self._hand_on_texts()
            if not self._line:
                self._idle.set()
            await self._wait()
            line, self._line = self._line, []
            self._wake.clear()
            await self._hand_on(line)

    async def _wait(self) -> None:
        """For the next arrival, or the next look at texts that wait."""
        try:
            async with asyncio.timeout(None if self._reassembly.is_empty else SWEEP_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    # What came, by kind.

    async def _hand_on(self, line: Sequence[_Arrival[DeliverSm]]) -> None:
        receipts: list[_Arrival[DeliveryReceipt]] = []
        texts: list[_Arrival[InboundText]] = []
        for arrival in line:
            match self._read(arrival.content):
                case DeliveryReceipt() as receipt:
                    receipts.append(_Arrival(arrival.connection, arrival.sequence, receipt))
                case InboundText() as text:
                    texts.append(_Arrival(arrival.connection, arrival.sequence, text))
                case TextPart() as part:
                    await self._keep(_Arrival(arrival.connection, arrival.sequence, part))
                case Status() as status:
                    arrival.acknowledge(status)
        await self._report(receipts, self._reports.receipts, "receipts")
        await self._report(texts, self._reports.inbound, "texts")
        for connection in {arrival.connection for arrival in line}:
            connection.flush()

    async def _report(
        self, arrivals: list[_Arrival[T]], report: Callable[[Sequence[T]], Awaitable[None]], kind: str
    ) -> None:
        if not arrivals:
            return
        try:
            await report([arrival.content for arrival in arrivals])
        except Unavailable as problem:
            _log.warning("smpp.not_taken_in", kind=kind, count=len(arrivals), reason=str(problem))
            self._put_off(arrivals)
        except Exception:  # noqa: BLE001 - whatever it is, the peer has to be told and the next one served
            if len(arrivals) > 1:
                # One of them is what we stumble over; the others need not wait for it.
                for arrival in arrivals:
                    await self._report([arrival], report, kind)
                return
            _log.exception("smpp.not_taken_in", kind=kind, count=1)
            self._put_off(arrivals)
        else:
            self.arrivals[kind] += len(arrivals)
            for arrival in arrivals:
                arrival.acknowledge()

    def _put_off(self, arrivals: Sequence[_Arrival[T]]) -> None:
        self.arrivals["put_off"] += len(arrivals)
        for arrival in arrivals:
            arrival.acknowledge(Status.TEMPORARY_APPLICATION_ERROR)

    def _read(self, pdu: DeliverSm) -> DeliveryReceipt | InboundText | TextPart | Status:
        """What a deliver_sm is; a status: what to answer to one that is nothing for us."""
        match read_receipt(pdu):
            case Receipt() as receipt:
                return self._receipt(receipt)
            case UnreadableReceipt(reason):
                # To refuse it would make the peer send it again, and it would be no clearer then.
                _log.warning("smpp.receipt_unreadable", reason=reason)
                self.arrivals["unreadable_receipts"] += 1
                return Status.OK
            case None:
                return self._text(pdu)

    def _receipt(self, receipt: Receipt) -> DeliveryReceipt:
        status, code = status_of(receipt.state)
        if code is not None:
            _log.info("smpp.delivery_failed", carrier_id=receipt.message_id, state=receipt.state, error=receipt.error)
        return DeliveryReceipt(comparable_id(receipt.message_id, self._id_form, of_receipt=True), status, code)

    def _text(self, pdu: DeliverSm) -> InboundText | TextPart | Status:
        source, destination = to_number(pdu.source), to_number(pdu.destination)
        if source is None or destination is None:
            self.arrivals["refused"] += 1
            _log.warning("smpp.text_refused", reason="its sender" if source is None else "its recipient")
            return Status.INVALID_SOURCE if source is None else Status.INVALID_DESTINATION
        data = read_user_data(pdu)
        text = read_text(data.content, pdu.data_coding)
        if text is None:
            self.arrivals["refused"] += 1
            _log.warning("smpp.text_refused", reason=f"its data_coding 0x{pdu.data_coding:02x} is no text")
            return Status.PERMANENT_APPLICATION_ERROR
        part = data.part
        if part is not None:
            return TextPart(
                source,
                destination,
                part.reference,
                part.total,
                part.number,
                pdu.data_coding,
                data.content,
                self._clock.now_ms(),
            )
        own_id = pdu.tlvs.get(Tlv.RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0].decode("latin-1")
        return InboundText(source, destination, text, self._clock.now(), carrier_key=own_id or None)

    # Long texts.

    async def _keep(self, arrival: _Arrival[TextPart]) -> None:
        part = arrival.content
        match self._reassembly.place(part):
            case Here():
                arrival.acknowledge()
            case NoRoom():
                self._put_off([arrival])
            case New(text):
                try:
                    await self._store.keep([(text, part)])
                except Unavailable as problem:
                    _log.warning("smpp.not_taken_in", kind="parts", count=1, reason=str(problem))
                    self._put_off([arrival])
                else:
                    self._reassembly.add(text, part)
                    self.arrivals["parts"] += 1
                    arrival.acknowledge()

    async def _hand_on_texts(self) -> None:
        """Those that are whole or have waited long enough. What fails is tried again at the next look."""
        for text, parts in self._reassembly.due(self._clock.now_ms()):
            inbound = InboundText(
                parts[0].source, parts[0].destination, join_parts(parts), self._clock.now(), carrier_key=text
            )
            try:
                await self._reports.inbound([inbound])
                await self._store.mark_handed_on(text, self._clock.now_ms())
            except Unavailable as problem:
                _log.warning("smpp.not_taken_in", kind="long texts", count=1, reason=str(problem))
                continue
            except Exception:  # noqa: BLE001 - whatever it is, the other texts are handed on
                _log.exception("smpp.not_taken_in", kind="long texts", count=1)
                continue
            self._reassembly.handed_on(text, self._clock.now_ms())
            self.arrivals["long_texts"] += 1
            if len(parts) < parts[0].total:
                _log.warning("smpp.text_incomplete", parts=len(parts), total=parts[0].total)
        forgotten = self._reassembly.forget(self._clock.now_ms())
        if forgotten:
            try:
                await self._store.drop(forgotten)
            except Unavailable as problem:
                _log.warning("smpp.parts_not_dropped", reason=str(problem))
