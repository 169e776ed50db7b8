"""Between records and rows. Most tables have the fields of one record as their columns; the two that don't are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, RowMapping, Select, Table, insert, update

from bellwire.model.identity import Session, TokenPair
from bellwire.model.instants import from_microseconds
from bellwire.model.subscription import (
    Blacklisting,
    DisabledFilter,
    FilterVersion,
    Subscription,
    SubscriptionApi,
    SubscriptionStatus,
    TransportType,
    WebhookDelivery,
)

R = TypeVar("R")
Row = dict[str, Any]


def columns(record: Any) -> Row:
    """The fields of a record (any dataclass instance) as column values, nested records left as they are."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def fetch(connection: Connection, kind: type[R], statement: Select[Any]) -> list[R]:
    """Run a query whose columns are the fields of `kind`."""
    return [kind(**row) for row in connection.execute(statement).mappings()]


def put(connection: Connection, table: Table, row: Row) -> None:
    """Create the row, or replace the one with the same primary key, which keeps rows that refer to it.

    In plain SQL rather than each database's own upsert; the writer is alone, so nobody comes between the two steps.
    """
    key = [column == row[column.name] for column in table.primary_key]
    if connection.execute(update(table).where(*key).values(row)).rowcount == 0:
        connection.execute(insert(table).values(row))


def session_row(session: Session) -> Row:
    """A session's columns: the token pair laid flat, and when nobody can use the session any more."""
    row = columns(session)
    tokens = row.pop("tokens")
    row.update(columns(tokens))
    row["ends_at"] = max(tokens.access_expires_at, tokens.refresh_expires_at or tokens.access_expires_at)
    return row


def session_from(row: RowMapping) -> Session:
    values: Row = dict(row)
    del values["ends_at"]
    return Session(tokens=TokenPair(**{field.name: values.pop(field.name) for field in fields(TokenPair)}), **values)


def subscription_row(subscription: Subscription) -> Row:
    """A subscription's columns but for its filter versions, which are rows of their own."""
    row = columns(subscription)
    webhook: WebhookDelivery | None = row.pop("webhook")
    blacklisting: Blacklisting | None = row.pop("blacklisting")
    del row["versions"]
    row.update(
        address=webhook and webhook.address,
        verification_token_sealed=webhook and webhook.verification_token_sealed,
        signing_secret_sealed=webhook and webhook.signing_secret_sealed,
        disabled_filters=[asdict(disabled) for disabled in subscription.disabled_filters],
        blacklisted_at=blacklisting and blacklisting.at,
        blacklisted_reason=blacklisting and blacklisting.reason,
    )
    return row


def subscription_from(row: Sequence[Any], versions: tuple[FilterVersion, ...]) -> Subscription:
    """A subscription from its columns in the table's order, as the driver gives them: a start reads a million."""
    (
        id_,
        api,
        account,
        owner,
        client,
        transport,
        address,
        token,
        signing,
        disabled,
        created,
        expires,
        lifetime,
        status,
        blacklisted_at,
        blacklisted_reason,
        paused,
    ) = row
    return Subscription(
        id=id_,
        api=_APIS[api],
        account_id=account,
        owner_id=owner,
        client_id=client,
        transport=_TRANSPORTS[transport],
        webhook=None
        if address is None
        else WebhookDelivery(address=address, verification_token_sealed=token, signing_secret_sealed=signing),
        versions=versions,
        disabled_filters=() if disabled == "[]" else _disabled_filters(disabled),
        created_at=from_microseconds(created),
        expires_at=from_microseconds(expires),
        lifetime_seconds=lifetime,
        status=_STATUSES[status],
        blacklisting=None
        if blacklisted_at is None
        else Blacklisting(at=from_microseconds(blacklisted_at), reason=blacklisted_reason),
        paused=bool(paused),
    )


_APIS = {member.value: member for member in SubscriptionApi}
_TRANSPORTS = {member.value: member for member in TransportType}
_STATUSES = {member.value: member for member in SubscriptionStatus}
_disabled_filters = msgspec.json.Decoder(tuple[DisabledFilter, ...]).decode
