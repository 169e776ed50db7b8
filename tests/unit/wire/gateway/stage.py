"""The gateway's machine with a clock that is moved by hand, and clients that note what is done to them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from bellwire.model.ids import SubscriptionId
from bellwire.wire.gateway.effects import Abort, Call, Close, Effect, Ended, Outcome, Ping, ReadLog, Send, Told
from bellwire.wire.gateway.limits import GatewayLimits
from bellwire.wire.gateway.machine import Gateway
from bellwire.wire.gateway.session import Connection, Notification, Owner

OWNER = Owner("login-1", "user-1")
CREATED = "2026-11-27T06:00:00.000Z"


@dataclass(slots=True)
class ANotification:
    uuid: str
    position: int
    size_bytes: int = 100
    request_id: str = "r-1"

    def envelope(self) -> bytes:
        return json.dumps({"uuid": self.uuid, "body": {}}).encode()


@dataclass(slots=True, eq=False)
class Client:
    """One connection, as its client sees it. `frames` are all frames after the last look."""

    connection: Connection
    frames: list[list[Any]] = field(default_factory=list)
    pings: list[bytes] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    close_code: int | None = None
    wsc: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    notified: list[str] = field(default_factory=list)

    def take(self) -> list[list[Any]]:
        taken, self.frames = self.frames, []
        return taken


class Stage:
    """Runs effects as a shell would."""

    def __init__(self, **limits: Any) -> None:
        self.now = 1000.0
        self.real = 50.0
        keys = itertools.count(1)
        self.gateway = Gateway(
            limits=replace(GatewayLimits(), **limits),
            time=lambda: self.now,
            real_time=lambda: self.real,
            new_key=lambda: f"session-key-{next(keys):06d}",
        )
        self.ended: list[SubscriptionId] = []
        self.told: list[tuple[str, Outcome]] = []
        self.reads: list[ReadLog] = []
        self._positions = itertools.count(1)
        self._ids = itertools.count(1)

    def pass_time(self, seconds: float) -> None:
        """Both times go on."""
        self.now += seconds
        self.real += seconds

    def run(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(connection, frame):
                    client: Client = connection.socket
                    assert client.close_code is None, "nothing is written after a close"
                    read = json.loads(frame)
                    client.frames.append(read)
                    if "wsc" in read[0]:
                        client.wsc = read[0]["wsc"]["token"]
                    if read[0]["type"] == "ConnectionDetails":
                        client.details = read[1]
                    elif read[0]["type"] == "ServerNotification":
                        client.notified.append(read[1]["uuid"])
                case Ping(connection, payload):
                    connection.socket.pings.append(payload)
                case Close(connection, code, _):
                    connection.socket.close_code = code
                case Abort(connection):
                    connection.socket.close_code = 1006
                case Call() as call:
                    call.connection.socket.calls.append(call)
                case ReadLog() as wanted:
                    self.reads.append(wanted)
                case Ended(subscription):
                    self.ended.append(subscription)
                case Told(notification, outcome, _):
                    self.told.append((notification.uuid, outcome))

    def connect(self, owner: Owner = OWNER, wsc: str | None = None) -> Client:
        assert self.gateway.refusal(owner, wsc) is None
        client = Client.__new__(Client)
        connection, effects = self.gateway.connect(owner, client, created=CREATED, wsc=wsc)
        client.__init__(connection)  # type: ignore[misc]  # the two know each other
        self.run(effects)
        return client

    def send(self, client: Client, meta: dict[str, Any], body: Any = None) -> None:
        self.run(self.gateway.received(client.connection, json.dumps([meta] if body is None else [meta, body])))

    def request(self, client: Client, message_id: str = "m-1", method: str = "POST") -> Call:
        path = "/restapi/v1.0/subscription"
        self.send(client, {"type": "ClientRequest", "messageId": message_id, "method": method, "path": path}, {})
        return client.calls[-1]

    def new_id(self) -> SubscriptionId:
        return SubscriptionId(f"subscription-{next(self._ids)}")

    def subscribe(self, client: Client, *, pong: bool = True) -> SubscriptionId:
        """The whole way: request, answer, and the barrier's pong."""
        call = self.request(client)
        subscription = self.new_id()
        self.gateway.begin(call, subscription)
        before = self.gateway.activate(call, subscription)
        assert before != subscription
        self.run(self.gateway.answered(call, 200, {}, b'{"id":"%b"}' % subscription.encode()))
        if pong:
            self.pong(client)
        return subscription

    def pong(self, client: Client) -> None:
        """Answer the last ping."""
        self.run(self.gateway.pong(client.connection, client.pings[-1]))

    def publish(self, subscription: SubscriptionId, *uuids: str, **options: Any) -> list[Notification]:
        made: list[Notification] = []
        for uuid in uuids:
            notification = ANotification(uuid, next(self._positions), **options)
            made.append(notification)
            self.run(self.gateway.notify(subscription, notification))
        return made

    def drop(self, client: Client) -> None:
        self.run(self.gateway.dropped(client.connection))

    def sweep(self) -> None:
        self.run(self.gateway.sweep())
