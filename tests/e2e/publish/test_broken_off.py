"""Bodies that break off or stand still, as bytes on a socket, on both event loops: answered with what was accepted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bellwire.api.http_protocol import HttpProtocol
from tests.e2e.in_process import Running, running_server
from tests.e2e.publish.publishing import NDJSON, PATH, message, post

LINES = [message(number, uuid=f"broken-{number}") + b"\n" for number in range(3)]
WHOLE = b"".join(LINES)

Scenario = Callable[[Running], Coroutine[Any, Any, None]]
Run = Callable[[Scenario], None]


class ImpatientProtocol(HttpProtocol):
    body_seconds = 0.4


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs a scenario against a server on one of the event loops."""

    async def served(scenario: Scenario) -> None:
        async with running_server(tmp_path, protocol=ImpatientProtocol) as running, asyncio.timeout(20):
            await scenario(running)

    def runs(scenario: Scenario) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(served(scenario))

    return runs


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self) -> tuple[int, dict[str, Any]]:
        """The only answer; the server closes the connection after it."""
        head, _, body = (await self.reader.read()).partition(b"\r\n\r\n")
        self.writer.close()
        assert b"connection: close" in head.lower().split(b"\r\n")
        return int(head.split()[1]), json.loads(body)


async def opened(running: Running, *sent: bytes) -> Connection:
    host, _, port = running.url.removeprefix("http://").partition(":")
    connection = Connection(*await asyncio.open_connection(host, int(port)))
    for part in sent:
        connection.writer.write(part)
        await connection.writer.drain()
    return connection


def head(running: Running, framing: str, *, media: str = NDJSON, path: str = PATH, key: str | None = None) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key or running.demo.publisher_key}\r\n"
        f"Content-Type: {media}\r\n{framing}\r\n\r\n"
    ).encode()


def counts(content: dict[str, Any]) -> tuple[int, int, int, int]:
    assert content["errors"][0]["errorCode"] == content["errorCode"] == "CMN-104"
    assert content["errors"][0]["message"] == content["message"]
    assert len(content["rejected"]) == content["rejectedCount"]
    return content["accepted"], content["duplicates"], content["rejectedCount"], content["processed"]


async def durable(running: Running) -> int:
    """How many of the three lines the server has: all are sent again."""
    found = (await post(running, WHOLE, media=NDJSON)).json()
    assert found["accepted"] + found["duplicates"] == 3
    duplicates: int = found["duplicates"]
    return duplicates


@pytest.mark.parametrize("end", [b"", LINES[2][:-20], b"nonsense"], ids=["at a line", "in a line", "in nonsense"])
def test_a_half_closed_request_is_answered_with_what_was_accepted(run: Run, end: bytes) -> None:
    async def scenario(running: Running) -> None:
        body = LINES[0] + b"no json\n" + LINES[1] + end
        connection = await opened(running, head(running, "Content-Length: 100000"), body)
        connection.writer.write_eof()
        status, content = await connection.answer()

        assert (status, counts(content)) == (400, (2, 0, 1, 3))
        assert f"broke off after {len(body)} of 100000 bytes" in content["message"]
        assert await durable(running) == 2

    run(scenario)


def test_a_half_closed_request_without_a_whole_line_is_answered_with_counts_of_nothing(run: Run) -> None:
    async def scenario(running: Running) -> None:
        for media in (NDJSON, "application/json"):
            connection = await opened(running, head(running, "Content-Length: 100000", media=media), LINES[0][:-1])
            connection.writer.write_eof()
            status, content = await connection.answer()

            assert (status, counts(content)) == (400, (0, 0, 0, 0))
        assert await durable(running) == 0

    run(scenario)


def test_a_chunk_that_is_malformed_breaks_the_body_off(run: Run) -> None:
    async def scenario(running: Running) -> None:
        chunk = b"%x\r\n%s\r\n" % (len(WHOLE), WHOLE)
        for sent in ([chunk + b"zz\r\n"], [chunk, b"zz\r\n"], [chunk, b"5\r\n" + b"x" * 900_000]):
            status, content = await (await opened(running, head(running, "Transfer-Encoding: chunked"), *sent)).answer()

            assert (status, content["accepted"] + content["duplicates"], content["processed"]) == (400, 3, 3)
            assert "not valid HTTP" in content["message"]
        assert await durable(running) == 3

    run(scenario)


def test_many_lines_before_the_break_are_all_counted(run: Run) -> None:
    async def scenario(running: Running) -> None:
        many = [message(number, uuid=f"many-{number}") + b"\n" for number in range(3000)]
        connection = await opened(running, head(running, "Content-Length: 100000000"), *many)
        connection.writer.write_eof()
        status, content = await connection.answer()

        assert (status, counts(content)) == (400, (3000, 0, 0, 3000))

    run(scenario)


