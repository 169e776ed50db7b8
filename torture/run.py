"""One run: everything at once for so long, then a drain, and then the books are opened."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from random import Random

from tests.e2e.faults.beside import beside
from tests.e2e.faults.nursery import Nursery
from tests.e2e.faults.small_disk import CannotMount, Filler, mounted
from tests.e2e.processes import bellwire
from torture import history
from torture.batches import Batches
from torture.blows import Blows
from torture.checker import Found, check
from torture.churn import Subscriber
from torture.endpoints import Certificates, Endpoint
from torture.isolation import measured
from torture.ledger import Ledger, Promised
from torture.lives import LOOKED_AT_SECONDS, Lives
from torture.plan import ADVANCE_SECONDS, At, Breaks, Mood, Plan, Wanted
from torture.publishers import Publisher
from torture.report import MIB, Outcome
from torture.sessions import Session
from torture.times import loop_time, sleep_until
from torture.user import User

DRAIN_SECONDS = 60.0
"""So long after the last event, everything that is owed has to have come."""
CLOSING_SECONDS = 120.0
"""For the rest: history is read, the server stopped, its directory checked. A run ends that long after its seconds and
the drain at the latest."""
DISK_MIB = 448
KEYS = 8
BATCH = 2
PAUSE_SECONDS = 0.2
HEALTHY = 4
PROGRESS_SECONDS = 10.0
RSS_ALLOWANCE_BYTES = 192 * MIB
"""Beyond what the first process had when it answered: 128 MiB of notifications may wait in memory, and the rest."""
Say = Callable[[str], None]


class Torture:
    """Everybody who takes part."""

    def __init__(self, plan: Plan, directory: Path, data: Path, filler: Filler | None, nursery: Nursery) -> None:
        self.plan = plan
        self.ledger = Ledger()
        certificates = Certificates(directory)
        self.healthy = [Endpoint(f"healthy {n}", self.ledger) for n in range(HEALTHY)]
        self.broken = {
            mood: Endpoint(mood, self.ledger, certificates if mood is Mood.BAD_TLS else None) for mood in Mood
        }
        self.churned = [Endpoint(f"churned {n}", self.ledger) for n in range(len(plan.changes))]
        environ = {
            "BELLWIRE_MIN_FREE_MIB": "8",
            "BELLWIRE_WEBHOOK_CA_FILE": str(certificates.authority_file),
            "BELLWIRE_WEBSOCKET_RECOVERY_MESSAGES": "20000",
            "BELLWIRE_SMS_SIMULATOR_DELAY_MS": "200",
            "BELLWIRE_LOG_LEVEL": "warning",
        }
        self.endpoints = [*self.healthy, *self.broken.values(), *self.churned]
        self.lives = Lives(nursery, data, directory / "scratch", environ, self.endpoints)
        self.user = User(self.lives)
        self.subscribers = [Subscriber(each, self.user, self.lives, self.ledger) for each in self.churned]
        wanted = list(Wanted)
        self.sessions = [
            Session(f"socket {n}", wanted[n % len(wanted)], self.lives, self.ledger) for n in range(len(plan.drops))
        ]
        self.publishers = [
            Publisher(f"torture{n}", self.lives, self.ledger, batch=BATCH, pause_seconds=PAUSE_SECONDS)
            for n in range(KEYS)
        ]
        self.batches: Batches
        self.blows = Blows(self.lives, filler, Random(f"{plan.seed} tails"), self.now)
        self.staying: list[Promised] = []
        self.began = 0.0
        self.left_out: list[str] = []

    def now(self) -> float:
        """Seconds from the beginning."""
        return loop_time() - self.began

    async def run(self, say: Say) -> Outcome:
        started = time.monotonic()
        async with AsyncExitStack() as stack:
            for endpoint in self.endpoints:
                await endpoint.start()
                stack.push_async_callback(endpoint.stop)
            await self.lives.begin()
            stack.push_async_callback(self.lives.close)
            server = await self.lives.arrive()
            self.batches = await stack.enter_async_context(_listening(self.user, server.demo["BELLWIRE_A2P_NUMBER"]))
            await self._subscribe()
            self.began = loop_time()
            await stack.enter_async_context(beside(self._watch(say)))
            sockets = [asyncio.create_task(session.run()) for session in self.sessions]
            await self._suffer()
            await self._drain()
            for socket in sockets:
                socket.cancel()
            for ended in await asyncio.gather(*sockets, return_exceptions=True):
                if not isinstance(ended, asyncio.CancelledError):
                    raise ended or AssertionError("a session ended by itself")
            say("everything is still; the books are opened")
            async with asyncio.timeout(CLOSING_SECONDS):
                return await self._judge(started)

    async def _subscribe(self) -> None:
        """Those that stay to the end, and are left alone."""
        wanted = [Wanted.ALL, Wanted.INBOUND, Wanted.OUTBOUND]
        for number, endpoint in enumerate([*self.healthy, *self.broken.values()]):
            one = Subscriber(endpoint, self.user, self.lives, self.ledger)
            self.staying.append(await one.subscribe(wanted[number % len(wanted)]))
        await self.batches.subscribe()

    async def _suffer(self) -> None:
        plan, until = self.plan, self.plan.seconds
        async with asyncio.TaskGroup() as group:
            for publisher in self.publishers:
                group.create_task(publisher.run(lambda: self.now() < until))
            group.create_task(self.blows.deal(plan.blows, plan.suffering))
            group.create_task(self._break(plan.breaks))
            for subscriber, changes in zip(self.subscribers, plan.changes, strict=True):
                group.create_task(subscriber.follow(changes, self.began))
            for session, drops in zip(self.sessions, plan.drops, strict=True):
                group.create_task(session.follow(drops, self.began))
            group.create_task(self.batches.follow(plan.batches, self.began))

    async def _break(self, breaks: tuple[At[Breaks], ...]) -> None:
        async def one(at: At[Breaks]) -> None:
            await sleep_until(at.seconds, self.now)
            endpoint = self.broken[at.step.mood]
            await endpoint.breaks(at.step.mood)
            await sleep_until(at.step.heals_at, self.now)
            await endpoint.heals()

        async with asyncio.TaskGroup() as group:
            for at in breaks:
                group.create_task(one(at))

    async def _drain(self) -> None:
        """Until everything has come, or for so long. Running time goes ahead now and then, since pauses grow."""
        ends = self.now() + DRAIN_SECONDS
        ahead = self.now()
        while self.now() < ends and not self._is_still():
            if self.now() >= ahead:
                await self.lives.ask("POST", "/dev/clock", json={"advanceSeconds": ADVANCE_SECONDS})
                ahead = self.now() + DRAIN_SECONDS / 4
            await asyncio.sleep(0.5)

    def _is_still(self) -> bool:
        acknowledged = self.ledger.acknowledged
        owed = [*self.ledger.subscriptions.values(), *(each for session in self.sessions for each in session.promised)]
        return self.batches.are_told() and not any(each.witness.lacks(acknowledged) for each in owed)

    async def _judge(self, started: float) -> Outcome:
        present = [each.id for each in self.ledger.subscriptions.values() if each.witness.is_owed]
        deliveries = {id_: await history.delivered(self.lives, id_) for id_ in present}
        events = await history.logged(self.lives, "torture")
        sms = await self.batches.complaints()
        code = await self.lives.terminate()
        data = self.lives.data
        checked = await asyncio.to_thread(bellwire, "check", "--data", str(data))
        sessions = [each for session in self.sessions for each in session.promised]
        found = Found(
            self.ledger, sessions, self.lives.ended, self.lives.on_record, self.lives.records.failed, events, deliveries
        )
        verdict = check(found)
        isolation = measured(
            self.ledger,
            self.staying[:HEALTHY],
            self.began,
            quiet=self.plan.quiet,
            troubled=self.plan.troubled,
            disturbed=self.blows.disturbed,
        )
        users = [self.user, *(session.user for session in self.sessions)]
        bound = self.lives.first_rss_bytes + RSS_ALLOWANCE_BYTES
        complaints = [
            *verdict.complaints,
            *self.blows.problems,
            *self.lives.tracebacks,
            *(problem for session in self.sessions for problem in session.problems),
            *(error for user in users for error in user.errors),
            *sms,
        ]
        if isolation.is_broken:
            complaints.append("isolation: broken endpoints delay the healthy ones, far beyond noise")
        if self.lives.peak_rss_bytes > bound:
            complaints.append(f"memory: {self.lives.peak_rss_bytes:,} bytes, and no more than {bound:,} were allowed")
        if code != 0:
            complaints.append(f"the last stop ended with {code}: {self.lives.process.output()[-2000:]}")
        if checked.returncode != 0:
            complaints.append(f"bellwire check: {checked.stdout}{checked.stderr}")
        return Outcome(
            seed=self.plan.seed,
            seconds=self.plan.seconds,
            lasted_seconds=time.monotonic() - started,
            verdict=verdict,
            isolation=isolation,
            published=len(self.ledger.entries),
            acknowledged=len(self.ledger.acknowledged),
            refusals=self.ledger.refusals,
            blows=self.blows.counts,
            left_out=self.left_out,
            peak_rss_bytes=self.lives.peak_rss_bytes,
            rss_bound_bytes=bound,
            changes=sum((each.counts for each in self.subscribers), Counter()),
            sockets=sum((each.counts for each in self.sessions), Counter()),
            sms_messages=self.batches.messages,
            sms_events=self.batches.events,
            sms_repeats=self.batches.repeats,
            sms_final=self.batches.final_states,
            load_average=os.getloadavg(),
            complaints=complaints,
        )

    async def _watch(self, say: Say) -> None:
        """Look at the process's memory, and tell how far it is, until cancelled."""
        told = 0.0
        while True:
            await asyncio.sleep(LOOKED_AT_SECONDS)
            self.lives.look_at_memory()
            if self.now() >= told + PROGRESS_SECONDS:
                told = math.floor(self.now() / PROGRESS_SECONDS) * PROGRESS_SECONDS
                say(self._progress())

    def _progress(self) -> str:
        receipts = sum(len(each.witness.receipts) for each in self.ledger.subscriptions.values())
        missing = sum(len(each.witness.lacks(self.ledger.acknowledged)) for each in self.ledger.subscriptions.values())
        blows = ", ".join(f"{count} {name}" for name, count in sorted(self.blows.counts.items())) or "nothing yet"
        return (
            f"{self.now():4.0f} s  {len(self.ledger.acknowledged):,} acknowledged, {receipts:,} receipts, {missing:,} "
            f"to come; SMS: {self.batches.events:,} events; suffered: {blows}"
        )


@asynccontextmanager
async def _listening(user: User, number: str) -> AsyncIterator[Batches]:
    batches = Batches(user, number)
    async with batches.receiver:
        yield batches


@contextmanager
def a_disk(directory: Path) -> Iterator[tuple[Path, Filler | None, list[str]]]:
    """A place for the data directory, which may be filled up where one can be mounted; and what is left out if not."""
    with ExitStack() as stack:
        place, filler, left_out = directory, None, []
        try:
            place = stack.enter_context(mounted(directory / "disk", DISK_MIB))
        except CannotMount as error:
            left_out = [f"disk full: {error}"]
        else:
            filler = Filler(place)
        yield place, filler, left_out
