from __future__ import annotations

import pytest

from bellwire.cli.notification_lines import Sample, line_for
from bellwire.families import REGISTRY
from bellwire.families.what_happened import what_happened
from bellwire.model.attempt import Attempt, AttemptOutcome, FailureCode
from bellwire.model.event import Event
from bellwire.model.ids import AccountId
from tests.doubles.attempts import an_attempt

TOPIC = "/restapi/v1.0/account/1/a2p-sms/messages"
BODY = (
    b'{"id":"1","from":"+16505550180","to":["+12015550111"],"direction":"Outbound","messageStatus":"Delivered",'
    b'"text":"Your order  has\\nshipped"}'
)


def second_try(outcome: AttemptOutcome = AttemptOutcome.DELIVERED, detail: str = "") -> Attempt:
    failure = FailureCode.CONNECT_REFUSED if detail else None
    return an_attempt(number=2, topic=TOPIC, outcome=outcome, failure=failure, detail=detail)


AN_EVENT = Event(account=AccountId("1"), uuid="u", chosen=False, topic=TOPIC, timestamp_ms=0, body=BODY)


def test_a_line_has_time_family_topic_and_what_happened() -> None:
    assert line_for(second_try(), AN_EVENT, "12:00:00", to="") == (
        f"12:00:00  a2p_message           {TOPIC}  "
        "Outbound Delivered +16505550180 → +12015550111 “Your order has shipped”"
    )


def test_an_attempt_that_failed_says_why() -> None:
    line = line_for(second_try(AttemptOutcome.FAILED, "Nobody listens there."), None, "12:00:00", to="127.0.0.1:80")

    assert line.endswith(f"{TOPIC}  → 127.0.0.1:80  NOT DELIVERED (try 2): Nobody listens there.")


@pytest.mark.parametrize("family", REGISTRY.families, ids=lambda family: family.name)
def test_the_sample_of_every_family_can_be_told_in_one_line(family: object) -> None:
    sample = getattr(family, "sample")  # noqa: B009 - parametrised

    said = what_happened(sample)
    assert said
    assert "\n" not in said


def test_an_event_that_says_no_more_than_that_something_changed_is_told_by_whose_it_is() -> None:
    assert what_happened({"extensionId": "7", "deviceId": "9"}) == "extension 7 device 9"
    assert what_happened({"extension": [{"id": str(n)} for n in range(5)]}) == "extension 0, 1, 2 and 2 more"
    assert what_happened({"extensionId": "7", "eventType": "Update"}) == "Update"
    assert what_happened({"extension": [7, {}], "extensionId": 7}) == ""


def test_under_load_lines_are_left_out_and_counted() -> None:
    written: list[str] = []
    sample = Sample(written.append, lines_a_second=2)

    for number in range(5):
        if sample.takes(10.1):
            sample.write(f"line {number}")
    assert sample.takes(11.0)
    sample.write("next second")
    sample.flush()

    assert [line.strip() for line in written] == ["line 0", "line 1", "… and 3 more in that second", "next second"]
