"""The use cases of subscriptions, with everything around them in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bellwire.errors import Forbidden, InvalidRequest, NotAllowedHere, NotFound, Unavailable
from bellwire.model.ids import Position, SubscriptionId
from bellwire.model.packed import unpack
from bellwire.model.permission import Permission
from bellwire.model.subscription import (
    Blacklisting,
    Subscription,
    SubscriptionApi,
    SubscriptionStatus,
    TransportType,
)
from bellwire.ports import delivery_control
from tests.doubles.subscribing import (
    ACCOUNT_PRESENCE,
    ADMIN,
    HOOK,
    PRESENCE,
    REMINDER,
    SESSIONS,
    STRANGER,
    USER,
    WEBINARS,
    World,
    let_run,
)
from tests.doubles.subscriptions import NOW, a_subscription

GENERAL, WEBINAR = SubscriptionApi.GENERAL, SubscriptionApi.WEBINAR
SECRET = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
NOT_REACHABLE = InvalidRequest("SUB-521", "WebHook is not reachable.")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    yield await World().settled()


async def test_case_37_a_created_subscription_is_active_with_real_ids(world: World) -> None:
    subscription = await world.create("/restapi/v1.0/account/~/extension/~/presence?detailedTelephonyState=true")
    assert subscription.filters == (f"{PRESENCE}?detailedTelephonyState=true",)
    assert subscription.status is SubscriptionStatus.ACTIVE
    assert (subscription.owner_id, subscription.account_id, subscription.client_id) == (ADMIN, "1", "app")
    assert world.store.records == {subscription.id: subscription}
    assert world.delivery.told == [("opened", subscription.id), ("released", subscription.id)]


async def test_secrets_are_sealed_and_the_token_goes_along_with_the_handshake(world: World) -> None:
    subscription = await world.create(verification_token="token-1", signing_secret=SECRET)
    assert world.validation.called == [(HOOK, "token-1")]
    webhook = subscription.webhook
    assert webhook is not None
    assert webhook.verification_token_sealed is not None
    assert webhook.signing_secret_sealed is not None
    assert b"token-1" not in webhook.verification_token_sealed
    assert world.installation.unseal(webhook.verification_token_sealed) == "token-1"
    assert world.installation.unseal(webhook.signing_secret_sealed) == SECRET


@pytest.mark.parametrize(
    ("wanted", "parameter"),
    [
        ({"verification_token": "two\r\nlines"}, "deliveryMode.verificationToken"),
        ({"signing_secret": "hunter2"}, "deliveryMode.signingSecret"),
        ({"expires_in": 0}, "expiresIn"),
        ({"filters": ()}, "eventFilters"),
    ],
)
async def test_what_is_written_wrong_is_refused_before_the_address_is_called(
    world: World, wanted: dict[str, object], parameter: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await world.create(**wanted)  # type: ignore[arg-type]
    assert (refused.value.code, refused.value.entries[0].parameter) == ("CMN-101", parameter)
    assert (world.validation.called, world.store.records) == ([], {})


async def test_case_38_and_39_the_lifetime_is_seven_days_or_what_was_asked_up_to_ten_years(world: World) -> None:
    for asked, granted in ((None, 604_800), (60, 60), (10**12, 315_360_000)):
        subscription = await world.create(expires_in=asked)
        assert subscription.expires_at - subscription.created_at == timedelta(seconds=granted)
        assert subscription.lifetime_seconds == granted


async def test_case_40_the_thirty_first_is_refused_without_calling_its_address(world: World) -> None:
    for _ in range(30):
        await world.create()
    calls = len(world.validation.called)
    with pytest.raises(Forbidden) as refused:
        await world.create()
    assert refused.value.code == "SUB-505"
    assert len(world.validation.called) == calls
    await world.create(WEBINARS, api=WEBINAR)
    await world.create(client="limited")
    await world.create(extension=USER)


async def test_creations_under_way_count_against_the_limit(world: World) -> None:
    for _ in range(28):
        await world.create()
    world.validation.gate = asyncio.Event()
    racing = [asyncio.create_task(world.create()) for _ in range(5)]
    await let_run()
    world.validation.gate.set()
    outcomes = await asyncio.gather(*racing, return_exceptions=True)
    assert sum(isinstance(outcome, Forbidden) for outcome in outcomes) == 3
    assert len(world.subscriptions.list(world.caller(), GENERAL)) == 30


async def test_creations_that_were_refused_or_expired_count_no_more(world: World) -> None:
    world.validation.refusal = NOT_REACHABLE
    for _ in range(31):
        with pytest.raises(InvalidRequest, match="not reachable"):
            await world.create()
    world.validation.refusal = None
    for _ in range(30):
        await world.create(expires_in=60)
    world.clock.advance(60)
    await world.create()


async def test_case_41_another_application_of_the_same_user_has_its_own_list(world: World) -> None:
    mine = await world.create()
    other = await world.create(client="limited")
    assert world.subscriptions.list(world.caller(), GENERAL) == [mine]
    assert world.subscriptions.list(world.caller(client="limited"), GENERAL) == [other]
    assert world.subscriptions.list(world.caller(USER), GENERAL) == []


async def test_another_users_or_applications_subscription_is_not_found(world: World) -> None:
    subscription = await world.create()
    for caller in (world.caller(USER), world.caller(STRANGER), world.caller(client="limited")):
        for attempt in (
            world.subscriptions.get(caller, GENERAL, subscription.id),
            world.subscriptions.update(caller, GENERAL, subscription.id, filters=None, expires_in=None),
            world.subscriptions.renew(caller, GENERAL, subscription.id),
            world.subscriptions.delete(caller, GENERAL, subscription.id),
        ):
            with pytest.raises(NotFound) as refused:
                await attempt
            assert refused.value.code == "CMN-102"
    assert await world.subscriptions.get(world.caller(), GENERAL, subscription.id) == subscription


async def test_case_42_an_update_replaces_filters_and_renews(world: World) -> None:
    subscription = await world.create(expires_in=1_000_000)
    await world.happen(3)
    world.clock.advance(100)
    updated = await world.subscriptions.update(
        world.caller(), GENERAL, subscription.id, filters=[SESSIONS], expires_in=None
    )
    assert updated.filters == (SESSIONS,)
    assert updated.webhook == subscription.webhook
    assert updated.expires_at == world.clock.now() + timedelta(seconds=604_800)
    assert [(v.version, v.from_position, v.until_position) for v in updated.versions] == [(1, 0, 3), (2, 3, None)]
    assert world.store.records[subscription.id] == updated
    assert world.matched(PRESENCE, 3) == [(subscription.id, 1, 0)]
    assert world.matched(PRESENCE, 4) == []
    assert world.matched(SESSIONS, 4) == [(subscription.id, 2, 0)]
    assert world.delivery.told[-1] == ("refiltered", subscription.id)


async def test_an_update_to_the_same_filters_makes_no_new_version(world: World) -> None:
    subscription = await world.create()
    updated = await world.subscriptions.update(
        world.caller(), GENERAL, subscription.id, filters=["/restapi/v1.0/account/~/extension/~/presence"], expires_in=9
    )
    assert updated.versions == subscription.versions
    assert updated.lifetime_seconds == 9
    assert ("refiltered", subscription.id) not in world.delivery.told


async def test_case_43_an_empty_update_and_a_renewal_grant_the_same_default(world: World) -> None:
    first, second = await world.create(expires_in=10**8), await world.create(expires_in=60)
    world.clock.advance(30)
    updated = await world.subscriptions.update(world.caller(), GENERAL, first.id, filters=None, expires_in=None)
    renewed = await world.subscriptions.renew(world.caller(), GENERAL, second.id)
    assert updated.expires_at == renewed.expires_at == world.clock.now() + timedelta(seconds=604_800)
    assert updated.filters == first.filters
    assert world.store.records == {first.id: updated, second.id: renewed}


async def test_case_44_a_deleted_subscription_is_gone_everywhere(world: World) -> None:
    subscription = await world.create()
    await world.subscriptions.delete(world.caller(), GENERAL, subscription.id)
    assert world.store.records == {}
    assert world.matched(PRESENCE) == []
    assert world.delivery.told[-1] == ("closed", subscription.id)
    for attempt in (
        world.subscriptions.get(world.caller(), GENERAL, subscription.id),
        world.subscriptions.delete(world.caller(), GENERAL, subscription.id),
    ):
        with pytest.raises(NotFound) as refused:
            await attempt
        assert refused.value.code == "CMN-102"


async def test_case_45_bad_filters_are_named_and_another_account_is_forbidden(world: World) -> None:
    with pytest.raises(InvalidRequest) as bad:
        await world.create(PRESENCE, "/restapi/v1.0/account/~/presense")
    assert (bad.value.code, bad.value.http_status) == ("SUB-508", 400)
    with pytest.raises(Forbidden) as foreign:
        await world.create(PRESENCE, "/restapi/v1.0/account/2/presence")
    assert (foreign.value.code, foreign.value.http_status) == ("SUB-406", 403)
    assert world.validation.called == []


async def test_case_46_what_is_not_permitted_is_disabled_and_the_rest_matches(world: World) -> None:
    subscription = await world.create(SESSIONS, PRESENCE, client="limited")
    assert subscription.filters == (PRESENCE,)
    assert [disabled.filter for disabled in subscription.disabled_filters] == [SESSIONS]
    assert world.matched(PRESENCE) == [(subscription.id, 1, 0)]
    assert world.matched(SESSIONS) == []


async def test_without_any_permitted_filter_nothing_is_created(world: World) -> None:
    with pytest.raises(Forbidden) as refused:
        await world.create(SESSIONS, client="limited")
    assert refused.value.code == "CMN-401"
    assert (world.validation.called, len(world.subscribers)) == ([], 0)


async def test_a_token_of_fewer_permissions_than_its_application_sees_fewer_events(world: World) -> None:
    caller = replace(world.caller(), scope=frozenset({Permission.READ_PRESENCE}))
    subscription = await world.create()
    updated = await world.subscriptions.update(
        caller, GENERAL, subscription.id, filters=[PRESENCE, SESSIONS], expires_in=None
    )
    assert updated.filters == (PRESENCE,)


async def test_spellings_of_one_filter_are_one_filter(world: World) -> None:
    subscription = await world.create("/restapi/v1.0/account/~/extension/~/presence", SESSIONS, PRESENCE)
    assert subscription.filters == (PRESENCE, SESSIONS)


async def test_case_48_a_failed_handshake_leaves_nothing(world: World) -> None:
    world.validation.refusal = NOT_REACHABLE
    with pytest.raises(InvalidRequest, match="not reachable"):
        await world.create()
    assert (world.store.records, len(world.subscribers), world.delivery.told) == ({}, 0, [])


async def test_a_permission_revoked_during_the_handshake_counts(world: World) -> None:
    world.validation.gate = asyncio.Event()
    creating = asyncio.create_task(world.create(SESSIONS, PRESENCE))
    await let_run()
    owner = world.identity.extension(ADMIN)
    assert owner is not None
    await world.identity.save_extension(replace(owner, is_admin=False))
    world.validation.gate.set()
    assert (await creating).filters == (PRESENCE,)


async def test_events_are_matched_while_the_store_still_writes_but_held(world: World) -> None:
    await world.happen(4)
    world.store.gate = asyncio.Event()
    creating = asyncio.create_task(world.create())
    await let_run()
    (_, id_) = world.delivery.told[0]
    assert world.matched(PRESENCE, 4) == []
    assert world.matched(PRESENCE, 5) == [(id_, 1, 0)]
    assert world.delivery.told == [("opened", id_)]
    world.store.gate.set()
    await creating
    assert world.delivery.told == [("opened", id_), ("released", id_)]


async def test_a_subscription_that_could_not_be_stored_does_not_exist(world: World) -> None:
    world.store.broken = True
    with pytest.raises(Unavailable):
        await world.create()
    assert len(world.subscribers) == 0
    assert [what for what, _ in world.delivery.told] == ["opened", "closed"]


async def test_events_are_matched_with_the_filters_before_until_a_change_is_stored(world: World) -> None:
    """So no notification names a version that a restart would not know."""
    subscription = await world.create()
    await world.happen(4)
    world.store.gate = asyncio.Event()
    updating = asyncio.create_task(
        world.subscriptions.update(world.caller(), GENERAL, subscription.id, filters=[SESSIONS], expires_in=None)
    )
    await let_run()
    await world.happen(1)
    assert world.matched(PRESENCE, 5) == [(subscription.id, 1, 0)]
    assert world.matched(SESSIONS, 5) == []
    world.store.gate.set()
    updated = await updating
    assert updated.versions[-1].from_position == 4
    assert world.matched(PRESENCE, 5) == []
    assert world.matched(SESSIONS, 5) == [(subscription.id, 2, 0)]


async def test_a_change_that_could_not_be_stored_changes_nothing(world: World) -> None:
    subscription = await world.create(REMINDER)
    await world.happen(2)
    world.store.broken = True
    with pytest.raises(Unavailable):
        await world.subscriptions.update(world.caller(), GENERAL, subscription.id, filters=[SESSIONS], expires_in=10)
    now = await world.subscriptions.get(world.caller(), GENERAL, subscription.id)
    assert (now.filters, now.expires_at) == (subscription.filters, subscription.expires_at)
    assert world.matched(SESSIONS, 3) == []
    assert world.matched(f"1 /restapi/v1.0/subscription/{subscription.id}", 3) == [(subscription.id, 1, 0)]
    assert now == subscription
    world.store.broken = False
    renewed = await world.subscriptions.renew(world.caller(), GENERAL, subscription.id)
    assert renewed.filters == subscription.filters


async def test_a_renewal_that_could_not_be_stored_is_undone(world: World) -> None:
    subscription = await world.create(expires_in=60)
    world.store.broken = True
    with pytest.raises(Unavailable):
        await world.subscriptions.renew(world.caller(), GENERAL, subscription.id)
    assert await world.subscriptions.get(world.caller(), GENERAL, subscription.id) == subscription


async def test_a_creation_whose_caller_hangs_up_is_finished_all_the_same(world: World) -> None:
    world.store.gate = asyncio.Event()
    creating = asyncio.create_task(world.create())
    await let_run()
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    world.store.gate.set()
    (_, id_) = world.delivery.told[0]
    await let_run()
    assert world.delivery.told[-1] == ("released", id_)
    assert list(world.store.records) == [id_]


async def test_changes_of_one_subscription_take_turns(world: World) -> None:
    subscription = await world.create()
    caller, update = world.caller(), world.subscriptions.update
    world.store.gate = asyncio.Event()
    first = asyncio.create_task(update(caller, GENERAL, subscription.id, filters=[SESSIONS], expires_in=None))
    second = asyncio.create_task(update(caller, GENERAL, subscription.id, filters=[ACCOUNT_PRESENCE], expires_in=None))
    gone = asyncio.create_task(world.subscriptions.delete(caller, GENERAL, subscription.id))
    await let_run()
    assert world.live.get(subscription.id) == subscription
    world.store.gate.set()
    assert (await first).filters == (SESSIONS,)
    assert (await second).filters == (ACCOUNT_PRESENCE,)
    await gone
    assert (world.store.records, len(world.subscribers)) == ({}, 0)


async def test_an_expired_subscription_says_so_before_and_for_a_day_after_its_removal(world: World) -> None:
    subscription = await world.create(expires_in=60)
    world.clock.advance(60)
    for _ in range(2):
        for attempt in (world.subscriptions.get, world.subscriptions.renew):
            with pytest.raises(NotFound) as refused:
                await attempt(world.caller(), GENERAL, subscription.id)
            assert refused.value.code == "SUB-507"
        await world.upkeep.expire_due(world.clock.now())
    assert world.subscriptions.list(world.caller(), GENERAL) == []
    world.clock.advance(24 * 3600)
    with pytest.raises(NotFound) as refused:
        await world.subscriptions.get(world.caller(), GENERAL, subscription.id)
    assert refused.value.code == "CMN-102"


async def test_case_57_reminders_are_judged_against_the_lifetime_they_come_with(world: World) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await world.create(PRESENCE, REMINDER, expires_in=119)
    assert refused.value.code == "SUB-516"
    subscription = await world.create(PRESENCE, REMINDER, expires_in=120)
    with pytest.raises(InvalidRequest) as refused:
        await world.subscriptions.update(
            world.caller(), GENERAL, subscription.id, filters=[PRESENCE, REMINDER], expires_in=119
        )
    assert refused.value.code == "SUB-516"


async def test_case_59_the_two_endpoints_do_not_know_each_others_subscriptions(world: World) -> None:
    webinar = await world.create(WEBINARS, api=WEBINAR)
    general = await world.create()
    assert world.subscriptions.list(world.caller(), WEBINAR) == [webinar]
    for api, other in ((GENERAL, webinar), (WEBINAR, general)):
        with pytest.raises(NotFound):
            await world.subscriptions.get(world.caller(), api, other.id)
    for api, text in ((GENERAL, WEBINARS), (WEBINAR, PRESENCE)):
        with pytest.raises(InvalidRequest) as refused:
            await world.create(text, api=api)
        assert refused.value.code == "SUB-508"


@pytest.mark.parametrize("by", ["update", "renew"])
async def test_a_blacklisted_subscription_is_validated_again_and_resumes(world: World, by: str) -> None:
    subscription = await world.create(verification_token="token-1")
    await world.upkeep.blacklist(subscription.id, "I/O operation is failed")

    async def again() -> SubscriptionStatus:
        caller, subscriptions = world.caller(), world.subscriptions
        if by == "renew":
            return (await subscriptions.renew(caller, GENERAL, subscription.id)).status
        changed = await subscriptions.update(caller, GENERAL, subscription.id, filters=None, expires_in=None)
        return changed.status

    world.validation.called.clear()
    world.validation.refusal = NOT_REACHABLE
    with pytest.raises(InvalidRequest, match="not reachable"):
        await again()
    still = world.live.get(subscription.id)
    assert still is not None
    assert still.status is SubscriptionStatus.BLACKLISTED
    assert still.blacklisting == Blacklisting(at=NOW, reason="I/O operation is failed")
    assert world.delivery.told[-1] != ("reactivate", subscription.id)
    world.validation.refusal = None
    assert await again() is SubscriptionStatus.ACTIVE
    assert world.validation.called == [(HOOK, "token-1")] * 2
    assert world.store.records[subscription.id].blacklisting is None
    assert world.delivery.told[-1] == ("reactivate", subscription.id)


async def test_case_83_a_socket_subscription_can_not_be_updated_here_and_renewing_it_changes_nothing(
    world: World,
) -> None:
    socket = a_subscription(transport=TransportType.WEB_SOCKET, webhook=None)
    await world.live.open(socket, [])
    with pytest.raises(NotAllowedHere) as refused:
        await world.subscriptions.update(world.caller(), GENERAL, socket.id, filters=[PRESENCE], expires_in=None)
    assert (refused.value.code, refused.value.http_status) == ("SUB-511", 405)
    world.clock.advance(5)
    assert await world.subscriptions.renew(world.caller(), GENERAL, socket.id) == socket
    assert [s.id for s in world.subscriptions.list(world.caller(), GENERAL)] == [socket.id]


async def test_old_versions_leave_the_record_when_nothing_can_ask_for_them(world: World) -> None:
    subscription = await world.create()
    caller = world.caller()

    async def to(text: str) -> list[int]:
        await world.happen()
        changed = await world.subscriptions.update(caller, GENERAL, subscription.id, filters=[text], expires_in=None)
        return [version.version for version in changed.versions]

    world.delivery.pending = Position(2)
    assert await to(SESSIONS) == [1, 2]
    assert await to(PRESENCE) == [1, 2, 3]
    world.subscribers.forget_versions_below(Position(2))  # routed, but a notification of version 2 waits
    assert await to(SESSIONS) == [2, 3, 4]
    world.delivery.pending = None
    assert await to(PRESENCE) == [3, 4, 5]
    world.subscribers.forget_versions_below(Position(4))
    assert await to(SESSIONS) == [5, 6]


async def test_filters_changed_without_end_while_notifications_wait_are_refused_at_last(world: World) -> None:
    subscription = await world.create()
    world.delivery.pending = Position(1)
    with pytest.raises(InvalidRequest) as refused:
        for number in range(200):
            await world.happen()
            text = SESSIONS if number % 2 == 0 else PRESENCE
            await world.subscriptions.update(world.caller(), GENERAL, subscription.id, filters=[text], expires_in=None)
    assert (refused.value.http_status, refused.value.code) == (429, "CMN-301")
    record = world.live.get(subscription.id)
    assert record is not None
    assert len(record.versions) == 100
    await world.subscriptions.renew(world.caller(), GENERAL, subscription.id)


async def test_after_a_restart_all_is_as_before(world: World) -> None:
    subscription = await world.create(PRESENCE, REMINDER)
    await world.happen(3)
    updated = await world.subscriptions.update(
        world.caller(), GENERAL, subscription.id, filters=[SESSIONS], expires_in=None
    )
    world.delivery.told.clear()
    world.start()
    assert await world.live.restore() == 1
    assert await world.subscriptions.get(world.caller(), GENERAL, subscription.id) == updated
    assert world.matched(PRESENCE, 3) == [(subscription.id, 1, 0)]
    assert world.matched(SESSIONS, 3) == []
    assert world.matched(SESSIONS, 4) == [(subscription.id, 2, 0)]
    assert world.delivery.told == [("restored", subscription.id)]
    unknown = SubscriptionId("5a0b8a3e-0000-4000-8000-ffffffffffff")
    with pytest.raises(NotFound):
        await world.subscriptions.get(world.caller(), GENERAL, unknown)


async def test_what_an_owner_has_through_other_applications_is_not_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user with thousands of subscriptions, thirty each through hundreds of applications, opens one more as quickly
    as the first."""
    mine = [await world.create(), await world.create()]
    for _ in range(20):
        await world.create(client="limited")
    unpacked: list[SubscriptionId] = []

    def counted(packed: bytes, *, id_: SubscriptionId, **rest: Any) -> Subscription:
        unpacked.append(id_)
        return unpack(packed, id_=id_, **rest)

    monkeypatch.setattr(delivery_control, "unpack", counted)
    assert world.subscriptions.list(world.caller(), GENERAL) == mine
    assert sorted(unpacked) == sorted(subscription.id for subscription in mine)
