"""The yardstick of `fan_out`: uvicorn with an application that writes one text to every WebSocket, and does no more.

A WebSocket at `/ws` is greeted with a frame; `POST /broadcast?times=N` writes its body N times to all of them.

    python -m bench.bare_broadcast FILE     listens on a free port, and writes it into the file
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

GREETING = '[{"type":"ConnectionDetails","messageId":"1"},{}]'
_sockets: dict[Any, None] = {}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await _broadcast(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": GREETING})
    _sockets[send] = None
    while (await receive())["type"] != "websocket.disconnect":
        pass
    del _sockets[send]


async def _broadcast(scope: dict[str, Any], receive: Any, send: Any) -> None:
    text, more = b"", True
    while more:
        message = await receive()
        text, more = text + message["body"], message["more_body"]
    frame = {"type": "websocket.send", "text": text.decode()}
    for _ in range(int(scope["query_string"].removeprefix(b"times="))):
        for write in list(_sockets):
            await write(frame)
        await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 204})
    await send({"type": "http.response.body"})


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    Path(sys.argv[1]).write_text(str(listening.getsockname()[1]))
    uvloop.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
