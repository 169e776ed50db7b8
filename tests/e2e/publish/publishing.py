"""Publishing from tests, as bytes: what goes out is compared byte for byte."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec

from bellwire.testing.receiver import ReceivedRequest
from tests.e2e.in_process import Running

PATH = "/bellwire/v1/events"
NDJSON = "application/x-ndjson"


class _Notification(msgspec.Struct):
    body: msgspec.Raw


def body_of(request: ReceivedRequest) -> bytes:
    """A notification's body, byte for byte."""
    return bytes(msgspec.json.decode(request.body, type=_Notification).body)


def uuids_of(requests: list[ReceivedRequest]) -> list[str]:
    return [request.json()["uuid"] for request in requests]


def event(topic: str, body: bytes | dict[str, Any], **fields: Any) -> bytes:
    """One event as a producer writes it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json.dumps({"event": topic, **fields})[:-1].encode() + b',"body":' + raw + b"}"


def message(number: int, *, account: str = "400100", **fields: Any) -> bytes:
    """A message of its own, and so with an ordering key of its own."""
    body = {
        "id": str(number),
        "from": "+16505550180",
        "to": ["+14842910071"],
        "direction": "Outbound",
        "messageStatus": "Delivered",
    }
    return event(f"/restapi/v1.0/account/{account}/a2p-sms/messages", body, **fields)


MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"


async def post(
    running: Running,
    content: bytes | AsyncIterator[bytes],
    *,
    media: str = "application/json",
    key: str | None = None,
    **headers: str,
) -> httpx.Response:
    """One publish request."""
    return await running.http.post(
        PATH,
        content=content,
        headers={
            "Authorization": f"Bearer {key or running.demo.publisher_key}",
            "Content-Type": media,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
    )


async def published(running: Running, *events: bytes, **headers: str) -> dict[str, Any]:
    """Publish events as an array, all of which are taken; the answer's body."""
    answer = await post(running, b"[" + b",".join(events) + b"]", **headers)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    assert found["rejectedCount"] == 0, found
    return found
