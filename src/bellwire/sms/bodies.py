"""Batches and messages as they stand on the wire, in answers and in events alike (wire contract, 6.1, 6.2 and 6.7)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from bellwire.model.sms import BatchStatus
from bellwire.model.sms_records import Batch, Message

_MICROS = 1_000_000


@lru_cache(4096)
def wire_time(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z` (wire contract, 2.7)."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def wire_cost(micros: int) -> float:
    """Millionths as the decimal fraction that people read: 7000 is 0.007."""
    return micros / _MICROS


def batch_body(batch: Batch) -> dict[str, Any]:
    """A batch without its rejected entries; its cost is said once it is completed."""
    body: dict[str, Any] = {
        "id": batch.id,
        "from": batch.sender,
        "batchSize": batch.size,
        "processedCount": batch.processed,
        "creationTime": wire_time(batch.created_at),
        "lastModifiedTime": wire_time(batch.modified_at),
        "status": str(batch.status),
    }
    if batch.status is BatchStatus.COMPLETED:
        body["cost"] = wire_cost(batch.cost_micros)
    return body


def message_body(message: Message) -> dict[str, Any]:
    """A message; what is not known of it, or was not asked for, is left out."""
    body: dict[str, Any] = {"id": message.id}
    if message.batch_id is not None:
        body["batchId"] = message.batch_id
    body["from"] = message.sender
    body["to"] = [message.recipient]
    if message.text is not None:
        body["text"] = message.text
    body["creationTime"] = wire_time(message.created_at)
    body["lastModifiedTime"] = wire_time(message.modified_at)
    body["messageStatus"] = str(message.status)
    if message.segments is not None:
        body["segmentCount"] = message.segments
    if message.cost_micros is not None:
        body["cost"] = wire_cost(message.cost_micros)
    body["direction"] = str(message.direction)
    if message.error_code is not None:
        body["errorCode"] = message.error_code
    return body
