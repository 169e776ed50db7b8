"""`bellwire backup` of a server under load, and a server started on what it wrote."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from pathlib import Path
from typing import Any

from bellwire.storage.verification import verify_directory
from bellwire.testing.receiver import Reply, WebhookReceiver
from tests.e2e.in_process import Running, running_server
from tests.e2e.processes import bellwire

OPT_OUTS = "/restapi/v1.0/account/400100/a2p-sms/opt-outs"


def opt_outs(number: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "event": OPT_OUTS,
            "uuid": f"load-{n}",
            "body": {"from": "+16505550180", "to": f"+1201555{n % 10_000:04}", "active": True},
        }
        for n in range(number, number + count)
    ]


async def publish_steadily(running: Running, acknowledged: list[str]) -> None:
    for number in itertools.count(0, 20):
        events = opt_outs(number, 20)
        answer = await running.publish(*events)
        assert answer["accepted"] == 20
        acknowledged.extend(event["uuid"] for event in events)
        await asyncio.sleep(0.005)


async def test_a_backup_taken_under_load_restores_all_that_was_acknowledged_before_it(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    async with WebhookReceiver() as receiver:
        async with running_server(tmp_path / "data") as running:
            quick = await running.subscribe(receiver.url, OPT_OUTS)
            receiver.answer = lambda request: Reply(503 if request.target == "/down" else 200)
            down = await running.subscribe(receiver.url.replace("/webhook", "/down"), OPT_OUTS)
            load = asyncio.create_task(publish_steadily(running, acknowledged))
            await receiver.wait_until(lambda: len(acknowledged) >= 200, 20)
            before = list(acknowledged)

            made = await asyncio.to_thread(
                bellwire, "backup", "--data", str(tmp_path / "data"), str(tmp_path / "backup")
            )

            during = len(acknowledged)
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
        assert made.returncode == 0, made.stderr
        delivered_before = {
            request.json()["uuid"] for request in receiver.notifications if request.target == "/webhook"
        }
        assert during > len(before), "there was no load while the backup was made"

        # What is restored is a copy of the backup, elsewhere.
        shutil.copytree(tmp_path / "backup", tmp_path / "restored")
        verification = verify_directory(tmp_path / "restored")
        receiver.forget()
        receiver.answer = lambda _request: Reply()
        async with running_server(tmp_path / "restored") as restored:

            def arrived(path: str) -> set[str]:
                return {request.json()["uuid"] for request in receiver.notifications if request.target == path}

            await receiver.wait_until(
                lambda: arrived("/down") >= set(before) and arrived("/webhook") | delivered_before >= set(before), 30
            )
            last = (await restored.publish(opt_outs(0, 1)[0]))["duplicates"]
            listed = (await restored.http.get("/restapi/v1.0/subscription", headers=await restored.bearer())).json()[
                "records"
            ]

    assert verification.is_sound, verification.problems
    assert last == 1, "a uuid that was taken before the backup is taken again"
    assert {record["id"] for record in listed} == {quick["id"], down["id"]}
    # Each came once from the copy, but for what was under way at its moment.
    of_down = [request.json()["uuid"] for request in receiver.notifications if request.target == "/down"]
    assert len(of_down) == len(set(of_down))


async def test_the_command_says_what_it_copied_and_refuses_an_existing_target(tmp_path: Path) -> None:
    async with running_server(tmp_path / "data") as running:
        await running.publish(*opt_outs(0, 3))
        arguments = ("backup", "--data", str(tmp_path / "data"), str(tmp_path / "backup"))

        first = await asyncio.to_thread(bellwire, *arguments)
        second = await asyncio.to_thread(bellwire, *arguments)

    assert first.stdout.startswith(f"{tmp_path / 'backup'}: 3 events up to position 3, ")
    assert second.returncode == 2
    assert "exists; name a directory that does not" in second.stderr
