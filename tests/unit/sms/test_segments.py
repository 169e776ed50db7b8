"""How texts are cut and counted."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bellwire.sms.gsm_alphabet import ESCAPE
from bellwire.sms.segments import MAX_SEGMENTS, Encoding, TextTooLong, count, encoding_of, segment, split

GSM = "abc XYZ 019 @£ñà\n"
ANY = st.text(alphabet=st.characters(codec="utf-8"), max_size=1000) | st.text(
    alphabet=st.sampled_from([*GSM, *"€[]{}~|^\\", "Ж", "ç", "😀"]), max_size=1000
)


def utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("a" * 1000, 7),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 159 + "€", 2),
        ("a" * 152 + "€" * 77, 3),  # the first segment ends one septet short: 153 would cut the escape off
        ("a" * 153 + "€" * 76, 2),
        ("Ж" * 70, 1),
        ("Ж" * 71, 2),
        ("Ж" * 134, 2),
        ("Ж" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 66, 2),
        ("😀" * 67, 3),  # 33 pairs a segment: the 67th unit would cut a pair
        ("ç" * 70, 1),
        ("a" * 70 + "ç", 2),
    ],
)
def test_segments_are_counted_as_carriers_bill_them(text: str, expected: int) -> None:
    assert count(text) == expected
    assert len(split(text)) == expected


@pytest.mark.parametrize(("text", "encoding"), [("plain €", Encoding.GSM_7BIT), ("ça", Encoding.UCS_2)])
def test_one_character_beyond_the_alphabet_makes_the_whole_text_ucs_2(text: str, encoding: Encoding) -> None:
    assert encoding_of(text) is encoding


@given(ANY)
@example("a" * 152 + "€" * 90)
@example("Ж" + "😀" * 100)
def test_segments_rejoin_to_the_text_and_are_as_many_as_counted(text: str) -> None:
    parts = split(text)
    assert "".join(parts) == text
    assert len(parts) == count(text)


@given(st.text(alphabet=st.sampled_from(["\ud83d", "\ude00", "😀", "a", "\ue000", "\uffff"]), max_size=300))
@example("a" * 66 + "\ud83d\ude00" * 3 + "\ue000")
def test_lone_surrogates_are_carried_and_never_joined_across_a_cut(text: str) -> None:
    parts = split(text)
    assert b"".join(map(utf16, parts)) == utf16(text)
    assert len(parts) == count(text)
    for before, after in pairwise(parts):
        assert not ("\ud800" <= before[-1] <= "\udbff" and "\udc00" <= after[0] <= "\udfff")


@given(ANY, st.integers(0, 255))
def test_each_segment_fits_into_140_bytes_and_splits_nothing_that_belongs_together(text: str, reference: int) -> None:
    segments = segment(text, reference=reference)
    for one in segments:
        units = len(one.user_data)
        if one.encoding is Encoding.GSM_7BIT:
            header_septets = -(-len(one.header) * 8 // 7)
            assert header_septets + units <= 160
            assert not one.user_data.endswith(bytes((ESCAPE,)))
        else:
            assert len(one.header) + units <= 140
            assert one.user_data.decode("utf-16-be") == one.text
    assert "".join(one.text for one in segments) == text


def test_the_header_numbers_the_segments_and_repeats_the_reference() -> None:
    headers = [one.header.hex(" ") for one in segment("x" * 400, reference=0xA7)]
    assert headers == ["05 00 03 a7 03 01", "05 00 03 a7 03 02", "05 00 03 a7 03 03"]


def test_a_single_segment_has_no_header() -> None:
    (only,) = segment("x" * 160, reference=1)
    assert only.header == b""


def test_a_text_of_more_segments_than_can_be_numbered_is_refused() -> None:
    assert len(segment("x" * 153 * MAX_SEGMENTS, reference=0)) == MAX_SEGMENTS
    with pytest.raises(TextTooLong, match="256 segments"):
        segment("x" * (153 * MAX_SEGMENTS + 1), reference=0)


@pytest.mark.parametrize("reference", [-1, 256])
def test_a_reference_is_one_byte(reference: int) -> None:
    with pytest.raises(ValueError, match="0 to 255"):
        segment("x", reference=reference)
