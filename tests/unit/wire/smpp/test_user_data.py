from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.wire.smpp.pdus import Address, DeliverSm
from bellwire.wire.smpp.user_data import Concatenation, UserData, read_user_data

NOBODY = Address("1")


def pdu(data: bytes, *, header: bool = True, tlvs: dict[int, bytes] | None = None) -> DeliverSm:
    return DeliverSm(NOBODY, NOBODY, 0, data, esm_class=0x40 if header else 0, tlvs=tlvs or {})


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b"\5\0\3\x2a\2\1Hi", UserData(b"Hi", Concatenation("8:42", 2, 1))),
        (b"\6\x08\4\1\2\3\2Hi", UserData(b"Hi", Concatenation("16:258", 3, 2))),
        (b"\x0b\5\4\x0b\x84\0\0\0\3\x07\2\2Hi", UserData(b"Hi", Concatenation("8:7", 2, 2))),
        (b"\6\5\4\x0b\x84\0\0Hi", UserData(b"Hi", None)),
        (b"\5\0\3\x2a\1\1Hi", UserData(b"Hi", None)),
        (b"\5\0\3\x2a\2\3Hi", UserData(b"Hi", None)),
        (b"\5\0\3\x2a\2\0Hi", UserData(b"Hi", None)),
        (b"\5\0\x09\x2a\2\3Hi", UserData(b"\5\0\x09\x2a\2\3Hi", None)),
        (b"\x7fHi", UserData(b"\x7fHi", None)),
        (b"", UserData(b"", None)),
    ],
)
def test_a_header_is_taken_off_and_read(data: bytes, read: UserData) -> None:
    assert read_user_data(pdu(data)) == read


def test_without_its_mark_a_header_is_text() -> None:
    assert read_user_data(pdu(b"\5\0\3\x2a\2\1Hi", header=False)) == UserData(b"\5\0\3\x2a\2\1Hi", None)


def test_the_optional_parameters_say_the_same() -> None:
    tlvs = {0x020C: b"\1\2", 0x020E: b"\3", 0x020F: b"\2"}

    assert read_user_data(pdu(b"Hi", header=False, tlvs=tlvs)) == UserData(b"Hi", Concatenation("sar:258", 3, 2))


@given(st.binary(max_size=140), st.booleans())
def test_any_bytes_are_read(data: bytes, header: bool) -> None:
    read = read_user_data(pdu(data, header=header))

    assert data.endswith(read.content)
