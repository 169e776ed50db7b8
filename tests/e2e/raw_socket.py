"""A client of the gateway that does exactly what a test says: it answers pings only where asked to, and can be cut."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import deque
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

SUBSCRIPTION = "/restapi/v1.0/subscription"
Json = dict[str, Any]


class Credentials(Protocol):
    """What one logs in with."""

    @property
    def client_id(self) -> str: ...

    @property
    def client_secret(self) -> str: ...

    @property
    def jwt(self) -> str: ...


class Login:
    """One OAuth session of the demo administrator."""

    def __init__(self, http: httpx.AsyncClient, demo: Credentials, tokens: Json) -> None:
        self.http = http
        self.credentials = demo
        self.tokens = tokens

    @classmethod
    async def of(cls, http: httpx.AsyncClient, demo: Credentials) -> Login:
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": demo.jwt}
        answer = await http.post("/restapi/oauth/token", data=form, auth=(demo.client_id, demo.client_secret))
        assert answer.status_code == 200, answer.text
        return cls(http, demo, answer.json())

    async def refresh(self) -> None:
        """Go on with the same session."""
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        answer = await self.http.post(
            "/restapi/oauth/token", data=form, auth=(self.credentials.client_id, self.credentials.client_secret)
        )
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json()

    async def revoke(self) -> None:
        answer = await self.http.post(
            "/restapi/oauth/revoke",
            data={"token": self.tokens["access_token"]},
            auth=(self.credentials.client_id, self.credentials.client_secret),
        )
        assert answer.status_code == 200, answer.text

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        return await self.http.request(method, path, headers=headers, **options)

    async def socket_token(self) -> Json:
        answer = await self.call("POST", "/restapi/oauth/wstoken")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def connect(self, *, wsc: str | None = None, **options: Any) -> RawSocket:
        token = await self.socket_token()
        url = f"{token['uri']}?access_token={token['ws_access_token']}" + (f"&wsc={wsc}" if wsc is not None else "")
        return await RawSocket.connected(url, **options)


class RawSocket:
    """One connection. `frame` gives what was received, in order; `wsc` is the last recovery token that was seen."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: ClientProtocol) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = protocol
        self._frames: deque[list[Any]] = deque()
        self.answers_pings = True
        self.reads: list[list[str]] = []
        """What came in each read: frame types, `ping` among them."""
        self.wsc = ""
        self.pings = 0
        self._withheld = b""

    @classmethod
    async def connected(cls, url: str, *, answers_pings: bool = True, origin: str | None = None) -> RawSocket:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        protocol = ClientProtocol(parse_uri(url), origin=origin, max_size=None)  # type: ignore[arg-type]
        request = protocol.connect()
        protocol.send_request(request)
        writer.write(b"".join(protocol.data_to_send()))
        socket = cls(reader, writer, protocol)
        socket.answers_pings = answers_pings
        return socket

    async def frame(self, kind: str | None = None) -> list[Any]:
        """The next frame; of this type, where one is given."""
        async with asyncio.timeout(15):
            while not self._frames:
                assert await self._read(), f"closed with {self.close_code} while waiting for {kind}"
        frame = self._frames.popleft()
        if kind is not None:
            assert frame[0]["type"] == kind, frame
        return frame

    async def details(self) -> Json:
        """The body of the first frame."""
        body: Json = (await self.frame("ConnectionDetails"))[1]
        return body

    async def request(
        self, method: str, path: str, body: Any = None, *, message_id: str = "", **meta: Any
    ) -> list[Any]:
        """Make a request by frame; its answer. What came before it stays to be asked for."""
        message_id = message_id or str(uuid.uuid4())
        self.send({"type": "ClientRequest", "messageId": message_id, "method": method, "path": path, **meta}, body)
        return await self.answer(message_id)

    async def answer(self, message_id: str) -> list[Any]:
        async with asyncio.timeout(15):
            while True:
                for frame in self._frames:
                    if frame[0]["type"] == "ClientRequest" and frame[0]["messageId"] == message_id:
                        self._frames.remove(frame)
                        return frame
                assert await self._read(), f"closed with {self.close_code}"

    async def subscribe(self, *filters: str) -> Json:
        body = {"eventFilters": list(filters), "deliveryMode": {"transportType": "WebSocket"}}
        meta, resource = await self.request("POST", SUBSCRIPTION + "/", body)
        assert meta["status"] == 200, resource
        found: Json = resource
        return found

    def send(self, meta: Json, body: Any = None) -> None:
        self.send_text(json.dumps([meta] if body is None else [meta, body]))

    def send_text(self, *texts: str) -> None:
        """Frames in one write."""
        for text in texts:
            self._protocol.send_text(text.encode())
        self._flush()

    def send_fragments(self, *fragments: bytes, begins: bool = False, ends: bool = False) -> None:
        """Parts of one text message, in one write."""
        for at, fragment in enumerate(fragments):
            fin = ends and at == len(fragments) - 1
            if begins and at == 0:
                self._protocol.send_text(fragment, fin=fin)
            else:
                self._protocol.send_continuation(fragment, fin=fin)
        self._flush()

    def ping(self) -> None:
        self._protocol.send_ping(b"client")
        self._flush()

    def answer_pings(self) -> None:
        """Answer those that came, and all that come."""
        self.answers_pings = True
        self._writer.write(self._withheld)
        self._withheld = b""

    async def until_pinged(self, number: int) -> None:
        async with asyncio.timeout(15):
            while self.pings < number:
                assert await self._read()

    async def nothing_more(self) -> None:
        """Whatever the server had to say before it answers a heartbeat, it was nothing else."""
        self.send({"type": "Heartbeat", "messageId": "nothing-more"})
        frame = await self.frame()
        assert frame[0]["type"] == "Heartbeat", frame

    async def closed(self) -> int:
        """Wait for the end; the close code."""
        async with asyncio.timeout(20):
            while await self._read():
                pass
        return self.close_code

    @property
    def close_code(self) -> int:
        received = self._protocol.close_rcvd
        return 1006 if received is None else received.code

    @property
    def status(self) -> int:
        """Of the handshake's answer."""
        response = getattr(self._protocol, "response", None)
        return 0 if response is None else response.status_code

    def begin_closing(self) -> None:
        """The client's half of the closing handshake."""
        self._protocol.send_close(1000)
        self._flush()

    async def close(self) -> None:
        """The closing handshake."""
        self.begin_closing()
        await self.closed()
        self._writer.close()

    def cut(self) -> None:
        """The network is gone: no closing handshake."""
        self._writer.transport.abort()

    def _flush(self) -> None:
        data = b"".join(self._protocol.data_to_send())
        if data and not self._writer.is_closing():
            self._writer.write(data)

    async def _read(self) -> bool:
        try:
            data = await self._reader.read(1 << 20)
        except ConnectionError:
            return False
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        kinds: list[str] = []
        self.reads.append(kinds)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event, kinds)
            else:
                self._protocol.response = event  # type: ignore[attr-defined]
        if self.answers_pings:
            self._flush()
        else:
            self._withheld += b"".join(self._protocol.data_to_send())
        return bool(data)

    def _take(self, event: Frame, kinds: list[str]) -> None:
        if event.opcode is Opcode.PING:
            self.pings += 1
            kinds.append("ping")
        elif event.opcode is Opcode.TEXT:
            frame: list[Any] = json.loads(bytes(event.data))
            self._frames.append(frame)
            kinds.append(frame[0]["type"])
            if "wsc" in frame[0]:
                self.wsc = frame[0]["wsc"]["token"]
