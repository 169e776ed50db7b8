"""How cost grows: with subscriptions, with matches of an event, with the size of bodies, with endpoints.

Costs are processor time: of this process for a match, of a real `bellwire dev` process, all its threads, for a
delivery to one nginx worker. That depends little on what else the machine does. `make bench` draws the curves.

    python -m bench.growth [--deliveries 4000] [--most-subscriptions 1000000]
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bellwire.engine.subscribe_live import parse_stored
from bellwire.engine.subscribers import Subscribers
from bellwire.model.ids import AccountId, Position
from bellwire.model.subscription import FilterVersion, Subscription, WebhookDelivery
from bench.end_to_end import bellwire, event_lines, publish, wait_delivered
from bench.filter_memory import a_subscription
from bench.match import an_event
from bench.peers import missing_tools, nginx
from bench.processes import cpu_seconds
from bench.results import curve
from bench.stored import store

MATCHES = 2_000


def with_subscriptions(most: int) -> None:
    """A match among more and more subscriptions of one filter each, none of the others wanting the event."""
    subscribers = Subscribers()
    points: list[tuple[float, float]] = []
    opened = 0
    gc.disable()
    for count in (1, 100, 10_000, 1_000_000):
        if count > most:
            break
        for number in range(opened, count):
            one = a_subscription(number, 1)
            subscribers.open(one, [parse_stored(one, one.filters)])
        opened = count
        events = [an_event(number % count) for number in range(MATCHES)]
        best = float("inf")
        for _ in range(5):
            begun = time.process_time()
            for key, rows in events:
                subscribers.matches(key, rows, Position(2))
            best = min(best, (time.process_time() - begun) / MATCHES)
        points.append((count, round(best * 1e6, 2)))
        print(f"{count:>9,} subscriptions        {best * 1e6:7.2f} us a match", flush=True)
    gc.enable()
    curve("Cost by subscriptions", "subscriptions", "µs of processor time a match", points)


class Ground:
    """A data directory to copy, and a receiver."""

    def __init__(self, directory: Path, port: int) -> None:
        self._base = directory / "base"
        self._copies = 0
        self._port = port
        with bellwire(data=str(self._base)) as server:
            self.account = AccountId(server.account)

    def wanting(self, count: int, query: str, *, hosts: int = 1) -> Iterator[Subscription]:
        """So many subscriptions to messages. `query`: with `{number}` for each one's own."""
        for number in range(count):
            text = f"/restapi/v1.0/account/{self.account}/a2p-sms/messages?" + query.format(number=f"{number:07d}")
            host = number % hosts
            address = f"http://127.{1 + host // 62_500}.{host // 250 % 250}.{1 + host % 250}:{self._port}/hook/{number}"
            yield replace(
                a_subscription(number, 1),
                account_id=self.account,
                webhook=WebhookDelivery(address=address),
                versions=(FilterVersion(version=1, filters=(text,), from_position=Position(0)),),
            )

    def cost(self, subscriptions: Iterator[Subscription], lines: Sequence[bytes], deliveries: int) -> float:
        """Microseconds of the server's processor time for each delivery, once connections are warm."""
        self._copies += 1
        data = self._base.with_name(str(self._copies))
        shutil.copytree(self._base, data)
        store(data, subscriptions)
        with bellwire(data=str(data)) as server:
            publish(server, lines)
            wait_delivered(server, deliveries)
            before = cpu_seconds(server.process.pid)
            publish(server, lines)
            wait_delivered(server, 2 * deliveries, every=0.2)
            spent = cpu_seconds(server.process.pid) - before
        shutil.rmtree(data)
        return spent / deliveries * 1e6


def with_matches(ground: Ground, deliveries: int) -> None:
    points: list[tuple[float, float]] = []
    for matches in (1, 10, 100, 1_000):
        events = deliveries // matches
        lines = event_lines(ground.account, events, uuids=False, prefix="m")
        cost = ground.cost(ground.wanting(matches, "direction=Outbound"), lines, events * matches)
        points.append((matches, round(cost, 1)))
        print(f"{matches:>9,} matching an event     {cost:7.1f} us a delivery", flush=True)
    curve("Cost by matches", "subscriptions that match an event", "µs of processor time a delivery", points)


def with_bodies(ground: Ground, deliveries: int) -> None:
    points: list[tuple[float, float]] = []
    for kib in (0.5, 4, 16, 64):
        lines = []
        for line in event_lines(ground.account, max(200, int(deliveries / max(1, kib))), uuids=False, prefix="b"):
            event = json.loads(line)
            event["body"]["filler"] = "x" * max(0, int(kib * 1024) - len(json.dumps(event["body"])))
            lines.append(json.dumps(event).encode() + b"\n")
        cost = ground.cost(ground.wanting(1, "direction=Outbound"), lines, len(lines))
        points.append((kib, round(cost, 1)))
        print(f"{kib:>9} KiB a body            {cost:7.1f} us a delivery", flush=True)
    curve("Cost by body size", "KiB of body", "µs of processor time a delivery", points)


def with_endpoints(ground: Ground, deliveries: int) -> None:
    points: list[tuple[float, float]] = []
    for endpoints in (1, 100, 10_000):
        lines = []
        for number, line in enumerate(event_lines(ground.account, max(deliveries, endpoints), uuids=False, prefix="e")):
            event = json.loads(line)
            event["body"]["to"] = [f"+1484{number % endpoints:07d}"]
            lines.append(json.dumps(event).encode() + b"\n")
        wanting = ground.wanting(endpoints, "direction=Outbound&to=+1484{number}", hosts=endpoints)
        cost = ground.cost(wanting, lines, len(lines))
        points.append((endpoints, round(cost, 1)))
        print(f"{endpoints:>9,} endpoints             {cost:7.1f} us a delivery", flush=True)
    curve("Cost by endpoints", "endpoints (hosts)", "µs of processor time a delivery", points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=4_000, help="a point")
    parser.add_argument("--most-subscriptions", type=int, default=1_000_000)
    options = parser.parse_args()
    with_subscriptions(options.most_subscriptions)
    if "nginx" in missing_tools():
        print("the others are skipped: nginx is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="bellwire-bench-") as name, nginx(every_address=True) as port:
        ground = Ground(Path(name), port)
        with_matches(ground, options.deliveries)
        with_bodies(ground, options.deliveries)
        with_endpoints(ground, options.deliveries)


if __name__ == "__main__":
    main()
