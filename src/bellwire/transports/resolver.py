"""Names to addresses, without a thread for each look-up.

asyncio's own resolver runs getaddrinfo on a small thread pool, where four dead names block everybody for 20 s
(engine.md, DNS). c-ares asks all names at once from one background thread of its own; it reads /etc/hosts, follows
the system's resolv.conf and answers `localhost` by itself. At most one look-up per name is under way; what it found
is kept for the records' lifetime within bounds, and that it found nothing is kept for a short while too.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

import aiodns
import pycares

from bellwire.ports.clock import Clock
from bellwire.transports.guard import Address


@dataclass(frozen=True, slots=True)
class NotResolved:
    """No address was found; `reason` in a few words."""

    reason: str


class Resolver(Protocol):
    async def resolve(self, host: str) -> tuple[Address, ...] | NotResolved:
        """The host's addresses, at least one, best first."""
        ...


@dataclass(frozen=True, slots=True)
class ResolverLimits:
    """Times in seconds."""

    timeout: float = 2.0
    first_try: float = 0.8
    """How long a name server is waited for before it, or the next one, is asked again."""
    kept_at_least: float = 5.0
    kept_at_most: float = 300.0
    absence_kept: float = 30.0
    """For names that don't exist, or have no addresses."""
    trouble_kept: float = 5.0
    """For name servers that are silent or fail."""
    max_names: int = 10_000


@dataclass(frozen=True, slots=True)
class _Kept:
    found: tuple[Address, ...] | NotResolved
    until: float
    was_empty: bool
    """The name had no addresses once, and c-ares' own memory may still say so."""


_EMPTY = NotResolved("the name has no addresses")
_STOPPING = "Bellwire is stopping"
_ABSENT = frozenset({pycares.errno.ARES_ENOTFOUND, pycares.errno.ARES_ENODATA, pycares.errno.ARES_EBADNAME})
_REASONS = {
    pycares.errno.ARES_ENOTFOUND: "the name does not exist",
    pycares.errno.ARES_ENODATA: _EMPTY.reason,
    pycares.errno.ARES_EBADNAME: "the name is malformed",
    pycares.errno.ARES_ETIMEOUT: "the name servers did not answer in time",
    pycares.errno.ARES_ECANCELLED: _STOPPING,
}


class DnsResolver:
    """`Resolver` by c-ares. To be made within the running event loop, and closed."""

    def __init__(self, clock: Clock, *, name_servers: Sequence[str] = (), limits: ResolverLimits | None = None) -> None:
        """Args:
        name_servers: `address` or `address:port`; none means the system's.
        """
        self._clock = clock
        self._limits = limits or ResolverLimits()
        self._name_servers = list(name_servers) or None
        self._ares = self._new_ares()
        self._fresh: set[aiodns.DNSResolver] = set()
        self._closed = False
        self._kept: dict[str, _Kept] = {}
        self._running: dict[str, asyncio.Task[tuple[Address, ...] | NotResolved]] = {}

    async def resolve(self, host: str) -> tuple[Address, ...] | NotResolved:
        kept = self._kept.get(host)
        if kept is not None and self._clock.monotonic() < kept.until:
            return kept.found
        running = self._running.get(host)
        if running is None:
            running = self._running[host] = asyncio.create_task(self._look_up(host), name=f"look-up {host}")
        # One waiter that is cancelled must not end the look-up for the others.
        return await asyncio.shield(running)

    async def close(self) -> None:
        self._closed = True
        running = list(self._running.values())
        for ares in (self._ares, *self._fresh):
            await ares.close()
        await asyncio.gather(*running)

    async def _look_up(self, host: str) -> tuple[Address, ...] | NotResolved:
        try:
            found, seconds = await self._ask(host)
        finally:
            del self._running[host]
        was_empty = found == _EMPTY or self._was_empty(host)
        self._keep(host, _Kept(found, self._clock.monotonic() + seconds, was_empty))
        return found

    async def _ask(self, host: str) -> tuple[tuple[Address, ...] | NotResolved, float]:
        """What was found, and for how many seconds it may be kept."""
        limits = self._limits
        if self._closed:
            return NotResolved(_STOPPING), limits.trouble_kept
        try:
            async with asyncio.timeout(limits.timeout):
                result = await self._get_addresses(host)
        except TimeoutError:
            return NotResolved("the name servers did not answer in time"), limits.trouble_kept
        except aiodns.error.DNSError as error:
            code = error.args[0]
            reason = _REASONS.get(code, "the name servers could not answer")
            return NotResolved(reason), limits.absence_kept if code in _ABSENT else limits.trouble_kept
        addresses = tuple(dict.fromkeys(ip_address(node.addr[0].decode("ascii")) for node in result.nodes))
        if not addresses:
            return _EMPTY, limits.absence_kept
        ttl = min(node.ttl for node in result.nodes)
        return addresses, min(max(ttl, limits.kept_at_least), limits.kept_at_most)

    async def _get_addresses(self, host: str) -> pycares.AddrInfoResult:
        """What c-ares says.

        It keeps the answer that a name has no addresses for an hour, whatever the name servers allow, and can't be
        told to forget it. So a name that once had none is asked for by a c-ares that has never heard of it.
        """
        if not self._was_empty(host):
            return await self._ares.getaddrinfo(host, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM)
        fresh = self._new_ares()
        self._fresh.add(fresh)
        try:
            return await fresh.getaddrinfo(host, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM)
        finally:
            self._fresh.discard(fresh)
            await fresh.close()

    def _was_empty(self, host: str) -> bool:
        kept = self._kept.get(host)
        return kept is not None and kept.was_empty

    def _new_ares(self) -> aiodns.DNSResolver:
        return aiodns.DNSResolver(
            nameservers=self._name_servers,
            loop=asyncio.get_running_loop(),
            timeout=self._limits.first_try,
            tries=2,
        )

    def _keep(self, host: str, kept: _Kept) -> None:
        self._kept.pop(host, None)
        while len(self._kept) >= self._limits.max_names:
            del self._kept[next(iter(self._kept))]
        self._kept[host] = kept
