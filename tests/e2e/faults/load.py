"""Load for fault tests: producers that number what they publish, so that it shows what was lost, doubled or swapped.

A producer has one ordering key, and publishes its events one after the other. Where an answer never came, it publishes
the same events again, with the same uuids, before it goes on: as a careful producer does.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from bellwire.testing.receiver import ReceivedRequest, WebhookReceiver
from tests.command_line import run
from tests.e2e.faults.nursery import Forked
from tests.e2e.processes import BellwireProcess, env_of

FILTER = "/restapi/v1.0/account/~/a2p-sms/messages"


@dataclass
class Server:
    """Where a process is reached, and what its demo account's credentials are."""

    url: str
    demo: dict[str, str]

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30)

    async def bearer(self, http: httpx.AsyncClient) -> dict[str, str]:
        token = await http.post(
            "/restapi/oauth/token",
            data={"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": self.demo["RC_USER_JWT"]},
            auth=(self.demo["RC_APP_CLIENT_ID"], self.demo["RC_APP_CLIENT_SECRET"]),
        )
        return {"Authorization": f"Bearer {token.json()['access_token']}"}

    async def ask(self, method: str, path: str, *, status: int = 200, **arguments: Any) -> Any:
        """The own API, as the operator."""
        headers = {"Authorization": f"Bearer {self.demo['BELLWIRE_ADMIN_KEY']}"}
        async with self.http() as http:
            answer = await http.request(method, "/bellwire/v1" + path, headers=headers, **arguments)
            assert answer.status_code == status, answer.text
            return answer.json()

    async def figures(self) -> dict[str, float]:
        """Metrics without labels."""
        async with self.http() as http:
            text = (await http.get("/metrics")).text
        lines = (line.split() for line in text.splitlines() if line.startswith("bellwire_") and "{" not in line)
        return {name: float(value) for name, value in lines}

    async def health(self, subscription: str) -> Any:
        return await self.ask("GET", f"/subscriptions/{subscription}/health")

    async def attempts(self, subscription: str, **query: Any) -> list[Any]:
        """Of a subscription, from history, oldest first."""
        found: list[Any] = []
        while True:
            page = await self.ask("GET", "/deliveries", params={"limit": 1000, "subscription": subscription, **query})
            found += page["records"]
            if page["nextCursor"] is None:
                return found[::-1]
            query["cursor"] = page["nextCursor"]

    async def subscribe(self, address: str, *filters: str, **more: Any) -> str:
        """Returns the subscription's id."""
        mode = {"transportType": "WebHook", "address": address}
        async with self.http() as http:
            answer = await http.post(
                "/restapi/v1.0/subscription",
                json={"eventFilters": filters or [FILTER], "deliveryMode": mode, **more},
                headers=await self.bearer(http),
            )
            assert answer.status_code == 200, answer.text
            return str(answer.json()["id"])

    async def seed_subscriptions(self, addresses: Sequence[str], event_filter: str) -> list[str]:
        """Subscriptions of addresses that are not asked for a handshake; returns their ids."""
        demo = self.demo
        ids = [str(uuid4()) for _ in addresses]
        records = [
            {
                "id": id_,
                "ownerId": demo["BELLWIRE_EXTENSION_ID"],
                "clientId": demo["RC_APP_CLIENT_ID"],
                "address": address,
                "eventFilters": [event_filter],
            }
            for id_, address in zip(ids, addresses, strict=True)
        ]
        await self.ask("POST", "/dev/seed", content=json.dumps({"subscriptions": records}))
        return ids

    async def refilter(self, subscription: str, *filters: str) -> None:
        async with self.http() as http:
            path = f"/restapi/v1.0/subscription/{subscription}"
            answer = await http.put(path, json={"eventFilters": filters}, headers=await self.bearer(http))
            assert answer.status_code == 200, answer.text

    async def unsubscribe(self, subscription: str) -> None:
        async with self.http() as http:
            path = f"/restapi/v1.0/subscription/{subscription}"
            answer = await http.delete(path, headers=await self.bearer(http))
            assert answer.status_code == 204, answer.text

    async def error_of(self, subscription: str) -> tuple[int, str]:
        """Status and error code of reading a subscription that is no more."""
        async with self.http() as http:
            path = f"/restapi/v1.0/subscription/{subscription}"
            answer = await http.get(path, headers=await self.bearer(http))
            return answer.status_code, answer.json()["errorCode"]

    def message(self, uuid: str, *, key: str, direction: str) -> dict[str, Any]:
        """An event to be published. `key`: its ordering key."""
        return {
            "event": f"/restapi/v1.0/account/{self.demo['BELLWIRE_ACCOUNT_ID']}/a2p-sms/messages",
            "uuid": uuid,
            "body": {
                "id": key,
                "from": "+16505550180",
                "to": ["+14842910071"],
                "direction": direction,
                "messageStatus": "Delivered",
            },
        }

    async def publish(self, events: Sequence[dict[str, Any]]) -> None:
        """All of them, and they are taken."""
        async with self.http() as http:
            await self.publish_by(http, events)

    async def publish_by(self, http: httpx.AsyncClient, events: Sequence[dict[str, Any]]) -> None:
        """The same, by a client that is open already."""
        answer = await self.post(events, http)
        assert answer.status_code == 202, answer.text
        assert answer.json()["accepted"] == len(events), answer.text

    async def post(self, events: Sequence[dict[str, Any]], http: httpx.AsyncClient) -> httpx.Response:
        key = self.demo["BELLWIRE_PUBLISHER_KEY"]
        return await http.post("/bellwire/v1/events", json=events, headers={"Authorization": f"Bearer {key}"})


