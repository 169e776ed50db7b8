"""When a caller wants a table, and how one is written."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.api.csv_answers import csv_lines, wants_csv


@pytest.mark.parametrize(
    "accept", ["text/csv", "TEXT/CSV; charset=utf-8", "text/csv, application/json;q=0.5", "text/html, text/csv;q=0.1"]
)
def test_csv_is_wanted_where_it_is_named(accept: str) -> None:
    assert wants_csv(accept)


@pytest.mark.parametrize(
    "accept",
    [None, "", "*/*", "application/json", "application/json, text/csv;q=0.5", "text/csv;q=0", "text/csv;q=x", "text/*"],
)
def test_json_is_what_all_others_get(accept: str | None) -> None:
    assert not wants_csv(accept)


CELLS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"))


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=5))
def test_any_cells_read_back(rows: list[list[str]]) -> None:
    text = csv_lines(rows).decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == rows
