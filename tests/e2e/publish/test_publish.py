"""Publishing to a whole server: who may, what a restart remembers, what a broken connection leaves behind, no room."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.in_process import Running, running_server
from tests.e2e.publish.publishing import MESSAGES, NDJSON, PATH, event, message, post, published, uuids_of


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_server(tmp_path) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


async def new_key(running: Running, **fields: object) -> dict[str, str]:
    """A publisher key made through the admin API."""
    answer = await running.http.post(
        "/bellwire/v1/admin/publisher-keys",
        json={"label": "a test's", **fields},
        headers={"Authorization": f"Bearer {running.demo.admin_key}"},
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


class TestWhoMayPublish:
    async def test_no_key_a_wrong_one_and_ones_of_another_kind_are_401(self, running: Running) -> None:
        token = (await running.token())["access_token"]
        for credentials in (
            None,
            "Bearer nonsense",
            f"Bearer {running.demo.admin_key}",
            f"Bearer {token}",
            "Basic eDp5",
        ):
            headers = {} if credentials is None else {"Authorization": credentials}
            answer = await running.http.post(PATH, content=message(1), headers=headers)
            assert answer.status_code == 401, credentials
            assert answer.json()["errorCode"] in {"CMN-405", "OAU-151", "OAU-213"}
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await running.http.get("/bellwire/v1/ready")).json()["logHead"] == 0

    async def test_a_key_of_one_account_publishes_for_that_account_alone(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        key = (await new_key(running, accountId=running.demo.account_id))["key"]
        await running.subscribe(receiver.url, MESSAGES, "/team-messaging/v1/posts")
        post_removed = {"id": "1", "eventType": "PostRemoved"}

        answer = await post(
            running,
            b"[%s]"
            % b",".join(
                (
                    message(1, account="400900", uuid="foreign"),
                    event("/team-messaging/v1/posts", post_removed, accountId="400900", uuid="foreign-post"),
                    message(2, uuid="own"),
                    event("/team-messaging/v1/posts", post_removed, uuid="own-post"),
                )
            ),
            key=key,
        )

        assert answer.status_code == 202
        assert [(r["index"], r["errorCode"]) for r in answer.json()["rejected"]] == [(0, "CMN-401"), (1, "CMN-401")]
        assert sorted(uuids_of(await receiver.wait_for(2))) == ["own", "own-post"]

    async def test_a_key_that_is_disabled_or_deleted_is_401_from_then_on(self, running: Running) -> None:
        made = await new_key(running)
        admin = {"Authorization": f"Bearer {running.demo.admin_key}"}
        path = f"/bellwire/v1/admin/publisher-keys/{made['id']}"
        assert (await post(running, message(1), key=made["key"])).status_code == 202

        assert (await running.http.patch(path, json={"status": "Disabled"}, headers=admin)).status_code == 200
        assert (await post(running, message(1), key=made["key"])).status_code == 401
        assert (await running.http.patch(path, json={"status": "Enabled"}, headers=admin)).status_code == 200
        assert (await post(running, message(1), key=made["key"])).status_code == 202
        assert (await running.http.delete(path, headers=admin)).status_code == 204
        assert (await post(running, message(1), key=made["key"])).status_code == 401


async def test_a_restart_remembers_uuids_and_idempotency_keys(tmp_path: Path, receiver: WebhookReceiver) -> None:
    async with running_server(tmp_path) as running:
        await running.subscribe(receiver.url, MESSAGES)
        await published(running, message(1, uuid="chosen"), message(2), Idempotency_Key="order-7")
        await receiver.wait_for(2)

    async with running_server(tmp_path) as running:
        again = await published(running, message(1, uuid="chosen"), message(2), Idempotency_Key="order-7")
        more = await published(running, message(3, uuid="chosen"), message(4, uuid="new"))
        received = await receiver.wait_for(3)

    assert (again["accepted"], again["duplicates"]) == (0, 2)
    assert (more["accepted"], more["duplicates"]) == (1, 1)
    assert sorted(request.json()["body"]["id"] for request in received) == ["1", "2", "4"]


class TestBrokenConnections:
    LINES = tuple(message(number, uuid=f"line-{number}") for number in range(600))

    async def begin(self, running: Running, *, length: int) -> asyncio.StreamWriter:
        """The head of a publish request of so many bytes, on a connection of its own."""
        host, _, port = running.url.removeprefix("http://").partition(":")
        _reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {running.demo.publisher_key}\r\n"
            f"Content-Type: {NDJSON}\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        return writer

    async def test_what_was_read_before_the_break_is_delivered_and_repeating_is_safe(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        await running.subscribe(receiver.url, MESSAGES)
        content = b"\n".join(self.LINES)
        half = b"\n".join(self.LINES[:400]) + b"\n"
        writer = await self.begin(running, length=len(content))

        writer.write(half + self.LINES[400][:50])  # and half a line
        await receiver.wait_for(400)
        writer.transport.abort()
        answer = await post(running, content, media=NDJSON)
        received = await receiver.wait_for(600)

        assert (answer.json()["accepted"], answer.json()["duplicates"]) == (200, 400)
        assert sorted(uuids_of(received)) == sorted(f"line-{number}" for number in range(600))

    async def test_breaking_off_at_any_moment_and_repeating_delivers_each_event_once(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        await running.subscribe(receiver.url, MESSAGES)
        content = b"\n".join(self.LINES)
        for cut in range(0, len(content), len(content) // 7):
            writer = await self.begin(running, length=len(content))
            writer.write(content[:cut])
            await writer.drain()
            writer.transport.abort()

        answer = (await post(running, content, media=NDJSON)).json()
        received = await receiver.wait_for(600)

        assert answer["accepted"] + answer["duplicates"] == 600
        assert sorted(uuids_of(received)) == sorted(f"line-{number}" for number in range(600))


class TestTooMuch:
    async def test_a_json_body_over_the_limit_is_413(self, running: Running) -> None:
        answer = await post(running, b"[" + message(1) + b"," + b" " * (16 << 20) + message(2) + b"]")

        assert answer.status_code == 413
        assert "application/x-ndjson" in answer.json()["message"]

    async def test_a_stream_over_the_limit_is_413_and_what_came_before_is_taken(
        self, tmp_path: Path, receiver: WebhookReceiver
    ) -> None:
        async def lines() -> AsyncIterator[bytes]:
            for number in range(2000):
                yield message(number) + b"\n"

        limits = {"BELLWIRE_MAX_PUBLISH_BYTES": "100000", "BELLWIRE_MAX_EVENT_BYTES": "10000"}
        async with running_server(tmp_path, environment=limits) as running:
            await running.subscribe(receiver.url, MESSAGES)
            answer = await post(running, lines(), media=NDJSON)
            accepted = answer.json()["accepted"]
            await receiver.wait_for(accepted)

        assert answer.status_code == 413
        assert 0 < accepted < 2000
        assert receiver.count == accepted

    async def test_an_event_over_the_limit_is_rejected_alone(self, running: Running) -> None:
        answer = await post(
            running, message(1) + b"\n" + event(MESSAGES, b'{"text":"' + b"x" * (256 << 10) + b'"}'), media=NDJSON
        )

        assert (answer.status_code, answer.json()["accepted"], answer.json()["rejectedCount"]) == (202, 1, 1)
        assert "262144 are allowed" in answer.json()["rejected"][0]["message"]


class TestNoRoom:
    async def test_a_nearly_full_disk_is_503_with_retry_after_and_all_else_goes_on(
        self, tmp_path: Path, receiver: WebhookReceiver
    ) -> None:
        async with running_server(tmp_path, environment={"BELLWIRE_MIN_FREE_MIB": str(1 << 30)}) as running:
            for content, media in ((message(1), "application/json"), (message(1), NDJSON)):
                answer = await post(running, content, media=media)
                assert (answer.status_code, answer.json()["errorCode"]) == (503, "CMN-201")
                assert int(answer.headers["Retry-After"]) > 0
                assert "disk" in answer.json()["message"]
            await running.subscribe(receiver.url, MESSAGES)
            assert (await running.http.get("/bellwire/v1/ready")).status_code == 200
        async with running_server(tmp_path) as running:
            await published(running, message(2, uuid="room-again"))
            assert uuids_of(await receiver.wait_for(1)) == ["room-again"]

    async def test_a_log_that_cannot_keep_up_is_429_with_retry_after_and_nothing_is_lost(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        await running.subscribe(receiver.url, MESSAGES)
        disk_goes_on = threading.Event()
        # A disk that stands still can't be had otherwise: its thread is kept busy.
        stalled = running.server._engine.files._writer.submit(lambda: disk_goes_on.wait(30))

        def megabytes(number: int) -> bytes:
            """15 MiB of events; five times as much is more than may wait for the disk."""
            text = json.dumps({"pad": "x" * 250_000})[1:-1].encode()
            big = message(number).replace(b'"id"', text + b', "id"', 1)
            return b"[" + b",".join(big.replace(b'"id": "', b'"id": "%d-' % n) for n in range(60)) + b"]"

        posting = [asyncio.create_task(post(running, megabytes(number))) for number in range(5)]
        done, _ = await asyncio.wait(posting, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        refused = [task.result() for task in done]
        disk_goes_on.set()
        answers = await asyncio.gather(*posting)
        await stalled

        assert [answer.status_code for answer in refused] == [429]
        assert refused[0].json()["errorCode"] == "CMN-310"
        assert int(refused[0].headers["Retry-After"]) >= 1
        assert sorted(answer.status_code for answer in answers) == [202, 202, 202, 202, 429]
        received = await receiver.wait_for(240, timeout=20)
        assert len(set(uuids_of(received))) == 240
