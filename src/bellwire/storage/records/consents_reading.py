"""Consents and their history as clients read them, one store for both versions of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, or_, select, tuple_

from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.sms_records import Consent, ConsentChange
from bellwire.ports.consents import ConsentQuery, PairCursor
from bellwire.ports.slices import Slice
from bellwire.storage.records.database import Records
from bellwire.storage.records.rows import fetch
from bellwire.storage.records.sms_reading import ascending, ordered
from bellwire.storage.records.sms_tables import consent, consent_history


class SqlConsentReading:
    """`ConsentReading` over the records database."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def consents(self, account: AccountId, query: ConsentQuery, part: Slice[PairCursor]) -> list[Consent]:
        return await self._records.read(lambda connection: _consents(connection, account, query, part))

    async def history(
        self, account: AccountId, recipients: Sequence[str], part: Slice[int]
    ) -> list[tuple[int, ConsentChange]]:
        return await self._records.read(lambda connection: _history(connection, account, recipients, part))


def _consents(
    connection: Connection, account: AccountId, query: ConsentQuery, part: Slice[PairCursor]
) -> list[Consent]:
    conditions: list[Any] = [consent.c.account_id == account]
    if query.senders:
        conditions.append(consent.c.sender.in_(query.senders))
    if query.recipients:
        conditions.append(consent.c.recipient.in_(query.recipients))
    if query.statuses is not None:
        conditions.append(consent.c.status.in_(query.statuses))
    if query.coverages is not None:
        conditions.append(consent.c.coverage.in_(query.coverages))
    if query.campaign_types is not None:
        # Which campaign a consent is for matters only where it is not for a number's texts of all kinds.
        conditions.append(or_(consent.c.campaign_type.is_(None), consent.c.campaign_type.in_(query.campaign_types)))
    ordering = (consent.c.sender, consent.c.recipient)
    if part.start is not None:
        start = tuple_(part.start.sender, part.start.recipient)
        place = tuple_(*ordering)
        conditions.append(place < start if part.backward else place > start)
    found = fetch(connection, Consent, ordered(select(consent).where(*conditions), ordering, part))
    return ascending(found, part)


def _history(
    connection: Connection, account: AccountId, recipients: Sequence[str], part: Slice[int]
) -> list[tuple[int, ConsentChange]]:
    serial = consent_history.c.id
    statement = select(consent_history).where(consent_history.c.account_id == account)
    if recipients:
        statement = statement.where(consent_history.c.recipient.in_(recipients))
    if part.start is not None:
        statement = statement.where(serial < part.start if part.backward else serial > part.start)
    rows = connection.execute(ordered(statement, (serial,), part)).mappings()
    return ascending([(row["id"], _change_from(dict(row))) for row in rows], part)


def _change_from(row: dict[str, Any]) -> ConsentChange:
    del row["id"]
    actor = row.pop("actor")
    return ConsentChange(actor=None if actor is None else ExtensionId(actor), **row)
