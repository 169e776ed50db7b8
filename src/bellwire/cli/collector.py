"""The garbage collector of a process that is nothing but a server.

Decided here and not where servers are composed: it is the whole process's, and a process may hold other things, as
tests do, in which servers come and go.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import without the collector, which would look at modules over and over (a sixth of the time): imports make some
    hundred thousand objects that stay, and none that are garbage. They are frozen, and the collector stays off until
    the server has started (`calm_the_collector`)."""
    gc.disable()
    try:
        yield
    except BaseException:
        gc.enable()
        raise
    gc.freeze()


def calm_the_collector(*, for_good: bool) -> None:
    """Once started: what was loaded stays, so the collector need not look at it again (engine.md, Memory). And a busy
    event path makes tens of thousands of objects that die at once by reference count: with Python's threshold of 700 a
    collection would run every few events, to find nothing.

    Args:
        for_good: what is there now stays as long as the process: what is frozen is never collected.
    """
    gc.collect()
    if for_good:
        gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()
