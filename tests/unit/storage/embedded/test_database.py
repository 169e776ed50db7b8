"""What is asked of SQLite before a file is opened."""

from __future__ import annotations

import pytest

from bellwire.errors import Misconfigured
from bellwire.storage.embedded.database import require_library, rows_of_parameters


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
