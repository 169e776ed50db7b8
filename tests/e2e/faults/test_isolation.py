"""Black holes beside healthy endpoints: nobody notices.

Three of ten subscriptions lead nowhere: to hosts that accept and never answer, to hosts that never accept, and to names
whose name server is silent. Half of these have been so for a while, half are new in each round and take their
first notifications with all that may be under way at once. In one run, rounds with them and rounds without take turns;
what is compared is the time from publishing to receipt at the healthy ones: the 99th percentile of a round, and of
several rounds the median of the quieter half. A machine that is busy with something else makes single rounds jump by
tenths of a second, with or without holes, so that a few decide nothing against: the test goes on to more of them, and
fails when the last has not brought it below. Holes that do hold others up do so in every round.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median

from bellwire.testing.receiver import ReceivedRequest, Reply, WebhookReceiver
from tests.e2e.faults.endpoints import Unaccepting, until
from tests.e2e.faults.load import FILTER, Server, reached
from tests.e2e.faults.nursery import Nursery
from tests.integration.transports.name_server import NameServer, serving_names

HEALTHY = 14
ROUNDS = range(3, 13)
"""So many are made at least, and at most."""
EVENTS = 60
"""Of a round; each goes to all healthy endpoints, so that 8 of its 840 times are beyond the percentile."""
PACE_SECONDS = 0.02
"""A third of what one core can do beside the receivers' work: what is measured is waiting for holes, not for a core."""
NOISE_SECONDS = 0.005
"""What a scheduler adds now and then to a percentile of a few milliseconds."""


class Clocked:
    """Healthy endpoints that note how long each notification took from when its event was published."""

    def __init__(self) -> None:
        self.published: dict[str, float] = {}
        self.took: list[float] = []
        self.receivers = [WebhookReceiver(keep=False, on_notification=self._note) for _ in range(HEALTHY)]

    def _note(self, request: ReceivedRequest) -> None:
        self.took.append(request.received_at - self.published[request.json()["uuid"]])

    async def round(self, server: Server, name: str, direction: str) -> float:
        """Publish at a steady pace; returns the 99th percentile in seconds, once everybody has everything."""
        self.took.clear()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with server.http() as http, asyncio.TaskGroup() as group:
            for number in range(EVENTS):
                await asyncio.sleep(max(0.0, begun + number * PACE_SECONDS - loop.time()))
                uuid = f"{name}-{number}"
                event = server.message(uuid, key=uuid, direction=direction)
                self.published[uuid] = loop.time()
                group.create_task(server.publish_by(http, [event]))
        async with asyncio.timeout(60):
            while len(self.took) < EVENTS * HEALTHY:  # noqa: ASYNC110 - fourteen receivers tell
                await asyncio.sleep(0.01)
        return sorted(self.took)[int(len(self.took) * 0.99)]


class Holes:
    """Where nothing ever comes back from: three addresses, one of each kind, as often as asked for. They get what is
    inbound. Their addresses are not asked for a handshake, which they could not answer."""

    def __init__(self, server: Server, names: NameServer) -> None:
        self.hung = WebhookReceiver(keep=False, answer=lambda _request: Reply(never=True))
        self.unaccepting = Unaccepting()
        self._server = server
        self._names = names
        self._made = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with self.hung, self.unaccepting.listening():
            await self.unaccepting.shut()
            yield

    async def subscribe(self) -> list[str]:
        """Returns three subscriptions: hung, unaccepting, nameless."""
        self._made += 1
        host = f"hole{self._made}.test"
        self._names.silent.add(host)
        addresses = [self.hung.url, self.unaccepting.url, f"http://{host}/webhook"]
        paths = [f"{address}?{self._made}" for address in addresses]
        return await self._server.seed_subscriptions(paths, FILTER + "?direction=Inbound")


def quiet(percentiles: Sequence[float]) -> float:
    """The median of the quieter half."""
    return median(sorted(percentiles)[: (len(percentiles) + 1) // 2])


async def test_with_thirty_per_cent_black_holes_the_p99_of_the_others_at_most_doubles(
    tmp_path: Path, nursery: Nursery
) -> None:
    data = tmp_path / "data"
    clocked = Clocked()
    async with AsyncExitStack() as stack:
        names = await stack.enter_async_context(serving_names())
        process = nursery.dev(data, environ={"BELLWIRE_DNS_SERVERS": names.address})
        server = await reached(stack.enter_context(process), data)
        for receiver in clocked.receivers:
            await stack.enter_async_context(receiver)
            await server.subscribe(receiver.url)
        holes = Holes(server, names)
        await stack.enter_async_context(holes.open())
        old = await holes.subscribe()

        async def without(number: int) -> float:
            """Nothing is sent to the holes, or matches them."""
            for hole in old:
                await server.ask("POST", f"/subscriptions/{hole}/pause")
            await until(server.figures, lambda figures: figures["bellwire_attempts_in_flight"] == 0)
            return await clocked.round(server, f"without{number}", "Outbound")

        async def beside(number: int) -> float:
            new = await holes.subscribe()
            for hole in old:
                await server.ask("POST", f"/subscriptions/{hole}/resume")
            percentile = await clocked.round(server, f"beside{number}", "Inbound")
            for hole in new:
                assert (await server.health(hole))["delivered"] == 0
                await server.unsubscribe(hole)
            return percentile

        await clocked.round(server, "warm-up", "Outbound")
        baselines, troubled = [], []
        for number in range(ROUNDS.stop):
            baselines.append(await without(number))
            troubled.append(await beside(number))
            bearable = 2 * quiet(baselines) + NOISE_SECONDS
            if len(troubled) >= ROUNDS.start and quiet(troubled) <= bearable:
                break
        health = [await server.health(hole) for hole in old]

    print(f"p99 without {baselines}, beside {troubled}")  # noqa: T201 - pytest shows it when the test fails
    assert [of["lastFailure"]["failureCode"] for of in health] == ["response_timeout", "connect_timeout", "dns"]
    assert [of["deliveries"]["backlogRows"] for of in health] == [EVENTS * len(troubled)] * 3, "all of theirs waits"
    assert len({name for name, _ in names.asked}) >= len(troubled), "each new name was looked up, and none was answered"
    assert quiet(troubled) <= bearable, f"{quiet(troubled):.4f} s beside them, {quiet(baselines):.4f} s without"
