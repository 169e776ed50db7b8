"""What the server suffers: signals, clocks, a disk without room, torn logs."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

from tests.e2e.faults.small_disk import MIB, Filler, kept_full
from torture.lives import Lives
from torture.plan import ADVANCE_SECONDS, Advance, Blow, Dealt, FillDisk, Freeze, Jump, Kill, Stretch, Terminate
from torture.times import sleep_until
from torture.torn_tail import tear

AFTERMATH_SECONDS = 1.0
"""So long after a blow, a late notification is not held against the endpoints."""
LITTLE_ROOM_BYTES = 6 * MIB
"""Less than the `min_free_mib` that the server is given."""


class Blows:
    """Deals them one after the other. `counts`: how many of each; `disturbed`: when, in seconds of `now`."""

    def __init__(self, lives: Lives, filler: Filler | None, random: Random, now: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self.disturbed: list[Stretch] = []
        self.problems: list[str] = []
        self._lives = lives
        self._filler = filler
        self._random = random
        self._now = now

    async def deal(self, blows: Sequence[Dealt], stretches: Sequence[Stretch]) -> None:
        """In these stretches of time, for as long as each lasts."""
        remaining = iter(blows)
        for stretch in stretches:
            await sleep_until(stretch.from_, self._now)
            while self._now() < stretch.until and (dealt := next(remaining, None)) is not None:
                await asyncio.sleep(dealt.after_seconds)
                async with self._disturbing():
                    await self._blow(dealt.blow)

    @asynccontextmanager
    async def _disturbing(self) -> AsyncIterator[None]:
        began = self._now()
        try:
            yield
        finally:
            self.disturbed.append(Stretch(began, self._now() + AFTERMATH_SECONDS))

    async def _blow(self, blow: Blow) -> None:
        match blow:
            case Kill(again_after, tears):
                await self._kill()
                if tears:
                    self.counts["torn tails"] += bool(tear(self._lives.data, self._random))
                await self._lives.begin()
                if again_after is not None:
                    await asyncio.sleep(again_after)
                    await self._kill()
                    await self._lives.begin()
                await self._lives.arrive()
            case Terminate():
                code = await self._lives.terminate()
                self.counts["terms"] += 1
                if code != 0:
                    self.problems.append(f"SIGTERM ended it with {code}: {self._lives.process.output()[-2000:]}")
                await self._lives.begin()
                await self._lives.arrive()
            case Freeze(seconds):
                self._lives.process.signal(signal.SIGSTOP)
                await asyncio.sleep(seconds)
                self._lives.process.signal(signal.SIGCONT)
                self.counts["stops"] += 1
            case Jump(hours, seconds):
                self._lives.clock.set(timedelta(hours=hours))
                await asyncio.sleep(seconds)
                self._lives.clock.set(timedelta(0))
                self.counts["clock jumps"] += 1
            case Advance():
                await self._lives.ask("POST", "/dev/clock", json={"advanceSeconds": ADVANCE_SECONDS})
                self.counts["clock advances"] += 1
            case FillDisk() if self._filler is not None:
                await self._fill(self._filler, blow)
            case FillDisk():
                pass

    async def _kill(self) -> None:
        await self._lives.kill()
        self.counts["kills"] += 1

    async def _fill(self, filler: Filler, blow: FillDisk) -> None:
        if blow.entirely:
            async with kept_full(filler):
                await asyncio.sleep(blow.seconds)
                if blow.kills:
                    await self._kill()
        else:
            filler.leave(LITTLE_ROOM_BYTES)
            await asyncio.sleep(blow.seconds)
        filler.go()
        self.counts["disk full"] += 1
        if blow.entirely and blow.kills:
            await self._lives.begin()
            await self._lives.arrive()
