"""Waiting for the moments of a plan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from torture.plan import At

T = TypeVar("T")


def loop_time() -> float:
    """Seconds of the event loop's clock: that of publications, receipts and changes."""
    return asyncio.get_running_loop().time()


async def sleep_until(at: float, now: Callable[[], float] = loop_time) -> None:
    """At once where that has passed."""
    await asyncio.sleep(max(0.0, at - now()))


async def due(steps: Sequence[At[T]], began: float) -> AsyncIterator[T]:
    """Each step in its time, or when the one before it is done.

    Args:
        began: the event loop's time at which the plan's seconds count from.
    """
    for at in steps:
        await sleep_until(began + at.seconds)
        yield at.step
