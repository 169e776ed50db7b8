"""Bringing a records database to this release's tables: Alembic, run from the package, without a file of its own.

Alembic takes a good part of a second to import, so it is loaded only when a file is older than `HEAD`.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from bellwire.errors import Misconfigured, Problem
from bellwire.storage.records.tables import METADATA

HEAD = "0004"
"""The newest revision in `migrations/versions`."""

MIGRATIONS = Path(__file__).parent / "migrations"


def bring_up_to_date(connection: Connection) -> None:
    """Run the migrations that the database lacks, all in one transaction.

    Raises:
        Misconfigured: the database was written by a newer release; nothing is changed then.
    """
    with connection.begin():
        present = _revision(connection)
        if present == HEAD:
            return
        if present is not None and present > HEAD:
            raise Misconfigured(
                (
                    Problem(
                        "data",
                        f"the data directory was written by a newer release of Bellwire (its records have revision "
                        f"{present}, this release knows {HEAD}): install that release, or restore a backup",
                    ),
                )
            )
        if present is None and not inspect(connection).get_table_names():
            _create(connection)
        else:
            upgrade(connection)


def _create(connection: Connection) -> None:
    """All tables in an empty database, as the migrations would leave them: a test compares the two."""
    METADATA.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def upgrade(connection: Connection) -> None:
    """Run Alembic on an open connection, within the caller's transaction."""
    from alembic import command  # noqa: PLC0415 - see the module's docstring
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
