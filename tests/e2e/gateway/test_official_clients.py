"""Programs with the official packages, unmodified, through a network that is cut and a server that is restarted.

Python's package never recovers by itself, and its recovery is a plain new connection: what its program missed stays
missed (wire contract, 5.8 and 5.9). Those of JavaScript recover by themselves, and miss nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bellwire.families import REGISTRY
from bellwire.model.subscription import SubscriptionApi
from tests.e2e.cutting_proxy import CuttingProxy
from tests.e2e.in_process import Running, running_server
from tests.e2e.publish.publishing import event, published
from tests.e2e.publish.test_every_family import ACCOUNT, filter_of, path_of, sample_for
from tests.e2e.socket_programs import HAS_NODE, Program, running_program

pytestmark = pytest.mark.asyncio(loop_scope="module")
needs_node = pytest.mark.skipif(not HAS_NODE, reason="node and its packages are not here (tests/e2e/javascript)")

FAMILIES = [family for family in REGISTRY.families if family.publishable and family.api is SubscriptionApi.GENERAL]
"""Webinars are subscribed to by webhook alone (wire contract, 4); reminders come when a subscription is about to
expire, which those over a socket never are (5.5)."""
FILTERS = [filter_of(family.templates[0], family.templates[0].path) for family in FAMILIES]
OPT_OUTS = f"/restapi/v1.0/account/{ACCOUNT}/a2p-sms/opt-outs"
MISSED = 100
"""As many as a session keeps."""
RECOVERING = ["subscriptions", "extensible"]


@dataclass(frozen=True)
class Stage:
    running: Running
    proxy: CuttingProxy

    def environment(self, filters: list[str]) -> dict[str, str]:
        return {**self.running.demo.env(self.proxy.url), "FILTERS": ",".join(filters)}

    async def subscriptions(self) -> set[str]:
        headers = {"Authorization": f"Bearer {self.running.demo.admin_key}"}
        answer = await self.running.http.get("/bellwire/v1/subscriptions", headers=headers)
        return {record["id"] for record in answer.json()["records"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with running_server(tmp_path_factory.mktemp("server")) as running:
        port = int(running.url.rpartition(":")[2])
        async with CuttingProxy(port) as proxy:
            yield Stage(running, proxy)


def opt_out(uuid: str) -> bytes:
    return event(OPT_OUTS, {"from": "+14155550111", "to": "+16505550181", "active": True}, uuid=uuid)


def uuids(program: Program) -> list[str]:
    return [step["uuid"] for step in program.steps("notification")]


async def until_passed(proxy: CuttingProxy, before: int) -> None:
    """Until somebody came through again."""
    async with asyncio.timeout(90):
        while proxy.passed <= before:  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0.02)


async def until_only(stage: Stage, count: int, *, other_than: set[str]) -> set[str]:
    """Until there are so many subscriptions that are none of these; their ids."""
    async with asyncio.timeout(90):
        while len(found := await stage.subscriptions() - other_than) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return found


@pytest.mark.parametrize("task", ["python", *(pytest.param(task, marks=needs_node) for task in RECOVERING)])
async def test_a_program_gets_an_event_of_each_family(stage: Stage, task: str) -> None:
    async with running_program(task, stage.environment(FILTERS)) as program:
        made = await program.until("subscribed")
        bodies: dict[str, Any] = {}
        for family in FAMILIES:
            template = family.templates[0]
            body = bodies[f"{task}-{family.name}"] = sample_for(family, template)
            await published(
                stage.running,
                event(path_of(template, template.path), body, uuid=f"{task}-{family.name}", accountId=ACCOUNT),
            )
        await published(stage.running, opt_out(f"{task}-last"))
        await program.until("notification", uuid=f"{task}-last")
        got = {step["uuid"]: step for step in program.steps("notification")}
        assert got.keys() == bodies.keys() | {f"{task}-last"}
        assert {step["subscriptionId"] for step in got.values()} == {made["id"]}
        for family in FAMILIES:
            if family.project is None and not family.is_flat:
                assert got[f"{task}-{family.name}"]["body"] == bodies[f"{task}-{family.name}"]
        await program.go_on()
        assert await program.ended() == 0


@needs_node
@pytest.mark.parametrize("task", RECOVERING)
async def test_a_program_whose_connection_is_cut_misses_nothing(stage: Stage, task: str) -> None:
    async with running_program(task, stage.environment([OPT_OUTS])) as program:
        made = await program.until("subscribed")
        expected = [f"{task}-{number}" for number in range(3 * MISSED)]
        for start in range(0, len(expected), MISSED):
            part = expected[start : start + MISSED]
            before = stage.proxy.passed
            stage.proxy.is_down = True
            stage.proxy.cut()
            await published(stage.running, *map(opt_out, part))
            assert uuids(program) == expected[:start]
            stage.proxy.is_down = False
            await until_passed(stage.proxy, before)
            await program.until("notification", uuid=part[-1])
        assert uuids(program) == expected
        assert {step["subscriptionId"] for step in program.steps("notification")} == {made["id"]}
        await program.go_on("read")
        assert (await program.until("read"))["id"] == stage.running.demo.account_id
        await program.go_on()
        assert await program.ended() == 0


@needs_node
@pytest.mark.parametrize("task", RECOVERING)
async def test_a_program_that_is_cut_while_events_come_misses_nothing(stage: Stage, task: str) -> None:
    """Cuts meet frames on their way: whatever the network swallowed comes again from the client's own token."""
    async with running_program(task, stage.environment([OPT_OUTS])) as program:
        await program.until("subscribed")
        expected = [f"{task}-busy-{number}" for number in range(3 * 80)]
        for start in range(0, len(expected), 80):
            for number in range(start, start + 80, 8):
                await published(stage.running, *map(opt_out, expected[number : number + 8]))
                if number == start + 40:
                    stage.proxy.cut()
            await program.until("notification", uuid=expected[start + 79])
        assert uuids(program) == expected
        await program.go_on()
        assert await program.ended() == 0


