from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.wire.smpp.addresses import to_address, to_number
from bellwire.wire.smpp.pdus import Address


@given(st.from_regex(r"\+1[2-9][0-9]{9}", fullmatch=True), st.sampled_from([0, 1, 2]))
def test_a_number_comes_back_as_it_went_whatever_its_type(number: str, ton: int) -> None:
    assert to_number(to_address(number, ton=ton, npi=1)) == number


def test_the_plus_and_for_a_national_one_the_country_code_are_taken_off() -> None:
    assert to_address("+16505550142", ton=1, npi=1) == Address("16505550142", 1, 1)
    assert to_address("+16505550142", ton=2, npi=8) == Address("6505550142", 2, 8)


@pytest.mark.parametrize(
    ("address", "number"),
    [
        (Address("+16505550142", 0, 0), "+16505550142"),
        (Address("16505550142", 0, 1), "+16505550142"),
        (Address("6505550142", 0, 1), "+16505550142"),
        (Address("6505550142", 2, 1), "+16505550142"),
        (Address("6505550142", 1, 1), "+6505550142"),
        (Address("0016505550142", 0, 1), "+16505550142"),
        (Address("442071838750", 1, 1), "+442071838750"),
        (Address("22395", 3, 0), None),
        (Address("Bank", 5, 0), None),
        (Address("", 0, 0), None),
        (Address("\u0661" * 11, 1, 1), None),
    ],
)
def test_numbers_are_read_in_all_their_ways(address: Address, number: str | None) -> None:
    assert to_number(address) == number
