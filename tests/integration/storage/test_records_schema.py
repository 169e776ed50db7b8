"""Migrations and `tables.METADATA` end in the same schema, and a database of another release is treated with care."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect

from bellwire.errors import Misconfigured
from bellwire.storage.records import FILE_NAME, Records
from bellwire.storage.records.schema import HEAD, MIGRATIONS, bring_up_to_date, upgrade
from bellwire.storage.records.tables import METADATA


def description(connection: Connection) -> dict[str, Any]:
    """All that a database says of its tables, so that two can be compared."""
    inspector = inspect(connection)
    return {
        table: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            ],
            "key": inspector.get_pk_constraint(table),
            "foreign keys": sorted(inspector.get_foreign_keys(table), key=str),
            "indexes": sorted(inspector.get_indexes(table), key=str),
            "unique": sorted(inspector.get_unique_constraints(table), key=str),
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def test_migrations_and_metadata_end_in_the_same_schema() -> None:
    with create_engine("sqlite://").connect() as migrated, create_engine("sqlite://").connect() as created:
        with migrated.begin():
            upgrade(migrated)
        bring_up_to_date(created)
        assert description(migrated) == description(created)
        stamps = [one.exec_driver_sql("SELECT * FROM alembic_version").all() for one in (migrated, created)]
        assert stamps == [[(HEAD,)]] * 2
        assert compare_metadata(MigrationContext.configure(migrated), METADATA) == []


def test_migrations_are_one_chain_that_ends_at_head_with_file_names_of_serial_and_subject() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    revisions = list(ScriptDirectory.from_config(config).walk_revisions())
    assert revisions[0].revision == HEAD
    assert [revision.revision for revision in reversed(revisions)] == [
        f"{serial:04}" for serial in range(1, len(revisions) + 1)
    ]
    for revision in revisions:
        assert Path(revision.path).name.startswith(f"{revision.revision}_")


async def test_opening_twice_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        records = Records(tmp_path / FILE_NAME)
        await records.open()
        revision = await records.read(
            lambda connection: connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        )
        await records.close()
        assert revision == HEAD


async def test_a_database_of_a_newer_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    records = Records(tmp_path / FILE_NAME)
    await records.open()
    await records.write(
        lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    )
    await records.close()
    with pytest.raises(Misconfigured, match="newer release of Bellwire"):
        await Records(tmp_path / FILE_NAME).open()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    connection.close()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 100)
    with pytest.raises(Misconfigured, match=FILE_NAME):
        await Records(tmp_path / FILE_NAME).open()
