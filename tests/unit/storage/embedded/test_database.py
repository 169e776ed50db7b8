"""What is asked of SQLite before a file is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from bellwire.errors import Misconfigured
from bellwire.storage.embedded.database import FileFormat, open_database, require_library, rows, rows_of_parameters


def test_the_installed_library_is_new_enough() -> None:
    require_library()


@pytest.mark.parametrize("version", ["3.51.3", "3.51.10", "3.54.1", "4.0.0"])
def test_newer_libraries_are_taken(version: str) -> None:
    require_library(version)


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.9.0"])
def test_older_libraries_are_refused_with_what_to_do(version: str) -> None:
    with pytest.raises(Misconfigured, match=r"too old; install an apsw with 3\.51\.3"):
        require_library(version)


def test_parameters_of_many_rows() -> None:
    assert rows_of_parameters(2, 3) == "(?,?),(?,?),(?,?)"


FIRST = FileFormat("CREATE TABLE thing (id INTEGER PRIMARY KEY); INSERT INTO thing VALUES (7);")
SECOND = FileFormat(FIRST.schema, ("ALTER TABLE thing ADD COLUMN name TEXT; UPDATE thing SET name = 'old';",))


def test_an_older_file_is_brought_up_to_date_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "thing.db"
    open_database(path, FIRST).close()

    upgraded = open_database(path, SECOND)

    assert (FIRST.version, SECOND.version) == (1, 2)
    assert rows(upgraded, "SELECT id, name FROM thing") == [(7, "old")]
    assert rows(upgraded, "PRAGMA user_version") == [(2,)]
    upgraded.close()


def test_a_new_file_and_an_upgraded_one_have_the_same_tables(tmp_path: Path) -> None:
    open_database(tmp_path / "old.db", FIRST).close()
    old, new = open_database(tmp_path / "old.db", SECOND), open_database(tmp_path / "new.db", SECOND)

    schemas = [rows(database, "SELECT name, sql FROM sqlite_schema ORDER BY name") for database in (old, new)]

    assert schemas[0] == schemas[1]
    old.close()
    new.close()


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "thing.db"
    open_database(path, FIRST).close()

    with pytest.raises(Misconfigured, match="nonsense"):
        open_database(path, FileFormat(FIRST.schema, ("CREATE TABLE other (id); nonsense;",)))

    untouched = open_database(path, FIRST)
    assert rows(untouched, "SELECT name FROM sqlite_schema") == [("thing",)]
    untouched.close()


def test_a_file_of_a_later_release_is_refused_with_what_to_do_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "thing.db"
    open_database(path, SECOND).close()

    with pytest.raises(Misconfigured, match=r"has format 2, and this Bellwire knows formats up to 1: install"):
        open_database(path, FIRST)

    untouched = open_database(path, SECOND)
    assert rows(untouched, "SELECT name FROM thing") == [("old",)]
    untouched.close()
