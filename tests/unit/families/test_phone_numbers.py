"""One spelling for phone numbers."""

from __future__ import annotations

import pytest

from bellwire.families.phone_numbers import with_plus


@pytest.mark.parametrize(
    ("written", "compared"),
    [("16505550100", "+16505550100"), ("+16505550100", "+16505550100"), ("101", "+101"), ("", ""), ("anonymous",) * 2],
)
def test_bare_digits_get_their_plus(written: str, compared: str) -> None:
    assert with_plus(written) == compared


def test_digits_of_other_scripts_are_no_phone_number() -> None:
    assert with_plus("١٢٣") == "١٢٣"