def test_a_body_that_stands_still_is_408_with_what_was_accepted(run: Run) -> None:
    async def scenario(running: Running) -> None:
        connection = await opened(running, head(running, "Content-Length: 100000"), WHOLE, LINES[0][:9])
        status, content = await connection.answer()

        assert (status, counts(content)) == (408, (3, 0, 0, 3))
        assert "0.4 s" in content["message"]
        assert await durable(running) == 3

    run(scenario)


def test_a_slow_body_that_goes_on_is_taken(run: Run) -> None:
    async def scenario(running: Running) -> None:
        connection = await opened(running, head(running, f"Connection: close\r\nContent-Length: {len(WHOLE)}"))
        for start in range(0, len(WHOLE), len(WHOLE) // 5):  # six parts: longer than the limit in all
            connection.writer.write(WHOLE[start : start + len(WHOLE) // 5])
            await asyncio.sleep(ImpatientProtocol.body_seconds / 4)
        status, content = await connection.answer()

        assert (status, content["accepted"]) == (202, 3)

    run(scenario)


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/bellwire/v1/admin/publisher-keys", "application/json"),
        ("/restapi/oauth/token", "application/x-www-form-urlencoded"),
    ],
)
def test_other_bodies_that_break_off_or_stand_still_are_answered_in_the_envelope(
    run: Run, path: str, media: str
) -> None:
    async def scenario(running: Running) -> None:
        begin = head(running, "Content-Length: 1000", media=media, path=path, key=running.demo.admin_key)
        for status in (400, 408):
            connection = await opened(running, begin, b'{"label": ')
            if status == 400:
                connection.writer.write_eof()
            found, content = await connection.answer()

            assert (found, content["errorCode"]) == (status, "CMN-104")
            assert "10 of 1000 bytes" in content["errors"][0]["message"]

    run(scenario)


def test_a_stalled_body_whose_answer_is_out_is_closed(run: Run) -> None:
    async def scenario(running: Running) -> None:
        connection = await opened(running, head(running, "Content-Length: 1000", key="nonsense"), b"x")
        answer = await connection.reader.read()  # comes to its end only because the server closes
        connection.writer.close()

        assert answer.startswith(b"HTTP/1.1 401 ")

    run(scenario)


@pytest.mark.parametrize(("media", "limit"), [(NDJSON, 1 << 30), ("application/json", 16 << 20)])
def test_a_declared_length_over_the_limit_is_413_at_once(run: Run, media: str, limit: int) -> None:
    async def scenario(running: Running) -> None:
        begin = head(running, f"Content-Length: {limit + 1}", media=media)
        status, content = await (await opened(running, begin)).answer()  # not a byte of the body was sent
        assert (status, content["errorCode"]) == (413, "CMN-101")

        # A client that reads only once it has written gets the answer, too.
        status, content = await (await opened(running, begin, *[WHOLE] * 3000)).answer()
        assert status == 413
        assert await durable(running) == 0

    run(scenario)


def test_an_idle_connection_that_half_closes_is_closed_and_a_whole_request_is_answered_first(run: Run) -> None:
    async def scenario(running: Running) -> None:
        idle = await opened(running)
        idle.writer.write_eof()
        assert await idle.reader.read() == b""
        idle.writer.close()

        whole = await opened(running, head(running, f"Content-Length: {len(WHOLE)}"), WHOLE)
        whole.writer.write_eof()
        assert (await whole.answer())[0] == 202

        kept = await opened(running, b"GET /bellwire/v1/ready HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await kept.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        kept.writer.write_eof()
        await kept.reader.read()  # the rest of the body, then the end
        kept.writer.close()

    run(scenario)


def test_clients_that_close_fully_leave_no_connection_or_request_behind(run: Run) -> None:
    async def scenario(running: Running) -> None:
        for number in range(20):
            gone = await opened(running, head(running, "Content-Length: 100000"), WHOLE)
            if number % 2:
                gone.writer.transport.abort()
            else:
                gone.writer.close()
                await gone.writer.wait_closed()
        last = await opened(running, head(running, "Connection: close\r\nContent-Length: 0"))
        assert (await last.answer())[0] == 202  # and so those before it were read, too
        left = [task for task in asyncio.all_tasks() if "run_asgi" in repr(task.get_coro())]
        await asyncio.gather(*left)  # the scenario's time is limited
        assert await durable(running) == 3

    run(scenario)
