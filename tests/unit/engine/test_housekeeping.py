from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bellwire.engine.housekeeping import Chore, Housekeeping
from bellwire.errors import Unavailable

NEVER = 3600.0


class Counted:
    """What a chore does: counted, and waited for."""

    def __init__(self, fail: BaseException | None = None) -> None:
        self.times = 0
        self._fail = fail
        self._done = asyncio.Semaphore(0)

    async def __call__(self) -> None:
        self.times += 1
        self._done.release()
        if self._fail is not None:
            raise self._fail

    async def once_more(self) -> None:
        """Wait for a time that was not waited for yet."""
        async with asyncio.timeout(20):
            await self._done.acquire()


def a_chore(do: Callable[[], Awaitable[None]], every_seconds: float) -> Chore:
    return Chore("a chore", every_seconds, do)


async def test_a_chore_is_done_again_and_again_also_after_it_failed() -> None:
    flaky = Counted(Unavailable("the disk is busy"))
    fatal: list[BaseException] = []
    housekeeping = Housekeeping((a_chore(flaky, 0.001),), on_fatal=fatal.append)

    housekeeping.start()
    for _ in range(3):
        await flaky.once_more()
    await housekeeping.stop()

    assert flaky.times >= 3
    assert fatal == []


async def test_every_chore_has_its_turn_at_once_when_the_clock_was_moved_ahead() -> None:
    first, second = Counted(), Counted()
    housekeeping = Housekeeping((a_chore(first, NEVER), a_chore(second, NEVER)), on_fatal=lambda _: None)
    housekeeping.start()

    for times in (1, 2):
        housekeeping.look_again()
        await asyncio.gather(first.once_more(), second.once_more())
        assert (first.times, second.times) == (times, times)

    await housekeeping.stop()


async def test_a_bug_in_a_chore_is_fatal() -> None:
    bug = ZeroDivisionError()
    broken, fatal = Counted(bug), list[BaseException]()
    housekeeping = Housekeeping((a_chore(broken, 0.001),), on_fatal=fatal.append)

    housekeeping.start()
    await broken.once_more()
    await housekeeping.stop()

    assert fatal == [bug]
