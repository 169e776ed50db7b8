"""Date-times of query parameters."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.api.moments import read_moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-03", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-02T10", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("2026-03-02T10:11Z", datetime(2026, 3, 2, 10, 11, tzinfo=UTC)),
        ("2026-03-02T10:11:12.5Z", datetime(2026, 3, 2, 10, 11, 12, 500_000, tzinfo=UTC)),
        ("2026-03-02T10:11:12.123456789Z", datetime(2026, 3, 2, 10, 11, 12, 123_456, tzinfo=UTC)),
        ("2026-03-02T10:11:12+02:00", datetime(2026, 3, 2, 8, 11, 12, tzinfo=UTC)),
        ("2026-03-02T10:11:12 02:00", datetime(2026, 3, 2, 8, 11, 12, tzinfo=UTC)),
        ("2026-03-02T10:11:12 00:00", datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)),
        ("2026-03-02T10:11:12-0530", datetime(2026, 3, 2, 15, 41, 12, tzinfo=UTC)),
        ("2026-03-02 10:11:12z", datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)),
    ],
)
def test_any_form_from_the_year_on_is_read(text: str, expected: datetime) -> None:
    assert read_moment(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "now", "1767225600", "26-03-02", "2026-13", "2026-02-30", "2026-03-02T25", "0000", "2026-03-02T10:11:12+99:00",
     "0001-01-01T00:00+05:00", "9999-12-31T23:59-05:00", "2026-03-02T10:11:12Z\n", "２０２６"],
)  # fmt: skip
def test_what_is_no_date_time_or_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"ISO 8601|no such date"):
        read_moment(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_we_write_ourselves_is_read_back(moment: datetime) -> None:
    assert read_moment(moment.isoformat()) == moment
