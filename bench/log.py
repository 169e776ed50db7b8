"""Measures the embedded engine's files: appends a second, sizes of groups, the delivery commit, the backlog.

    .venv/bin/python bench/log.py [--data DIR]      about 15 seconds; DIR is on the disk to be measured

Workload: events of 500 bytes, appended through the port by concurrent callers on one event loop, in calls of 64 and of
256, without and with uuids chosen by the producer. Beside it in the same run, *bare*: the same rows into a table by
`apsw` in one thread, 512 in a commit, with nothing else to do. The ratio of the two says what the engine costs,
whatever the machine; rates are of this machine at this moment.

Aim: at least 80,000 rows a second with chosen uuids.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from bellwire.model.attempt import Attempt, AttemptOutcome, BacklogRow
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import EMBEDDED_PARTITION, AccountId, Position, SubscriptionId
from bellwire.storage.embedded import ADVISED_SWITCH_INTERVAL_SECONDS, EngineFiles, open_engine_files
from bellwire.storage.embedded.log_file import LogFile

SECONDS = 2.0
BODY = os.urandom(500)
AIM_ROWS_PER_SECOND = 80_000


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class Load:
    name: str
    events_per_call: int
    callers: int
    chosen: bool


LOADS = (
    Load("calls of 1, 64 callers", 1, 64, False),
    Load("calls of 64, 16 callers", 64, 16, False),
    Load("calls of 64, 16 callers, chosen", 64, 16, True),
    Load("calls of 256, 8 callers", 256, 8, False),
    Load("calls of 256, 8 callers, chosen", 256, 8, True),
)


def an_event(number: int, chosen: bool) -> Event:
    return Event(
        account=AccountId("1000001"),
        uuid=f"5f0c9c9e-0000-4000-8000-{number:012d}",
        chosen=chosen,
        topic="/restapi/v1.0/account/1000001/extension/2000001/telephony/sessions",
        timestamp_ms=1_795_000_000_000 + number,
        body=BODY,
    )


def bare(directory: Path) -> float:
    """Rows a second of the log's own statement, alone."""
    log = LogFile(directory)
    rows = 0
    start = time.perf_counter()
    while time.perf_counter() - start < SECONDS / 2:
        first = log.head + 1
        log.write([LoggedEvent(Position(first + n), an_event(first + n, False)) for n in range(512)], 0, 0)
        rows += 512
    rate = rows / (time.perf_counter() - start)
    log.close()
    return rate


async def append(files: EngineFiles, load: Load, numbers: list[int]) -> tuple[float, float, list[float]]:
    """Rows a second, rows a group, and how long the calls took in seconds, sorted."""
    took: list[float] = []
    until = time.perf_counter() + SECONDS
    heads: set[int] = set()

    async def caller() -> None:
        while time.perf_counter() < until:
            first = numbers[0]
            numbers[0] += load.events_per_call
            events = [an_event(first + n, load.chosen) for n in range(load.events_per_call)]
            start = time.perf_counter()
            await files.event_log.append(EMBEDDED_PARTITION, events)
            took.append(time.perf_counter() - start)
            heads.add(files.event_log.head(EMBEDDED_PARTITION))

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(load.callers)))
    elapsed = time.perf_counter() - start
    groups = len(heads)  # the head moves once for each group, and each group wakes a caller
    rows = len(took) * load.events_per_call
    return rows / elapsed, rows / groups, sorted(took)


async def delivery(files: EngineFiles) -> None:
    """The commit of every 50 ms (640 attempts, 100 puts), and what a large backlog costs."""
    lease = await files.backlog.claim(EMBEDDED_PARTITION)
    names = [SubscriptionId(f"{n:08d}-0000-4000-8000-000000000000") for n in range(100)]
    took = []
    for commit in range(40):
        attempts = [
            Attempt(
                subscription=names[n % 100],
                position=Position(commit * 640 + n),
                topic="/restapi/v1.0/account/1000001/extension/2000001/telephony/sessions",
                uuid=f"5f0c9c9e-0000-4000-8000-{n:012d}",
                number=1,
                address="https://hooks.example.com/bellwire/incoming",
                started_ms=1_795_000_000_000,
                duration_us=2_500,
                outcome=AttemptOutcome.DELIVERED,
            )
            for n in range(640)
        ]
        puts = [a_row(names[n], commit * 100 + n) for n in range(100)]
        start = time.perf_counter()
        await files.backlog.commit(lease, Position(commit * 640), attempts, puts, [])
        took.append(time.perf_counter() - start)
    took.sort()
    print(f"delivery commit, 640 attempts + 100 puts: p50 {took[20] * 1e3:.1f} ms, max {took[-1] * 1e3:.1f} ms")

    start = time.perf_counter()
    for first in range(0, 300_000, 10_000):
        rows = [a_row(names[n % 100], 1_000_000 + n) for n in range(first, first + 10_000)]
        await files.backlog.commit(lease, Position(2_000_000), [], rows, [])
    print(f"backlog of 300,000 rows: put at {300_000 / (time.perf_counter() - start):,.0f} rows/s", end="")
    start = time.perf_counter()
    recovery = await files.backlog.load(lease)
    print(f", loaded in {time.perf_counter() - start:.2f} s ({len(recovery.totals)} subscriptions)", end="")
    start = time.perf_counter()
    await files.backlog.pending(names[50], (Position(1_100_000), ""), 64)
    print(f", a page of 64 in {(time.perf_counter() - start) * 1e3:.2f} ms")


def a_row(subscription: SubscriptionId, position: int) -> BacklogRow:
    return BacklogRow(
        subscription=subscription,
        position=Position(position),
        topic="/restapi/v1.0/account/1000001/extension/2000001/telephony/sessions",
        key=f"session-{position}",
        filter_version=1,
        filter_index=0,
        size_bytes=500,
    )


def fail(problem: BaseException) -> None:
    sys.exit(f"the disk failed: {problem}")


async def measure(directory: Path) -> None:
    reference = bare(directory / "bare")
    print(f"bare: {reference:,.0f} rows/s")
    files = await open_engine_files(directory / "engine", clock=SystemClock(), on_fatal=fail)
    numbers = [0]
    for load in LOADS:
        rate, group, took = await append(files, load, numbers)
        p50, p99 = took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3
        print(
            f"{load.name}: {rate:,.0f} rows/s, {rate / reference:.2f} x bare, {group:.0f} rows a group, "
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        )
        if load.chosen and rate < AIM_ROWS_PER_SECOND:
            print(f"  below the aim of {AIM_ROWS_PER_SECOND:,} rows/s")
    await delivery(files)
    await files.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a directory on the disk to be measured; default: the temporary one")
    arguments = parser.parse_args()
    sys.setswitchinterval(ADVISED_SWITCH_INTERVAL_SECONDS)
    with tempfile.TemporaryDirectory(dir=arguments.data) as directory:
        (Path(directory) / "bare").mkdir()
        uvloop.run(measure(Path(directory)))


if __name__ == "__main__":
    main()
