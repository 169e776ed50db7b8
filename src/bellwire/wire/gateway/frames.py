"""Frames of the gateway: JSON arrays of one meta object and, mostly, a body (wire contract, 5.3 to 5.7).

Every frame that is sent has `headers`, and every failure a body object: clients dereference both. A text that holds
`,--Boundary` would be taken for a multipart answer by one client, wherever it stands, so its first dash is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec

from bellwire.wire.gateway.codes import UNREADABLE_FRAME

MAX_MESSAGE_ID = 256
"""Characters; ours to choose. Clients write UUIDs or something shorter."""
_EXPECTED = "a JSON array of a meta object and a body is expected"

_encode = msgspec.json.encode
_decode_parts = msgspec.json.Decoder(list[msgspec.Raw]).decode
_BOUNDARY = b",--Boundary"
_ESCAPED_BOUNDARY = b",\\u002d-Boundary"


class _Meta(msgspec.Struct):
    """What clients write in a frame's first object; what else is there is passed over."""

    type: str
    messageId: str = ""  # noqa: N815 - the wire's name
    method: str = ""
    path: str = ""
    query: dict[str, Any] | None = None
    headers: dict[str, Any] | None = None


_decode_meta = msgspec.json.Decoder(_Meta).decode


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A REST request written as a frame. `body` is JSON as it was written; empty for none."""

    message_id: str
    method: str
    path: str
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Heartbeat:
    message_id: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A frame that is none of the protocol's, and why."""

    message_id: str
    reason: str


ClientFrame = ClientRequest | Heartbeat | Unreadable


def read_frame(text: str | bytes) -> ClientFrame:
    """What a client wrote."""
    try:
        parts = _decode_parts(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Unreadable("", _EXPECTED)
    if not 1 <= len(parts) <= 2:
        return Unreadable("", _EXPECTED)
    try:
        meta = _decode_meta(parts[0])
    except (msgspec.DecodeError, RecursionError) as error:
        return Unreadable("", f"its meta object is not valid: {error}")
    if len(meta.messageId) > MAX_MESSAGE_ID:
        return Unreadable("", f"its messageId has more than {MAX_MESSAGE_ID} characters")
    match meta.type:
        case "Heartbeat":
            return Heartbeat(meta.messageId)
        case "ClientRequest":
            return _request(meta, bytes(parts[1]) if len(parts) == 2 else b"")
        case other:
            return Unreadable(meta.messageId, f"frames of type [{other[:64]}] are not for clients to send")


def _request(meta: _Meta, body: bytes) -> ClientRequest | Unreadable:
    if not meta.messageId:
        return Unreadable("", "a ClientRequest needs a messageId")
    if not meta.method.isalpha() or not meta.path:
        return Unreadable(meta.messageId, "a ClientRequest needs a method and a path")
    headers = {name.lower(): value for name, value in (meta.headers or {}).items() if isinstance(value, str)}
    return ClientRequest(meta.messageId, meta.method.upper(), meta.path, meta.query or {}, headers, body)


def heartbeat(message_id: str) -> bytes:
    """The answer to a heartbeat: the same again."""
    return _frame({"type": "Heartbeat", "messageId": message_id, "headers": _headers()})


def answer(message_id: str, status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """The answer to a ClientRequest.

    Args:
        body: JSON; empty for none. A failure has an object always.
    """
    meta = {"type": "ClientRequest", "messageId": message_id, "status": status, "headers": _headers(headers)}
    if not body and status >= 400:
        body = _encode({"errorCode": "CMN-203", "message": "The request failed"})
    return _frame(meta, body)


def failed_answer(message_id: str, status: int, code: str, message: str) -> bytes:
    """The answer to a ClientRequest that never became a request."""
    return answer(message_id, status, {}, _encode(error_body(code, message)))


def error_body(code: str, message: str) -> dict[str, Any]:
    """The general error envelope (wire contract, 2.5)."""
    return {"errorCode": code, "message": message, "errors": [{"errorCode": code, "message": message}]}


def error(code: str, status: int, message: str, message_id: str | None = None) -> bytes:
    """An Error frame."""
    meta = {"type": "Error", "messageId": message_id or str(uuid4()), "status": status, "headers": _headers()}
    return _frame(meta, _encode({"errorCode": code, "message": message}))


def unreadable_frame(frame: Unreadable) -> bytes:
    """What an unreadable frame is answered with; the connection is kept."""
    return error(UNREADABLE_FRAME, 400, f"The frame can't be read: {frame.reason}", frame.message_id)


def connection_details(token: str, sequence: int, body: Mapping[str, Any]) -> bytes:
    """The first frame of every connection."""
    meta = {
        "type": "ConnectionDetails",
        "messageId": str(uuid4()),
        "status": 200,
        "headers": _headers(),
        "wsc": {"token": token, "sequence": sequence},
    }
    return _frame(meta, _encode(body))


def notification(uuid: str, request_id: str, wsc: str, envelope: bytes) -> bytes:
    """A ServerNotification. By hand, since it is written by the ten thousand.

    Args:
        uuid, request_id: of `A-Za-z0-9._:-` alone, so that they need no escapes.
        wsc: `{"token":…,"sequence":…}`, encoded.
    """
    meta = (
        f'[{{"type":"ServerNotification","messageId":"{uuid}","status":200,'
        f'"headers":{{"RCRequestId":"{request_id}"}},"wsc":{wsc}}},'
    )
    frame = b"%b%b]" % (meta.encode(), envelope)
    return frame.replace(_BOUNDARY, _ESCAPED_BOUNDARY) if _BOUNDARY in frame else frame


def _headers(given: Mapping[str, str] | None = None) -> dict[str, str]:
    headers = dict(given or {})
    headers.setdefault("RCRequestId", str(uuid4()))
    return headers


def _frame(meta: Mapping[str, Any], body: bytes = b"") -> bytes:
    frame = b"[" + _encode(meta) + (b"," + body if body else b"") + b"]"
    return frame.replace(_BOUNDARY, _ESCAPED_BOUNDARY) if _BOUNDARY in frame else frame
