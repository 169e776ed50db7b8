from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bellwire.observe import idle_time
from bellwire.observe.idle_time import idle_seconds


def sleeping_and_computing() -> tuple[float, float, float]:
    """Idle seconds of a tenth of a second of sleep and one of computing, and how long that was by the clock."""
    started, before = time.monotonic(), idle_seconds()
    time.sleep(0.1)
    asleep = idle_seconds() - before
    before, ends_at = idle_seconds(), time.thread_time() + 0.1
    while time.thread_time() < ends_at:
        pass
    return asleep, idle_seconds() - before, time.monotonic() - started


@pytest.mark.skipif(
    not Path("/proc/thread-self/schedstat").exists(), reason="the system tells nothing of its scheduler"
)
def test_a_thread_that_sleeps_idles_and_one_that_computes_does_not() -> None:
    found: list[tuple[float, float, float]] = []
    for work in (sleeping_and_computing, sleeping_and_computing):
        thread = threading.Thread(target=lambda work=work: found.append(work()))
        thread.start()
        thread.join()
    for asleep, busy, _took in found:
        assert asleep >= 0.09
        assert busy < 0.05


def test_without_the_schedulers_word_waits_for_a_processor_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_time, "_SCHEDULER_STATISTICS", Path("/nonexistent"))
    asleep, busy, took = sleeping_and_computing()
    assert asleep >= 0.09
    assert asleep + busy <= took - 0.09
