"""A restart: what is read from the store is in memory as it was when it was subscribed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bellwire.errors import BellwireError
from bellwire.model.event import Rows
from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import Subscription, SubscriptionApi
from tests.doubles.subscribing import ACCOUNT_PRESENCE, ADMIN, PRESENCE, REMINDER, SESSIONS, USER, World

GENERAL = SubscriptionApi.GENERAL
TEXTS = (
    PRESENCE,
    f"{PRESENCE}?detailedTelephonyState=true",
    ACCOUNT_PRESENCE,
    SESSIONS,
    f"{SESSIONS}?direction=Inbound&direction=Outbound",
    f"{SESSIONS}?phoneNumber=%2B16505550100",
    "/restapi/v1.0/account/~/a2p-sms/messages?direction=Inbound&to=+16505550100",
    "/restapi/v1.0/glip/posts",
    REMINDER,
)
KEYS = (PRESENCE, ACCOUNT_PRESENCE, SESSIONS, "/restapi/v1.0/account/1/a2p-sms/messages")
ROWS: tuple[Rows, ...] = (
    ({},),
    ({"direction": ("Inbound",), "phoneNumber": ("+16505550100",), "to": ("+16505550100",)},),
    ({"direction": ("Outbound",), "phoneNumber": ("+16505550199",), "to": ()},),
)

filters = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("create"), filters, st.sampled_from((ADMIN, USER)), st.sampled_from(("app", "limited"))),
        st.tuples(st.just("update"), filters, st.integers(0, 9)),
        st.tuples(st.just("renew"), st.integers(0, 9), st.integers(1, 300)),
        st.tuples(st.just("delete"), st.integers(0, 9)),
        st.tuples(st.just("happen"), st.integers(1, 3)),
        st.tuples(st.just("blacklist"), st.integers(0, 9)),
    ),
    max_size=20,
)


async def took_place(world: World, what: list[tuple]) -> None:  # type: ignore[type-arg]  # of several forms
    """Let it happen; what is refused, a second filter for an application of few permissions for one, is."""
    made: list[Subscription] = []
    for kind, *of in what:
        if kind == "happen":
            await world.happen(of[0])
        elif kind == "create":
            try:
                made.append(await world.create(*of[0], extension=of[1], client=of[2]))
            except BellwireError:
                continue
        elif made:
            one = made[of[-1] % len(made)] if kind != "renew" else made[of[0] % len(made)]
            caller = world.caller(one.owner_id, one.client_id)
            try:
                if kind == "update":
                    await world.subscriptions.update(caller, GENERAL, one.id, filters=of[0], expires_in=None)
                elif kind == "renew":
                    world.clock.advance(of[1])
                    await world.subscriptions.renew(caller, GENERAL, one.id)
                elif kind == "delete":
                    await world.subscriptions.delete(caller, GENERAL, one.id)
                else:
                    await world.upkeep.blacklist(one.id, "it failed")
            except BellwireError:
                continue


def seen(world: World) -> dict[str, object]:
    """All that the registry can be asked. It is asked once: versions that ended are forgotten then, of which memory may
    have some that held for no position, and the store has not."""
    registry = world.subscribers
    found: dict[str, object] = {
        f"{key} {number} {position}": sorted(
            (match.subscriber.id, match.version, match.filter_index, sorted(match.projections))
            for match in registry.matches(key, rows, position)  # type: ignore[arg-type]  # any number
        )
        for key in KEYS
        for number, rows in enumerate(ROWS)
        for position in range(len(world.log.events) + 2)
    }
    for owner in (ADMIN, USER):
        found[owner] = sorted(subscriber.id for subscriber in registry.of_owner(owner))
        for client in ("app", "limited"):
            listed = world.subscriptions.list(world.caller(owner, client), GENERAL)
            assert {record.id for record in listed} <= set(found[owner])  # type: ignore[call-overload]
            found[f"{owner} {client}"] = listed
    found["records"] = sorted((subscriber.subscription for subscriber in registry), key=lambda one: one.id)
    registry.forget_versions_below(world.live.head())
    found["counts"] = (len(registry), registry.filter_count)
    return found


@settings(max_examples=60, deadline=None)
@given(steps)
def test_a_restored_registry_equals_the_one_that_was_made_by_subscribing(what: list[tuple]) -> None:  # type: ignore[type-arg]
    async def story() -> None:
        world = await World().settled()
        await took_place(world, what)
        before = seen(world)
        restored = len(world.subscribers)
        world.start()
        assert await world.live.restore() == restored
        assert seen(world) == before

        due: list[SubscriptionId] = []
        for _ in range(70):  # lifetimes are of 60 seconds up to 7 days
            world.clock.advance(timedelta(hours=3).total_seconds())
            due += [record.id for record in world.live.take_expired(world.clock.now())]
        assert sorted(due) == sorted(subscriber.id for subscriber in world.subscribers)

    asyncio.run(story())


async def test_after_a_restart_versions_that_are_needed_no_more_can_still_be_forgotten() -> None:
    world = await World().settled()
    one = await world.create(PRESENCE)
    await world.happen(3)
    await world.subscriptions.update(world.caller(), GENERAL, one.id, filters=[SESSIONS], expires_in=None)
    head = world.live.head()
    world.start()
    await world.live.restore()
    assert world.live.restored_up_to == head
    assert world.matched(PRESENCE, head) == [(one.id, 1, 0)]
    world.subscribers.forget_versions_below(head)
    assert world.matched(PRESENCE, head) == []
    assert world.matched(SESSIONS, head + 1) == [(one.id, 2, 0)]
