"""What an event says, in a few words: for lists that people look through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAX_TEXT = 60
MAX_IDS = 3

_WORDS = (
    "eventType",
    "action",
    "direction",
    "status",
    "runtimeStatus",
    "registrationStatus",
    "messageStatus",
    "telephonyStatus",
    "presenceStatus",
    "dndStatus",
)
_WHOSE = (("extensionId", "extension"), ("deviceId", "device"), ("lastModifiedTime", "changed at"))
"""Of bodies that say no more than that something is different now."""
_TEXTS = ("text", "subject", "title", "name")


def what_happened(body: Mapping[str, Any]) -> str:
    """The telling fields of a body of any family."""
    parts: list[str] = []
    inner = body
    for nested in ("parties", "contacts"):
        listed = body.get(nested)
        if isinstance(listed, list) and listed and isinstance(listed[0], Mapping):
            inner = {**body, **listed[0]}
    for word in _WORDS:
        value = inner.get(word)
        if isinstance(value, Mapping):
            value = value.get("code")
        if isinstance(value, str) and value:
            parts.append(value)
    if inner.get("missedCall") is True:
        parts.append("missed")
    for claim in ("acceptCalls", "active"):
        if isinstance(inner.get(claim), bool):
            parts.append(f"{claim}={str(inner[claim]).lower()}")
    sender, recipient = _who(inner.get("from")), _who(inner.get("to"))
    if sender and recipient:
        parts.append(f"{sender} → {recipient}")
    elif sender or recipient:
        parts.append(f"from {sender}" if sender else f"to {recipient}")
    parts += [f"{count['type']} +{count['newCount']}" for count in _changes(inner)]
    for text in _TEXTS:
        said = inner.get(text)
        if isinstance(said, str) and said:
            said = " ".join(said.split())
            parts.append(f"“{said[:MAX_TEXT]}{'…' if len(said) > MAX_TEXT else ''}”")
            break
    return " ".join(parts) or " ".join(_whose(body))


def _whose(body: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{word} {body[name]}" for name, word in _WHOSE if isinstance(body.get(name), str))
    lines = body.get("extension")
    if isinstance(lines, list):
        ids = [str(line["id"]) for line in lines if isinstance(line, Mapping) and "id" in line]
        if ids:
            more = f" and {len(ids) - MAX_IDS} more" if len(ids) > MAX_IDS else ""
            yield f"extension {', '.join(ids[:MAX_IDS])}{more}"


def _changes(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    changes = body.get("changes")
    if not isinstance(changes, list):
        return []
    return [change for change in changes if isinstance(change, Mapping) and change.keys() >= {"type", "newCount"}]


def _who(party: object) -> str:
    if isinstance(party, list):
        party = party[0] if party else ""
    if isinstance(party, Mapping):
        party = party.get("name") or party.get("phoneNumber") or party.get("extensionNumber") or ""
    return str(party) if party else ""
