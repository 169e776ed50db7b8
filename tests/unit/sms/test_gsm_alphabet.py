"""The GSM 7-bit alphabet, compared with the tables of TS 23.038."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.sms.gsm_alphabet import is_basic, is_writable, septets_of, text_of

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"


def test_the_basic_table_is_one_septet_a_character_in_the_order_of_the_standard() -> None:
    codes = [code for code in range(128) if code != 0x1B]
    assert septets_of(BASIC) == bytes(codes)
    assert is_basic(BASIC)


def test_the_extension_table_takes_an_escape_and_a_septet_each() -> None:
    assert septets_of(EXTENSION).hex(" ") == ("1b 0a 1b 14 1b 28 1b 29 1b 2f 1b 3c 1b 3d 1b 3e 1b 40 1b 65")
    assert is_writable(EXTENSION)
    assert not is_basic("€")


@pytest.mark.parametrize("text", ["ç", "`", "\t", "\x1b", "’", "😀", "\ud800", "Ж", "À"])
def test_what_the_alphabet_lacks_is_not_writable(text: str) -> None:
    assert not is_writable(text)
    with pytest.raises(ValueError, match="alphabet lacks"):
        septets_of(text)


@given(st.text(alphabet=BASIC + EXTENSION))
def test_septets_read_back_as_the_text(text: str) -> None:
    assert text_of(septets_of(text)) == text


def test_an_unknown_extension_code_shows_the_character_of_the_basic_table() -> None:
    assert text_of(b"\x1bA\x1b\x65") == "A€"


@given(st.binary())
def test_any_bytes_are_read(data: bytes) -> None:
    assert len(text_of(data)) <= len(data)


def test_bytes_over_seven_bits_become_replacement_characters() -> None:
    assert text_of(b"a\x80\x1b") == "a\N{REPLACEMENT CHARACTER}"
