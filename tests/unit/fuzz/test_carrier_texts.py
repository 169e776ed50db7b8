"""What an SMPP peer delivers, as anything at all: each deliver_sm is answered once, and one that is good gets through.

Framing, PDUs, the session and its stateful test have theirs in `tests/unit/wire/smpp`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bellwire.carriers.smpp_inbound import Inbound
from bellwire.ports.part_store import KeptText
from bellwire.wire.smpp.pdus import Address, DeliverSm, Tlv
from bellwire.wire.smpp.reassembly import ReassemblyLimits, TextPart
from bellwire.wire.smpp.receipts import IdForm
from bellwire.wire.smpp.session import Delivery
from tests.doubles.carrier_reports import RecordingReports
from tests.doubles.stepped_clock import SteppedClock

OURS, THEIRS = Address("16505550180", 1, 1), Address("16505550142", 1, 1)
LIMITS = ReassemblyLimits(max_bytes=4000, max_texts=8)

numbers = st.builds(
    Address,
    st.one_of(st.sampled_from([OURS.digits, THEIRS.digits, "", "+", "0", "STOP", "1" * 40]), st.text(max_size=12)),
    st.integers(0, 255),
    st.integers(0, 255),
)
headers = st.sampled_from([b"", b"\x05\x00\x03", b"\x05\x00\x03\x07\x02\x01", b"\x06\x08\x04\x00\x07\x02\x02", b"\xff"])
receipts = st.sampled_from([b"id:7 stat:DELIVRD", b"id: sub:999 dlvrd:x stat:", b"stat:EXPIRED id:" + b"9" * 100])
contents = st.builds(bytes.__add__, headers, st.one_of(receipts, st.binary(max_size=140)))
tags = st.one_of(st.sampled_from([int(tag) for tag in Tlv]), st.integers(0, 0xFFFF))
deliveries = st.builds(
    DeliverSm,
    numbers,
    numbers,
    st.one_of(st.sampled_from([0, 1, 3, 4, 8]), st.integers(0, 255)),
    contents,
    st.one_of(st.sampled_from([0, 4, 0x40, 0x44]), st.integers(0, 255)),
    st.dictionaries(tags, st.binary(max_size=20), max_size=4),
)


class Peer:
    """A connection that notes how each delivery was answered."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, int]] = []

    def submit_at(self, now: float) -> float | None:
        return None

    def submit(self, pdu: object, about: object) -> None:
        raise AssertionError("nothing is sent")

    def acknowledge(self, sequence: int, status: int = 0) -> None:
        self.answers.append((sequence, int(status)))

    def flush(self) -> None: ...

    def abort(self) -> None: ...


class Shelf:
    """`PartStore` in memory."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, TextPart]] = []

    async def load(self) -> Sequence[KeptText]:
        return []

    async def keep(self, parts: Sequence[tuple[str, TextPart]]) -> None:
        self.kept += parts

    async def mark_handed_on(self, text: str, at_ms: int) -> None: ...

    async def drop(self, texts: Sequence[str]) -> None: ...

    async def close(self) -> None: ...


@given(st.lists(deliveries, max_size=12))
def test_each_delivery_is_answered_once_whatever_it_is(sent: list[DeliverSm]) -> None:
    good = DeliverSm(THEIRS, OURS, 0, b"STOP")

    async def run() -> tuple[Peer, RecordingReports, Shelf]:
        reports, shelf, peer = RecordingReports(), Shelf(), Peer()
        inbound = Inbound(reports, shelf, clock=SteppedClock(), id_form=IdForm.DECIMAL_OF_HEX, limits=LIMITS)
        running = asyncio.create_task(inbound.run())
        for sequence, pdu in enumerate([*sent, good]):
            inbound.deliver(peer, Delivery(sequence, pdu))
        await inbound.drain(30)
        assert not running.done(), "it goes on, whatever came"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return peer, reports, shelf

    with capture_logs():
        peer, reports, shelf = asyncio.run(run())

    assert sorted(sequence for sequence, _status in peer.answers) == list(range(len(sent) + 1))
    assert (len(sent), 0) in peer.answers
    assert "STOP" in [text.text for text in reports.texts]
    assert sum(len(part.content) for _text, part in shelf.kept) <= LIMITS.max_bytes
