"""Measures what an event filter costs in memory, and how long a start with very many takes.

    .venv/bin/python bench/filter_memory.py                          100,000 filters, ten a subscription: a few seconds
    .venv/bin/python bench/filter_memory.py --filters 1000000        the budget's million: under 40 seconds
    .venv/bin/python bench/filter_memory.py --per-subscription 1     the dearest case: a record for each filter

Counted are the filter index, the registry around it, and the subscriptions' records, as `restore` holds them; not the
deliveries, and not the reading of the database: what a whole server takes is measured by start.py, which `make bench`
runs instead. Workload: that of match.py. Budget (design.md): at most 1.2 KiB a filter, and at most 60 s to start, at
1,000,000 filters.
"""

from __future__ import annotations

import argparse
import gc
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bellwire.engine.subscribe_live import parse_stored
from bellwire.engine.subscribers import Subscribers
from bellwire.model.ids import AccountId, ClientId, ExtensionId, Position, SubscriptionId
from bellwire.model.subscription import FilterVersion, Subscription, SubscriptionApi, TransportType, WebhookDelivery

BUDGET_BYTES = 1229
BUDGET_SECONDS = 60
ACCOUNT = AccountId("1000001")
CLIENT = ClientId("bench")
NOW = datetime.now(UTC)

SCATTER = 2_654_435_761
"""Odd and large: its multiples, modulo 2**32, are in no order, and none comes twice."""


def filter_text(number: int) -> str:
    """One filter of the workload, as it is stored."""
    base = f"/restapi/v1.0/account/{ACCOUNT}"
    match number % 5:
        case 0 | 1:
            return f"{base}/extension/{2_000_000 + number}/telephony/sessions"
        case 2 | 3:
            return f"{base}/a2p-sms/messages?direction=Inbound&to=+1555{number:07d}"
        case _:
            return f"{base}/extension/{2_000_000 + number}/message-store/instant?type=SMS"


def a_subscription(number: int, filters: int) -> Subscription:
    texts = tuple(filter_text(number * filters + place) for place in range(filters))
    return Subscription(
        id=SubscriptionId(f"{number * SCATTER % 2**32:08x}-0000-4000-8000-{number:012d}"),
        api=SubscriptionApi.GENERAL,
        account_id=ACCOUNT,
        owner_id=ExtensionId(str(2_000_000 + number)),
        client_id=CLIENT,
        transport=TransportType.WEB_HOOK,
        webhook=WebhookDelivery(address=f"https://receiver.example.com/hooks/{number}"),
        versions=(FilterVersion(version=1, filters=texts, from_position=Position(1)),),
        disabled_filters=(),
        created_at=NOW + timedelta(seconds=number),
        expires_at=NOW + timedelta(days=7, seconds=number),
        lifetime_seconds=604_800,
    )


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the memory of event filters.")
    parser.add_argument("--filters", type=int, default=100_000)
    parser.add_argument("--per-subscription", type=int, default=10)
    arguments = parser.parse_args()
    per_subscription = arguments.per_subscription
    gc.collect()
    gc.disable()
    before, started = resident_bytes(), time.perf_counter()
    subscribers = Subscribers()
    for number in range(arguments.filters // per_subscription):
        subscription = a_subscription(number, per_subscription)
        subscribers.open(subscription, [parse_stored(subscription, subscription.filters)])
    seconds = time.perf_counter() - started
    gc.collect()
    size_bytes = (resident_bytes() - before) / subscribers.filter_count
    print(f"{subscribers.filter_count:,} filters in {len(subscribers):,} subscriptions")
    print(f"{size_bytes:>9,.0f} bytes a filter (budget {BUDGET_BYTES:,})")
    print(
        f"{seconds * 1e6 / subscribers.filter_count:>9.1f} us a filter to open; a million in {BUDGET_SECONDS} s is 60.0"
    )


if __name__ == "__main__":
    main()
