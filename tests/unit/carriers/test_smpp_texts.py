from __future__ import annotations

import pytest
import smpp34
from hypothesis import example, given
from hypothesis import strategies as st

from bellwire.carriers.smpp_texts import LongForm, Spelling, join_parts, read_text, submits_of
from bellwire.model.sms import MessageId, OutgoingText
from bellwire.sms.segments import count
from bellwire.wire.smpp.codec import encode
from bellwire.wire.smpp.pdus import Address, DeliverSm, SubmitSm
from bellwire.wire.smpp.reassembly import TextPart
from bellwire.wire.smpp.user_data import read_user_data

PAYLOAD = Spelling(long_form=LongForm.MESSAGE_PAYLOAD)
texts = st.one_of(
    st.text("abc {}€@£", min_size=1, max_size=500),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=300),
)


def outgoing(text: str) -> OutgoingText:
    return OutgoingText(MessageId("1"), "+16505550180", "+16505550142", text)


def come_back(pdu: SubmitSm) -> TextPart | str:
    """What a phone would have sent us, had it written these bytes: read by smpp34 in between."""
    theirs = smpp34.decode(encode(pdu, 1))
    assert isinstance(theirs, smpp34.SubmitSm)
    data = read_user_data(
        DeliverSm(
            Address(theirs.source_addr),
            Address(theirs.destination_addr),
            theirs.data_coding,
            theirs.short_message,
            esm_class=theirs.esm_class,
            tlvs={tlv.tag: tlv.value for tlv in theirs.tlvs},
        )
    )
    if data.part is None:
        text = read_text(data.content, theirs.data_coding)
        assert text is not None
        return text
    part = data.part
    return TextPart("", "", part.reference, part.total, part.number, theirs.data_coding, data.content, 0)


@given(texts, st.integers(0, 255))
@example("\N{GRINNING FACE}" * 100, 0)
@example("x" * 152 + "€" + "y" * 10, 1)
def test_segments_rejoin_to_the_text_over_the_wire(text: str, reference: int) -> None:
    pdus = submits_of(outgoing(text), Spelling(), reference=reference)

    assert len(pdus) == count(text)
    parts = [come_back(pdu) for pdu in pdus]
    if len(pdus) == 1:
        assert parts == [text]
    else:
        kept = [part for part in parts if isinstance(part, TextPart)]
        assert {part.reference for part in kept} == {f"8:{reference}"}
        assert join_parts(kept) == text
    assert all(pdu.registered_delivery == 1 for pdu in pdus)
    assert all(len(pdu.short_message) <= 159 + 1 for pdu in pdus)


@given(texts)
def test_a_message_payload_has_all_of_a_long_text(text: str) -> None:
    pdus = submits_of(outgoing(text), PAYLOAD, reference=1)

    assert len(pdus) == 1
    assert come_back(pdus[0]) == text
    assert bool(pdus[0].message_payload) == (count(text) > 1)


def test_addresses_are_spelled_as_agreed() -> None:
    spelling = Spelling(source_ton=2, source_npi=8, destination_ton=1, destination_npi=0)

    (pdu,) = submits_of(outgoing("Hi"), spelling, reference=1)

    assert pdu.source == Address("6505550180", 2, 8)
    assert pdu.destination == Address("16505550142", 1, 0)


@pytest.mark.parametrize(
    ("content", "data_coding", "text"),
    [
        (b"\x00 \x1b\x65", 0x00, "@ €"),
        (b"\x00", 0xF1, "@"),
        (b"\x00", 0x11, "@"),
        (b"STOP", 0x01, "STOP"),
        (b"caf\xe9", 0x03, "café"),
        (b"\xd8\x3d\xde\x00", 0x08, "\N{GRINNING FACE}"),
        (b"\x04\x1f", 0x18, "П"),
        (b"\xbf", 0x06, "П"),
        (b"\x04", 0x08, "\N{REPLACEMENT CHARACTER}"),
        (b"\x01\x02", 0x04, None),
        (b"\x01\x02", 0x02, None),
        (b"\x01\x02", 0xF5, None),
    ],
)
def test_each_data_coding_is_read_or_refused(content: bytes, data_coding: int, text: str | None) -> None:
    assert read_text(content, data_coding) == text


@given(st.binary(max_size=140), st.integers(0, 255))
def test_any_bytes_of_any_coding_are_read_or_refused(content: bytes, data_coding: int) -> None:
    read_text(content, data_coding)


def part(number: int, content: bytes, *, data_coding: int = 8, total: int = 4) -> TextPart:
    return TextPart("", "", "8:1", total, number, data_coding, content, 0)


def test_a_character_cut_in_two_by_the_phone_is_whole_again() -> None:
    halves = [part(1, b"\xd8\x3d", total=2), part(2, b"\xde\x00", total=2)]

    assert join_parts(halves) == "\N{GRINNING FACE}"


def test_parts_of_two_codings_are_each_read_in_theirs() -> None:
    assert join_parts([part(1, b"a", data_coding=0, total=2), part(2, b"\0b", total=2)]) == "ab"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((1, 2, 3, 4), "1234"), ((2, 3), "…23…"), ((1, 3, 4), "1…34"), ((4,), "…4"), ((1,), "1…")],
)
def test_a_gap_is_shown(numbers: tuple[int, ...], text: str) -> None:
    assert join_parts([part(number, str(number).encode(), data_coding=0) for number in numbers]) == text
