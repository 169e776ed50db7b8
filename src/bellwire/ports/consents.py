"""Consents: one store behind both versions of the API, the keywords and the carriers' reports.

Pages of consents are keyed by `(sender, recipient)`, pages of history by the change's serial number, both ascending.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bellwire.model.ids import AccountId
from bellwire.model.sms import ConsentCoverage, ConsentStatus
from bellwire.model.sms_records import Consent, ConsentChange
from bellwire.ports.slices import Slice


class ConsentWriter(Protocol):
    async def change(self, changes: Sequence[ConsentChange]) -> None:
        """Set the consent of each pair, and remember who changed it when and how; all in one transaction, durable when
        it returns. Of two changes of one pair the later in the list holds. A change that says what was so already is
        remembered, too; only one that changes something is announced.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentQuery:
    """Which consents; empty tuples and None are any."""

    senders: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    statuses: frozenset[ConsentStatus] | None = None
    coverages: frozenset[ConsentCoverage] | None = None
    campaign_types: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class PairCursor:
    """A page of consents begins after this pair."""

    sender: str
    recipient: str


class ConsentReading(Protocol):
    """What clients read; implemented in `storage/records/consents_reading.py`."""

    async def consents(self, account: AccountId, query: ConsentQuery, part: Slice[PairCursor]) -> list[Consent]: ...

    async def history(
        self, account: AccountId, recipients: Sequence[str], part: Slice[int]
    ) -> list[tuple[int, ConsentChange]]:
        """Changes with their serial numbers; no recipients means all."""
        ...
