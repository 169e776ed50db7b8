"""How quickly a backlog drains once its endpoint is back: carefully at first, then as fast as the endpoint takes it.

On a virtual clock, so that the times are exact and nobody waits for them.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from bellwire.delivery.schedule import RetryPolicy
from bellwire.engine.delivery_limits import DeliveryLimits
from bellwire.model.attempt import AttemptResult
from tests.doubles.delivering import FAILED, TAKEN, ScriptedSender, Sent, Stage
from tests.simulation.virtual_loop import VirtualLoop

ROWS = 5000
ANSWER_SECONDS = 0.01
LEAST_A_SECOND = 1000


class LoopClock:
    """`Clock` that shows the running loop's time."""

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 9, 0, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def now_ms(self) -> int:
        return int(self.now().timestamp() * 1000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class SteadySender(ScriptedSender):
    """Its endpoint fails until it is mended; then it takes everything, each in the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.script = self._answer_later
        self.is_mended = False
        self.taken = 0
        self.starts: list[tuple[int, int]] = []
        """At each start since it was mended: how many it had taken, and how many were under way."""

    def _answer_later(self, sent: Sent) -> None:
        if self.is_mended:
            self.starts.append((self.taken, len(self.under_way())))
        result = TAKEN if self.is_mended else FAILED
        asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._answer, sent, result)

    def _answer(self, sent: Sent, result: AttemptResult) -> None:
        self.taken += result is TAKEN
        self.answer(sent, result)
        self.sent.remove(sent)


async def drain() -> tuple[float, list[tuple[int, int]]]:
    """Seconds from the first success after an outage until the backlog is empty, and the sender's `starts`."""
    sender = SteadySender()
    stage = Stage(sender=sender, limits=DeliveryLimits(), policy=RetryPolicy(), clock=LoopClock())
    await stage.start("s")
    for number in range(ROWS):
        await stage.publish("s", key=f"k{number}")
    while stage.rows < ROWS:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.05)
    sender.is_mended = True
    while not sender.taken:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    began = asyncio.get_running_loop().time()
    while stage.rows:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    took = asyncio.get_running_loop().time() - began
    await stage.stop()
    assert stage.failures == []
    return took, sender.starts


def test_a_backlog_drains_with_few_at_once_at_first_and_then_at_a_thousand_a_second() -> None:
    loop = VirtualLoop(0.0)
    try:
        took, starts = loop.run_until_complete(drain())
    finally:
        loop.close()

    assert len(starts) == ROWS
    assert ROWS / took >= LEAST_A_SECOND, f"{ROWS / took:.0f} a second"
    assert max(under_way for _, under_way in starts) == 16
    assert all(under_way <= 2**taken for taken, under_way in starts[:40]), starts[:40]
