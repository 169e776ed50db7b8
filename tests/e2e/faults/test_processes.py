"""A real process under load that is asked to stop, or made to stand still: what was acknowledged is delivered, once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from signal import SIGCONT, SIGSTOP

from bellwire.testing.receiver import Reply
from tests.e2e.faults.load import Inbox, Load, Producer, reached, under
from tests.e2e.faults.nursery import Nursery
from tests.e2e.processes import bellwire
from tests.e2e.publish.publishing import NDJSON, PATH, message


def a_load() -> Load:
    return Load([Producer(f"producer{number}", pause=0.02) for number in range(8)])


async def test_sigterm_under_load_ends_with_0_and_everything_acknowledged_is_delivered_once(
    tmp_path: Path, nursery: Nursery
) -> None:
    """Although one endpoint never answers, and one was down; and before that a second process on the same data
    directory is refused, while the first goes on."""
    data = tmp_path / "data"
    load, inbox, down, hung = a_load(), Inbox(), Inbox(), Inbox()
    hung.receiver.answer = lambda _request: Reply(never=True)
    async with inbox.receiver:
        with nursery.dev(data, environ={"BELLWIRE_LOG_LEVEL": "info", "BELLWIRE_LOG_FORMAT": "json"}) as process:
            server = await reached(process, data)
            await server.subscribe(inbox.receiver.url)
            async with hung.receiver, down.receiver:
                await server.subscribe(hung.receiver.url)
                await server.subscribe(down.receiver.url)
                await down.receiver.stop()
                async with under(load, server):
                    await inbox.wait_for(400)
                    second = await asyncio.to_thread(
                        bellwire, "dev", "--no-traffic", "--port", "0", "--data", str(data)
                    )
                    await inbox.wait_for(len(inbox.uuids) + 100)
                    await hung.wait_for(1)
                    # It gives itself a bounded time, and ends with another code than 0 when that is not enough.
                    exit_code = await asyncio.to_thread(process.stop)
            output, log = process.output(), process.log()
        hung.forget()
        hung.receiver.answer = lambda _request: Reply()
        async with down.receiver, hung.receiver:
            with nursery.dev(data) as process:
                await reached(process, data)
                for witness in (inbox, down, hung):
                    await witness.wait_for_all(load.acknowledged)

    assert second.returncode == 2
    assert str(data) in second.stderr
    assert exit_code == 0
    assert "Traceback" not in output
    stopped = [line for line in log if line["event"] == "deliveries.stopped"]
    assert len(stopped) == 1
    assert stopped[0]["is_durable"]
    assert stopped[0]["backlog_rows"] > 0
    assert [line for line in log if line["level"] == "error"] == []
    for witness in (inbox, down, hung):
        witness.assert_key_order()
        assert witness.repeated() == {}


async def test_a_process_that_stood_still_blames_nobody_and_loses_nothing(tmp_path: Path, nursery: Nursery) -> None:
    """For longer than an answer may take, and than an endpoint may fail before it is blacklisted."""
    data = tmp_path / "data"
    load, inbox, failing = a_load(), Inbox(), Inbox()
    failing.receiver.answer = lambda _request: Reply(status=503)
    environ = {"BELLWIRE_BLACKLIST_AFTER_SECONDS": "10"}
    async with inbox.receiver, failing.receiver:
        with nursery.dev(data, environ=environ) as process:
            server = await reached(process, data)
            steady_id = await server.subscribe(inbox.receiver.url)
            failing_id = await server.subscribe(failing.receiver.url)
            async with under(load, server):
                await inbox.wait_for(400)
                await failing.wait_for(2)  # as many failures as blacklisting needs
                process.signal(SIGSTOP)
                await asyncio.sleep(11)
                failing.receiver.answer = lambda _request: Reply()
                process.signal(SIGCONT)
                await inbox.wait_for(len(inbox.uuids) + 100)
            await inbox.wait_for_all(load.acknowledged)
            await failing.wait_for_all(load.acknowledged)
            steady, failed = await server.health(steady_id), await server.health(failing_id)

    assert (steady["status"], steady["failed"]) == ("Active", 0)
    assert (failed["status"], failed["blacklistedInSeconds"]) == ("Active", None)
    inbox.assert_key_order()
    assert inbox.repeated() == {}
    failing.assert_key_order()


async def test_sigterm_answers_a_stream_that_goes_on_for_ever_with_what_was_taken(
    tmp_path: Path, nursery: Nursery
) -> None:
    data = tmp_path / "data"
    inbox = Inbox()
    async with inbox.receiver:
        with nursery.dev(data) as process:
            server = await reached(process, data)
            await server.subscribe(inbox.receiver.url)
            host, _, port = server.url.removeprefix("http://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {NDJSON}\r\nContent-Length: 1000000\r\n"
                f"Authorization: Bearer {server.demo['BELLWIRE_PUBLISHER_KEY']}\r\n\r\n".encode()
            )
            for number in range(50):
                writer.write(message(number, uuid=f"streamed-{number}") + b"\n")
            answering = asyncio.create_task(reader.read())
            arriving = asyncio.create_task(inbox.wait_for(50))
            await asyncio.wait({answering, arriving}, return_when=asyncio.FIRST_COMPLETED)
            assert not answering.done(), answering.result()
            await arriving

            exit_code = await asyncio.to_thread(process.stop)
            head, _, content = (await answering).partition(b"\r\n\r\n")
            writer.close()
            output = process.output()

    assert exit_code == 0
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in head.lower()
    assert json.loads(content)["accepted"] == 50
    assert "Traceback" not in output
