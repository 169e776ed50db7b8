"""Rows of the seed table: each seed filter string with ids filled in, with events that match it and near misses.

Matches are the published example notifications, moved to the demo account. Near misses are the same events with one
thing changed: an id of the path, the account, or what one predicate looks at; where the reference data says what a
predicate is compared with (`matches`), that place of the body is changed.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bellwire.engine.seed_company import ACCOUNT, ADMINISTRATOR, OTHER_USER
from tests.contract import published_reference as reference

ANOTHER_ACCOUNT = "400900"
ANOTHER_NUMBER = "+19995550123"
ANOTHER_ID = "777000777"

MATCHED_VALUES: dict[str, Any] = {
    # Values for predicates that no example has; written into the body before it is published.
    "phoneNumber": "+16505550123",
    "missedCall": True,
    "withRecordings": [{"id": "1", "active": False}],
}

ORIGINS = {
    # Filters whose events are published on another, more specific topic, and announced there: topic for the extension
    # that is watched, and the same for one that nobody here watches.
    "a2p_batches": ("/restapi/v1.0/account/{accountId}/a2p-sms/batches/{batchId}", None),
    "a2p_batches_from": ("/restapi/v1.0/account/{accountId}/a2p-sms/batches/{batchId}", None),
    "account_telephony_sessions": (
        "/restapi/v1.0/account/{accountId}/extension/{extensionId}/telephony/sessions",
        None,
    ),
    "account_presence": ("/restapi/v1.0/account/{accountId}/extension/{extensionId}/presence", None),
    # The demo user monitors 400102 and 400103, and has 400102 and 400105 among its favorites.
    "presence_line_presence": (
        "/restapi/v1.0/account/{accountId}/extension/400103/presence",
        "/restapi/v1.0/account/{accountId}/extension/400105/presence",
    ),
    "favorite_presence": (
        "/restapi/v1.0/account/{accountId}/extension/400105/presence",
        "/restapi/v1.0/account/{accountId}/extension/400103/presence",
    ),
}


@dataclass(frozen=True)
class Publication:
    """An event to be published, and in a word what it is."""

    what: str
    event: str
    body: dict[str, Any]
    account: str | None = None

    def encoded(self, uuid: str) -> bytes:
        """With odd but valid spacing, so that a body that was written anew would show."""
        fields = {"event": self.event, "uuid": uuid, **({"accountId": self.account} if self.account else {})}
        return json.dumps(fields)[:-1].encode() + b', "body": ' + self.body_bytes + b"}"

    @property
    def body_bytes(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False, separators=(" ,", " :  ")).encode()


@dataclass(frozen=True)
class Row:
    entry: dict[str, Any]
    text: str
    """The event filter to subscribe with."""
    matches: tuple[Publication, ...]
    near_misses: tuple[Publication, ...]

    @property
    def name(self) -> str:
        return self.text

    @property
    def canonical(self) -> str:
        """The filter as notifications repeat it."""
        text = self.text.replace("/account/~", f"/account/{ACCOUNT.id}")
        return text.replace("/extension/~", f"/extension/{ADMINISTRATOR}")

    @property
    def is_webinar(self) -> bool:
        return bool(self.entry["endpoint"] == "webinar subscription")


def seed_rows() -> list[Row]:
    """One row or more for each seed string: with ids, with `~`, and narrowed by each predicate that it may take."""
    rows: dict[str, Row] = {}
    for entry in reference.filters():
        for seed in entry["seeds"]:
            for row in _rows_of(entry, seed["string"]):
                rows.setdefault(row.text, row)
    return list(rows.values())


def _rows_of(entry: dict[str, Any], string: str) -> Iterator[Row]:
    example = _moved(next(found for found in reference.examples() if found.file == entry["example"]))
    path, _, query = string.partition("?")
    ids = _ids_of(path, example.event)
    written = dict(pair.split("=") for pair in query.split("&") if pair)
    parameters = {parameter["name"]: parameter for parameter in entry["query_parameters"]}
    body = example.body
    asked = {name: _wanted(parameters[name], text, body) for name, text in written.items()}
    for own in ("ids", "~"):
        filled = _filled(path, {**ids, **({"accountId": "~", "extensionId": "~"} if own == "~" else {})})
        if own == "ids":
            filled = filled.replace("/account/~", f"/account/{ACCOUNT.id}")
        yield _row(entry, filled, path, ids, asked, body)
        for name, parameter in parameters.items():
            if parameter["role"] == "predicate" and name not in asked and parameter.get("matches"):
                with_value, text = _with_predicate(body, parameter)
                yield _row(entry, filled, path, ids, {**asked, name: text}, with_value)


def _row(  # noqa: PLR0917 - private, and each is another thing
    entry: dict[str, Any],
    filled: str,
    path: str,
    ids: dict[str, str],
    asked: dict[str, str],
    body: dict[str, Any],
) -> Row:
    path = path.replace("/account/~", "/account/{accountId}")
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    topic = _filled(path, ids)
    account = None if "{accountId}" in path else ACCOUNT.id
    matches = [Publication("the example", topic, body, account)]
    misses = list(_other_topics(path, ids, body))
    parameters = {parameter["name"]: parameter for parameter in entry["query_parameters"]}
    for name in asked:
        changed = _contradicting(body, parameters[name])
        if changed is not None:
            misses.append(Publication(f"another {name}", topic, changed, account))
    if entry["id"] in ORIGINS:
        watched, unwatched = ORIGINS[entry["id"]]
        origin_ids = {"extensionId": OTHER_USER, "batchId": str(body.get("id")), **ids}
        matches.append(Publication("the example, where it happened", _filled(watched, origin_ids), body))
        elsewhere = {**origin_ids, "accountId": ANOTHER_ACCOUNT}
        misses.append(Publication("there in another account", _filled(watched, elsewhere), body))
        if unwatched is not None:
            misses.append(Publication("of one that is not watched", _filled(unwatched, origin_ids), body))
    return Row(entry, f"{filled}?{query}" if query else filled, tuple(matches), tuple(misses))


def _moved(example: reference.Example) -> reference.Example:
    """The example as the demo account's: its account's and its owner's ids replaced, in the body, too."""
    text = json.dumps(example.document)
    account = re.search(r"/accounts?/(\d+)", example.event)
    extension = re.search(r"/extension/(\d+)", example.event)
    owner = extension[1] if extension is not None else example.document["ownerId"]
    if account is not None:
        text = text.replace(f"/{account[1]}/", f"/{ACCOUNT.id}/").replace(f'"{account[1]}"', f'"{ACCOUNT.id}"')
    if account is None or account[1] != owner:
        text = text.replace(f"/{owner}/", f"/{ADMINISTRATOR}/").replace(f'"{owner}"', f'"{ADMINISTRATOR}"')
        text = re.sub(rf"/extension/{owner}\b", f"/extension/{ADMINISTRATOR}", text)
    return reference.Example(example.file, example.filter, json.loads(text))