async def figure(http: httpx.AsyncClient, name: str) -> float:
    """What the metrics say of one series; `name` is a pattern for its name and labels."""
    found = re.search(rf"^{name} ([0-9.e+]+)$", (await http.get("/metrics")).text, re.MULTILINE)
    assert found is not None, f"there is no {name}"
    return float(found[1])


async def reached(process: Forked | BellwireProcess, data: Path) -> Server:
    """A process's server, once it answers."""
    url = await asyncio.to_thread(process.url)
    return Server(url, env_of(run("env", "--data", str(data)).out))


@dataclass
class Producer:
    """Publishes batches of consecutive numbers until the server is gone."""

    name: str
    batch: int = 5
    pause: float = 0.0
    """Seconds between two batches."""
    batches: int | None = None
    """How many to publish; by default until told to stop."""
    acknowledged: list[str] = field(default_factory=list)

    async def run(self, server: Server, stopping: asyncio.Event) -> None:
        """Until told to stop, or the connection breaks."""
        async with server.http() as http:
            while not stopping.is_set():
                try:
                    answer = await self._publish(server, http)
                except httpx.TransportError:
                    return
                if answer.status_code in {429, 503}:
                    return
                assert answer.status_code == 202, answer.text
                assert answer.json()["rejectedCount"] == 0, answer.text
                first = len(self.acknowledged)
                self.acknowledged += [f"{self.name}-{first + n}" for n in range(self.batch)]
                if self.batches and len(self.acknowledged) >= self.batches * self.batch:
                    return
                await asyncio.sleep(self.pause)

    @property
    def published(self) -> list[str]:
        """What was acknowledged, and what may have been taken without an answer."""
        first = len(self.acknowledged)
        return [*self.acknowledged, *(f"{self.name}-{first + n}" for n in range(self.batch))]

    async def _publish(self, server: Server, http: httpx.AsyncClient) -> httpx.Response:
        first = len(self.acknowledged)
        return await server.post([self._event(server, first + n) for n in range(self.batch)], http)

    def _event(self, server: Server, number: int) -> dict[str, Any]:
        direction = "Inbound" if number % 2 else "Outbound"
        return server.message(f"{self.name}-{number}", key=self.name, direction=direction)


@dataclass
class Load:
    """Several producers at once."""

    producers: list[Producer]

    @property
    def acknowledged(self) -> list[str]:
        return [uuid for producer in self.producers for uuid in producer.acknowledged]

    @property
    def published(self) -> list[str]:
        return [uuid for producer in self.producers for uuid in producer.published]

    async def run(self, server: Server, stopping: asyncio.Event) -> None:
        await asyncio.gather(*(producer.run(server, stopping) for producer in self.producers))


@asynccontextmanager
async def under(load: Load, server: Server) -> AsyncIterator[None]:
    """Publish while the context lasts."""
    stopping = asyncio.Event()
    running = asyncio.create_task(load.run(server, stopping))
    try:
        yield
    finally:
        stopping.set()
        await running


class Inbox:
    """What an endpoint received, in order, with the times.

    Its path is its own: a server of another test may go on trying a port that was given away since.
    """

    def __init__(self) -> None:
        self.uuids: list[str] = []
        self.times: list[float] = []
        self.seen: set[str] = set()
        self._path = f"/inbox/{uuid4()}"
        self.receiver = WebhookReceiver(path=self._path, keep=False, on_notification=self._note)

    def _note(self, request: ReceivedRequest) -> None:
        if request.target != self._path:
            return
        uuid = request.json()["uuid"]
        self.uuids.append(uuid)
        self.times.append(request.received_at)
        self.seen.add(uuid)

    def forget(self) -> None:
        """Begin anew."""
        self.uuids.clear()
        self.times.clear()
        self.seen.clear()

    async def wait_for(self, number: int) -> None:
        await self.receiver.wait_until(lambda: len(self.uuids) >= number, 60, f"{number} notifications")

    async def wait_for_all(self, uuids: Sequence[str]) -> None:
        wanted = set(uuids)
        await self.receiver.wait_until(lambda: wanted <= self.seen, 60, f"{len(wanted)} events")

    def repeated(self) -> dict[str, list[float]]:
        """Events that came more than once, each with the times that it came at."""
        doubled: dict[str, list[float]] = {uuid: [] for uuid, count in Counter(self.uuids).items() if count > 1}
        for uuid, at in zip(self.uuids, self.times, strict=True):
            if uuid in doubled:
                doubled[uuid].append(at)
        return doubled

    def assert_key_order(self) -> None:
        """Of each producer, the events came in the order of their numbers, each first coming counted."""
        last: dict[str, int] = {}
        for uuid in dict.fromkeys(self.uuids):
            name, _, number = uuid.rpartition("-")
            assert int(number) > last.get(name, -1), f"{uuid} came after {name}-{last[name]}"
            last[name] = int(number)
