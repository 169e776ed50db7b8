"""Where the parts of long inbound texts wait for the rest, so that a carrier's peer can be told that they arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bellwire.wire.smpp.reassembly import TextPart


@dataclass(frozen=True, slots=True)
class KeptText:
    """One text's parts so far."""

    text: str
    """Its id, a carrier key for whoever stores texts once."""
    parts: tuple[TextPart, ...]
    handed_on_ms: int | None
    """When it went on; None: it waits."""


class PartStore(Protocol):
    """Each call returns when what it did is durable. Raises `Unavailable` where it can't be done now."""

    async def load(self) -> Sequence[KeptText]:
        """All that is kept, in the order of the texts' first parts; called before anything else."""
        ...

    async def keep(self, parts: Sequence[tuple[str, TextPart]]) -> None:
        """Keep parts, each under its text's id."""
        ...

    async def mark_handed_on(self, text: str, at_ms: int) -> None: ...

    async def drop(self, texts: Sequence[str]) -> None: ...

    async def close(self) -> None:
        """Finish what is under way; nothing may be called after it."""
        ...