def _ids_of(path: str, event: str) -> dict[str, str]:
    """What the placeholders of a seed's path are in the example's event."""
    segments = zip(path.split("/"), event.partition("?")[0].split("/"), strict=True)
    ids = {"accountId": str(ACCOUNT.id)}
    ids.update({name[1:-1]: value for name, value in segments if name.startswith("{")})
    assert ids["accountId"] == ACCOUNT.id
    assert ids.get("extensionId", ADMINISTRATOR) == ADMINISTRATOR
    return ids


def _filled(path: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, path
    return path


def _other_topics(path: str, ids: dict[str, str], body: dict[str, Any]) -> Iterator[Publication]:
    """The event with one id of its path replaced."""
    yield Publication(
        "another account",
        _filled(path, {**ids, "accountId": ANOTHER_ACCOUNT}),
        body,
        None if "{accountId}" in path else ANOTHER_ACCOUNT,
    )
    for name in re.findall(r"\{(\w+)\}", path):
        if name != "accountId":
            other = OTHER_USER if name == "extensionId" else ANOTHER_ID
            yield Publication(f"another {name}", _filled(path, {**ids, name: other}), body)


def _wanted(parameter: dict[str, Any], text: str, body: dict[str, Any]) -> str:
    """The value of a parameter that the seed string has: its own, or for a placeholder what the example says."""
    if not text.startswith("{"):
        return text
    value = _values(body, _steps(parameter))[0]
    assert isinstance(value, str)
    return value


def _with_predicate(body: dict[str, Any], parameter: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The body with a value for a predicate, and that value as a filter says it."""
    name = parameter["name"]
    value = MATCHED_VALUES.get(name)
    if value is None:
        value = _values(body, _steps(parameter))[0]
    else:
        body = _with_value(body, _steps(parameter), value)
    return body, "true" if parameter["type"] == "boolean" else str(value)


def _contradicting(body: dict[str, Any], parameter: dict[str, Any]) -> dict[str, Any] | None:
    """The body with another value at the place that a predicate looks at; None where there is none to be had."""
    if not parameter.get("matches"):
        return None
    changed: dict[str, Any] = _with_value(
        body, _steps(parameter), _another(parameter, _values(body, _steps(parameter)))
    )
    return changed


def _another(parameter: dict[str, Any], values: list[Any]) -> Any:
    """A value that a predicate does not ask for."""
    if parameter["type"] == "boolean":
        return [] if parameter["name"] == "withRecordings" else False
    if parameter.get("format") == "e164":
        return ANOTHER_NUMBER
    if not parameter["enum"]:
        return ANOTHER_ID
    others = [value for value in parameter["enum"] if value not in values]
    # Where the reference names one value alone, one that it does not know.
    return others[0] if others else {"Inbound": "Outbound", "SMS": "Fax"}[parameter["enum"][0]]


def _steps(parameter: dict[str, Any]) -> list[str]:
    steps: list[str] = parameter["matches"].removeprefix("body.").replace("[]", ".[]").split(".")
    return steps


def _values(value: Any, steps: list[str]) -> list[Any]:
    """All values at a place: `parties[].{from,to}.phoneNumber`."""
    if not steps:
        return [value]
    step, *rest = steps
    if step == "[]":
        return [found for part in value for found in _values(part, rest)]
    return [found for name in step.strip("{}").split(",") if name in value for found in _values(value[name], rest)]


def _with_value(value: Any, steps: list[str], new: Any) -> Any:
    """A copy with all values at a place replaced."""
    if not steps:
        return new
    step, *rest = steps
    if step == "[]":
        return [_with_value(part, rest, new) for part in value]
    changed = copy.copy(value)
    for name in step.strip("{}").split(","):
        changed[name] = _with_value(changed.get(name, {}), rest, new)
    return changed
