"""Starting quickly: a server's imports make some hundred thousand objects that stay, and none that are garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import without the garbage collector, which would look at modules over and over (a sixth of the time). They are
    frozen, and the collector stays off: composing a server, which comes next, switches it on when that is done too."""
    gc.disable()
    try:
        yield
    except BaseException:
        gc.enable()
        raise
    gc.freeze()
