"""How much may be asked for."""

from __future__ import annotations

import pytest

from bellwire.errors import Forbidden, InvalidRequest
from bellwire.subscriptions.requested import check_count, requested_filters


def test_the_thirty_first_subscription_is_refused() -> None:
    check_count(29)
    with pytest.raises(Forbidden) as refused:
        check_count(30)
    assert refused.value.code == "SUB-505"


def test_the_same_filter_twice_is_one_and_order_stays() -> None:
    assert requested_filters(["/b", "/a", "/b", "/c", "/a"]) == ("/b", "/a", "/c")


def test_a_hundred_filters_are_taken() -> None:
    assert len(requested_filters([f"/{number}" for number in range(100)])) == 100


@pytest.mark.parametrize(
    ("filters", "parameter"),
    [
        ([], "eventFilters"),
        ([f"/{number}" for number in range(101)], "eventFilters"),
        (["/a", " "], "eventFilters[1]"),
    ],
)
def test_none_too_many_and_empty_filters_are_refused_by_name(filters: list[str], parameter: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        requested_filters(filters)
    (entry,) = refused.value.entries
    assert (entry.code, entry.parameter) == ("CMN-101", parameter)
