"""Changing consents: the pair's record, the history, and the event, always together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, insert, select, update

from bellwire.model.ids import AccountId
from bellwire.model.sms import ConsentCoverage, ConsentSource, ConsentStatus
from bellwire.model.sms_records import ConsentChange
from bellwire.sms.events import SmsEvent, opt_out_event
from bellwire.storage.records.outbox import SqlOutbox
from bellwire.storage.records.rows import Row, columns
from bellwire.storage.records.sms_tables import consent, consent_history


class SqlConsentWriter:
    """`ConsentWriter` over the records database."""

    def __init__(self, outbox: SqlOutbox) -> None:
        self._outbox = outbox

    async def change(self, changes: Sequence[ConsentChange]) -> None:
        await self._outbox.write(lambda connection, say: change_consents(connection, say, changes))


Pair = tuple[AccountId, str, str]
"""Account, its number, the recipient."""


def change_consents(connection: Connection, say: list[SmsEvent], changes: Sequence[ConsentChange]) -> None:
    """Set the consents of pairs within a transaction; of two changes of one pair the later holds.

    A recipient's keyword is announced each time; a change from elsewhere only when it changes something. Who never
    said anything counts as opted in.
    """
    if not changes:
        return
    known = _present(connection, changes)
    _put(connection, {_pair(change): change for change in changes}, known)
    remember = insert(consent_history).returning(consent_history.c.id, sort_by_parameter_order=True)
    serials = connection.execute(remember, [columns(change) for change in changes]).scalars().all()
    for change, serial in zip(changes, serials, strict=True):
        changed = change.status is not known.get(_pair(change), ConsentStatus.OPT_IN)
        known[_pair(change)] = change.status
        if changed or change.source is ConsentSource.RECIPIENT:
            say.append(
                opt_out_event(
                    change.account_id, change.sender, change.recipient, change.status, change.created_at, serial
                )
            )


def _pair(change: ConsentChange) -> Pair:
    return change.account_id, change.sender, change.recipient


def _present(connection: Connection, changes: Sequence[ConsentChange]) -> dict[Pair, ConsentStatus]:
    """What is known of the pairs before."""
    recipients: dict[tuple[AccountId, str], list[str]] = {}
    for change in changes:
        recipients.setdefault((change.account_id, change.sender), []).append(change.recipient)
    present: dict[Pair, ConsentStatus] = {}
    for (account, sender), theirs in recipients.items():
        rows = connection.execute(
            select(consent.c.recipient, consent.c.status).where(
                consent.c.account_id == account, consent.c.sender == sender, consent.c.recipient.in_(theirs)
            )
        )
        for recipient, status in rows:
            present[account, sender, recipient] = status
    return present


_REPLACE = (
    update(consent)
    .where(
        consent.c.account_id == bindparam("the_account"),
        consent.c.sender == bindparam("the_sender"),
        consent.c.recipient == bindparam("the_recipient"),
    )
    .values({name: bindparam(name) for name in ("status", "source", "coverage", "modified_at")})
)


def _put(connection: Connection, last: Mapping[Pair, ConsentChange], known: Mapping[Pair, ConsentStatus]) -> None:
    """Each pair's record is as its last change says; the writer is alone, so nobody comes between."""
    new = [
        {"account_id": account, "sender": sender, "recipient": recipient, **_said(change)}
        for (account, sender, recipient), change in last.items()
        if (account, sender, recipient) not in known
    ]
    if new:
        connection.execute(insert(consent), new)
    replaced = [
        {"the_account": account, "the_sender": sender, "the_recipient": recipient, **_said(change)}
        for (account, sender, recipient), change in last.items()
        if (account, sender, recipient) in known
    ]
    if replaced:
        connection.execute(_REPLACE, replaced)


def _said(change: ConsentChange) -> Row:
    return {
        "status": change.status,
        "source": change.source,
        "coverage": ConsentCoverage.PHONE_NUMBER,
        "modified_at": change.created_at,
    }
