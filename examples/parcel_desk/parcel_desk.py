"""A small integration: texts that customers send to a number become tickets.

It subscribes with RingCentral's own Python SDK, takes notifications at its webhook, and knows three things that every
such program has to know: the handshake, the verification token, and that a notification may come twice.

python parcel_desk.py PUBLIC_ADDRESS
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ringcentral import SDK

MAX_NOTIFICATION_BYTES = 1 << 20


@dataclass
class Ticket:
    """What one customer wrote, oldest first."""

    texts: list[str] = field(default_factory=list)
    wants_no_texts: bool = False


class ParcelDesk:
    """The tickets by the customer's number, and the uuids of the notifications that are in them already."""

    def __init__(self) -> None:
        self.tickets: dict[str, Ticket] = {}
        self.subscription: str | None = None
        self._seen: set[str] = set()

    def take(self, notification: Mapping[str, Any]) -> None:
        """Take one notification; the same one again changes nothing."""
        if notification["uuid"] in self._seen:
            return
        self._seen.add(notification["uuid"])
        message = notification["body"]
        ticket = self.tickets.setdefault(message["from"], Ticket())
        text = message.get("text", "")
        if text.strip().upper() == "STOP":
            ticket.wants_no_texts = True
        else:
            ticket.texts.append(text)

    def subscribe(self, address: str, token: str, env: Mapping[str, str]) -> None:
        """Ask for all texts to the number, at this address."""
        sdk = SDK(env["RC_APP_CLIENT_ID"], env["RC_APP_CLIENT_SECRET"], env["RC_SERVER_URL"])
        platform = sdk.platform()
        platform.login(jwt=env["RC_USER_JWT"])
        wanted = {
            "eventFilters": [
                f"/restapi/v1.0/account/~/a2p-sms/messages?direction=Inbound&to={env['BELLWIRE_A2P_NUMBER']}"
            ],
            "deliveryMode": {"transportType": "WebHook", "address": address, "verificationToken": token},
        }
        self.subscription = platform.post("/restapi/v1.0/subscription", wanted).json_dict()["id"]


def webhook_server(desk: ParcelDesk, token: str, port: int = 0) -> ThreadingHTTPServer:
    """The webhook as a server, not yet serving."""

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if self.headers.get("Verification-Token") != token:
                self._answer(401)
                return
            handshake = self.headers.get("Validation-Token")
            if handshake is not None:
                self._answer(200, {"Validation-Token": handshake})
                return
            size = int(self.headers.get("Content-Length", 0))
            if size > MAX_NOTIFICATION_BYTES:
                self._answer(413)
                return
            desk.take(json.loads(self.rfile.read(size)))
            self._answer(200)

        def log_message(self, *_: object) -> None:
            """Quietly."""

        def _answer(self, status: int, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

    return ThreadingHTTPServer(("127.0.0.1", port), Webhook)


if __name__ == "__main__":
    own_token = secrets.token_urlsafe(24)
    own_desk = ParcelDesk()
    server = webhook_server(own_desk, own_token, port=8712)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own_desk.subscribe(sys.argv[1], own_token, os.environ)
    print("subscribed; Ctrl-C stops")
    threading.Event().wait()
