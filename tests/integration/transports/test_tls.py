"""Whom the sender believes: certificates good and bad."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from bellwire.model.attempt import FailureCode
from bellwire.transports.dial import verifying_tls_context
from bellwire.transports.limits import SenderLimits
from tests.integration.transports.peers import (
    OK,
    FixedResolver,
    Peer,
    a_client,
    answering,
    receiving,
    send,
)

HOST = "hooks.example.test"
RESOLVER = {HOST: [["127.0.0.1"]]}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def serving(certificate: trustme.LeafCert, *, chain: bool = True) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if chain:
        certificate.configure_cert(context)
    else:
        with certificate.cert_chain_pems[0].tempfile() as leaf, certificate.private_key_pem.tempfile() as key:
            context.load_cert_chain(leaf, key)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = verifying_tls_context()
    authority.configure_trust(context)
    return context


def given(context: ssl.SSLContext) -> Callable[[], ssl.SSLContext]:
    return lambda: context


async def test_a_good_certificate_is_accepted_for_the_name_while_the_address_was_checked(
    authority: trustme.CA,
) -> None:
    context = serving(authority.issue_cert(HOST))
    asked_for: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    async with (
        receiving(answering(OK), context) as peer,
        a_client(resolver=FixedResolver(RESOLVER), tls_context=lambda: trusting(authority)) as client,
    ):
        for _ in range(3):
            result = await send(client, peer.endpoint(scheme="https", host=HOST))
            assert (result.failure, result.detail) == (None, "")
        assert peer.connections == 1
        assert peer.requests[0].header("host") == f"{HOST}:{peer.port}"
        assert asked_for == [HOST]


async def test_a_large_body_arrives_whole_over_tls(authority: trustme.CA) -> None:
    body = bytes(range(256)) * 8000
    async with (
        receiving(answering(OK), serving(authority.issue_cert(HOST))) as peer,
        a_client(resolver=FixedResolver(RESOLVER), tls_context=lambda: trusting(authority)) as client,
    ):
        assert (await send(client, peer.endpoint(scheme="https", host=HOST), body)).failure is None
        assert peer.requests[0].body == body


async def test_a_certificate_with_its_intermediate_is_accepted_and_without_it_refused(authority: trustme.CA) -> None:
    certificate = authority.create_child_ca().issue_cert(HOST)
    for chain, failure in ((True, None), (False, FailureCode.TLS)):
        async with (
            receiving(answering(OK), serving(certificate, chain=chain)) as peer,
            a_client(resolver=FixedResolver(RESOLVER), tls_context=lambda: trusting(authority)) as client,
        ):
            assert (await send(client, peer.endpoint(scheme="https", host=HOST))).failure is failure


@pytest.mark.parametrize("fault", ["unknown authority", "another host", "expired", "not yet valid"])
async def test_a_bad_certificate_is_refused_with_its_reason(authority: trustme.CA, fault: str) -> None:
    now = datetime.now(UTC)
    certificate, reason = {
        "unknown authority": (trustme.CA().issue_cert(HOST), "issuer"),
        "another host": (authority.issue_cert("other.example.test"), "not valid for"),
        "expired": (authority.issue_cert(HOST, not_after=now - timedelta(days=1)), "expired"),
        "not yet valid": (authority.issue_cert(HOST, not_before=now + timedelta(days=1)), "not yet valid"),
    }[fault]
    async with (
        receiving(answering(OK), serving(certificate)) as peer,
        a_client(resolver=FixedResolver(RESOLVER), tls_context=lambda: trusting(authority)) as client,
    ):
        result = await send(client, peer.endpoint(scheme="https", host=HOST))
        assert result.failure is FailureCode.TLS
        assert reason in result.detail
        assert peer.requests == []


async def test_a_certificate_of_nobody_known_is_refused_by_the_default_context(authority: trustme.CA) -> None:
    async with (
        receiving(answering(OK), serving(authority.issue_cert(HOST))) as peer,
        a_client(resolver=FixedResolver(RESOLVER), tls_context=verifying_tls_context) as client,
    ):
        assert (await send(client, peer.endpoint(scheme="https", host=HOST))).failure is FailureCode.TLS


async def test_a_server_that_speaks_only_tls_1_1_is_refused(authority: trustme.CA) -> None:
    context, ours, lax = serving(authority.issue_cert(HOST)), trusting(authority), trusting(authority)
    for each in (context, ours, lax):
        each.set_ciphers("ALL:@SECLEVEL=0")  # else it is OpenSSL's level that refuses, whatever our minimum is
    with pytest.warns(DeprecationWarning):
        lax.minimum_version = context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    for tls, outcome in ((lax, None), (ours, FailureCode.TLS)):
        async with (
            receiving(answering(OK), context) as peer,
            a_client(resolver=FixedResolver(RESOLVER), tls_context=given(tls)) as client,
        ):
            assert (await send(client, peer.endpoint(scheme="https", host=HOST))).failure is outcome


async def test_plain_http_behind_an_https_address_is_a_tls_failure(authority: trustme.CA) -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with (
        receiving(behave) as peer,
        a_client(resolver=FixedResolver(RESOLVER), tls_context=lambda: trusting(authority)) as client,
    ):
        assert (await send(client, peer.endpoint(scheme="https", host=HOST))).failure is FailureCode.TLS


@pytest.mark.parametrize("hang_up", [True, False])
async def test_a_handshake_that_is_cut_off_or_never_ends_is_a_tls_failure(authority: trustme.CA, hang_up: bool) -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if not hang_up:
            await reader.read()

    async with (
        receiving(behave) as peer,
        a_client(
            resolver=FixedResolver(RESOLVER),
            tls_context=lambda: trusting(authority),
            limits=SenderLimits(connect_timeout=0.3),
        ) as client,
    ):
        assert (await send(client, peer.endpoint(scheme="https", host=HOST))).failure is FailureCode.TLS
        assert client.open_connections == 0


async def test_a_tls_connection_that_died_idle_is_replaced(authority: trustme.CA) -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        writer.write(OK)
        await peer.read(reader)
        if peer.connections > 1:
            writer.write(OK)

    async with (
        receiving(behave, serving(authority.issue_cert(HOST))) as peer,
        a_client(resolver=FixedResolver(RESOLVER), tls_context=lambda: trusting(authority)) as client,
    ):
        for _ in range(2):
            assert (await send(client, peer.endpoint(scheme="https", host=HOST))).failure is None
        assert (peer.connections, client.retried) == (2, 1)
