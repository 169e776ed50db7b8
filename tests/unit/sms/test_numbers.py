"""Numbers that can be texted, and their spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.sms.codes import ErrorCode
from bellwire.sms.numbers import Unusable, from_query, is_e164, is_toll_free, recipient_number


@given(st.from_regex(r"\+1[0-9]{10}", fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_plus_one_and_ten_digits_are_taken_by_their_look(number: str) -> None:
    assert recipient_number(number) == number


@pytest.mark.parametrize(
    ("written", "number"),
    [("+1 (202) 555-0143", "+12025550143"), ("+1.416.555.0143", "+14165550143"), ("+1 613-555-0188", "+16135550188")],
)
def test_other_spellings_of_a_valid_number_are_brought_to_e164(written: str, number: str) -> None:
    assert recipient_number(written) == number


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("+442071838750", "United States and Canada"),
        ("+4915112345678", "United States and Canada"),
        ("+1 876 555 0123", "United States and Canada"),
        ("12025550143", "not in international form"),
        ("2025550143", "not in international form"),
        ("", "not in international form"),
        ("call me", "not in international form"),
        ("+", "not a phone number"),
        ("+banana", "not a phone number"),
        ("+1202555014", "not a valid phone number"),
        ("+120255501432", "not a valid phone number"),
        ("+12025550143 ext. 5", "extension"),
        ("+1" + " " * 50 + "2025550143", "longer than"),
        ("+12025550143\n9", "not a phone number"),
    ],
)
def test_other_countries_and_malformed_numbers_are_unusable(written: str, reason: str) -> None:
    outcome = recipient_number(written)
    assert isinstance(outcome, Unusable)
    assert outcome.error_code is ErrorCode.RC_410
    assert reason in outcome.reason


@given(st.text(max_size=60))
def test_any_text_is_either_a_number_of_north_america_or_unusable(text: str) -> None:
    outcome = recipient_number(text)
    assert isinstance(outcome, Unusable) or (outcome.startswith("+1") and len(outcome) == 12)


@pytest.mark.parametrize(
    ("number", "expected"), [("+18005550100", True), ("+18335550100", True), ("+12025550143", False)]
)
def test_toll_free_numbers_are_known_by_their_prefix(number: str, expected: bool) -> None:
    assert is_toll_free(number) is expected


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (" 15551234455", "+15551234455"),
        ("15551234455", "+15551234455"),
        ("+15551234455", "+15551234455"),
        ("*", "*"),
        ("", ""),
        (" ", "+"),
        ("abc", "abc"),
        ("١٢٣", "١٢٣"),
    ],
)
def test_a_number_of_a_query_gets_its_plus(value: str, number: str) -> None:
    assert from_query(value) == number


@pytest.mark.parametrize(
    ("number", "expected"), [("+442071838750", True), ("+0123", False), ("+1\n", False), ("+1", False)]
)
def test_e164_is_a_plus_and_up_to_fifteen_digits(number: str, expected: bool) -> None:
    assert is_e164(number) is expected
