"""The field types that bodies are made of."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from bellwire.families.body import ABSENT, Body, Cost, Email, Id, PhoneNumber, Timestamp


class Stamped(Body):
    at: Timestamp


class Numbered(Body):
    number: PhoneNumber


class Optional(Body):
    some_name: str = ABSENT
    cost: Cost = ABSENT
    mail: Email = ABSENT
    id: Id = ABSENT


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T09:15:04Z",
        "2026-03-02T09:15:04.1Z",
        "2026-03-02T09:15:04.442760Z",
        "2026-03-02T09:15:04.123456789Z",
        "2026-03-02T09:15:04+05:30",
        "2024-02-29T23:59:59.999-08:00",
        "2026-03-02t09:15:04z",
    ],
)
def test_date_time_of_rfc_3339_is_taken(text: str) -> None:
    Stamped.model_validate_json(json.dumps({"at": text}))


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-02",
        "2026-03-02T09:15:04",
        "2026-03-02 09:15:04Z",
        "2026-03-02T09:15Z",
        "2026-02-30T09:15:04Z",
        "2025-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T09:15:04.Z",
        "2026-03-02T09:15:04+0530",
        "1600000000",
        1600000000,
        "",
        "٢٠٢٦-03-02T09:15:04Z",
        "2026-03-02T09:15:04Z\n",
        None,
        {},
    ],
)
def test_other_time_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Stamped.model_validate_json(json.dumps({"at": value}))


@pytest.mark.parametrize("number", ["+16505550100", "+12", "+123456789012345"])
def test_phone_number_of_e164_is_taken(number: str) -> None:
    Numbered.model_validate_json(json.dumps({"number": number}))


@pytest.mark.parametrize(
    "number", ["16505550100", "+0650", "+1", "+1234567890123456", "+1650555010x", "+1 650", "", "+1650\n", 16505550100]
)
def test_other_phone_number_is_refused(number: object) -> None:
    with pytest.raises(ValidationError):
        Numbered.model_validate_json(json.dumps({"number": number}))


def test_optional_field_may_be_left_out_but_not_be_null() -> None:
    Optional.model_validate_json("{}")
    with pytest.raises(ValidationError):
        Optional.model_validate_json('{"someName": null}')


@pytest.mark.parametrize(
    "body", ['{"cost": "1"}', '{"cost": -0.5}', '{"cost": NaN}', '{"someName": 5}', '{"mail": "a b@c"}', '{"id": ""}']
)
def test_value_of_another_kind_is_refused(body: str) -> None:
    with pytest.raises(ValidationError):
        Optional.model_validate_json(body)


def test_schema_says_what_a_reader_needs_and_no_more() -> None:
    assert Stamped.model_json_schema()["properties"]["at"] == {"format": "date-time", "type": "string"}
    assert Optional.model_json_schema()["properties"]["someName"] == {"type": "string"}
