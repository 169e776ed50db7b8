"""A subscription's record in few bytes, as the server holds the million that are quiet.

A `Subscription` with its parts is some fifteen objects and 800 bytes. Packed, it is one object of about 180 bytes that
the garbage collector passes over; to unpack it takes a few microseconds, which is done when somebody asks for the
record, and not for each notification. The fields that are asked for often are kept beside it (`ports.delivery_control`)
and are not packed.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from bellwire.model.ids import AccountId, ClientId, ExtensionId, Position, SubscriptionId
from bellwire.model.instants import from_microseconds, to_microseconds
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


class _Version(msgspec.Struct, array_like=True, gc=False):
    version: int
    filters: tuple[str, ...]
    from_position: int
    until_position: int | None


class _Record(msgspec.Struct, array_like=True, omit_defaults=True, gc=False):
    """The rare fields last: those that end a record and have their default take no bytes."""

    created_us: int
    lifetime_seconds: int
    versions: tuple[_Version, ...]
    address: str | None = None
    api: SubscriptionApi = SubscriptionApi.GENERAL
    disabled_filters: tuple[tuple[str, str, str], ...] = ()
    verification_token_sealed: bytes | None = None
    signing_secret_sealed: bytes | None = None
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE
    blacklisted_us: int | None = None
    blacklisted_reason: str = ""
    paused: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Record).decode


def pack(subscription: Subscription) -> bytes:
    """All but the fields that `unpack` takes."""
    webhook, blacklisting = subscription.webhook, subscription.blacklisting
    record = _Record(
        to_microseconds(subscription.created_at),
        subscription.lifetime_seconds,
        tuple([_Version(v.version, v.filters, v.from_position, v.until_position) for v in subscription.versions]),
        None if webhook is None else webhook.address,
        subscription.api,
    )
    if subscription.disabled_filters:
        record.disabled_filters = tuple((d.filter, d.reason, d.message) for d in subscription.disabled_filters)
    if webhook is not None:
        record.verification_token_sealed = webhook.verification_token_sealed
        record.signing_secret_sealed = webhook.signing_secret_sealed
    if blacklisting is not None:
        record.blacklisted_us = to_microseconds(blacklisting.at)
        record.blacklisted_reason = blacklisting.reason
    record.status = subscription.status
    record.paused = subscription.paused
    return _encode(record)


def unpack(
    packed: bytes,
    *,
    id_: SubscriptionId,
    account: AccountId,
    owner: ExtensionId,
    client: ClientId,
    transport: TransportType,
    expires_at: datetime,
) -> Subscription:
    """The record again, equal to the one that was packed."""
    record = _decode(packed)
    webhook = None
    if record.address is not None:
        webhook = WebhookDelivery(
            address=record.address,
            verification_token_sealed=record.verification_token_sealed,
            signing_secret_sealed=record.signing_secret_sealed,
        )
    blacklisting = None
    if record.blacklisted_us is not None:
        blacklisting = Blacklisting(at=from_microseconds(record.blacklisted_us), reason=record.blacklisted_reason)
    return Subscription(
        id=id_,
        api=record.api,
        account_id=account,
        owner_id=owner,
        client_id=client,
        transport=transport,
        webhook=webhook,
        versions=tuple(
            [
                FilterVersion(
                    version=one.version,
                    filters=one.filters,
                    from_position=Position(one.from_position),
                    until_position=None if one.until_position is None else Position(one.until_position),
                )
                for one in record.versions
            ]
        ),
        disabled_filters=tuple(
            [DisabledFilter(filter=text, reason=why, message=said) for text, why, said in record.disabled_filters]
        ),
        created_at=from_microseconds(record.created_us),
        expires_at=expires_at,
        lifetime_seconds=record.lifetime_seconds,
        status=record.status,
        blacklisting=blacklisting,
        paused=record.paused,
    )
