"""What every subscription store must do. A backend's test class gives `store` and the `clock` that it was made with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bellwire.model.ids import AccountId, ClientId, ExtensionId, Position, SubscriptionId
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
from bellwire.ports.subscription_store import SubscriptionStore
from tests.doubles.subscriptions import all_of

NOW = datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=UTC)


@dataclass(slots=True)
class StoppedClock:
    """A clock that stands still until it is set."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def now_ms(self) -> int:
        return int(self.time.timestamp() * 1000)

    def monotonic(self) -> float:
        return self.time.timestamp()


def a_subscription(name: str, *, api: SubscriptionApi = SubscriptionApi.GENERAL) -> Subscription:
    return Subscription(
        id=SubscriptionId(name),
        api=api,
        account_id=AccountId("1"),
        owner_id=ExtensionId("2"),
        client_id=ClientId("app"),
        transport=TransportType.WEB_HOOK,
        webhook=WebhookDelivery(
            address="https://example.org/hook?a=1", verification_token_sealed=b"token", signing_secret_sealed=b"secret"
        ),
        versions=(FilterVersion(version=1, filters=("/one?direction=Inbound", "/two"), from_position=Position(0)),),
        disabled_filters=(DisabledFilter(filter="/three", reason="SUB-405", message="Not allowed: ü"),),
        created_at=NOW,
        expires_at=NOW + timedelta(days=7),
        lifetime_seconds=604800,
    )


class SubscriptionStoreContract:
    async def test_a_subscription_comes_back_with_every_field(self, store: SubscriptionStore) -> None:
        blacklisted = replace(
            a_subscription("a"),
            status=SubscriptionStatus.BLACKLISTED,
            blacklisting=Blacklisting(at=NOW, reason="10 minutes of nothing but failures"),
        )
        socket = replace(
            a_subscription("b", api=SubscriptionApi.WEBINAR),
            transport=TransportType.WEB_SOCKET,
            webhook=None,
            disabled_filters=(),
            created_at=NOW + timedelta(seconds=1),
        )
        await store.save(blacklisted)
        await store.save(socket)
        assert sorted(await all_of(store), key=lambda subscription: subscription.id) == [blacklisted, socket]

    async def test_saving_again_replaces_filter_versions_too(self, store: SubscriptionStore) -> None:
        made = a_subscription("a")
        await store.save(made)
        first = replace(made.versions[0], until_position=Position(2**60))
        second = FilterVersion(version=2, filters=("/three",), from_position=Position(2**60))
        changed = replace(made, versions=(first, second), expires_at=NOW + timedelta(days=8))
        await store.save(changed)
        assert await all_of(store) == [changed]
        trimmed = replace(changed, versions=(second,))
        await store.save(trimmed)
        assert await all_of(store) == [trimmed]

    async def test_versions_come_back_oldest_first(self, store: SubscriptionStore) -> None:
        versions = tuple(
            FilterVersion(version=number, filters=(f"/{number}",), from_position=Position(number))
            for number in range(1, 12)
        )
        await store.save(replace(a_subscription("a"), versions=versions))
        [found] = await all_of(store)
        assert found.versions == versions
        assert found.filters == ("/11",)

    async def test_a_removed_subscription_is_gone_without_a_trace(self, store: SubscriptionStore) -> None:
        await store.save(a_subscription("a"))
        await store.save(a_subscription("b"))
        await store.remove(SubscriptionId("a"))
        await store.remove(SubscriptionId("unknown"))
        assert await all_of(store) == [a_subscription("b")]
        assert await store.expired_at(SubscriptionId("a"), SubscriptionApi.GENERAL) is None

    async def test_an_expired_subscription_leaves_a_tombstone_in_its_own_api(self, store: SubscriptionStore) -> None:
        await store.save(a_subscription("a", api=SubscriptionApi.WEBINAR))
        await store.remove(SubscriptionId("a"), expired_at=NOW)
        assert await all_of(store) == []
        assert await store.expired_at(SubscriptionId("a"), SubscriptionApi.WEBINAR) == NOW
        assert await store.expired_at(SubscriptionId("a"), SubscriptionApi.GENERAL) is None

    async def test_expiry_of_what_is_not_there_leaves_no_tombstone(self, store: SubscriptionStore) -> None:
        await store.remove(SubscriptionId("a"), expired_at=NOW)
        assert await store.expired_at(SubscriptionId("a"), SubscriptionApi.GENERAL) is None

    async def test_a_tombstone_is_not_shown_after_a_day(self, store: SubscriptionStore, clock: StoppedClock) -> None:
        await store.save(a_subscription("a"))
        await store.remove(SubscriptionId("a"), expired_at=NOW)
        clock.time = NOW + timedelta(hours=24) - timedelta(seconds=1)
        assert await store.expired_at(SubscriptionId("a"), SubscriptionApi.GENERAL) == NOW
        clock.time = NOW + timedelta(hours=24, seconds=1)
        assert await store.expired_at(SubscriptionId("a"), SubscriptionApi.GENERAL) is None

    async def test_old_tombstones_are_forgotten(self, store: SubscriptionStore) -> None:
        for name, expired_at in (("a", NOW - timedelta(hours=2)), ("b", NOW)):
            await store.save(a_subscription(name))
            await store.remove(SubscriptionId(name), expired_at=expired_at)
        assert await store.forget_tombstones(NOW - timedelta(hours=1)) == 1
        assert await store.expired_at(SubscriptionId("a"), SubscriptionApi.GENERAL) is None
        assert await store.expired_at(SubscriptionId("b"), SubscriptionApi.GENERAL) == NOW
