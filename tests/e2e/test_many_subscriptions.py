"""A restart with many stored subscriptions: all are there again, and events reach the right ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bellwire.model.ids import AccountId, ClientId, ExtensionId, Position, SubscriptionId
from bellwire.model.subscription import FilterVersion, Subscription, SubscriptionStatus
from bellwire.testing.receiver import WebhookReceiver
from bench.stored import store
from tests.doubles.subscriptions import a_subscription
from tests.e2e.conformance.stage import GENERAL, conforming_server, set_stage
from tests.e2e.in_process import running_server

COUNT = 20_000
PAUSED, BLACKLISTED, SHARED = 777, 888, "+15559999999"


def number_of(subscription: int) -> str:
    return f"+1555{subscription:07d}"


def subscriptions(account: AccountId, owner: ExtensionId, address: str) -> Iterator[Subscription]:
    """Each wants messages to a number of its own; the first is the demo user's, every thousandth wants `SHARED` too,
    and two are held."""
    for number in range(COUNT):
        texts = [f"/restapi/v1.0/account/{account}/a2p-sms/messages?direction=Inbound&to={number_of(number)}"]
        if number % 1_000 == 0:
            texts.append(f"/restapi/v1.0/account/{account}/a2p-sms/messages?direction=Inbound&to={SHARED}")
        plain = a_subscription(f"{number * 2_654_435_761 % 2**32:08x}-0000-4000-8000-{number:012d}")
        assert plain.webhook is not None
        yield replace(
            plain,
            account_id=account,
            owner_id=owner if number == 0 else ExtensionId(str(2_000_000 + number)),
            client_id=ClientId("stored"),
            webhook=replace(plain.webhook, address=f"{address}/{number}"),
            versions=(FilterVersion(version=1, filters=tuple(texts), from_position=Position(0)),),
            paused=number == PAUSED,
            status=SubscriptionStatus.BLACKLISTED if number == BLACKLISTED else SubscriptionStatus.ACTIVE,
            expires_at=plain.expires_at.replace(year=9000),
        )


async def test_a_restart_with_20_000_subscriptions_brings_all_back_and_events_reach_the_right_ones(
    tmp_path: Path,
) -> None:
    async with running_server(tmp_path) as running:
        demo = running.demo
    async with WebhookReceiver() as receiver:
        owner = ExtensionId(demo.extension_id)
        store(tmp_path, subscriptions(AccountId(demo.account_id), owner, receiver.url))
        async with conforming_server(tmp_path) as running, set_stage(running) as stage:
            await stage.until_there_are(COUNT)
            chosen = [1, 12_345, COUNT - 1, PAUSED, BLACKLISTED]
            await stage.publish(
                *(stage.message(number_of(number), id_=str(number)) for number in chosen),
                stage.message("+15558888888", id_="nobody's"),
                stage.message(SHARED, id_="shared"),
            )
            reached = {"/1", "/12345", f"/{COUNT - 1}", *(f"/{number}" for number in range(0, COUNT, 1_000))}
            await receiver.wait_for(len(reached))
            await stage.settle()

            found = sorted((one.target.rpartition("/")[2], one.json()["body"]["id"]) for one in receiver.notifications)
            assert found == sorted(
                [("1", "1"), ("12345", "12345"), (str(COUNT - 1), str(COUNT - 1))]
                + [(str(number), "shared") for number in range(0, COUNT, 1_000)]
            )
            waiting = {
                number: running.server.engine.delivery.deliveries.view(id_).backlog_rows
                for number in (PAUSED, BLACKLISTED, 1, 2)
                for id_ in [SubscriptionId(f"{number * 2_654_435_761 % 2**32:08x}-0000-4000-8000-{number:012d}")]
            }
            assert waiting == {PAUSED: 1, BLACKLISTED: 1, 1: 0, 2: 0}

            made = await stage.subscribe(f"{stage.own}/presence")
            assert [record["id"] for record in await stage.listed(GENERAL)] == [made["id"]]
            await stage.until_there_are(COUNT + 1)
