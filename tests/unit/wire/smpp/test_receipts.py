from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.wire.smpp.pdus import Address, DeliverSm
from bellwire.wire.smpp.receipts import (
    IdForm,
    Receipt,
    ReceiptState,
    UnreadableReceipt,
    comparable_id,
    read_receipt,
)

NOBODY = Address("1")
APPENDIX_B = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2611270612 done date:2611270613 stat:DELIVRD err:000 text:Your order"
)


def pdu(text: bytes = b"", *, esm_class: int = 0x04, tlvs: dict[int, bytes] | None = None) -> DeliverSm:
    return DeliverSm(NOBODY, NOBODY, 0, text, esm_class=esm_class, tlvs=tlvs or {})


@pytest.mark.parametrize(
    ("text", "receipt"),
    [
        (APPENDIX_B, Receipt("0123456789", ReceiptState.DELIVERED, "000")),
        (b"stat:UNDELIV id:a-1", Receipt("a-1", ReceiptState.UNDELIVERABLE)),
        (b"ID: 7 SUB: 1 STAT: EXPIRED ERR: 27", Receipt("7", ReceiptState.EXPIRED, "27")),
        (b"id:7 stat:REJECTD err:00b Text:id:8 stat:DELIVRD", Receipt("7", ReceiptState.REJECTED, "00b")),
        (b"id:7 stat:delivered", Receipt("7", ReceiptState.DELIVERED)),
        (b"id:7 stat:NOVELTY", UnreadableReceipt("it has no state that is known")),
        (b"stat:DELIVRD text:id:7", UnreadableReceipt("it names no message")),
        (b"", UnreadableReceipt("it names no message")),
    ],
)
def test_the_text_of_a_receipt(text: bytes, receipt: Receipt | UnreadableReceipt) -> None:
    assert read_receipt(pdu(text)) == receipt


def test_a_text_that_looks_like_a_receipt_is_a_text() -> None:
    assert read_receipt(pdu(APPENDIX_B, esm_class=0)) is None


@pytest.mark.parametrize("esm_class", [0x04, 0x20, 0x44, 0x00])
def test_optional_parameters_alone_are_a_receipt_and_are_believed_first(esm_class: int) -> None:
    tlvs = {0x001E: b"tlv-id\0", 0x0427: b"\x05"}

    receipt = read_receipt(pdu(b"id:other stat:DELIVRD err:9", esm_class=esm_class, tlvs=tlvs))

    assert receipt == Receipt("tlv-id", ReceiptState.UNDELIVERABLE, "9")


def test_a_receipt_can_stand_in_a_message_payload() -> None:
    assert read_receipt(pdu(tlvs={0x0424: APPENDIX_B})) == Receipt("0123456789", ReceiptState.DELIVERED, "000")


def test_a_state_that_is_not_known_leaves_the_text_to_say_it() -> None:
    receipt = read_receipt(pdu(b"id:7 stat:DELIVRD", tlvs={0x0427: b"\x63"}))

    assert receipt == Receipt("7", ReceiptState.DELIVERED)


@given(st.binary(max_size=200), st.integers(0, 255), st.dictionaries(st.sampled_from([0x1E, 0x427]), st.binary()))
def test_anything_is_read_as_something(text: bytes, esm_class: int, tlvs: dict[int, bytes]) -> None:
    read_receipt(pdu(text, esm_class=esm_class, tlvs=tlvs))


@given(st.integers(0, 1 << 64))
def test_an_id_in_hexadecimal_and_the_same_in_decimal_are_one(number: int) -> None:
    responses = [f"{number:x}", f"{number:X}", f"{number:016x}"]

    for response in responses:
        assert comparable_id(response, IdForm.DECIMAL_OF_HEX, of_receipt=False) == comparable_id(
            f"{number:010d}", IdForm.DECIMAL_OF_HEX, of_receipt=True
        )
        assert comparable_id(response, IdForm.HEX_OF_DECIMAL, of_receipt=True) == comparable_id(
            str(number), IdForm.HEX_OF_DECIMAL, of_receipt=False
        )


@given(st.text(max_size=64))
def test_by_default_ids_are_compared_as_they_are(message_id: str) -> None:
    assert comparable_id(message_id, IdForm.SAME, of_receipt=True) == message_id


def test_an_id_that_is_no_number_stays_as_it_is() -> None:
    assert comparable_id("a-1", IdForm.DECIMAL_OF_HEX, of_receipt=True) == "a-1"
