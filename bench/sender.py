"""The webhook sender alone against nginx, as a ratio to wrk in the same run (budget: at least 0.6).

Both POST the same body of about 500 bytes to the same nginx with one worker, over 64 keep-alive connections. Rounds
alternate, so that a machine that slows down meanwhile slows both; the ratio is the median of the rounds.

    python -m bench.sender [--seconds N] [--rounds N] [--profile]
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import sys
import time
from datetime import UTC, datetime

import uvloop

from bellwire.model.attempt import AttemptResult
from bellwire.model.webhook import Endpoint
from bellwire.transports.guard import AddressGuard
from bellwire.transports.resolver import DnsResolver
from bellwire.transports.webhook_client import WebhookClient
from bellwire.wire.webhook.request import request_head
from bench.peers import missing_tools, nginx, wrk_rate
from bench.results import row

CONNECTIONS = 64
BUDGET = 0.6


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


def a_notification() -> bytes:
    """A typical notification: an instant message with its envelope, about 500 bytes."""
    return json.dumps(
        {
            "uuid": "6470930168775210331",
            "event": "/restapi/v1.0/account/809646016/extension/62264425016/message-store/instant?type=SMS",
            "timestamp": "2026-03-01T12:00:00.000Z",
            "subscriptionId": "0a74ef5a-4d5c-4a5a-9a5b-5e6d7f8a9b0c",
            "ownerId": "62264425016",
            "body": {
                "id": "1178539692016",
                "to": [{"phoneNumber": "+16505550100", "name": "Ada Lovelace"}],
                "from": {"phoneNumber": "+16505550101"},
                "direction": "Inbound",
                "subject": "x" * 40,
            },
        }
    ).encode()


async def send_for(port: int, body: bytes, seconds: float) -> float:
    """Successful deliveries a second with 64 always in flight."""
    clock = SystemClock()
    resolver = DnsResolver(clock)
    client = WebhookClient(resolver=resolver, guard=AddressGuard(allow_http=True, allow_private=True), clock=clock)
    endpoint = Endpoint("http", "127.0.0.1", port, "/hook")
    head = request_head(endpoint, user_agent="Bellwire-Webhook/bench")
    sent = 0
    running = True
    idle = asyncio.Event()
    in_flight = CONNECTIONS

    def done(result: AttemptResult) -> None:
        nonlocal sent, in_flight
        if result.failure is not None:
            sys.exit(f"a delivery failed: {result.detail}")
        sent += 1
        if running:
            client.post(endpoint, head, body, done)
        else:
            in_flight -= 1
            if not in_flight:
                idle.set()

    for _ in range(CONNECTIONS):
        client.post(endpoint, head, body, done)
    await asyncio.sleep(0.3)  # the measured time begins on warm connections
    before, started = sent, time.perf_counter()
    await asyncio.sleep(seconds)
    rate = (sent - before) / (time.perf_counter() - started)
    running = False
    await idle.wait()
    await client.close()
    await resolver.close()
    return rate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="profile the sender instead of comparing it")
    options = parser.parse_args()
    missing = missing_tools()
    if missing:
        print(f"skipped: this machine has no {' and no '.join(missing)}")
        return 0
    body = a_notification()
    with nginx() as port:
        if options.profile:
            with cProfile.Profile() as profile:
                uvloop.run(send_for(port, body, options.seconds))
            pstats.Stats(profile).sort_stats("tottime").print_stats(20)
            return 0
        ours, yardstick = [], []
        for _ in range(options.rounds):
            ours.append(uvloop.run(send_for(port, body, options.seconds)))
            yardstick.append(wrk_rate(port, body, connections=CONNECTIONS, seconds=options.seconds))
    rate, reference = sorted(zip(ours, yardstick, strict=True), key=lambda pair: pair[0] / pair[1])[len(ours) // 2]
    ratio = rate / reference
    row("webhook sender alone", round(rate), "POSTs/s", reference=round(reference), at_least=BUDGET)
    print(f"body {len(body)} bytes, {CONNECTIONS} connections, {options.rounds} rounds of {options.seconds} s")
    print(f"sender  {rate:>9,.0f}/s   rounds: {', '.join(f'{rate:,.0f}' for rate in ours)}")
    print(f"wrk     {reference:>9,.0f}/s   rounds: {', '.join(f'{rate:,.0f}' for rate in yardstick)}")
    print(f"ratio   {ratio:>9.2f}     budget: at least {BUDGET}, {'met' if ratio >= BUDGET else 'MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
