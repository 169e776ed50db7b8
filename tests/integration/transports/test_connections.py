"""Reuse of connections, the race with servers that close them, limits, and ending."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from bellwire.model.attempt import AttemptResult, FailureCode
from bellwire.model.webhook import Endpoint
from bellwire.transports.guard import Address
from bellwire.transports.limits import SenderLimits
from bellwire.transports.resolver import NotResolved
from bellwire.transports.webhook_client import WebhookClient
from tests.integration.transports.peers import (
    OK,
    FixedResolver,
    Peer,
    a_client,
    answering,
    receiving,
    send,
    silence,
    start,
)


class HungResolver:
    """`Resolver` that never answers."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def resolve(self, host: str) -> tuple[Address, ...] | NotResolved:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")


async def until(claim: asyncio.Event) -> None:
    await asyncio.wait_for(claim.wait(), 10)


async def test_requests_one_after_the_other_share_one_connection() -> None:
    async with receiving(answering(OK)) as peer, a_client() as client:
        for _ in range(20):
            assert (await send(client, peer.endpoint())).failure is None
        assert (peer.connections, client.open_connections, client.reused) == (1, 1, 19)


async def test_a_connection_carries_one_request_at_a_time() -> None:
    answer_now = asyncio.Event()
    all_there = asyncio.Event()

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await peer.read(reader)
            if len(peer.requests) == 5:
                all_there.set()
            await answer_now.wait()
            writer.write(OK)

    async with receiving(behave) as peer, a_client() as client:
        outcomes = [start(client, peer.endpoint()) for _ in range(5)]
        await until(all_there)
        assert (peer.connections, client.in_flight) == (5, 5)
        answer_now.set()
        assert {(await outcome).failure for outcome in outcomes} == {None}
        assert client.in_flight == 0


async def test_waiting_requests_go_out_in_order_within_the_limit_of_the_origin() -> None:
    async with (
        receiving(answering(OK)) as peer,
        a_client(limits=SenderLimits(max_connections_per_origin=1)) as client,
    ):
        outcomes = [start(client, peer.endpoint(), str(number).encode()) for number in range(50)]
        await asyncio.gather(*outcomes)
        assert peer.connections == 1
        assert [int(request.body) for request in peer.requests] == list(range(50))


async def test_a_request_on_a_connection_that_died_idle_is_sent_once_more_unnoticed() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        writer.write(OK)
        await peer.read(reader)
        if peer.connections == 1:
            return  # the first connection's second request gets a closed connection instead of an answer
        writer.write(OK)

    async with receiving(behave) as peer, a_client() as client:
        assert (await send(client, peer.endpoint(), b"1")).failure is None
        assert (await send(client, peer.endpoint(), b"2")).failure is None
        assert [request.body for request in peer.requests] == [b"1", b"2", b"2"]
        assert client.retried == 1


async def test_a_request_is_sent_once_more_only_once_and_on_a_fresh_connection() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        if peer.connections == 1:
            writer.write(OK)
            await peer.read(reader)

    async with receiving(behave) as peer, a_client() as client:
        assert (await send(client, peer.endpoint(), b"1")).failure is None
        assert (await send(client, peer.endpoint(), b"2")).failure is FailureCode.RESET
        assert [request.body for request in peer.requests] == [b"1", b"2", b"2"]
        assert peer.connections == 2


async def test_a_reused_connection_that_ends_amid_an_answer_is_a_reset() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        writer.write(OK)
        await peer.read(reader)
        writer.write(b"HTTP/1")

    async with receiving(behave) as peer, a_client() as client:
        assert (await send(client, peer.endpoint(), b"1")).failure is None
        assert (await send(client, peer.endpoint(), b"2")).failure is FailureCode.RESET
        assert len(peer.requests) == 2


async def test_a_connection_that_was_closed_while_idle_is_not_used() -> None:
    async with receiving(answering(OK, then_close=True)) as peer, a_client() as client:
        for _ in range(3):
            assert (await send(client, peer.endpoint())).failure is None
            await no_connections(client)
        assert (peer.connections, client.retried, client.reused) == (3, 0, 0)


async def test_a_goodbye_on_an_idle_connection_is_no_answer_to_the_next_request() -> None:
    said = asyncio.Event()

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        writer.write(OK)
        if peer.connections == 1:
            await said.wait()
            writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            await reader.read()

    async with receiving(behave) as peer, a_client() as client:
        assert (await send(client, peer.endpoint())).failure is None
        said.set()
        await no_connections(client)
        assert (await send(client, peer.endpoint())).failure is None
        assert peer.connections == 2


