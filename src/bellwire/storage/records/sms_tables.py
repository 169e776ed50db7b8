"""The tables of High Volume SMS in `records.db`, beside those of `tables.py`, in the same `METADATA`.

    batch ─┬─▶ message ─┬─▶ carrier_message     ids that the carrier knows it by, while a receipt may come
           │            ├─▶ submission          handed to a carrier, its answer not recorded
           │            └─▶ queued_reply        an outbound message without a batch that waits to be sent
           └ accepted: only then are it and its messages there for readers

What is the same for a whole batch is stored once: a message without text, or without segments while it is queued, has
its batch's. A batch is known outside by `id`, inside by `key`, which is shorter in half a million rows. Message ids
ascend in the order of insertion and are never used twice. Money is in millionths.

Each way in which clients list something has its index, ended by what pages are keyed by:
batches by (created_at, key), messages by (created_at, id), consents by (sender, recipient), history by id.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from bellwire.model.sms import (
    BatchStatus,
    ConsentCoverage,
    ConsentSource,
    ConsentStatus,
    MessageDirection,
    MessageStatus,
)
from bellwire.storage.records.tables import METADATA, Instant, Member

_SERIAL = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only what is INTEGER by name."""


def _account() -> Column[Any]:
    return Column("account_id", String, ForeignKey("account.id", ondelete="CASCADE"), nullable=False)


def _message(*, primary_key: bool = False) -> Column[Any]:
    to = ForeignKey("message.id", ondelete="CASCADE")
    if primary_key:
        return Column("message_id", _SERIAL, to, primary_key=True, autoincrement=False)
    return Column("message_id", _SERIAL, to, nullable=False, index=True)


batch = Table(
    "batch",
    METADATA,
    Column("key", _SERIAL, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    _account(),
    Column("sender", String, nullable=False),
    Column("text", String),
    Column("segments", Integer),
    Column("size", Integer, nullable=False),
    Column("processed", Integer, nullable=False),
    Column("status", Member(BatchStatus), nullable=False, index=True),
    Column("accepted", Boolean, nullable=False),
    Column("cost_micros", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("modified_at", Instant, nullable=False),
    Index(None, "account_id", "created_at", "key"),
    sqlite_autoincrement=True,
)

message = Table(
    "message",
    METADATA,
    Column("id", _SERIAL, primary_key=True),
    _account(),
    Column("batch_key", _SERIAL, ForeignKey("batch.key", ondelete="CASCADE")),
    Column("sender", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("text", String),
    Column("direction", Member(MessageDirection), nullable=False),
    Column("status", Member(MessageStatus), nullable=False),
    Column("segments", Integer),
    Column("cost_micros", BigInteger),
    Column("error_code", String),
    Column("created_at", Instant, nullable=False),
    Column("modified_at", Instant, nullable=False),
    Index(None, "batch_key", "id"),
    Index(None, "account_id", "created_at", "id"),
    Index(None, "sender", "created_at"),
    Index(None, "recipient", "created_at"),
    sqlite_autoincrement=True,
)

carrier_message = Table(
    "carrier_message",
    METADATA,
    Column("carrier_id", String, primary_key=True),
    _message(),
)

submission = Table("submission", METADATA, _message(primary_key=True))

queued_reply = Table("queued_reply", METADATA, _message(primary_key=True))

unmatched_receipt = Table(
    "unmatched_receipt",
    METADATA,
    Column("id", _SERIAL, primary_key=True),
    Column("carrier_id", String, nullable=False, index=True),
    Column("status", Member(MessageStatus), nullable=False),
    Column("error_code", String),
    Column("received_at", Instant, nullable=False, index=True),
)

inbound_key = Table(
    "inbound_key",
    METADATA,
    Column("carrier_key", String, primary_key=True),
    Column("received_at", Instant, nullable=False, index=True),
)

consent = Table(
    "consent",
    METADATA,
    Column("account_id", String, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    Column("sender", String, primary_key=True),
    Column("recipient", String, primary_key=True),
    Column("status", Member(ConsentStatus), nullable=False),
    Column("source", Member(ConsentSource), nullable=False),
    Column("coverage", Member(ConsentCoverage), nullable=False),
    Column("campaign_type", String),
    Column("notes", String),
    Column("modified_at", Instant, nullable=False),
    Index(None, "account_id", "recipient", "sender"),
)

consent_history = Table(
    "consent_history",
    METADATA,
    Column("id", _SERIAL, primary_key=True),
    _account(),
    Column("sender", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("status", Member(ConsentStatus), nullable=False),
    Column("source", Member(ConsentSource), nullable=False),
    Column("actor", String),
    Column("method", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "account_id", "id"),
    Index(None, "account_id", "recipient", "id"),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    METADATA,
    Column("id", _SERIAL, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("uuid", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
