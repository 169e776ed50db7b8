"""High Volume SMS: taking in half a million recipients, and sending through the simulated carrier.

`accept` POSTs a body of 50 MB with 500,000 recipients, each with a text of its own, to a fresh `bellwire dev` process:
seconds until its 201, and the process's peak memory by then. Budgets (design.md): 15 s on one core, 600 MiB.

`send` gives a batch to the simulator with a webhook subscriber attached (one nginx worker) that is told of each message
three times (Queued, Sent, Delivered): messages a second from the 201 until the last of them was delivered.

    python -m bench.sms [--recipients 500000] [--messages 20000] [--spread]
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Iterator

import httpx

from bench.end_to_end import Bellwire, bellwire
from bench.peers import missing_tools, nginx
from bench.processes import cpu_seconds, peak_mib
from bench.results import row

MAX_SECONDS = 15.0
MAX_MIB = 600
BODY_BYTES = 50_000_000


def body_of(sender: str, recipients: int, size: int) -> bytes:
    """A request of about this size, its recipients in no order."""
    numbers = list(range(recipients))
    random.Random(7).shuffle(numbers)
    text = ("Your parcel arrives on Thursday between ten and noon. " * 20)[: max(1, size // recipients - 41)]
    entries = ",".join(f'{{"to":["+1212{number:07}"],"text":"{number:06}{text[6:]}"}}' for number in numbers)
    return f'{{"from":"{sender}","messages":[{entries}]}}'.encode()


def post(server: Bellwire, body: bytes) -> tuple[float, dict[str, object]]:
    """Seconds until the answer, and what it says."""

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(body), 1 << 20):
            yield body[start : start + (1 << 20)]

    headers = {
        "Authorization": f"Bearer {server.token()}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    begun = time.perf_counter()
    answer = httpx.post(
        f"{server.url}/restapi/v1.0/account/~/a2p-sms/batches",
        content=chunks(),
        headers=headers,
        timeout=300,
        trust_env=False,
    )
    seconds = time.perf_counter() - begun
    assert answer.status_code == 201, answer.text[:500]
    said: dict[str, object] = answer.json()
    return seconds, said


def accept(recipients: int) -> None:
    with bellwire() as server:
        body = body_of(server.environment["BELLWIRE_A2P_NUMBER"], recipients, BODY_BYTES * recipients // 500_000)
        before, cpu_before = peak_mib(server.process.pid), cpu_seconds(server.process.pid)
        seconds, said = post(server, body)
        cpu = cpu_seconds(server.process.pid) - cpu_before
        peak = peak_mib(server.process.pid)
        assert said["batchSize"] == recipients, said
    row(f"batch of {recipients:,} recipients", round(seconds, 1), "s", at_most=MAX_SECONDS)
    row("its peak memory", round(peak), "MiB", at_most=MAX_MIB)
    verdict = "met" if seconds <= MAX_SECONDS and peak <= MAX_MIB else "NOT met"
    print(
        f"accept    {recipients:,} recipients, {len(body) / 1e6:.1f} MB   {seconds:.1f} s (budget {MAX_SECONDS:.0f}), "
        f"{cpu:.1f} s of CPU   "
        f"peak {peak:.0f} MiB (budget {MAX_MIB}; {before:.0f} before)   {verdict}"
    )


def send(messages: int) -> None:
    with bellwire() as server, nginx() as port:
        server.subscribe(f"http://127.0.0.1:{port}/hook")
        before = server.delivered()
        _, said = post(server, body_of(server.environment["BELLWIRE_A2P_NUMBER"], messages, 160 * messages))
        begun = time.perf_counter()
        assert said["batchSize"] == messages, said
        expected = before + 3 * messages
        while (delivered := server.delivered()) < expected:
            if time.perf_counter() - begun > 300:
                raise SystemExit(f"after 300 s {delivered - before} of {3 * messages} events were delivered")
            time.sleep(0.1)
        seconds = time.perf_counter() - begun
    print(
        f"send      {messages:,} messages, {3 * messages:,} events delivered   {seconds:.1f} s   "
        f"{messages / seconds:,.0f} messages/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipients", type=int, default=500_000)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--spread", action="store_true", help="use all cores instead of one")
    options = parser.parse_args()
    if not options.spread:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"on {len(os.sched_getaffinity(0))} core(s)")
    accept(options.recipients)
    if "nginx" in missing_tools():
        print("send      skipped: nginx is not installed")
        return
    send(options.messages)


if __name__ == "__main__":
    main()