async def test_pythons_program_subscribes_again_when_its_connection_was_cut(stage: Stage) -> None:
    async with running_program("python", stage.environment([OPT_OUTS])) as program:
        made = await program.until("subscribed")
        await published(stage.running, opt_out("python-before"))
        await program.until("notification", uuid="python-before")
        stage.proxy.cut()
        await program.until("lost")
        again = await program.until("subscribed")
        assert again["id"] != made["id"]
        await published(stage.running, opt_out("python-after"))
        assert (await program.until("notification", uuid="python-after"))["subscriptionId"] == again["id"]
        assert uuids(program) == ["python-before", "python-after"]
        await program.go_on()
        assert await program.ended() == 0


async def test_programs_live_through_a_restart_and_resume(tmp_path: Path) -> None:
    tasks = ["python", *(RECOVERING if HAS_NODE else [])]
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(CuttingProxy())
        programs: list[Program] = []
        async with running_server(tmp_path) as running:
            proxy.port = int(running.url.rpartition(":")[2])
            stage = Stage(running, proxy)
            programs = [
                await stack.enter_async_context(running_program(task, stage.environment([OPT_OUTS]))) for task in tasks
            ]
            made = {(await program.until("subscribed"))["id"] for program in programs}
            await published(running, opt_out("before"))
            for program in programs:
                await program.until("notification", uuid="before")
            proxy.is_down = True
            proxy.cut()
        async with running_server(tmp_path) as running:
            proxy.port = int(running.url.rpartition(":")[2])
            proxy.is_down = False
            stage = Stage(running, proxy)
            again = await until_only(stage, len(tasks), other_than=made)
            await published(running, opt_out("after"))
            for program in programs:
                assert (await program.until("notification", uuid="after"))["subscriptionId"] in again
                assert program.is_alive
                await program.go_on()
                assert await program.ended() == 0


@needs_node
async def test_programs_miss_nothing_over_a_restart_where_sessions_are_on_disk(tmp_path: Path) -> None:
    environment = {"BELLWIRE_WEBSOCKET_RECOVERY_MESSAGES": "500"}
    expected = [f"kept-{number}" for number in range(300)]
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(CuttingProxy())
        async with running_server(tmp_path, environment=environment) as running:
            proxy.port = int(running.url.rpartition(":")[2])
            stage = Stage(running, proxy)
            programs = [
                await stack.enter_async_context(running_program(task, stage.environment([OPT_OUTS])))
                for task in RECOVERING
            ]
            made = [(await program.until("subscribed"))["id"] for program in programs]
            await published(running, opt_out(expected[0]))
            for program in programs:
                await program.until("notification", uuid=expected[0])
            proxy.is_down = True
            proxy.cut()
            await published(running, *map(opt_out, expected[1:150]))
        async with running_server(tmp_path, environment=environment) as running:
            proxy.port = int(running.url.rpartition(":")[2])
            await published(running, *map(opt_out, expected[150:299]))
            proxy.is_down = False
            for program in programs:
                await program.until("notification", uuid=expected[298])
            await published(running, opt_out(expected[299]))
            for program, subscription in zip(programs, made, strict=True):
                await program.until("notification", uuid=expected[299])
                assert uuids(program) == expected
                assert {step["subscriptionId"] for step in program.steps("notification")} == {subscription}
                assert program.is_alive
                await program.go_on()
                assert await program.ended() == 0
