"""The usual home-made solution, as its author would write it; run by the worker of bench/usual_way.py, in an
environment that has Celery (requirements/bench.txt). Bellwire itself never imports this.

A session is kept for the life of each worker process, and a task is acknowledged when it is done, as the better of such
solutions do. How many were delivered is counted in Redis, for the measurement alone.
"""

from __future__ import annotations

import os

import redis
import requests
from celery import Celery

BROKER = os.environ["BENCH_BROKER"]

app = Celery("celery_tasks", broker=BROKER)
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=64, task_ignore_result=True)
_session = requests.Session()
_session.trust_env = False
_counter = redis.Redis.from_url(BROKER)


@app.task(autoretry_for=(requests.RequestException,), retry_backoff=True)  # type: ignore[untyped-decorator]
def deliver(address: str, body: str) -> None:
    """POST one notification."""
    answer = _session.post(address, data=body, headers={"Content-Type": "application/json"}, timeout=3)
    answer.raise_for_status()
    _counter.incr("delivered")


def put(address: str, body: str, count: int) -> None:
    """Put so many notifications into the queue."""
    for _ in range(count):
        deliver.delay(address, body)


if __name__ == "__main__":
    import sys

    put(sys.argv[1], sys.argv[2], int(sys.argv[3]))
