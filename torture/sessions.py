"""WebSocket sessions whose connections are cut, or die with the server, and whose clients come back for them.

A notification is owed to a session for as long as it is recovered each time. One that asks for its session in time and
does not get it back breaks a rule, too, unless the clock was moved meanwhile: a session has 180 s, by the clock.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence

import httpx

from tests.e2e.faults.audit import Receipt
from tests.e2e.raw_socket import RawSocket
from torture.endpoints import PUBLISHED_HERE
from torture.ledger import Ledger, Promised, Term
from torture.lives import Lives
from torture.plan import At, Drop, Wanted
from torture.publishers import FILTERS
from torture.times import due, loop_time
from torture.user import UNAUTHORIZED, User


class Session:
    """One client. `promised`: the sessions that it had, one after the other, the last one going on."""

    def __init__(self, name: str, wanted: Wanted, lives: Lives, ledger: Ledger) -> None:
        self.counts: Counter[str] = Counter()
        self.promised: list[Promised] = []
        self.problems: list[str] = []
        self.user = User(lives)
        self._name = name
        self._wanted = wanted
        self._lives = lives
        self._ledger = ledger
        self._socket: RawSocket | None = None
        self._wsc: str | None = None
        self._away_seconds = 0.0

    async def run(self) -> None:
        """Be connected, and connect again, until cancelled."""
        while True:
            await asyncio.sleep(self._away_seconds)
            self._away_seconds = 0.0
            try:
                await self._connect()
                await self._read()
            except (httpx.TransportError, OSError, AssertionError, TimeoutError):
                await asyncio.sleep(0.1)
            finally:
                if self._socket is not None:
                    self._socket.cut()
                self._socket = None

    async def follow(self, drops: Sequence[At[Drop]], began: float) -> None:
        async for drop in due(drops, began):
            if self._socket is not None:
                self._away_seconds = drop.away_seconds
                self._socket.cut()
                self.counts["dropped"] += 1

    async def _connect(self) -> None:
        server, http = await self._lives.server()
        login = await self.user.login(server, http)
        answer = await login.call("POST", "/restapi/oauth/wstoken")
        if answer.status_code == UNAUTHORIZED:
            await self.user.renew(login)
        if answer.status_code != 200:
            raise AssertionError(answer.text)
        token = answer.json()
        address = f"{token['uri']}?access_token={token['ws_access_token']}"
        socket = await RawSocket.connected(address if self._wsc is None else f"{address}&wsc={self._wsc}")
        try:
            await self._begin(socket)
        except BaseException:
            socket.cut()
            raise
        self._socket = socket

    async def _begin(self, socket: RawSocket) -> None:
        """Ask for the session back, or begin another."""
        details = await socket.details()
        if self._wsc is not None:
            self._note_recovery(details.get("recoveryState"), details.get("recoveryErrorCode"))
        if self._wsc is None:
            if self.promised:  # nobody can ask for it any more: it was lost before a token came, or is not given back
                self.promised[-1].end(asked=loop_time(), answered=loop_time())
            asked = loop_time()
            made = await socket.subscribe(FILTERS[self._wanted])
            term = Term(self._wanted, asked, loop_time())
            name = f"{self._name} {len(self.promised) + 1}"
            self.promised.append(Promised(made["id"], name, self._ledger, [term]))
            self._wsc = socket.wsc or None

    def _note_recovery(self, state: str | None, code: str | None) -> None:
        if state == "Successful":
            self.counts["recovered"] += 1
            return
        self.counts["not recovered"] += 1
        self.problems.append(f"{self._name}: a session was not given back in time: {state} {code}")
        self._wsc = None

    async def _read(self) -> None:
        socket = self._socket
        assert socket is not None
        seen: set[str] = set()
        while True:
            try:
                frame = await socket.frame()
            except TimeoutError:
                continue
            if frame[0]["type"] == "Error":
                self.counts[f"errors {json.dumps(frame[1].get('errorCode'))}"] += 1
            if frame[0]["type"] != "ServerNotification":
                continue
            self._wsc = socket.wsc
            notification = frame[1]
            if not PUBLISHED_HERE.fullmatch(notification["uuid"]):
                continue
            if notification["subscriptionId"] != self.promised[-1].id:
                self.problems.append(f"{self._name}: {notification['uuid']} of {notification['subscriptionId']}")
            if notification["uuid"] in seen:
                self.problems.append(f"{self._name}: {notification['uuid']} came twice on one connection")
            seen.add(notification["uuid"])
            life = self._lives.ended
            self.promised[-1].receive(Receipt(notification["uuid"], life, taken=True, at=loop_time()))
