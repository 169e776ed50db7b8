"""Subscriptions that are made, changed, paused and deleted while everything else goes on.

A request that was not answered may have been heeded: it is made again until it is answered, and all between the first
try and the answer counts as being changed. One that made a subscription without saying its id leaves an orphan, which
is found by its address and deleted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import httpx

from torture.endpoints import Endpoint
from torture.ledger import Ledger, Promised
from torture.lives import Lives
from torture.plan import At, Change, Pause, Refilter, Subscribe, Unsubscribe, Wanted
from torture.publishers import FILTERS
from torture.times import due, loop_time
from torture.user import User

PATH = "/restapi/v1.0/subscription"
GONE = 404


class Subscriber:
    """The subscriptions of one endpoint, one at a time."""

    def __init__(self, endpoint: Endpoint, user: User, lives: Lives, ledger: Ledger) -> None:
        self.counts: Counter[str] = Counter()
        self._endpoint = endpoint
        self._user = user
        self._lives = lives
        self._ledger = ledger
        self._promised: Promised | None = None
        self._count = 0

    async def follow(self, changes: Sequence[At[Change]], began: float) -> None:
        async for step in due(changes, began):
            match step:
                case Subscribe(wanted):
                    await self.subscribe(wanted)
                case Refilter(wanted):
                    await self._refilter(wanted)
                case Pause(seconds):
                    await self._lives.ask("POST", f"/subscriptions/{self._id}/pause")
                    await asyncio.sleep(seconds)
                    await self._lives.ask("POST", f"/subscriptions/{self._id}/resume")
                    self.counts["paused"] += 1
                case Unsubscribe():
                    await self._unsubscribe()

    async def subscribe(self, wanted: Wanted) -> Promised:
        self._count += 1
        name = f"{self._endpoint.name} {self._count}"
        mode = {"transportType": "WebHook", "address": self._endpoint.url}
        body = {"eventFilters": [FILTERS[wanted]], "deliveryMode": mode}
        asked = loop_time()
        while True:
            answer = await self._user.call("POST", PATH, json=body)
            if answer is not None and answer.status_code == 200:
                break
            if answer is not None:
                self._ledger.problems.append(f"{self._endpoint.name}: subscribing was answered {answer.text}")
            await self._delete_orphans(wanted, asked)
        self._promised = self._ledger.promise(str(answer.json()["id"]), name, wanted, asked=asked, answered=loop_time())
        self.counts["made"] += 1
        return self._promised

    @property
    def _id(self) -> str:
        assert self._promised is not None
        return self._promised.id

    async def _refilter(self, wanted: Wanted) -> None:
        assert self._promised is not None
        asked = loop_time()
        answer = await self._user.until_answered("PUT", f"{PATH}/{self._id}", json={"eventFilters": [FILTERS[wanted]]})
        self._expect(answer, {200})
        self._promised.change(wanted, asked=asked, answered=loop_time())
        self.counts["changed"] += 1

    async def _unsubscribe(self) -> None:
        assert self._promised is not None
        asked = loop_time()
        answer = await self._user.until_answered("DELETE", f"{PATH}/{self._id}")
        self._expect(answer, {204, GONE})
        self._promised.end(asked=asked, answered=loop_time())
        self.counts["deleted"] += 1

    async def _delete_orphans(self, wanted: Wanted, asked: float) -> None:
        """Find what may have been made for this address without an answer."""
        listed = await self._user.until_answered("GET", PATH)
        for record in listed.json()["records"]:
            if record["deliveryMode"].get("address") == self._endpoint.url and record["id"] not in self._known:
                await self._user.until_answered("DELETE", f"{PATH}/{record['id']}")
                name = f"{self._endpoint.name} orphan"
                self._ledger.orphan(record["id"], name, wanted, asked=asked, ended=loop_time())

    @property
    def _known(self) -> dict[str, Promised]:
        return self._ledger.subscriptions

    def _expect(self, answer: httpx.Response, statuses: set[int]) -> None:
        if answer.status_code not in statuses:
            self._ledger.problems.append(f"{self._endpoint.name}: a change was answered {answer.text}")
