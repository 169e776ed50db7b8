"""High Volume SMS: batches, messages, opt-outs."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from bellwire.families import a2p_batch, a2p_message, a2p_opt_out

INBOUND = {
    "id": "1",
    "from": "+12025550188",
    "to": ["+12025550143", "+12025550144"],
    "messageStatus": "Delivered",
    "direction": "Inbound",
}


def test_message_is_compared_by_all_its_recipients() -> None:
    (row,) = a2p_message.FAMILY.rows({**INBOUND, "batchId": "b-1"})

    assert row == {
        "direction": ("Inbound",),
        "batchId": ("b-1",),
        "from": ("+12025550188",),
        "to": ("+12025550143", "+12025550144"),
    }


def test_message_without_batch_is_in_none() -> None:
    assert a2p_message.FAMILY.rows(INBOUND)[0]["batchId"] == ()


def test_messages_of_one_batch_do_not_wait_for_each_other() -> None:
    keys = {a2p_message.FAMILY.ordering_key({}, {**INBOUND, "batchId": "b-1", "id": id_}) for id_ in ("1", "2")}

    assert keys == {"1", "2"}


@pytest.mark.parametrize(
    "change",
    [
        {"to": []},
        {"to": "+12025550143"},
        {"from": "12025550188"},
        {"text": "x" * 1001},
        {"direction": "inbound"},
        {"messageStatus": "Lost"},
        {"segmentCount": -1},
        {"creationTime": "yesterday"},
    ],
)
def test_message_that_breaks_the_schema_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        a2p_message.FAMILY.body.model_validate_json(json.dumps({**INBOUND, **change}))

    assert refused.value.errors()[0]["loc"][0] == next(iter(change))


def test_text_of_a_thousand_characters_passes() -> None:
    a2p_message.FAMILY.body.model_validate_json(json.dumps({**INBOUND, "text": "x" * 1000}))


def test_batch_is_compared_by_its_sender_and_ordered_by_its_id() -> None:
    sample = a2p_batch.FAMILY.sample

    assert a2p_batch.FAMILY.rows(sample) == ({"from": (sample["from"],)},)
    assert a2p_batch.FAMILY.ordering_key({"accountId": "1"}, sample) == sample["id"]


def test_opt_out_is_compared_by_both_numbers_and_ordered_by_the_pair() -> None:
    body = {"from": "+12025550143", "to": "+12025550188", "active": True}

    assert a2p_opt_out.FAMILY.rows(body) == ({"from": ("+12025550143",), "to": ("+12025550188",)},)
    assert a2p_opt_out.FAMILY.ordering_key({}, body) == "+12025550143 +12025550188"
