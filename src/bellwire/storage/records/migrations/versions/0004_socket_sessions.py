"""Sessions of the WebSocket gateway that outlive the server.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "socket_session",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column(
            "subscription_id",
            sa.String(),
            sa.ForeignKey("subscription.id", ondelete="CASCADE"),
            nullable=False,
            unique=True,
        ),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
    )
