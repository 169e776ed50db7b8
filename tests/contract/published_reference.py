"""The published reference data: event filters, example notifications and schemas, read from beside the repository."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "reference"
IS_HERE = FOLDER.is_dir()
if not IS_HERE and os.environ.get("CI") == "true":
    raise FileNotFoundError(f"in CI the reference data has to be at {FOLDER}: contract tests must not be skipped there")
ABSENT = "the reference data (../shared/reference) is not here"

ENVELOPE = frozenset({"uuid", "event", "timestamp", "subscriptionId", "ownerId"})

PLACEHOLDERS = {
    "accountId": "100001",
    "extensionId": "200001",
    "batchId": "0b6c7a52-54c3-4c0e-8a3f-6f1f5a3f9d10",
    "deviceId": "800001",
    "groupId": "300001",
    "e164PhoneNumber": "+16505550100",
    "type": "Fax",
    "direction": "Outbound",
    "threshold": "60",
    "interval": "15",
}


@dataclass(frozen=True)
class Example:
    """One example notification, with the filter that it is an example of."""

    file: str
    filter: dict[str, Any]
    document: dict[str, Any]

    @property
    def event(self) -> str:
        event = self.document["event"]
        assert isinstance(event, str)
        return event

    @property
    def body(self) -> dict[str, Any]:
        if self.filter["envelope_schema"] == "FlatNotificationEnvelope":
            return {name: value for name, value in self.document.items() if name not in ENVELOPE}
        body = self.document["body"]
        assert isinstance(body, dict)
        return body


@cache
def filters() -> tuple[dict[str, Any], ...]:
    if not IS_HERE:
        return ()
    return tuple(json.loads((FOLDER / "event-filters.json").read_text())["filters"])


@cache
def examples() -> tuple[Example, ...]:
    return tuple(
        Example(file, entry, json.loads((FOLDER / "examples" / file).read_text()))
        for entry in filters()
        for file in (entry["example"], *entry["more_examples"])
    )


def with_ids(template: str, **ids: str) -> str:
    """A published filter string with its placeholders replaced by ids, or by `~` where that is asked for."""
    for name, value in {**PLACEHOLDERS, **ids}.items():
        template = template.replace("{" + name + "}", value)
    return template


@cache
def validator(name: str) -> Draft202012Validator:
    definitions = json.loads((FOLDER / "schemas.json").read_text())["$defs"]
    return Draft202012Validator({"$defs": definitions, "$ref": f"#/$defs/{name}"}, format_checker=FormatChecker())


def fits_schema(entry: dict[str, Any], body: Any) -> bool:
    """Whether a body is valid for a published filter, in any of the shapes given for it."""
    if entry["envelope_schema"] == "FlatNotificationEnvelope":
        if not isinstance(body, dict):
            return False
        event = with_ids(entry["template"])
        body = {
            **{"uuid": "1", "event": event, "timestamp": "2026-01-01T00:00:00Z", "subscriptionId": "1", "ownerId": "1"},
            **body,
        }
    names = (entry["body_schema"], *entry["alternate_body_schemas"])
    return any(validator(name).is_valid(body) for name in names)