async def test_an_endpoint_that_accepts_and_hangs_up_is_a_reset_and_not_dialled_for_ever() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Return at once."""

    async with receiving(behave) as peer, a_client() as client:
        assert (await send(client, peer.endpoint())).failure is FailureCode.RESET
        assert peer.connections <= 2


async def test_a_closed_port_refuses_the_connection() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = Endpoint("http", "127.0.0.1", probe.getsockname()[1], "/")
        async with a_client() as client:
            outcomes = await asyncio.gather(*(start(client, endpoint) for _ in range(100)))
            assert {outcome.failure for outcome in outcomes} == {FailureCode.CONNECT_REFUSED}
            assert client.failed_dials == 100


async def test_the_second_address_of_a_name_is_tried_when_the_first_refuses() -> None:
    resolver = FixedResolver({"hooks.test": [["127.0.0.2", "127.0.0.1"]]})
    async with receiving(answering(OK)) as peer, a_client(resolver=resolver) as client:
        assert (await send(client, peer.endpoint(host="hooks.test"))).failure is None
        assert peer.requests[0].header("host") == f"hooks.test:{peer.port}"


async def test_a_name_without_addresses_is_a_dns_failure() -> None:
    async with a_client() as client:
        result = await send(client, Endpoint("http", "nowhere.test", 80, "/"))
        assert result.failure is FailureCode.DNS
        assert "does not exist" in result.detail


async def test_a_connection_that_is_not_accepted_in_time_is_a_connect_timeout() -> None:
    # A listening socket whose queue is full neither accepts nor refuses.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(8)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            probe = socket.socket()
            fillers.append(probe)
            probe.settimeout(0.2)
            try:
                probe.connect(("127.0.0.1", port))
            except TimeoutError:
                pass
            else:
                pytest.skip("this kernel accepts connections beyond the backlog")
            async with a_client(limits=SenderLimits(connect_timeout=0.3, answer_timeout=1.0)) as client:
                result = await send(client, Endpoint("http", "127.0.0.1", port, "/"))
                assert result.failure is FailureCode.CONNECT_TIMEOUT
                assert result.duration_seconds < 2.5
        finally:
            for filler in fillers:
                filler.close()


async def test_a_request_that_never_got_a_connection_times_out_too() -> None:
    limits = SenderLimits(max_connections_per_origin=1, answer_timeout=0.3)
    async with receiving(silence) as peer, a_client(limits=limits) as client:
        outcomes = await asyncio.gather(*(start(client, peer.endpoint()) for _ in range(3)))
        assert {outcome.failure for outcome in outcomes} == {FailureCode.RESPONSE_TIMEOUT}
        assert all(outcome.duration_seconds < 2.5 for outcome in outcomes)
        assert client.in_flight == 0


@pytest.mark.parametrize("is_behind_others", [False, True])
async def test_time_in_which_the_whole_process_stood_still_is_nobodys_delay(is_behind_others: bool) -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await peer.read(reader)
            if len(peer.requests) == 1:
                time.sleep(1.0)  # noqa: ASYNC251 - the sender has the same thread
            writer.write(OK)

    limits = SenderLimits(answer_timeout=0.6, standstill=0.3, max_connections_per_origin=1)
    async with receiving(behave) as peer, a_client(limits=limits) as client:
        outcomes = [start(client, peer.endpoint()) for _ in range(1 + is_behind_others)]
        results = await asyncio.wait_for(asyncio.gather(*outcomes), 10)
        assert [(result.failure, result.status) for result in results] == [(None, 200)] * len(outcomes)
        assert all(result.duration_seconds < 0.6 for result in results)


async def test_a_hung_look_up_is_a_dns_failure_when_time_runs_out() -> None:
    async with a_client(resolver=HungResolver(), limits=SenderLimits(connect_timeout=0.2)) as client:
        assert (await send(client, Endpoint("http", "hung.test", 80, "/"))).failure is FailureCode.DNS


async def test_a_silent_origin_does_not_delay_another() -> None:
    async with receiving(silence) as hung, receiving(answering(OK)) as quick, a_client() as client:
        stuck = [start(client, hung.endpoint()) for _ in range(200)]
        for _ in range(20):
            assert (await send(client, quick.endpoint())).duration_seconds < 0.5
        assert not any(outcome.done() for outcome in stuck)
        assert hung.connections <= SenderLimits().max_connections_per_origin
    assert {(await outcome).failure for outcome in stuck} == {FailureCode.CANCELLED}


async def test_an_idle_connection_of_another_origin_makes_room_when_the_total_is_used_up() -> None:
    async with (
        receiving(answering(OK)) as one,
        receiving(answering(OK)) as other,
        receiving(answering(OK)) as third,
        a_client(limits=SenderLimits(max_connections=2)) as client,
    ):
        for peer in (one, other, third, one, other, third):
            assert (await send(client, peer.endpoint())).failure is None
            assert client.open_connections <= 2


async def test_origins_share_a_total_that_is_smaller_than_what_they_want() -> None:
    async with (
        receiving(answering(OK)) as one,
        receiving(answering(OK)) as other,
        a_client(limits=SenderLimits(max_connections=3)) as client,
    ):
        outcomes = [start(client, peer.endpoint()) for _ in range(100) for peer in (one, other)]
        assert {(await outcome).failure for outcome in outcomes} == {None}
        assert client.open_connections <= 3


async def test_idle_connections_are_closed_after_a_while_surplus_ones_sooner() -> None:
    all_there = asyncio.Event()

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await peer.read(reader)
            if len(peer.requests) == 4:
                all_there.set()
            await all_there.wait()  # so that no connection is free for the next of the four
            writer.write(OK)

    limits = SenderLimits(max_idle_per_origin=1, surplus_idle_for=0.05, idle_for=0.8, sweep_every=0.02)
    async with receiving(behave) as peer, a_client(limits=limits) as client:
        await asyncio.gather(*(start(client, peer.endpoint()) for _ in range(4)))
        assert (peer.connections, client.reused) == (4, 0)
        await connections_down_to(client, 1)
        assert (await send(client, peer.endpoint())).failure is None
        assert client.reused == 1
        await no_connections(client)


async def test_an_old_connection_is_not_used_again() -> None:
    async with receiving(answering(OK)) as peer, a_client(limits=SenderLimits(connection_age=0.0)) as client:
        for _ in range(3):
            assert (await send(client, peer.endpoint())).failure is None
        assert peer.connections == 3


async def test_an_abandoned_request_is_cancelled_later_and_once_wherever_it_is() -> None:
    there = asyncio.Event()

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        there.set()
        await peer.read(reader)

    async with (
        receiving(behave) as peer,
        a_client(limits=SenderLimits(max_connections_per_origin=1)) as client,
    ):
        told: list[AttemptResult] = []
        abandon_sent = client.post(peer.endpoint(), b"POST / HTTP/1.1\r\nHost: x\r\n", b"1", told.append)
        abandon_waiting = client.post(peer.endpoint(), b"POST / HTTP/1.1\r\nHost: x\r\n", b"2", told.append)
        await until(there)
        abandon_waiting()
        abandon_waiting()
        abandon_sent()
        assert told == []
        assert client.in_flight == 0
        await until(peer.hung_up)
        assert [result.failure for result in told] == [FailureCode.CANCELLED] * 2
        abandon_sent()
        await asyncio.sleep(0)
        assert len(told) == 2
        assert [request.body for request in peer.requests] == [b"1"]


async def test_closing_cancels_what_is_under_way_and_what_comes_after() -> None:
    there = asyncio.Event()

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read(reader)
        there.set()
        await peer.read(reader)

    async with (
        receiving(behave) as peer,
        a_client(limits=SenderLimits(max_connections_per_origin=1)) as client,
    ):
        outcomes = [start(client, peer.endpoint()) for _ in range(3)]
        await until(there)
        await client.close()
        assert all(outcome.done() for outcome in outcomes)
        outcomes.append(start(client, peer.endpoint()))
        assert {(await outcome).failure for outcome in outcomes} == {FailureCode.CANCELLED}
        assert (client.open_connections, client.in_flight) == (0, 0)
        await client.close()


async def test_closing_amid_dialling_ends_the_dials() -> None:
    resolver = HungResolver()
    async with a_client(resolver=resolver) as client:
        outcome = start(client, Endpoint("http", "hung.test", 80, "/"))
        await until(resolver.asked)
        await client.close()
        assert outcome.result().failure is FailureCode.CANCELLED


async def test_whoever_is_told_may_send_again_at_once_on_the_same_connection() -> None:
    async with receiving(answering(OK)) as peer, a_client() as client:
        all_done = asyncio.get_running_loop().create_future()
        left = 100
        endpoint = peer.endpoint()

        def told(result: AttemptResult) -> None:
            nonlocal left
            assert result.failure is None
            left -= 1
            if left:
                client.post(endpoint, b"POST / HTTP/1.1\r\nHost: x\r\n", b"{}", told)
            else:
                all_done.set_result(None)

        client.post(endpoint, b"POST / HTTP/1.1\r\nHost: x\r\n", b"{}", told)
        await asyncio.wait_for(all_done, 10)
        assert peer.connections == 1


async def no_connections(client: WebhookClient) -> None:
    await connections_down_to(client, 0)


async def connections_down_to(client: WebhookClient, count: int) -> None:
    async with asyncio.timeout(10):
        while client.open_connections > count:  # noqa: ASYNC110 - a figure to be watched, not an event
            await asyncio.sleep(0.005)
