"""Changing consents: the pair's record, the history, and the event, always together."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from bellwire.model.sms import ConsentCoverage, ConsentSource, ConsentStatus
from bellwire.model.sms_records import ConsentChange
from bellwire.sms.events import SmsEvent, opt_out_event
from bellwire.storage.records.outbox import SqlOutbox
from bellwire.storage.records.rows import columns, put
from bellwire.storage.records.sms_tables import consent, consent_history


class SqlConsentWriter:
    """`ConsentWriter` over the records database."""

    def __init__(self, outbox: SqlOutbox) -> None:
        self._outbox = outbox

    async def change(self, changes: Sequence[ConsentChange]) -> None:
        def work(connection: Connection, say: list[SmsEvent]) -> None:
            for change in changes:
                change_consent(connection, say, change)

        await self._outbox.write(work)


def change_consent(connection: Connection, say: list[SmsEvent], change: ConsentChange) -> None:
    """Set one pair's consent within a transaction.

    A recipient's keyword is announced each time; a change from elsewhere only when it changes something. Who never
    said anything counts as opted in.
    """
    key = consent.c
    present = connection.execute(
        select(key.status).where(
            key.account_id == change.account_id,
            key.sender == change.sender,
            key.recipient == change.recipient,
        )
    ).scalar()
    put(
        connection,
        consent,
        {
            "account_id": change.account_id,
            "sender": change.sender,
            "recipient": change.recipient,
            "status": change.status,
            "source": change.source,
            "coverage": ConsentCoverage.PHONE_NUMBER,
            "modified_at": change.created_at,
        },
    )
    serial = connection.execute(insert(consent_history).values(columns(change))).inserted_primary_key
    assert serial is not None
    changed = change.status is not (present or ConsentStatus.OPT_IN)
    if changed or change.source is ConsentSource.RECIPIENT:
        say.append(
            opt_out_event(
                change.account_id, change.sender, change.recipient, change.status, change.created_at, serial[0]
            )
        )
