"""High Volume SMS: batches, messages, what carriers said, consents; and the outbox of events.

Revision ID: 0003
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _serial() -> Any:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "inbound_key",
        sa.Column("carrier_key", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("carrier_key", name=op.f("pk_inbound_key")),
    )
    op.create_index(op.f("ix_inbound_key_received_at"), "inbound_key", ["received_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", _serial(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "unmatched_receipt",
        sa.Column("id", _serial(), nullable=False),
        sa.Column("carrier_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unmatched_receipt")),
    )
    op.create_index(op.f("ix_unmatched_receipt_carrier_id"), "unmatched_receipt", ["carrier_id"], unique=False)
    op.create_index(op.f("ix_unmatched_receipt_received_at"), "unmatched_receipt", ["received_at"], unique=False)
    op.create_table(
        "batch",
        sa.Column("key", _serial(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("segments", sa.Integer(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("processed", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_batch_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_batch")),
        sa.UniqueConstraint("id", name=op.f("uq_batch_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_batch_account_id_created_at_key"), "batch", ["account_id", "created_at", "key"], unique=False
    )
    op.create_index(op.f("ix_batch_status"), "batch", ["status"], unique=False)
    op.create_table(
        "consent",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("coverage", sa.String(), nullable=False),
        sa.Column("campaign_type", sa.String(), nullable=True),
        sa.Column("notes", sa.String(), nullable=True),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_consent_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "sender", "recipient", name=op.f("pk_consent")),
    )
    op.create_index(
        op.f("ix_consent_account_id_recipient_sender"), "consent", ["account_id", "recipient", "sender"], unique=False
    )
    op.create_table(
        "consent_history",
        sa.Column("id", _serial(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_consent_history_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_history")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_consent_history_account_id_id"), "consent_history", ["account_id", "id"], unique=False)
    op.create_index(
        op.f("ix_consent_history_account_id_recipient_id"),
        "consent_history",
        ["account_id", "recipient", "id"],
        unique=False,
    )
    op.create_table(
        "message",
        sa.Column("id", _serial(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("batch_key", _serial(), nullable=True),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=True),
        sa.Column("cost_micros", sa.BigInteger(), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_message_account_id_account"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["batch_key"], ["batch.key"], name=op.f("fk_message_batch_key_batch"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_message_account_id_created_at_id"), "message", ["account_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_message_batch_key_id"), "message", ["batch_key", "id"], unique=False)
    op.create_index(op.f("ix_message_recipient_created_at"), "message", ["recipient", "created_at"], unique=False)
    op.create_index(op.f("ix_message_sender_created_at"), "message", ["sender", "created_at"], unique=False)
    op.create_table(
        "carrier_message",
        sa.Column("carrier_id", sa.String(), nullable=False),
        sa.Column("message_id", _serial(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_carrier_message_message_id_message"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("carrier_id", name=op.f("pk_carrier_message")),
    )
    op.create_index(op.f("ix_carrier_message_message_id"), "carrier_message", ["message_id"], unique=False)
    op.create_table(
        "queued_reply",
        sa.Column("message_id", _serial(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_queued_reply_message_id_message"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_queued_reply")),
    )
    op.create_table(
        "submission",
        sa.Column("message_id", _serial(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_submission_message_id_message"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_submission")),
    )
