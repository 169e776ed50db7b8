"""Batches and messages on the wire, against the families' body models."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from bellwire.families.a2p_batch import A2pBatchBody
from bellwire.families.a2p_message import A2pMessageBody
from bellwire.model.ids import AccountId
from bellwire.model.sms import BatchId, BatchStatus, MessageDirection, MessageId, MessageStatus
from bellwire.model.sms_records import Batch, Message
from bellwire.sms.bodies import batch_body, message_body, wire_cost

AT = datetime(2026, 3, 2, 10, 10, 0, 100, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 10, 10, 1, 900000, tzinfo=UTC)

MESSAGE = Message(
    id=MessageId("70001"),
    account_id=AccountId("400100"),
    batch_id=BatchId("0b6c7a52-54c3-4c0e-8a3f-6f1f5a3f9d10"),
    sender="+12025550143",
    recipient="+12025550188",
    text="Your parcel is on its way.",
    direction=MessageDirection.OUTBOUND,
    status=MessageStatus.DELIVERY_FAILED,
    segments=1,
    cost_micros=7000,
    error_code="SMS-CAR-413",
    created_at=AT,
    modified_at=LATER,
)
BATCH = Batch(
    id=BatchId("0b6c7a52-54c3-4c0e-8a3f-6f1f5a3f9d10"),
    account_id=AccountId("400100"),
    sender="+12025550143",
    size=100,
    processed=40,
    status=BatchStatus.PROCESSING,
    cost_micros=280_000,
    created_at=AT,
    modified_at=LATER,
)


def test_a_message_has_all_of_its_fields_and_fits_its_family() -> None:
    body = message_body(MESSAGE)
    assert body == {
        "id": "70001",
        "batchId": "0b6c7a52-54c3-4c0e-8a3f-6f1f5a3f9d10",
        "from": "+12025550143",
        "to": ["+12025550188"],
        "text": "Your parcel is on its way.",
        "creationTime": "2026-03-02T10:10:00.000100Z",
        "lastModifiedTime": "2026-03-02T10:10:01.900000Z",
        "messageStatus": "DeliveryFailed",
        "segmentCount": 1,
        "cost": 0.007,
        "direction": "Outbound",
        "errorCode": "SMS-CAR-413",
    }
    A2pMessageBody.model_validate_json(msgspec.json.encode(body))


def test_what_is_not_known_of_a_message_is_left_out() -> None:
    bare = replace(MESSAGE, batch_id=None, text=None, segments=None, cost_micros=None, error_code=None)
    body = message_body(bare)
    assert not {"batchId", "text", "segmentCount", "cost", "errorCode"} & body.keys()
    A2pMessageBody.model_validate_json(msgspec.json.encode(body))


def test_a_batch_says_its_cost_once_it_is_completed() -> None:
    body = batch_body(BATCH)
    assert "cost" not in body
    A2pBatchBody.model_validate_json(msgspec.json.encode(body))
    done = batch_body(replace(BATCH, status=BatchStatus.COMPLETED, processed=100, cost_micros=700_000))
    assert (done["status"], done["cost"]) == ("Completed", 0.7)
    A2pBatchBody.model_validate_json(msgspec.json.encode(done))


@pytest.mark.parametrize(("micros", "cost"), [(0, 0.0), (7000, 0.007), (3_500_000_000, 3500.0), (21_000, 0.021)])
def test_sums_of_millionths_read_as_people_write_them(micros: int, cost: float) -> None:
    assert wire_cost(micros) == cost
