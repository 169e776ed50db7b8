"""Which part of a long list a reader wants: so many records after a place, or before one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C")


@dataclass(frozen=True)  # with slots, `Slice[C](…)` fails in Python 3.11
class Slice(Generic[C]):
    """Up to `limit` records after `start`, or with `backward` the last ones before it; ascending either way.

    Without a start: from the beginning of the list, or with `backward` its end.
    """

    limit: int
    start: C | None = None
    backward: bool = False
