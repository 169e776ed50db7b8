"""Attempts become rows as they stand: a field more, or in another place, would land in a column that is not its own."""

from __future__ import annotations

from bellwire.model.attempt import Attempt
from bellwire.storage.embedded.attempt_tables import COLUMNS


def test_the_columns_are_an_id_and_the_fields_of_an_attempt_in_their_order() -> None:
    assert COLUMNS.split(", ") == ["id", *Attempt.__struct_fields__]


def test_the_outcome_is_where_it_is_replaced_by_its_code() -> None:
    assert Attempt.__struct_fields__[-6] == "outcome"
