"""What one text's submit_sm, of which there can be several, come to together.

A text is sent when all its parts were taken, and never when one was refused. Between the two: as long as no part was
taken it can go back, and be sent whole later without anybody getting it twice; once one was taken only the rest may be
sent, and where that can't be, nobody knows.

    every part taken ──▶ Submitted          a part refused for good ──▶ Refused
    none taken, none unknown, some not now ──▶ NotNow
    one unknown ──▶ SubmitUnknown           some taken, some not now ──▶ goes on with these
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from bellwire.model.sms import NotNow, OutgoingText, Refused, SubmitOutcome, Submitted, SubmitUnknown
from bellwire.sms.codes import ErrorCode
from bellwire.wire.smpp.pdus import SubmitSm


class _Fate(Enum):
    WAITING = auto()
    WRITTEN = auto()
    POSTPONED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class _Taken:
    carrier_id: str


class Submission:
    def __init__(self, text: OutgoingText, parts: list[SubmitSm]) -> None:
        self.text = text
        self.parts = parts
        self._fates: list[_Fate | _Taken | Refused] = [_Fate.WAITING] * len(parts)

    @property
    def is_untouched(self) -> bool:
        """Nothing was written: it can go back."""
        return all(fate is _Fate.WAITING for fate in self._fates)

    @property
    def next_part(self) -> int | None:
        """The first part that is to be written."""
        if any(isinstance(fate, Refused) or fate is _Fate.UNKNOWN for fate in self._fates):
            return None
        if _Fate.POSTPONED in self._fates and not self.is_half_taken:
            return None
        return next((part for part, fate in enumerate(self._fates) if fate is _Fate.WAITING), None)

    @property
    def in_flight(self) -> int:
        return self._fates.count(_Fate.WRITTEN)

    @property
    def is_half_taken(self) -> bool:
        """Part of it was taken, so that only the rest may be sent."""
        return any(isinstance(fate, _Taken) for fate in self._fates)

    def written(self, part: int) -> None:
        self._fates[part] = _Fate.WRITTEN

    def taken(self, part: int, carrier_id: str) -> None:
        self._fates[part] = _Taken(carrier_id)

    def refused(self, part: int, code: ErrorCode) -> None:
        self._fates[part] = Refused(code)

    def postponed(self, part: int) -> None:
        """The peer surely did not take it, and may later."""
        self._fates[part] = _Fate.POSTPONED

    def unknown(self, part: int) -> None:
        self._fates[part] = _Fate.UNKNOWN

    @property
    def is_held_up(self) -> bool:
        """It is half taken, and the peer could not take some of the rest."""
        return self.is_half_taken and _Fate.POSTPONED in self._fates

    def resume(self) -> None:
        """Let the postponed parts be written again."""
        self._fates = [_Fate.WAITING if fate is _Fate.POSTPONED else fate for fate in self._fates]

    def outcome(self, retry_after_seconds: float) -> SubmitOutcome | None:
        """What it came to; None: it is not over.

        Args:
            retry_after_seconds: for a text that goes back.
        """
        if self.in_flight:
            return None
        fates = self._fates
        for fate in fates:
            if isinstance(fate, Refused):
                return fate
        if _Fate.UNKNOWN in fates:
            return SubmitUnknown()
        taken = [fate.carrier_id for fate in fates if isinstance(fate, _Taken)]
        if len(taken) == len(fates):
            return Submitted(tuple(carrier_id for carrier_id in taken if carrier_id))
        if _Fate.POSTPONED in fates and not self.is_half_taken:
            return NotNow(retry_after_seconds)
        return None

    def abandoned(self, retry_after_seconds: float) -> SubmitOutcome:
        """What it came to if nothing more is written, whatever is in flight."""
        if self.in_flight:
            return SubmitUnknown()
        known = self.outcome(retry_after_seconds)
        if known is not None:
            return known
        return SubmitUnknown() if self.is_half_taken else NotNow(retry_after_seconds)
