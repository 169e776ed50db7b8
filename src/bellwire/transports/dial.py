"""Open one connection to an endpoint: resolve, guard, connect to a checked address, and for https prove who it is.

DNS ──▶ guard ──▶ TCP ──▶ TLS ──▶ protocol
 │        │        │       └─ tls
 │        │        └─ connect_refused, connect_timeout, connect_failed
 │        └─ ssrf_blocked
 └─ dns
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import TypeVar

from bellwire.delivery.failures import sentence
from bellwire.model.attempt import FailureCode
from bellwire.model.webhook import Endpoint
from bellwire.transports.guard import Address, AddressGuard
from bellwire.transports.resolver import NotResolved, Resolver

P = TypeVar("P", bound=asyncio.Protocol)

MAX_ADDRESSES_TRIED = 4
_TLS_GOODBYE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DialFailure:
    code: FailureCode
    detail: str


@dataclass(slots=True)
class Stage:
    """How far a dial has come: what its failure will be called if time runs out now."""

    if_late: FailureCode = field(default=FailureCode.DNS)


def verifying_tls_context(extra_authorities: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or later, chain and host name verified by the system's authorities and those of a PEM file."""
    context = ssl.create_default_context()
    if extra_authorities is not None:
        context.load_verify_locations(extra_authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class Dialer:
    def __init__(self, resolver: Resolver, guard: AddressGuard, tls_context: Callable[[], ssl.SSLContext]) -> None:
        """Args:
        tls_context: called once, at the first https address: loading the authorities takes some 20 ms.
        """
        self._resolver = resolver
        self._guard = guard
        self._make_tls_context = tls_context
        self._tls_context: ssl.SSLContext | None = None

    async def connect(
        self, endpoint: Endpoint, protocol: Callable[[], P], *, timeout_seconds: float, stage: Stage | None = None
    ) -> P | DialFailure:
        """The connected protocol, or why there is none. Takes at most `timeout_seconds`."""
        stage = stage or Stage()
        ends_at = asyncio.get_running_loop().time() + timeout_seconds
        try:
            async with asyncio.timeout_at(ends_at):
                addresses = await self._addresses(endpoint.host)
                if isinstance(addresses, NotResolved):
                    return _failure(FailureCode.DNS, addresses.reason)
                refusal = self._guard.refusal(endpoint.scheme, addresses)
                if refusal is not None:
                    return _failure(FailureCode.SSRF_BLOCKED, refusal)
                stage.if_late = FailureCode.CONNECT_TIMEOUT
                connected = await _connect_to_one(addresses[:MAX_ADDRESSES_TRIED], endpoint.port, ends_at)
                if isinstance(connected, DialFailure):
                    return connected
                stage.if_late = FailureCode.TLS
                return await self._start(endpoint, connected, protocol)
        except TimeoutError:
            return _failure(stage.if_late, "it took too long")

    async def _addresses(self, host: str) -> tuple[Address, ...] | NotResolved:
        try:
            return (ip_address(host),)
        except ValueError:
            return await self._resolver.resolve(host)

    async def _start(self, endpoint: Endpoint, sock: socket.socket, protocol: Callable[[], P]) -> P | DialFailure:
        loop = asyncio.get_running_loop()
        try:
            if endpoint.scheme != "https":
                _, started = await loop.create_connection(protocol, sock=sock)
            else:
                if self._tls_context is None:
                    self._tls_context = self._make_tls_context()
                _, started = await loop.create_connection(
                    protocol,
                    sock=sock,
                    ssl=self._tls_context,
                    server_hostname=endpoint.host,
                    ssl_shutdown_timeout=_TLS_GOODBYE_SECONDS,
                )
        except ssl.SSLCertVerificationError as error:
            return _failure(FailureCode.TLS, f"its certificate is not accepted: {error.verify_message}".rstrip("."))
        except ssl.SSLError as error:
            return _failure(FailureCode.TLS, (error.reason or "handshake failure").replace("_", " ").lower())
        except (OSError, ValueError) as error:
            sock.close()
            if endpoint.scheme != "https":
                return _failure(FailureCode.CONNECT_FAILED, _cause(error))
            return _failure(FailureCode.TLS, "the endpoint ended the TLS handshake")
        except BaseException:
            sock.close()
            raise
        return started


async def _connect_to_one(addresses: tuple[Address, ...], port: int, ends_at: float) -> socket.socket | DialFailure:
    """Try one address after the other. Each gets an equal share of the time that is left."""
    loop = asyncio.get_running_loop()
    failure = _failure(FailureCode.CONNECT_FAILED, "the host has no addresses")
    for index, address in enumerate(addresses):
        family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
        now = loop.time()
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            failure = _failure(FailureCode.CONNECT_FAILED, _cause(error))
            continue
        try:
            async with asyncio.timeout_at(now + (ends_at - now) / (len(addresses) - index)):
                await loop.sock_connect(sock, (str(address), port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except TimeoutError:
            sock.close()
            failure = _failure(FailureCode.CONNECT_TIMEOUT, "")
        except ConnectionRefusedError:
            sock.close()
            failure = _failure(FailureCode.CONNECT_REFUSED, "")
        except OSError as error:
            sock.close()
            failure = _failure(FailureCode.CONNECT_FAILED, _cause(error))
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    return failure


def _cause(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _failure(code: FailureCode, cause: str) -> DialFailure:
    return DialFailure(code, sentence(code, cause=cause))
