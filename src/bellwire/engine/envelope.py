"""Notifications as they go on the wire (wire contract, 3.9): one event, rendered for one subscription.

The body goes out as it was published, byte for byte, unless the filter's projections leave parts out; what they keep
keeps its spelling, numbers included. The envelope differs per subscription and is put together from parts that are
encoded once per filter.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from bellwire.families.declaration import EventFamily
from bellwire.model.event import Event
from bellwire.model.ids import ExtensionId, Position, SubscriptionId

_encode = msgspec.json.encode
_REMEMBERED_TIMES = 1024
_ENVELOPE_NAMES = ("uuid", "event", "timestamp", "subscriptionId", "ownerId")


def _verbatim(number: str) -> Any:
    return msgspec.Raw(number.encode())


_decode_keeping_numbers = msgspec.json.Decoder(float_hook=_verbatim).decode


def wire_time(milliseconds: int) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def derived_uuid(uuid: str, topic: str) -> str:
    """The uuid of the second and further notifications that one subscription gets of one event.

    It depends on the event and the topic alone, so that it is the same at every attempt.
    """
    return hashlib.sha256(f"{uuid}\0{topic}".encode()).hexdigest()[:32]


class FilterEnvelope(msgspec.Struct, frozen=True):
    """The parts of an envelope that are the same for all notifications of one event filter of one subscription."""

    before_time: bytes
    after_time: bytes
    family: EventFamily
    projections: frozenset[str]


def filter_envelope(
    subscription: SubscriptionId,
    owner: ExtensionId,
    filter_text: str,
    family: EventFamily,
    projections: frozenset[str],
) -> FilterEnvelope:
    return FilterEnvelope(
        before_time=b'","event":' + _encode(filter_text) + b',"timestamp":"',
        after_time=b'","subscriptionId":' + _encode(subscription) + b',"ownerId":' + _encode(owner),
        family=family,
        projections=projections,
    )


class Envelopes:
    """Renders notifications, keeping the last few projected bodies: fan-out asks for the same one many times."""

    def __init__(self, *, projected_bodies: int = 256) -> None:
        self._capacity = projected_bodies
        self._projected: OrderedDict[tuple[Position, frozenset[str]], bytes] = OrderedDict()
        self._times: dict[int, bytes] = {}
        self._event: Event | None = None
        """The one that was rendered last: fan-out renders the same for many subscriptions, one after the other."""
        self._before_time = b""
        self._body = b""
        self._family: EventFamily | None = None
        self._start = self._end = b""
        """What its notifications begin with where the filter reads `_before_time`, and end with where it is `_body`."""

    def render(self, envelope: FilterEnvelope, position: Position, event: Event, uuid: str) -> bytes:
        """The whole notification as JSON bytes."""
        family = envelope.family
        body = event.body
        if family.project is not None:
            body = self._project(position, body, envelope)
        if uuid is not event.uuid:
            start = self._start_of(envelope, event, uuid)
            return b"%b%b%b" % (start, envelope.after_time, _end_of(family, body))
        if event is not self._event:
            self._event = event
            self._before_time = self._body = b""
        if self._before_time != envelope.before_time:
            self._before_time = envelope.before_time
            self._start = self._start_of(envelope, event, uuid)
        if self._body is not body or self._family is not family:
            self._body, self._family = body, family
            self._end = _end_of(family, body)
        return b"%b%b%b" % (self._start, envelope.after_time, self._end)

    def _start_of(self, envelope: FilterEnvelope, event: Event, uuid: str) -> bytes:
        return b'{"uuid":"%b%b%b' % (uuid.encode(), envelope.before_time, self._time(event.timestamp_ms))

    def _time(self, milliseconds: int) -> bytes:
        times = self._times
        known = times.get(milliseconds)
        if known is None:
            if len(times) >= _REMEMBERED_TIMES:
                times.clear()
            known = times[milliseconds] = wire_time(milliseconds).encode()
        return known

    def _project(self, position: Position, body: bytes, envelope: FilterEnvelope) -> bytes:
        key = (position, envelope.projections)
        known = self._projected.get(key)
        if known is None:
            project = envelope.family.project
            assert project is not None
            reduced = project(_decode_keeping_numbers(body), envelope.projections)
            known = body if reduced is None else _encode(reduced)
            self._projected[key] = known
            if len(self._projected) > self._capacity:
                self._projected.popitem(last=False)
        return known


def _end_of(family: EventFamily, body: bytes) -> bytes:
    """What comes after the envelope's own members."""
    return b"".join(_flat_rest(body)) if family.is_flat else b',"body":%b}' % body


def _flat_rest(body: bytes) -> tuple[bytes, ...]:
    """A flat body's members, to stand beside the envelope's; the envelope's own names win."""
    members: Mapping[str, msgspec.Raw] = _decode_members(body)
    pieces: list[bytes] = []
    for name, value in members.items():
        if name not in _ENVELOPE_NAMES:
            pieces += (b",", _encode(name), b":", bytes(value))
    return (*pieces, b"}")


_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
