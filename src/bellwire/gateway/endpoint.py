"""`/ws`: lets sockets in, and reads what their clients write (wire contract, 5.2).

The handshake is completed always, whatever is wrong: a refused one ends the program of a client that uses Node. Then an
Error frame says what is wrong. A receive is pending all the time, since uvicorn reads nothing, pongs included, while a
message waits for the application.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from bellwire.engine.socket_tokens import SocketTokens
from bellwire.errors import Unauthenticated
from bellwire.gateway.hub import Hub, OpenSocket
from bellwire.gateway.protocol import EXTENSION, GatewayProtocol
from bellwire.gateway.tunnel import Origin
from bellwire.wire.gateway.codes import BAD_ORIGIN, BAD_TOKEN, GOING_AWAY, Refusal

PATH = "/ws"
_GOING_AWAY_HTTP = {"type": "websocket.close", "code": 1012}


class GatewayEndpoint:
    """Stands before the application, and takes the gateway's sockets out.

    Args:
        origins: of browsers whose pages may connect; `*` is any. Programs send none.
    """

    def __init__(self, app: ASGIApp, *, hub: Hub, tokens: SocketTokens, origins: Sequence[str] | Literal["*"]) -> None:
        self.app = app
        """What is behind it."""
        self._hub = hub
        self._tokens = tokens
        self._any_origin = origins == "*"
        self._origins = frozenset(origin.encode("latin-1", "replace") for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket" or scope["path"].strip("/") != PATH[1:]:
            await self.app(scope, receive, send)
            return
        protocol = scope["extensions"].get(EXTENSION)
        await receive()
        if not isinstance(protocol, GatewayProtocol):
            await send(_GOING_AWAY_HTTP)
            return
        await send({"type": "websocket.accept"})
        socket = self._let_in(scope, protocol)
        if isinstance(socket, Refusal):
            self._hub.refuse(protocol, socket)
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        await _read(socket, receive)

    def _let_in(self, scope: Scope, protocol: GatewayProtocol) -> OpenSocket | Refusal:
        if self._hub.is_stopped:
            return GOING_AWAY
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if origin is not None and not self._any_origin and origin not in self._origins:
            return BAD_ORIGIN
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        caller = self._tokens.caller(query.get("access_token", [""])[0])
        if caller is None:
            return BAD_TOKEN
        try:
            caller = self._hub.still(caller)
        except Unauthenticated:
            return BAD_TOKEN
        return self._hub.open(protocol, caller, query.get("wsc", [None])[0], Origin.of(scope))


async def _read(socket: OpenSocket, receive: Receive) -> None:
    code = 1006
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code = message.get("code") or code
                return
            socket.received(message.get("text") or b"")
    finally:
        socket.lost(code)
        socket.let_go()
