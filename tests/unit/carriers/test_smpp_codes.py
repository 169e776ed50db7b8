from __future__ import annotations

import pytest

from bellwire.carriers.smpp_codes import Refusal, judge_refusal, status_of
from bellwire.model.sms import MessageStatus
from bellwire.sms.codes import ErrorCode
from bellwire.wire.smpp.receipts import ReceiptState


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (0x58, Refusal.THROTTLED),
        (0x14, Refusal.THROTTLED),
        (0x64, Refusal.TEMPORARY),
        (0x08, Refusal.TEMPORARY),
        (0x04, Refusal.LINK),
        (0x0B, ErrorCode.UP_410),
        (0x0A, ErrorCode.UP_431),
        (0x01, ErrorCode.RC_501),
        (0x45, ErrorCode.UP_500),
        (0x0400, ErrorCode.UP_500),
    ],
)
def test_every_status_means_something(status: int, meaning: Refusal | ErrorCode) -> None:
    assert judge_refusal(status) is meaning


@pytest.mark.parametrize("state", ReceiptState)
def test_a_code_is_given_exactly_where_a_text_failed(state: ReceiptState) -> None:
    status, code = status_of(state)

    assert (code is not None) == (status is MessageStatus.DELIVERY_FAILED)
    assert status is not MessageStatus.QUEUED
    assert status is not MessageStatus.SENDING_FAILED


def test_an_unknown_state_proves_nothing() -> None:
    assert status_of(ReceiptState.UNKNOWN) == (MessageStatus.SENT, None)
