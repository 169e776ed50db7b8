"""Long texts from their parts: which text a part belongs to, when one is whole, and when waiting has an end.

Parts are kept by their owner, durably, before the peer is told that they arrived; here is what is decided:

    part ──▶ new, of text N  ──(kept)──▶ text N: waiting ──last part, or time over──▶ due ──▶ handed on ──▶ forgotten
        ├──▶ here already (handed over again)                                                (a part that comes again
        └──▶ no room                                                                          is still known)

Two texts may follow each other with the same reference (it has 8 bits). So another content for the same number is
the beginning of another text; the same content is the same part, for as long as the text is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class TextPart:
    """One part as it came."""

    source: str
    destination: str
    """Numbers, E.164."""
    reference: str
    total: int
    number: int
    data_coding: int
    content: bytes
    received_ms: int


@dataclass(frozen=True, slots=True)
class New:
    """To be kept under that text, then `add`ed."""

    text: str


@dataclass(frozen=True, slots=True)
class Here:
    """Nothing to keep: it was handed over before."""


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The peer is to come again later."""


@dataclass(frozen=True, slots=True)
class ReassemblyLimits:
    wait_ms: int = 300_000
    """From a text's first part until what has come is handed on."""
    remember_ms: int = 3_600_000
    """For which a text that was handed on is known, so that a part that comes again is not a new text."""
    max_bytes: int = 8 << 20
    max_texts: int = 20_000
    """Waiting and remembered."""


_OVERHEAD_BYTES = 256


@dataclass(slots=True)
class _Text:
    id: str
    key: tuple[str, str, str, int]
    first_ms: int
    digests: dict[int, bytes] = field(default_factory=dict)
    parts: dict[int, TextPart] = field(default_factory=dict)
    """By number; empty once handed on."""
    is_superseded: bool = False
    handed_on_ms: int | None = None

    def is_due(self, now_ms: int, wait_ms: int) -> bool:
        return len(self.parts) == self.key[3] or self.is_superseded or now_ms - self.first_ms >= wait_ms


class Reassembly:
    def __init__(self, limits: ReassemblyLimits, *, new_id: Callable[[], str]) -> None:
        self._limits = limits
        self._new_id = new_id
        self._waiting: dict[str, _Text] = {}
        self._remembered: dict[str, _Text] = {}
        """Handed on, the oldest first."""
        self._by_key: dict[tuple[str, str, str, int], _Text] = {}
        self._bytes = 0

    @property
    def waiting_parts(self) -> int:
        return sum(len(text.parts) for text in self._waiting.values())

    @property
    def is_empty(self) -> bool:
        """Nothing waits and nothing is remembered."""
        return not self._waiting and not self._remembered

    def place(self, part: TextPart) -> New | Here | NoRoom:
        """Where a part belongs; a New one is `add`ed when it is kept, before the next is placed."""
        text = self._by_key.get(_key(part))
        if text is not None and text.digests.get(part.number) == _digest(part):
            return Here()
        if self._bytes + len(part.content) + _OVERHEAD_BYTES > self._limits.max_bytes:
            return NoRoom()
        if text is None or part.number in text.digests or text.handed_on_ms is not None:
            has_room = len(self._waiting) + len(self._remembered) < self._limits.max_texts
            return New(self._new_id()) if has_room else NoRoom()
        return New(text.id)

    def add(self, text_id: str, part: TextPart) -> None:
        """A part is kept under that text."""
        text = self._waiting.get(text_id)
        if text is None:
            text = _Text(text_id, _key(part), part.received_ms)
            if (before := self._by_key.get(text.key)) is not None:
                before.is_superseded = True
            self._waiting[text_id] = self._by_key[text.key] = text
        text.digests[part.number] = _digest(part)
        text.parts[part.number] = part
        self._bytes += len(part.content) + _OVERHEAD_BYTES

    def restore(self, text_id: str, parts: Iterable[TextPart], handed_on_ms: int | None) -> None:
        """What was kept before a restart; texts in the order of their first parts."""
        for part in parts:
            self.add(text_id, part)
        if handed_on_ms is not None:
            self.handed_on(text_id, handed_on_ms)

    def due(self, now_ms: int) -> list[tuple[str, tuple[TextPart, ...]]]:
        """The texts to hand on: their parts that have come, in their order."""
        return [
            (text.id, tuple(part for _, part in sorted(text.parts.items())))
            for text in self._waiting.values()
            if text.is_due(now_ms, self._limits.wait_ms)
        ]

    def handed_on(self, text_id: str, now_ms: int) -> None:
        text = self._remembered[text_id] = self._waiting.pop(text_id)
        self._bytes -= sum(len(part.content) + _OVERHEAD_BYTES for part in text.parts.values())
        text.parts = {}
        text.handed_on_ms = now_ms

    def forget(self, now_ms: int) -> list[str]:
        """Drop what was handed on long ago; returns the texts whose parts need not be kept any more."""
        old = []
        for text in self._remembered.values():
            if text.handed_on_ms is not None and now_ms - text.handed_on_ms < self._limits.remember_ms:
                break
            old.append(text)
        for text in old:
            del self._remembered[text.id]
            if self._by_key.get(text.key) is text:
                del self._by_key[text.key]
        return [text.id for text in old]


def _key(part: TextPart) -> tuple[str, str, str, int]:
    return part.source, part.destination, part.reference, part.total


def _digest(part: TextPart) -> bytes:
    return blake2b(bytes((part.data_coding,)) + part.content, digest_size=16).digest()
