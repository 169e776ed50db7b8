from __future__ import annotations

import asyncio
import base64
import ssl
from datetime import UTC, datetime

import httpx
import pytest
import trustme
import uvloop
from standardwebhooks import Webhook

from bellwire.testing.receiver import ReceivedRequest, Reply, WebhookReceiver

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


async def test_a_handshake_is_answered_with_its_token_and_an_empty_json_answer() -> None:
    async with WebhookReceiver() as receiver, httpx.AsyncClient() as client:
        answer = await client.post(receiver.url, headers={"Validation-Token": "abc"})

    assert (answer.status_code, answer.headers["validation-token"], answer.content) == (200, "abc", b"")
    assert answer.headers["content-type"] == "application/json"
    assert receiver.count == 0
    assert [request.validation_token for request in receiver.handshakes] == ["abc"]


async def test_notifications_are_kept_and_handed_on_in_order() -> None:
    seen: list[ReceivedRequest] = []
    async with WebhookReceiver(on_notification=seen.append) as receiver, httpx.AsyncClient() as client:
        for number in range(3):
            await client.post(receiver.url, json={"uuid": str(number)})
        received = await receiver.wait_for(3)

    assert [request.json()["uuid"] for request in received] == ["0", "1", "2"]
    assert seen == received
    assert received[0].headers["content-type"] == "application/json"
    assert (received[0].method, received[0].target) == ("POST", "/webhook")


async def test_a_handshake_after_notifications_is_answered_also_where_they_are_only_counted() -> None:
    async with WebhookReceiver(keep=False) as receiver, httpx.AsyncClient() as client:
        await client.post(receiver.url, json={"uuid": "1"})
        answer = await client.post(receiver.url, headers={"Validation-Token": "abc"})

    assert answer.headers["validation-token"] == "abc"
    assert (receiver.count, len(receiver.handshakes)) == (1, 1)


async def test_waiting_in_vain_says_what_came() -> None:
    async with WebhookReceiver() as receiver, httpx.AsyncClient() as client:
        await client.post(receiver.url, json={})

        with pytest.raises(TimeoutError, match="2 notifications; received 0 handshakes and 1 notifications"):
            await receiver.wait_for(2, timeout=0.05)


async def test_answers_can_be_chosen_for_each_request() -> None:
    def busy_at_first(request: ReceivedRequest) -> Reply:
        return Reply(status=503, headers=(("Retry-After", "1"),)) if receiver.count == 1 else Reply(status=204)

    async with WebhookReceiver(answer=busy_at_first) as receiver, httpx.AsyncClient() as client:
        first = await client.post(receiver.url, json={})
        second = await client.post(receiver.url, json={})

    assert (first.status_code, first.headers["retry-after"], second.status_code) == (503, "1", 204)


async def test_a_delayed_answer_does_not_hold_up_other_connections_and_keeps_its_order() -> None:
    def slow_at_first(request: ReceivedRequest) -> Reply:
        return Reply(body=request.body, delay_seconds=0.1 if request.body == b"slow" else 0)

    async with WebhookReceiver(answer=slow_at_first) as receiver:
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        for body in (b"slow", b"fast"):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n" + body)
        async with httpx.AsyncClient() as client:
            other = await client.post(receiver.url, content=b"other")
        was_first = receiver.count
        first = await reader.readuntil(b"slow")
        second = await reader.readuntil(b"fast")
        writer.close()

    assert other.content == b"other"
    assert was_first == 2
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_it_can_hang_up_instead_of_answering() -> None:
    async with (
        WebhookReceiver(answer=lambda _: Reply(raw=b"", hangs_up=True)) as receiver,
        httpx.AsyncClient() as client,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(receiver.url, json={})


async def test_it_can_leave_a_request_without_any_answer() -> None:
    async with WebhookReceiver(answer=lambda _: Reply(never=True)) as receiver, httpx.AsyncClient() as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(receiver.url, json={}, timeout=httpx.Timeout(20, read=0.1))
        await receiver.wait_for(1)


async def test_it_can_reset_a_connection_instead_of_answering() -> None:
    async with WebhookReceiver(answer=lambda _: Reply(resets=True)) as receiver, httpx.AsyncClient() as client:
        with pytest.raises(httpx.ReadError):
            await client.post(receiver.url, json={})


async def test_it_can_answer_byte_by_byte_and_then_go_on() -> None:
    async with WebhookReceiver(answer=lambda _: Reply(drip_seconds=0.001)) as receiver, httpx.AsyncClient() as client:
        answers = [await client.post(receiver.url, json={}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert receiver.answered == 2


async def test_a_wrong_verification_token_is_refused_and_said() -> None:
    async with WebhookReceiver(verification_token="right") as receiver, httpx.AsyncClient() as client:
        missing = await client.post(receiver.url, json={})
        wrong = await client.post(receiver.url, json={}, headers={"Verification-Token": "wrong"})
        right = await client.post(receiver.url, json={}, headers={"Verification-Token": "right"})
        handshake = await client.post(receiver.url, headers={"Validation-Token": "t"})

    assert [missing.status_code, wrong.status_code, right.status_code, handshake.status_code] == [401, 401, 200, 401]
    assert [bool(request.problems) for request in receiver.notifications] == [True, True, False]
    assert "validation-token" not in handshake.headers


async def test_signatures_are_checked() -> None:
    body, now = '{"a":1}', datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg-1", now, body)
    headers = {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    async with WebhookReceiver(signing_secret=SECRET) as receiver, httpx.AsyncClient() as client:
        right = await client.post(receiver.url, content=body, headers=headers)
        changed = await client.post(receiver.url, content='{"a":2}', headers=headers)
        unreadable = await client.post(receiver.url, content=body, headers=headers | {"webhook-signature": "v1"})
        unsigned = await client.post(receiver.url, content=body)

    assert right.status_code == 200
    assert {changed.status_code, unreadable.status_code, unsigned.status_code} == {401}


async def test_it_serves_tls() -> None:
    authority = trustme.CA()
    server, client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client_context)

    async with WebhookReceiver(tls=server) as receiver, httpx.AsyncClient(verify=client_context) as client:
        answer = await client.post(receiver.url, json={})

    assert receiver.url.startswith("https://")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 80, b"429"),
    ],
)
async def test_what_is_no_sound_request_is_refused_and_the_connection_closed(sent: bytes, status: bytes) -> None:
    async with WebhookReceiver(answer=lambda _: Reply(delay_seconds=5)) as receiver:
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()

    assert answer.startswith(b"HTTP/1.1 " + status)


async def test_a_stopped_receiver_can_start_on_its_port_again() -> None:
    receiver = WebhookReceiver()
    await receiver.start()
    port = receiver.port
    await receiver.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)

    await receiver.start()

    async with httpx.AsyncClient() as client:
        assert (await client.post(receiver.url, json={})).status_code == 200
    assert receiver.port == port
    await receiver.stop()


def test_it_runs_on_uvloop_too() -> None:
    async def one_round() -> int:
        async with WebhookReceiver() as receiver, httpx.AsyncClient() as client:
            await client.post(receiver.url, json={})
            return len(await receiver.wait_for(1))

    assert uvloop.run(one_round()) == 1
