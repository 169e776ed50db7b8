"""What a team would build instead: a Celery worker with Redis that POSTs each notification with `requests`.

The same notification as sender.py's goes to the same nginx worker; all that takes part is kept to one core, as in
end_to_end.py. One program puts the tasks into the queue, a worker with one process takes them (celery_tasks.py), and
Redis writes its append-only file through once a second. It matches no filters, keeps no order, records no
attempts, and may lose the last second: it is the least that such a solution does. The figure is deliveries a second,
from the first task put to the last one delivered.

Celery and its like are no requirement of Bellwire: `make bench` installs them into `.venv-bench`.

    python -m bench.usual_way [--notifications 3000]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers import free_port, missing_tools, nginx, wait_until_listening
from bench.results import comparison
from bench.sender import a_notification

PYTHON = Path(".venv-bench/bin/python").absolute()
TASKS = Path(__file__).parent
LIMIT_SECONDS = 120


@contextmanager
def redis_server(directory: str) -> Iterator[int]:
    """Redis on a free port; gives the port."""
    port = free_port()
    program = shutil.which("redis-server")
    assert program is not None, "redis-server is not installed"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--appendonly", "yes", "--save", ""]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        wait_until_listening(process, port, Path(directory) / "none")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def delivered(port: int) -> int:
    """How many the worker counted."""
    found = subprocess.run(
        ["redis-cli", "-p", str(port), "get", "delivered"], check=True, capture_output=True, text=True
    )
    return int(found.stdout.strip() or 0)


def rate(notifications: int) -> float:
    """Deliveries a second."""
    body = a_notification().decode()
    with tempfile.TemporaryDirectory(prefix="bellwire-bench-") as directory, redis_server(directory) as port:
        environment = {**os.environ, "BENCH_BROKER": f"redis://127.0.0.1:{port}/0"}
        with nginx() as receiver:
            address = f"http://127.0.0.1:{receiver}/hook"
            worker = subprocess.Popen(
                [PYTHON, "-m", "celery", "-A", "celery_tasks", "worker", "--concurrency", "1", "--loglevel", "ERROR"],
                cwd=TASKS,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                _put(address, body, 20, environment)
                _wait(port, 20)
                begun = time.perf_counter()
                _put(address, body, notifications, environment)
                _wait(port, 20 + notifications)
                return notifications / (time.perf_counter() - begun)
            finally:
                worker.terminate()
                worker.wait(30)


def _put(address: str, body: str, count: int, environment: dict[str, str]) -> None:
    command = [str(PYTHON), "celery_tasks.py", address, body, str(count)]
    subprocess.run(command, cwd=TASKS, env=environment, check=True)


def _wait(port: int, wanted: int) -> None:
    ends_at = time.monotonic() + LIMIT_SECONDS
    while delivered(port) < wanted:
        if time.monotonic() > ends_at:
            raise RuntimeError(f"{delivered(port)} of {wanted} were delivered within {LIMIT_SECONDS} s")
        time.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notifications", type=int, default=3_000)
    options = parser.parse_args()
    if missing := missing_tools("nginx", "redis-server"):
        print(f"{' and '.join(missing)} not installed")
        return 1
    if not PYTHON.exists():
        print("Celery is not installed; `make bench` does it")
        return 1
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found = rate(options.notifications)
    print(f"Celery, Redis and requests: {found:,.0f} deliveries/s")
    comparison("Celery, Redis and requests, the same notification to the same receiver", round(found), "deliveries/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
