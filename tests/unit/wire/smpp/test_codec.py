from __future__ import annotations

import pytest
import smpp34
from hypothesis import example, given
from hypothesis import strategies as st

from bellwire.wire.smpp.codec import Unparsable, decode, encode
from bellwire.wire.smpp.framing import Frame
from bellwire.wire.smpp.pdus import (
    Address,
    BindTransceiver,
    BindTransceiverResp,
    Command,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Status,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from tests.unit.wire.smpp.peer_pdus import deliver, raw

bytes_of_one = st.integers(0, 255)
digits = st.text("0123456789", max_size=20)
addresses = st.builds(Address, digits, bytes_of_one, bytes_of_one)
sequences = st.integers(1, 0x7FFFFFFF)


def frame_of(stream: bytes) -> Frame:
    command_id, status, sequence = (int.from_bytes(stream[place : place + 4], "big") for place in (4, 8, 12))
    return Frame(command_id, status, sequence, stream[16:])


submits = st.builds(
    SubmitSm,
    addresses,
    addresses,
    bytes_of_one,
    short_message=st.binary(min_size=1, max_size=254),
    esm_class=bytes_of_one,
    registered_delivery=bytes_of_one,
) | st.builds(SubmitSm, addresses, addresses, bytes_of_one, message_payload=st.binary(max_size=3000))


@given(submits, sequences)
def test_another_implementation_reads_our_submit_sm_as_it_was_meant(ours: SubmitSm, sequence: int) -> None:
    theirs = smpp34.decode(encode(ours, sequence))

    assert isinstance(theirs, smpp34.SubmitSm)
    assert theirs.sequence_number == sequence
    assert Address(theirs.source_addr, theirs.source_addr_ton, theirs.source_addr_npi) == ours.source
    assert Address(theirs.destination_addr, theirs.dest_addr_ton, theirs.dest_addr_npi) == ours.destination
    assert theirs.short_message == ours.short_message
    assert theirs.data_coding == ours.data_coding
    assert (theirs.esm_class, theirs.registered_delivery) == (ours.esm_class, ours.registered_delivery)
    tlvs = [(0x0424, ours.message_payload)] if ours.message_payload else []
    assert [(tlv.tag, tlv.value) for tlv in theirs.tlvs] == tlvs


@given(
    st.tuples(digits, digits),
    st.binary(max_size=254),
    bytes_of_one,
    bytes_of_one,
    st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=300), max_size=5),
)
def test_their_deliver_sm_is_read_as_it_was_meant(
    numbers: tuple[str, str], text: bytes, esm_class: int, data_coding: int, tlvs: dict[int, bytes]
) -> None:
    source, destination = numbers
    stream = deliver(
        text, source=source, destination=destination, esm_class=esm_class, data_coding=data_coding, tlvs=tlvs
    )

    ours = decode(frame_of(stream))

    assert ours == DeliverSm(
        Address(source, 1, 1), Address(destination, 1, 1), data_coding, text, esm_class=esm_class, tlvs=tlvs
    )


COMMANDS = sorted({*map(int, Command), 0x00000103, 0x80000103, 0x00000003})


@given(st.sampled_from(COMMANDS), st.integers(0, 0xFFFFFFFF), st.binary(max_size=120))
@example(Command.DELIVER_SM, 0, b"no end of the first string")
@example(Command.DELIVER_SM, 0, b"")
def test_any_body_is_a_pdu_or_said_to_be_unparsable(command: int, status: int, body: bytes) -> None:
    read = decode(Frame(command, status, 5, body))

    assert not isinstance(read, Unparsable) or (read.sequence == 5 and read.answer != Status.OK)


@given(st.binary(max_size=100), st.integers(1, 400))
def test_a_deliver_sm_that_is_cut_short_is_never_taken_for_a_whole_one(text: bytes, missing: int) -> None:
    body = deliver(text, tlvs={0x1400: b"vendor"})[16:]
    cut = body[:-missing]
    without_tlv = body[:-10]

    read = decode(Frame(Command.DELIVER_SM, 0, 1, cut))

    if cut == without_tlv:
        assert isinstance(read, DeliverSm)
    else:
        assert isinstance(read, Unparsable)


def test_an_integer_tlv_of_a_wrong_length_does_not_shift_what_follows() -> None:
    read = decode(frame_of(deliver(b"x", tlvs={0x0427: b"\0\x02", 0x001E: b"abc\0"})))

    assert isinstance(read, DeliverSm)
    assert read.tlvs == {0x0427: b"\0\x02", 0x001E: b"abc\0"}


@pytest.mark.parametrize(
    ("pdu", "command_id", "status", "body"),
    [
        (BindTransceiver("id", "secret", "VMA"), 0x9, 0, b"id\0secret\0VMA\0\x34\0\0\0"),
        (DeliverSmResp(Status.TEMPORARY_APPLICATION_ERROR), 0x80000005, 0x64, b"\0"),
        (EnquireLink(), 0x15, 0, b""),
        (EnquireLinkResp(), 0x80000015, 0, b""),
        (Unbind(), 0x6, 0, b""),
        (UnbindResp(), 0x80000006, 0, b""),
        (GenericNack(3), 0x80000000, 3, b""),
    ],
)
def test_each_pdu_has_the_bytes_of_the_specification(
    pdu: BindTransceiver | DeliverSmResp | EnquireLink | EnquireLinkResp | Unbind | UnbindResp | GenericNack,
    command_id: int,
    status: int,
    body: bytes,
) -> None:
    assert encode(pdu, 0x01020304) == raw(command_id, status=status, sequence=0x01020304, body=body)


@pytest.mark.parametrize(
    ("command_id", "status", "body", "read"),
    [
        (0x80000004, 0, b"4f\0", SubmitSmResp(0, "4f")),
        (0x80000004, 0, b"4f", SubmitSmResp(0, "4f")),
        (0x80000004, 0x58, b"", SubmitSmResp(0x58)),
        (0x80000009, 0, b"smsc\0\x02\x10\0\x01\x34", BindTransceiverResp(0, "smsc")),
        (0x80000009, 0x0E, b"", BindTransceiverResp(0x0E)),
        (0x80000000, 0x03, b"", GenericNack(3)),
        (0x00000102, 0, b"\0\0\0\0\0\0", None),
    ],
)
def test_each_answer_is_read(command_id: int, status: int, body: bytes, read: object) -> None:
    assert decode(Frame(command_id, status, 1, body)) == read


@pytest.mark.parametrize(
    "pdu",
    [
        BindTransceiver("i" * 16, "p"),
        BindTransceiver("i", "p" * 9),
        BindTransceiver("i", "p", "t" * 13),
        SubmitSm(Address("1" * 21), Address("1"), 0, b"x"),
        SubmitSm(Address("1\0"), Address("1"), 0, b"x"),
        SubmitSm(Address("1"), Address("1"), 0, b"x" * 255),
        SubmitSm(Address("1"), Address("1"), 0, message_payload=b"x" * 65536),
    ],
)
def test_what_does_not_fit_its_field_is_refused_and_not_cut(pdu: BindTransceiver | SubmitSm) -> None:
    with pytest.raises(ValueError, match=r"at most|longer"):
        encode(pdu, 1)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(BindTransceiver("id", "secret"))
