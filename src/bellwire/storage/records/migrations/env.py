"""Alembic's environment: runs the migrations on the connection that `schema.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from bellwire.storage.records.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
