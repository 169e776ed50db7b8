"""Packed records: what was packed comes back."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bellwire.model.packed import pack, unpack
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

moments = st.datetimes(datetime(1970, 1, 1), datetime(2400, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as it wants
positions = st.integers(0, 2**62)
texts = st.text(max_size=20)
records = st.builds(
    Subscription,
    id=texts,
    api=st.sampled_from(SubscriptionApi),
    account_id=texts,
    owner_id=texts,
    client_id=texts,
    transport=st.sampled_from(TransportType),
    webhook=st.none()
    | st.builds(
        WebhookDelivery,
        address=texts,
        verification_token_sealed=st.none() | st.binary(max_size=20),
        signing_secret_sealed=st.none() | st.binary(max_size=20),
    ),
    versions=st.lists(
        st.builds(
            FilterVersion,
            version=st.integers(1, 2**40),
            filters=st.lists(texts, max_size=3).map(tuple),
            from_position=positions,
            until_position=st.none() | positions,
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    disabled_filters=st.lists(st.builds(DisabledFilter, filter=texts, reason=texts, message=texts), max_size=2).map(
        tuple
    ),
    created_at=moments,
    expires_at=moments,
    lifetime_seconds=st.integers(0, 2**40),
    status=st.sampled_from(SubscriptionStatus),
    blacklisting=st.none() | st.builds(Blacklisting, at=moments, reason=texts),
    paused=st.booleans(),
)


@given(records)
def test_a_record_that_is_unpacked_equals_the_one_that_was_packed(record: Subscription) -> None:
    again = unpack(
        pack(record),
        id_=record.id,
        account=record.account_id,
        owner=record.owner_id,
        client=record.client_id,
        transport=record.transport,
        expires_at=record.expires_at,
    )
    assert again == record
    assert (type(again.api), type(again.status)) == (SubscriptionApi, SubscriptionStatus)
