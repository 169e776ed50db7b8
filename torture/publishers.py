"""Publishers that number what they publish, and publish it again until it is acknowledged, as careful ones do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from tests.e2e.faults.audit import Event
from tests.e2e.faults.load import Server
from torture.ledger import Entry, Ledger
from torture.lives import BUSY, Lives
from torture.plan import Wanted
from torture.times import loop_time

SENDER = "+12025550199"
"""The number that the published events are from. Subscriptions ask for it, so that they get nothing of SMS batches."""
FILTERS = {
    Wanted.ALL: "/restapi/v1.0/account/~/a2p-sms/messages?from=%2B12025550199",
    Wanted.INBOUND: "/restapi/v1.0/account/~/a2p-sms/messages?from=%2B12025550199&direction=Inbound",
    Wanted.OUTBOUND: "/restapi/v1.0/account/~/a2p-sms/messages?from=%2B12025550199&direction=Outbound",
}


class Publisher:
    """One ordering key. Batches of consecutive numbers, one after the other."""

    def __init__(self, key: str, lives: Lives, ledger: Ledger, *, batch: int, pause_seconds: float) -> None:
        self._key = key
        self._lives = lives
        self._ledger = ledger
        self._batch = batch
        self._pause_seconds = pause_seconds
        self._next = 0

    async def run(self, goes_on: Callable[[], bool]) -> None:
        while goes_on():
            entries = self._enter()
            while not await self._is_taken(entries):  # noqa: ASYNC110 - a server's state tells nobody
                await asyncio.sleep(0.05)
            now = loop_time()
            for entry in entries:
                entry.acknowledged_at = now
            await asyncio.sleep(self._pause_seconds)

    def _enter(self) -> list[Entry]:
        now = loop_time()
        events = [Event(f"{self._key}-{n}", self._key, n) for n in range(self._next, self._next + self._batch)]
        self._next += self._batch
        entries = [Entry(event, now) for event in events]
        self._ledger.entries |= {entry.event.uuid: entry for entry in entries}
        return entries

    async def _is_taken(self, entries: list[Entry]) -> bool:
        server, http = await self._lives.server()
        try:
            answer = await server.post([_message(server, entry.event) for entry in entries], http)
        except httpx.TransportError:
            return False
        if answer.status_code in BUSY:
            self._ledger.refusals[answer.status_code] += 1
            return False
        taken = answer.json() if answer.status_code == 202 else {}
        if taken.get("accepted", 0) + taken.get("duplicates", 0) != len(entries):
            self._ledger.problems.append(f"publishing {entries[0].event.uuid}…: {answer.status_code} {answer.text}")
            return answer.status_code == 202
        return True


def _message(server: Server, event: Event) -> dict[str, Any]:
    found = server.message(event.uuid, key=event.key, direction="Inbound" if event.number % 2 else "Outbound")
    found["body"]["from"] = SENDER
    return found
