"""One account's bulk does not fill the way for all."""

from __future__ import annotations

import asyncio

from bellwire.engine.fairness import Unrouted
from bellwire.model.ids import AccountId

BUSY, QUIET = AccountId("1"), AccountId("2")


async def test_an_account_at_its_limit_waits_until_something_was_routed() -> None:
    unrouted = Unrouted(limit=2)
    unrouted.published(BUSY, 2)
    waiting = asyncio.create_task(unrouted.room(BUSY))
    await asyncio.sleep(0)
    assert not waiting.done()
    unrouted.routed(BUSY)
    await asyncio.wait_for(waiting, 10)


async def test_other_accounts_do_not_wait() -> None:
    unrouted = Unrouted(limit=1)
    unrouted.published(BUSY, 5)
    await asyncio.wait_for(unrouted.room(QUIET), 10)


async def test_what_was_withdrawn_makes_room() -> None:
    unrouted = Unrouted(limit=3)
    unrouted.published(BUSY, 300)
    waiting = asyncio.create_task(unrouted.room(BUSY))
    await asyncio.sleep(0)
    unrouted.withdrawn(BUSY, 300)
    await asyncio.wait_for(waiting, 10)


async def test_events_of_an_earlier_process_are_not_counted() -> None:
    unrouted = Unrouted(limit=1)
    unrouted.routed(BUSY)
    await asyncio.wait_for(unrouted.room(BUSY), 10)
