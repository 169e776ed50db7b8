"""The whole way of an event, against wrk POSTing the same notification to the same nginx in the same run.

NDJSON is published to a real `bellwire dev` process; each event is validated, made durable, matched, and delivered by
webhook to one nginx worker, and each attempt is recorded. Budgets (design.md): with one subscriber an event at least
0.2 of wrk's rate, with ten subscribers (deliveries counted) at least 0.4.

Budgets are for one core: everything that takes part (Bellwire, publisher, nginx, wrk) is kept to the same one, so that
neither side has more of the machine than the other. `--spread` lets them have all cores. All of them, wrk included, run
as batch work (SCHED_BATCH): otherwise the kernel stops Bellwire at four of five POSTs to let nginx, on that same core,
read that one, which costs both sides some ten microseconds that nobody pays whose receivers are on other machines.
wrk, which costs as little as nginx does, is hardly ever stopped. `--interactive` leaves the scheduling as it is.

    python -m bench.end_to_end [--events 60000] [--subscribers 1 10] [--uuids] [--latency] [--spread] [--interactive]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.peers import missing_tools, nginx, wrk_rate
from bench.results import row

BUDGETS = {1: 0.2, 10: 0.4}
TEXT = "Your order has shipped and should arrive on Thursday between ten and noon. "


@dataclass(frozen=True, slots=True)
class Bellwire:
    url: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    @property
    def account(self) -> str:
        return self.environment["BELLWIRE_ACCOUNT_ID"]

    def delivered(self) -> int:
        """How many so far. Not by httpx, which reads the certificates of half the world for each look: on the one core
        of a benchmark that was a fifth of what was measured."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        found = re.search(r'bellwire_delivery_attempts_total\{failure="",outcome="delivered"\} ([0-9.e+]+)', text)
        return int(float(found[1])) if found else 0

    def token(self) -> str:
        answer = httpx.post(
            f"{self.url}/restapi/oauth/token",
            data={
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": self.environment["RC_USER_JWT"],
            },
            auth=(self.environment["RC_APP_CLIENT_ID"], self.environment["RC_APP_CLIENT_SECRET"]),
            trust_env=False,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def subscribe(self, address: str) -> None:
        answer = httpx.post(
            f"{self.url}/restapi/v1.0/subscription",
            json={
                "eventFilters": ["/restapi/v1.0/account/~/a2p-sms/messages?direction=Outbound"],
                "deliveryMode": {"transportType": "WebHook", "address": address},
            },
            headers={"Authorization": f"Bearer {self.token()}"},
            timeout=20,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text


@contextlib.contextmanager
def bellwire(
    *, data: str | None = None, within: float = 60, settings: Mapping[str, str] | None = None
) -> Iterator[Bellwire]:
    """A development server on a free port, without traffic.

    Args:
        data: its directory; None for one of its own.
        within: it gets ready within so many seconds.
        settings: further ones, by their environment variables.
    """
    program = str(Path(sys.executable).with_name("bellwire"))
    with tempfile.TemporaryDirectory(prefix="bellwire-bench-") as own:
        directory = data or own
        (Path(directory) / "server-url").unlink(missing_ok=True)  # an earlier server's
        environment = {**os.environ, "BELLWIRE_MIN_FREE_MIB": "0", **(settings or {})}
        process = subprocess.Popen(
            [program, "dev", "--port", "0", "--data", directory, "--no-traffic"],
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        try:
            yield _ready(program, directory, process, within)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:  # it never got ready, and does not listen
                process.kill()
                process.wait()
                raise


def _ready(program: str, data: str, process: subprocess.Popen[bytes], within: float) -> Bellwire:
    ends_at = time.monotonic() + within
    while time.monotonic() < ends_at and process.poll() is None:
        if (Path(data) / "server-url").exists():
            printed = subprocess.run([program, "env", "--data", data], check=True, capture_output=True, text=True)
            environment = dict(line.split("=", 1) for line in printed.stdout.splitlines())
            url = environment["RC_SERVER_URL"]
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/bellwire/v1/ready", trust_env=False).status_code == 200:
                    return Bellwire(url, environment, process)
        time.sleep(0.05)
    if process.poll() is not None:
        raise RuntimeError(f"bellwire ended with status {process.returncode}")
    raise RuntimeError(f"bellwire did not get ready within {within:g} s")


def event_lines(account: str, count: int, *, uuids: bool, prefix: str) -> list[bytes]:
    lines = []
    for number in range(count):
        body = {
            "id": str(number),
            "batchId": f"b6f5610f-5ff1-4273-8a8d-{number % 1000:012d}",
            "from": "+16505550180",
            "to": [f"+1484{number % 10_000_000:07d}"],
            "text": TEXT,
            "creationTime": "2026-11-23T04:16:05.442760Z",
            "lastModifiedTime": "2026-11-23T04:16:08.107007Z",
            "messageStatus": "Delivered",
            "segmentCount": 1,
            "cost": 0.007,
            "direction": "Outbound",
        }
        event: dict[str, object] = {"event": f"/restapi/v1.0/account/{account}/a2p-sms/messages", "body": body}
        if uuids:
            event["uuid"] = f"{prefix}-{number}"
        lines.append(json.dumps(event, separators=(",", ":")).encode() + b"\n")
    return lines


def publish(server: Bellwire, lines: Sequence[bytes]) -> dict[str, int]:
    """One NDJSON request over a plain socket, so that the publisher costs as little as possible."""
    body = b"".join(lines)
    host, port = server.url.removeprefix("http://").split(":")
    head = (
        f"POST /bellwire/v1/events HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: Bearer {server.environment['BELLWIRE_PUBLISHER_KEY']}\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.settimeout(120)
        connection.sendall(head.encode() + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    status, _, content = answer.partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 202"), answer[:500]
    found: dict[str, int] = json.loads(content)
    return found


def throughput(subscribers: int, events: int, *, uuids: bool, rounds: int) -> tuple[float, float]:
    """Deliveries a second, and wrk's requests a second beside: those of the round with the median ratio."""
    found: list[tuple[float, float]] = []
    with nginx() as port, bellwire() as server:
        for number in range(subscribers):
            server.subscribe(f"http://127.0.0.1:{port}/hook/{number}")
        notification = _sample_notification(server)
        publish(server, event_lines(server.account, 2000, uuids=uuids, prefix="warm"))
        wait_delivered(server, 2000 * subscribers)
        for turn in range(rounds):
            lines = event_lines(server.account, events, uuids=uuids, prefix=f"r{turn}")
            before = server.delivered()
            started = time.perf_counter()
            answer = publish(server, lines)
            published = time.perf_counter() - started
            assert answer["accepted"] == events, answer
            wait_delivered(server, before + events * subscribers)
            took = time.perf_counter() - started
            rate = events * subscribers / took
            reference = wrk_rate(port, notification, seconds=3)
            found.append((rate, reference))
            print(
                f"subscribers {subscribers:3d}   events {events}   published in {published:.2f} s   "
                f"delivered {rate:,.0f}/s   wrk {reference:,.0f}/s   ratio {rate / reference:.3f}",
                flush=True,
            )
    return sorted(found, key=lambda pair: pair[0] / pair[1])[len(found) // 2]


def _sample_notification(server: Bellwire) -> bytes:
    line = json.loads(event_lines(server.account, 1, uuids=True, prefix="s")[0])
    return json.dumps(
        {
            "uuid": line["uuid"],
            "event": line["event"] + "?direction=Outbound",
            "timestamp": "2026-11-23T04:16:05.442Z",
            "subscriptionId": "417eaa6f-e2bd-4b37-adae-868de87d20e1",
            "ownerId": "400101",
            "body": line["body"],
        }
    ).encode()


def wait_delivered(server: Bellwire, wanted: int, *, every: float = 0.05) -> None:
    """Wait until so many were delivered since the start, looking every so many seconds: a look costs some CPU time."""
    ends_at = time.monotonic() + 120
    while time.monotonic() < ends_at:
        if server.delivered() >= wanted:
            return
        time.sleep(every)
    raise RuntimeError(f"{server.delivered()} of {wanted} were delivered within 120 s")


class _Arrivals(threading.Thread):
    """A receiver in this process that notes when each event came."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.at: dict[str, float] = {}
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listening.getsockname()[1]

    def run(self) -> None:
        while True:
            connection, _ = self.listening.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = b""
        while chunk := connection.recv(65536):
            buffer += chunk
            while (end := buffer.find(b"\r\n\r\n")) >= 0:
                head = buffer[:end].lower()
                length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
                if len(buffer) < end + 4 + length:
                    break
                now = time.perf_counter()
                body = buffer[end + 4 : end + 4 + length]
                token = re.search(rb"validation-token: (\S+)", buffer[:end], re.IGNORECASE)
                buffer = buffer[end + 4 + length :]
                echo = b"Validation-Token: " + token[1] + b"\r\n" if token else b""
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + echo + b"Content-Length: 0\r\n\r\n")
                if body:
                    self.at[json.loads(body)["uuid"]] = now


def latency(*, rate: int, seconds: int) -> None:
    """Publish single events at a steady rate over a few connections; time from request to arrival."""
    arrivals = _Arrivals()
    arrivals.start()
    with bellwire() as server:
        server.subscribe(f"http://127.0.0.1:{arrivals.port}/hook")
        sent: dict[str, float] = {}
        workers = 8
        count = rate * seconds
        lines = event_lines(server.account, count, uuids=True, prefix="l")
        start = time.perf_counter() + 0.2

        def work(worker: int) -> None:
            with httpx.Client(base_url=server.url, trust_env=False) as client:
                for number in range(worker, count, workers):
                    due = start + number / rate
                    if (pause := due - time.perf_counter()) > 0:
                        time.sleep(pause)
                    sent[f"l-{number}"] = time.perf_counter()
                    client.post(
                        "/bellwire/v1/events",
                        content=lines[number],
                        headers={
                            "Authorization": f"Bearer {server.environment['BELLWIRE_PUBLISHER_KEY']}",
                            "Content-Type": "application/json",
                        },
                    ).raise_for_status()

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_delivered(server, count)
        achieved = count / (max(sent.values()) - start)
        delays = sorted(1000 * (arrivals.at[uuid] - at) for uuid, at in sent.items())
        p50, p99 = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
        row("publish to receiver at 1,000 events/s, p50", round(p50, 1), "ms", at_most=5)
        row("publish to receiver at 1,000 events/s, p99", round(p99, 1), "ms", at_most=25)
        print(f"latency   {achieved:,.0f} events/s   p50 {p50:.1f} ms (budget 5)   p99 {p99:.1f} ms (budget 25)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=60_000, help="events a round, with one subscriber")
    parser.add_argument("--subscribers", type=int, nargs="*", default=[1, 10])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--uuids", action="store_true", help="events carry uuids, which are looked up for duplicates")
    parser.add_argument("--spread", action="store_true", help="use all cores instead of one")
    parser.add_argument("--interactive", action="store_true", help="let nginx interrupt who wakes it up")
    parser.add_argument("--latency", action="store_true", help="measure latency at 1,000 events/s too")
    options = parser.parse_args()
    if missing := missing_tools():
        print(f"skipped: {' and '.join(missing)} not installed")
        return
    cores = os.sched_getaffinity(0)
    if not options.spread:
        os.sched_setaffinity(0, {max(cores)})
        if not options.interactive:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    print(f"on {len(os.sched_getaffinity(0))} core(s)")
    for subscribers in options.subscribers:
        events = max(1000, options.events // max(1, subscribers // 2))
        rate, reference = throughput(subscribers, events, uuids=options.uuids, rounds=options.rounds)
        ratio = rate / reference
        budget = BUDGETS.get(subscribers)
        verdict = "" if budget is None else f"   budget {budget}, {'met' if ratio >= budget else 'NOT met'}"
        print(f"subscribers {subscribers:3d}   median ratio {ratio:.3f}{verdict}")
        if budget is not None:
            name = f"published to delivered, {subscribers} subscriber{'' if subscribers == 1 else 's'} an event"
            row(name, round(rate), "deliveries/s", reference=reference, at_least=budget)
    if options.latency:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, cores)  # a receiver that has to wait for the core would be measured instead
        latency(rate=1000, seconds=5)


if __name__ == "__main__":
    main()
