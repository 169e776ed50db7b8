"""What happens to subscriptions without their owners."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bellwire.families import REGISTRY
from bellwire.model.directory import Status
from bellwire.model.ids import ClientId, Position, SubscriptionId
from bellwire.model.permission import Permission
from bellwire.model.subscription import Subscription, SubscriptionApi, SubscriptionStatus
from tests.doubles.subscribing import ADMIN, PRESENCE, PUBLIC_URL, REMINDER, SESSIONS, USER, World

OTHERS_STORE = "/restapi/v1.0/account/1/extension/12/message-store"
GENERAL = SubscriptionApi.GENERAL


@pytest.fixture
async def world() -> AsyncIterator[World]:
    yield await World().settled()


def current(world: World, subscription: Subscription) -> Subscription:
    record = world.live.get(subscription.id)
    assert record is not None
    assert world.store.records[record.id] == record
    return record


async def reminders(world: World, seconds: float) -> list[int]:
    """Let time pass with the job running; seconds that were left at each reminder."""
    left = []
    for _ in range(int(seconds / 5)):
        world.clock.advance(5)
        left += [json.loads(event.body)["expiresIn"] for event in world.upkeep.due_reminders(world.clock.now())]
    return left


async def test_what_has_expired_ends_with_a_tombstone_and_the_rest_stays(world: World) -> None:
    short, long = await world.create(expires_in=60), await world.create()
    assert await world.upkeep.expire_due(world.clock.now() + timedelta(seconds=59)) == []
    world.clock.advance(60)
    assert await world.upkeep.expire_due(world.clock.now()) == [short.id]
    assert list(world.store.records) == [long.id]
    assert world.store.tombstones == {short.id: (GENERAL, short.expires_at)}
    assert world.matched(PRESENCE) == [(long.id, 1, 0)]
    assert world.delivery.told[-1] == ("closed", short.id)
    assert await world.upkeep.expire_due(world.clock.now()) == []


async def test_a_renewed_subscription_does_not_expire_at_its_old_time(world: World) -> None:
    subscription = await world.create(expires_in=60)
    world.clock.advance(59)
    await world.subscriptions.renew(world.caller(), GENERAL, subscription.id)
    world.clock.advance(604_799)
    assert await world.upkeep.expire_due(world.clock.now()) == []
    world.clock.advance(1)
    assert await world.upkeep.expire_due(world.clock.now()) == [subscription.id]


async def test_an_expiry_that_can_not_be_stored_is_tried_again(world: World) -> None:
    subscription = await world.create(expires_in=60)
    world.clock.advance(60)
    world.store.broken = True
    assert await world.upkeep.expire_due(world.clock.now()) == []
    world.store.broken = False
    assert await world.upkeep.expire_due(world.clock.now()) == [subscription.id]


async def test_tombstones_go_after_a_day(world: World) -> None:
    await world.create(expires_in=60)
    world.clock.advance(60)
    await world.upkeep.expire_due(world.clock.now())
    world.clock.advance(24 * 3600 + 1)
    await world.upkeep.expire_due(world.clock.now())
    assert world.store.tombstones == {}


async def test_what_expired_while_the_server_was_down_ends_after_the_restart(world: World) -> None:
    subscription = await world.create(expires_in=60)
    world.clock.advance(3600)
    world.start()
    await world.live.restore()
    assert await world.upkeep.expire_due(world.clock.now()) == [subscription.id]


async def test_case_58_reminders_come_about_every_interval_until_renewed_or_expired(world: World) -> None:
    subscription = await world.create(PRESENCE, REMINDER, expires_in=300)
    assert await reminders(world, 235) == []
    assert await reminders(world, 30) == [60, 45]
    await world.subscriptions.renew(world.caller(), GENERAL, subscription.id)
    assert await reminders(world, 600) == []
    await world.subscriptions.update(world.caller(), GENERAL, subscription.id, filters=None, expires_in=120)
    assert await reminders(world, 200) == [60, 45, 30, 15]


async def test_case_58_a_reminder_is_an_event_that_its_own_subscription_alone_matches(world: World) -> None:
    mine, other = await world.create(PRESENCE, REMINDER), await world.create(REMINDER)
    world.clock.advance(604_750)
    event = next(e for e in world.upkeep.due_reminders(world.clock.now()) if mine.id in e.topic)
    assert event.topic == f"/restapi/v1.0/subscription/{mine.id}"
    body = json.loads(event.body)
    assert (body["id"], body["expiresIn"], body["eventFilters"]) == (mine.id, 50, [PRESENCE, REMINDER])
    assert body["uri"] == f"{PUBLIC_URL}/restapi/v1.0/subscription/{mine.id}"
    assert "address" not in body["deliveryMode"]
    topic = REGISTRY.match(event.topic)
    assert topic is not None
    assert topic.family.body.model_validate(body)
    key = REGISTRY.topic_key(event.account, topic.topic, topic.template)
    matches = world.subscribers.matches(key, ({},), Position(1), event.audience)
    assert [(match.subscriber.id, match.filter_index) for match in matches] == [(mine.id, 1)]
    assert mine.filters[1] == REMINDER
    assert other.id != mine.id


async def test_filters_without_a_reminder_stop_the_reminders_and_with_one_start_them(world: World) -> None:
    subscription = await world.create(PRESENCE, REMINDER, expires_in=120)
    await world.subscriptions.update(world.caller(), GENERAL, subscription.id, filters=[PRESENCE], expires_in=120)
    assert await reminders(world, 90) == []
    await world.subscriptions.update(world.caller(), GENERAL, subscription.id, filters=[REMINDER], expires_in=120)
    assert await reminders(world, 75) == [60, 45]


async def test_reminders_go_on_after_a_restart(world: World) -> None:
    await world.create(PRESENCE, REMINDER, expires_in=120)
    world.clock.advance(70)
    world.start()
    await world.live.restore()
    assert await reminders(world, 20) == [45, 30]


async def test_a_permission_that_was_revoked_disables_its_filters_alone(world: World) -> None:
    subscription, other = await world.create(PRESENCE, SESSIONS), await world.create(SESSIONS, client="app")
    untouched = await world.create(PRESENCE, client="limited")
    application = world.identity.application(ClientId("app"))
    assert application is not None
    await world.identity.save_application(replace(application, permissions=frozenset({Permission.READ_PRESENCE})))
    await world.happen(5)
    assert await world.upkeep.recheck(application=application.client_id) == 2
    record = current(world, subscription)
    assert record.filters == (PRESENCE,)
    assert [(d.filter, d.reason) for d in record.disabled_filters] == [(SESSIONS, "SUB-412")]
    assert world.matched(SESSIONS, 5) != []
    assert world.matched(SESSIONS, 6) == []
    assert current(world, other).filters == ()
    assert current(world, untouched) == untouched
    await world.identity.save_application(application)
    assert await world.upkeep.recheck(application=application.client_id) == 0


async def test_a_user_who_lost_a_right_loses_the_filters_that_need_it(world: World) -> None:
    subscription = await world.create(PRESENCE, OTHERS_STORE)
    owner = world.identity.extension(ADMIN)
    assert owner is not None
    await world.identity.save_extension(replace(owner, is_admin=False))
    assert await world.upkeep.recheck(extension=ADMIN) == 1
    record = current(world, subscription)
    assert (record.filters, [d.filter for d in record.disabled_filters]) == ((PRESENCE,), [OTHERS_STORE])
    updated = await world.subscriptions.update(
        world.caller(), GENERAL, subscription.id, filters=[PRESENCE], expires_in=None
    )
    assert updated.disabled_filters == ()


@pytest.mark.parametrize("what", ["account", "application", "extension"])
async def test_a_disabled_owner_gets_nothing_until_enabled_again(world: World, what: str) -> None:
    subscription = await world.create(PRESENCE, SESSIONS)
    bystander = await world.create(extension=USER, client="limited")

    async def set_status(status: Status) -> int:
        if what == "account":
            account = world.identity.account(subscription.account_id)
            assert account is not None
            await world.identity.save_account(replace(account, status=status))
            return await world.upkeep.recheck(account=account.id)
        if what == "application":
            application = world.identity.application(subscription.client_id)
            assert application is not None
            await world.identity.save_application(replace(application, status=status))
            return await world.upkeep.recheck(application=application.client_id)
        owner = world.identity.extension(subscription.owner_id)
        assert owner is not None
        await world.identity.save_extension(replace(owner, status=status))
        return await world.upkeep.recheck(extension=owner.id)

    concerned = 2 if what == "account" else 1
    assert await set_status(Status.DISABLED) == concerned
    assert await set_status(Status.DISABLED) == 0
    record = current(world, subscription)
    assert record.filters == ()
    assert [(d.filter, d.reason) for d in record.disabled_filters] == [(PRESENCE, "CMN-405"), (SESSIONS, "CMN-405")]
    assert [id_ for id_, _, _ in world.matched(PRESENCE)] == ([] if what == "account" else [bystander.id])
    assert await set_status(Status.ENABLED) == concerned
    record = current(world, subscription)
    assert (record.filters, record.disabled_filters) == ((PRESENCE, SESSIONS), ())
    assert subscription.id in [id_ for id_, _, _ in world.matched(PRESENCE)]


async def test_the_subscriptions_of_who_is_gone_end(world: World) -> None:
    subscription, other = await world.create(), await world.create(client="limited")
    await world.identity.remove_application(ClientId("app"))
    assert await world.upkeep.recheck(application=ClientId("app")) == 1
    assert list(world.store.records) == [other.id]
    assert world.live.get(subscription.id) is None
    await world.identity.remove_extension(ADMIN)
    assert await world.upkeep.recheck(extension=ADMIN) == 1
    assert world.store.records == {}


async def test_recheck_wants_to_know_exactly_what_changed(world: World) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        await world.upkeep.recheck()
    with pytest.raises(ValueError, match="exactly one"):
        await world.upkeep.recheck(extension=ADMIN, application=ClientId("app"))


async def test_blacklisting_and_its_end_are_stored(world: World) -> None:
    subscription = await world.create()
    await world.upkeep.blacklist(subscription.id, "Webhook responses with code: [404]")
    record = current(world, subscription)
    assert record.status is SubscriptionStatus.BLACKLISTED
    assert record.blacklisting is not None
    assert record.blacklisting.reason == "Webhook responses with code: [404]"
    saves = world.store.saves
    await world.upkeep.blacklist(subscription.id, "again")
    assert world.store.saves == saves
    assert world.matched(PRESENCE) == [(subscription.id, 1, 0)]
    await world.live.in_turn(subscription.id, lambda: world.upkeep.lift_blacklisting_in_turn(subscription.id))
    assert current(world, subscription) == subscription
    await world.upkeep.blacklist(SubscriptionId("unknown"), "nobody")
