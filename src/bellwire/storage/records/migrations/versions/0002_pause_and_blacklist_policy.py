"""Pausing a subscription, and an application's policy for blacklisted ones.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("application", sa.Column("blacklist_policy", sa.String(), nullable=True))
    op.add_column("subscription", sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()))
