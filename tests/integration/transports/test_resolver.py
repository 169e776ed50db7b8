"""Names to addresses, against a real name server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from bellwire.transports.resolver import DnsResolver, NotResolved, ResolverLimits
from tests.doubles.stepped_clock import SteppedClock
from tests.integration.transports.name_server import NameServer, serving_names


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    async with serving_names() as server:
        yield server


@asynccontextmanager
async def a_resolver(
    names: NameServer, clock: SteppedClock | None = None, limits: ResolverLimits | None = None
) -> AsyncIterator[DnsResolver]:
    resolver = DnsResolver(clock or SteppedClock(), name_servers=[names.address], limits=limits)
    try:
        yield resolver
    finally:
        await resolver.close()


async def test_a_name_gives_its_addresses_of_both_families(names: NameServer) -> None:
    names.zone["both.test"] = [["192.0.2.1", "192.0.2.2", "2001:db8::1"]]
    async with a_resolver(names) as resolver:
        found = await resolver.resolve("both.test")
        assert not isinstance(found, NotResolved)
        assert set(found) == {ip_address("192.0.2.1"), ip_address("192.0.2.2"), ip_address("2001:db8::1")}


async def test_localhost_is_known_without_asking(names: NameServer) -> None:
    async with a_resolver(names) as resolver:
        found = await resolver.resolve("localhost")
        assert not isinstance(found, NotResolved)
        assert ip_address("127.0.0.1") in found
        assert all(address.is_loopback for address in found)
        assert names.asked == []


@pytest.mark.parametrize(
    ("ttl", "still_kept_after", "asked_again_after"), [(0, 4.9, 5.1), (60, 59.9, 60.1), (86_400, 299.9, 300.1)]
)
async def test_an_answer_is_kept_for_its_lifetime_within_bounds(
    names: NameServer, ttl: int, still_kept_after: float, asked_again_after: float
) -> None:
    # Another name each time: c-ares keeps answers by itself for their lifetime, which here passes only on our clock.
    name = f"ttl{ttl}.test"
    names.zone[name] = [["192.0.2.1"], ["192.0.2.2"]]
    names.ttl = ttl
    clock = SteppedClock()
    async with a_resolver(names, clock) as resolver:
        assert await resolver.resolve(name) == (ip_address("192.0.2.1"),)
        clock.advance(still_kept_after)
        assert await resolver.resolve(name) == (ip_address("192.0.2.1"),)
        assert names.questions_for(name) == 1
        clock.advance(asked_again_after - still_kept_after)
        changed = await resolver.resolve(name)
        assert changed == (ip_address("192.0.2.2" if ttl == 0 else "192.0.2.1"),)


@pytest.mark.parametrize(
    ("zone", "reason"), [({}, "does not exist"), ({"gone.test": [[]]}, "has no addresses")], ids=["absent", "empty"]
)
async def test_that_there_is_nothing_is_kept_for_a_while_too(
    names: NameServer, zone: dict[str, list[list[str]]], reason: str
) -> None:
    names.zone.update(zone)
    clock = SteppedClock()
    async with a_resolver(names, clock) as resolver:
        assert await resolver.resolve("gone.test") == NotResolved(
            f"the name {reason}" if zone else "the name " + reason
        )
        names.zone["gone.test"] = [["192.0.2.1"], ["192.0.2.1"]]
        clock.advance(29)
        assert isinstance(await resolver.resolve("gone.test"), NotResolved)
        clock.advance(2)
        for _ in range(2):
            assert await resolver.resolve("gone.test") == (ip_address("192.0.2.1"),)
            clock.advance(400)


async def test_a_name_server_that_fails_is_asked_again_after_five_seconds(names: NameServer) -> None:
    names.broken.add("sick.test")
    names.zone["sick.test"] = [["192.0.2.1"]]
    clock = SteppedClock()
    async with a_resolver(names, clock) as resolver:
        assert isinstance(await resolver.resolve("sick.test"), NotResolved)
        names.broken.clear()
        clock.advance(4)
        assert isinstance(await resolver.resolve("sick.test"), NotResolved)
        clock.advance(2)
        assert await resolver.resolve("sick.test") == (ip_address("192.0.2.1"),)


async def test_one_look_up_serves_all_who_ask_meanwhile_even_if_one_of_them_leaves(names: NameServer) -> None:
    names.zone["shared.test"] = [["192.0.2.1"]]
    async with a_resolver(names) as resolver:
        asking = [asyncio.create_task(resolver.resolve("shared.test")) for _ in range(20)]
        await asyncio.sleep(0)
        asking[0].cancel()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert set(found[1:]) == {(ip_address("192.0.2.1"),)}
        assert names.questions_for("shared.test") == 1


async def test_names_whose_server_is_silent_time_out_and_block_nobody(names: NameServer) -> None:
    hung = [f"hung{number}.test" for number in range(50)]
    names.silent.update(hung)
    names.zone["quick.test"] = [["192.0.2.1"]]
    async with a_resolver(names, limits=ResolverLimits(timeout=2.0, first_try=0.4)) as resolver:
        waiting = [asyncio.create_task(resolver.resolve(name)) for name in hung]
        assert await resolver.resolve("quick.test") == (ip_address("192.0.2.1"),)
        assert not any(task.done() for task in waiting)
        async with asyncio.timeout(5):
            outcomes = await asyncio.gather(*waiting)
        assert set(outcomes) == {NotResolved("the name servers did not answer in time")}


async def test_so_many_names_are_kept_and_the_oldest_forgotten(names: NameServer) -> None:
    async with a_resolver(names, limits=ResolverLimits(max_names=2)) as resolver:
        for name in ("a.test", "b.test", "c.test", "c.test", "b.test", "a.test"):
            names.zone[name] = [["192.0.2.1"]]
            await resolver.resolve(name)
        assert [names.questions_for(name) for name in ("a.test", "b.test", "c.test")] == [2, 1, 1]


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test", "x" * 300])
async def test_a_malformed_name_is_not_resolved(names: NameServer, host: str) -> None:
    async with a_resolver(names) as resolver:
        assert isinstance(await resolver.resolve(host), NotResolved)


async def test_closing_ends_look_ups_under_way(names: NameServer) -> None:
    names.silent.add("hung.test")
    async with a_resolver(names) as resolver:
        waiting = asyncio.create_task(resolver.resolve("hung.test"))
        await asyncio.sleep(0)
        await resolver.close()
        assert isinstance(await waiting, NotResolved)
