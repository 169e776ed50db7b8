"""What a disk does to writes: they wait, become durable together, or are lost in a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class PendingWrites:
    """Writes in the order they were asked for. One crash loses all that wait, and cancels who waits for them."""

    def __init__(self, *, is_automatic: bool) -> None:
        """`is_automatic`: flush by itself at the loop's next turn; otherwise only when `flush` is called."""
        self._is_automatic = is_automatic
        self._waiting: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []

    async def durable(self, write: Callable[[], T]) -> T:
        """Return what `write` gives once it has happened. A cancelled caller does not stop it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append((write, future))
        if self._is_automatic and len(self._waiting) == 1:
            loop.call_soon(self.flush)
        return await future

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for write, future in waiting:
            try:
                result = write()
            except Exception as problem:  # noqa: BLE001 - the caller's
                if not future.done():
                    future.set_exception(problem)
            else:
                if not future.done():
                    future.set_result(result)

    def crash(self) -> None:
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            future.cancel()
