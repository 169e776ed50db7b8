"""The development controls, through real HTTP against a whole server."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from bellwire.errors import Misconfigured
from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.in_process import Running, running_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEV = "/bellwire/v1/dev"
OPT_OUTS = "/restapi/v1.0/account/400100/a2p-sms/opt-outs"


def an_opt_out(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "event": OPT_OUTS,
        "body": {"from": "+16505550180", "to": f"+1201555{number:04}", "active": True},
        **fields,
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def untouched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A server for tests that change nothing of it."""
    async with running_server(tmp_path_factory.mktemp("server") / "data") as running:
        gc.freeze()  # a reset collects garbage; among what pytest has loaded it would look in vain, each time
        yield running
        gc.unfreeze()


@pytest_asyncio.fixture(loop_scope="module")
async def running(untouched: Running) -> AsyncIterator[Running]:
    """The same for the other tests; each finds it as new."""
    yield untouched
    await control(untouched, "POST", "reset", 204, json={"rewindClock": True})


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


async def control(running: Running, method: str, path: str, status: int = 200, **more: Any) -> Any:
    answer = await running.http.request(method, f"{DEV}/{path}", **more)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def attempts_of(running: Running, subscription: str) -> list[Any]:
    """Oldest first."""
    found = await running.http.get(
        f"/bellwire/v1/subscriptions/{subscription}/attempts",
        headers={"Authorization": f"Bearer {running.demo.admin_key}"},
    )
    assert found.status_code == 200, found.text
    return list(reversed(found.json()["records"]))


class TestClock:
    async def test_it_says_the_time_and_how_far_it_is_ahead(self, running: Running) -> None:
        before = await control(running, "GET", "clock")
        advanced = await control(running, "POST", "clock", json={"advanceSeconds": 90})
        again = await control(running, "POST", "clock", json={"advanceSeconds": 0.5})

        assert before["aheadSeconds"] == 0
        assert (advanced["aheadSeconds"], again["aheadSeconds"]) == (90, 90.5)
        assert again["now"] > advanced["now"] > before["now"]
        assert (await control(running, "GET", "clock"))["aheadSeconds"] == 90.5

    @pytest.mark.parametrize("by", [0, -1, 4e9, "soon", None])
    async def test_what_is_no_advance_is_refused_by_its_name(self, untouched: Running, by: object) -> None:
        refused = await control(untouched, "POST", "clock", 400, json={"advanceSeconds": by})

        assert refused["errors"][0]["parameterName"] == "advanceSeconds"

    async def test_tokens_expire(self, running: Running) -> None:
        token = await running.token()
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        path = "/restapi/v1.0/account/~/extension/~"
        before = await running.http.get(path, headers=bearer)

        await control(running, "POST", "clock", json={"advanceSeconds": token["expires_in"] + 1})

        after = await running.http.get(path, headers=bearer)
        assert (before.status_code, after.status_code) == (200, 401)
        assert after.json()["errorCode"] == "OAU-128"

    async def test_subscriptions_expire(self, running: Running, receiver: WebhookReceiver) -> None:
        subscription = await running.subscribe(receiver.url, OPT_OUTS, expiresIn=120)

        await control(running, "POST", "clock", json={"advanceSeconds": 121})

        answer = await running.http.get(
            f"/restapi/v1.0/subscription/{subscription['id']}", headers=await running.bearer()
        )
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "SUB-507")

    async def test_reminders_come(self, running: Running, receiver: WebhookReceiver) -> None:
        await running.subscribe(
            receiver.url, "/restapi/v1.0/subscription/~?threshold=60&interval=15", OPT_OUTS, expiresIn=600
        )

        await control(running, "POST", "clock", json={"advanceSeconds": 545})

        [reminder] = await receiver.wait_for(1)
        assert reminder.json()["event"].startswith("/restapi/v1.0/subscription/")

    async def test_a_retry_that_is_due_after_the_advance_is_made(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        await running.subscribe(receiver.url, OPT_OUTS)
        await control(
            running,
            "POST",
            "faults",
            201,
            json={"kind": "delivery", "status": 503, "retryAfterSeconds": 800, "count": 1},
        )
        await running.publish(an_opt_out())
        while (await control(running, "GET", "faults"))["records"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

        await control(running, "POST", "clock", json={"advanceSeconds": 900})

        assert len(await receiver.wait_for(1)) == 1


class TestFaults:
    async def test_a_status_is_pretended_so_often_and_then_the_endpoint_gets_it(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        subscription = await running.subscribe(receiver.url, OPT_OUTS)
        made = await control(running, "POST", "faults", 201, json={"kind": "delivery", "status": 500, "count": 2})

        await running.publish(an_opt_out(uuid="e"))
        await receiver.wait_for(1, timeout=10)

        first, second, last = await until_attempts(running, subscription["id"], 3)
        assert (first["status"], first["failureCode"], second["status"]) == (500, "status_5xx", 500)
        assert f"{made['id']}, injected on purpose" in first["detail"]
        assert (last["outcome"], receiver.count) == ("delivered", 1)
        assert (await control(running, "GET", "faults"))["records"] == []

    async def test_a_failure_code_is_pretended_for_one_subscription_and_not_for_others(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        suffering = await running.subscribe(f"{receiver.url}/suffering", OPT_OUTS)
        well = await running.subscribe(f"{receiver.url}/well", OPT_OUTS)
        await control(
            running,
            "POST",
            "faults",
            201,
            json={"kind": "delivery", "subscriptionId": suffering["id"], "failure": "connect_refused"},
        )

        await running.publish(an_opt_out())
        await receiver.wait_for(1)

        [failed, *_] = await until_attempts(running, suffering["id"], 1)
        [delivered] = await until_attempts(running, well["id"], 1)
        assert (failed["outcome"], failed["failureCode"]) == ("failed", "connect_refused")
        assert delivered["outcome"] == "delivered"
        assert {request.target for request in receiver.notifications} == {"/webhook/well"}

    async def test_hosts_are_told_apart_by_pattern(self, running: Running, receiver: WebhookReceiver) -> None:
        await running.subscribe(receiver.url, OPT_OUTS)
        await running.subscribe(receiver.url.replace("127.0.0.1", "localhost"), OPT_OUTS)
        await control(
            running, "POST", "faults", 201, json={"kind": "delivery", "host": "LOCAL*", "failure": "response_timeout"}
        )

        await running.publish(an_opt_out())
        [request] = await receiver.wait_for(1)

        assert request.headers["host"].startswith("127.0.0.1")

    async def test_clearing_one_fault_or_all_lets_deliveries_through(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        await running.subscribe(receiver.url, OPT_OUTS)
        one = await control(running, "POST", "faults", 201, json={"kind": "delivery", "status": 503})
        await control(running, "POST", "faults", 201, json={"kind": "delivery", "status": 429})
        await running.publish(an_opt_out())

        await control(running, "DELETE", f"faults/{one['id']}", 204)
        [left] = (await control(running, "GET", "faults"))["records"]
        await control(running, "DELETE", "faults", 204)

        assert left["fault"] == {
            "kind": "delivery",
            "status": 429,
            "delaySeconds": 0,
            "reaches": False,
            "handshakes": False,
        }
        assert (await control(running, "GET", "faults"))["records"] == []
        assert len(await receiver.wait_for(1, timeout=20)) == 1
        await control(running, "DELETE", "faults/fault-99", 404)

    async def test_a_delayed_delivery_arrives_later(self, running: Running, receiver: WebhookReceiver) -> None:
        await running.subscribe(receiver.url, OPT_OUTS)
        await control(running, "POST", "faults", 201, json={"kind": "delivery", "delaySeconds": 0.4})

        published = time.monotonic()
        await running.publish(an_opt_out())
        await receiver.wait_for(1)

        assert time.monotonic() - published >= 0.4

    async def test_a_notification_that_reaches_its_endpoint_and_fails_all_the_same_comes_twice(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        await running.subscribe(receiver.url, OPT_OUTS)
        fault = {"kind": "delivery", "failure": "response_timeout", "reaches": True, "count": 1}
        await control(running, "POST", "faults", 201, json=fault)

        await running.publish(an_opt_out(uuid="e-1"))
        requests = await receiver.wait_for(2, timeout=10)

        assert [request.json()["uuid"] for request in requests] == ["e-1", "e-1"]

    async def test_handshakes_fail_only_where_that_is_asked_for(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        await control(running, "POST", "faults", 201, json={"kind": "delivery", "status": 500})
        await running.subscribe(receiver.url, OPT_OUTS)
        await control(
            running, "POST", "faults", 201, json={"kind": "delivery", "failure": "connect_refused", "handshakes": True}
        )

        with pytest.raises(AssertionError, match="SUB-52"):
            await running.subscribe(receiver.url, OPT_OUTS)

    async def test_failing_for_long_enough_blacklists(self, running: Running, receiver: WebhookReceiver) -> None:
        subscription = await running.subscribe(receiver.url, OPT_OUTS)
        await control(
            running,
            "POST",
            "faults",
            201,
            json={"kind": "delivery", "failure": "connect_refused", "handshakes": False},
        )
        await running.publish(an_opt_out())
        await until_attempts(running, subscription["id"], 1)

        path = f"/restapi/v1.0/subscription/{subscription['id']}"
        status = "Active"
        async with asyncio.timeout(20):
            while status == "Active":
                await control(running, "POST", "clock", json={"advanceSeconds": 120})
                await asyncio.sleep(0.3)
                found = await running.http.get(path, headers=await running.bearer())
                status = found.json()["status"]

        assert status == "Blacklisted"

    @pytest.mark.parametrize(
        ("status", "error"), [(400, "OAU-213"), (429, "CMN-301"), (500, "CMN-203"), (503, "CMN-201")]
    )
    async def test_the_token_endpoint_refuses_so_often(self, running: Running, status: int, error: str) -> None:
        fault = {"kind": "token", "status": status, "count": 2, "retryAfterSeconds": 7}
        await control(running, "POST", "faults", 201, json=fault)
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": running.demo.jwt,
        }

        answers = [
            await running.http.post(
                "/restapi/oauth/token", data=form, auth=(running.demo.client_id, running.demo.client_secret)
            )
            for _ in range(3)
        ]

        assert [answer.status_code for answer in answers] == [status, status, 200]
        assert answers[0].json()["errorCode"] == error
        if status == 400:
            assert answers[0].json()["error"] == "invalid_grant"
        if status in {429, 503}:
            assert answers[0].headers["retry-after"] == "7"

    @pytest.mark.parametrize(
        ("fault", "said"),
        [
            ({"kind": "weather"}, "Input tag 'weather' found using 'kind'"),
            ({"kind": "delivery"}, "failure, status or delaySeconds has to be given"),
            ({"kind": "delivery", "status": 200}, "status"),
            ({"kind": "delivery", "status": 500, "failure": "dns"}, "exclude each other"),
            ({"kind": "delivery", "failure": "bad_luck"}, "failure"),
            ({"kind": "delivery", "delaySeconds": 601}, "delaySeconds"),
            ({"kind": "delivery", "delaySeconds": 1, "reaches": True}, "reaches needs failure or status"),
            ({"kind": "delivery", "status": 500, "count": 0}, "count"),
            ({"kind": "delivery", "status": 500, "retryAfterSeconds": 5}, "retryAfterSeconds needs status"),
            ({"kind": "delivery", "status": 500, "colour": "red"}, "colour"),
            ({"kind": "token", "status": 418}, "status"),
        ],
    )
    async def test_a_fault_that_makes_no_sense_is_refused_with_the_reason(
        self, untouched: Running, fault: dict[str, Any], said: str
    ) -> None:
        refused = await control(untouched, "POST", "faults", 400, json=fault)

        assert said in str(refused)


async def until_attempts(running: Running, subscription: str, number: int) -> list[Any]:
    async with asyncio.timeout(10):
        while len(found := await attempts_of(running, subscription)) < number:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


class TestReset:
    async def test_what_happened_is_gone_and_the_credentials_stay(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        demo = running.demo
        admin = {"Authorization": f"Bearer {demo.admin_key}"}
        token = await running.token()
        await running.subscribe(receiver.url, OPT_OUTS)
        await running.publish(an_opt_out(uuid="once"))
        await receiver.wait_for(1)
        account = (
            await running.http.post("/bellwire/v1/admin/accounts", json={"companyName": "Tern"}, headers=admin)
        ).json()
        await control(running, "POST", "faults", 201, json={"kind": "delivery", "status": 500})

        await control(running, "POST", "reset", 204)

        ended = await running.http.get(
            "/restapi/v1.0/account/~", headers={"Authorization": f"Bearer {token['access_token']}"}
        )
        listed = await running.http.get("/restapi/v1.0/subscription", headers=await running.bearer())
        events = await running.http.get("/bellwire/v1/events", headers=admin)
        gone = await running.http.get(f"/bellwire/v1/admin/accounts/{account['id']}", headers=admin)
        ready = (await running.http.get("/bellwire/v1/ready")).json()
        assert (ended.status_code, ended.json()["errorCode"]) == (401, "OAU-213")
        assert listed.json()["records"] == []
        assert events.json()["records"] == []
        assert gone.status_code == 404
        assert (ready["logHead"], ready["watermark"]) == (0, 0)
        assert (await control(running, "GET", "faults"))["records"] == []

        # And everything goes on, with the same credentials and uuids that were taken before.
        await running.subscribe(receiver.url, OPT_OUTS)
        assert (await running.publish(an_opt_out(uuid="once")))["accepted"] == 1
        await receiver.wait_for(2)
        assert running.server.demo == demo

    async def test_changes_of_the_demo_account_are_undone(self, running: Running) -> None:
        admin = {"Authorization": f"Bearer {running.demo.admin_key}"}
        path = f"/bellwire/v1/admin/accounts/{running.demo.account_id}/extensions/{running.demo.other_extension_id}"
        before = (await running.http.get(path, headers=admin)).json()
        assert (await running.http.delete(path, headers=admin)).is_success

        await control(running, "POST", "reset", 204)

        assert (await running.http.get(path, headers=admin)).json() == before

    async def test_users_log_in_with_the_demo_password_as_before(self, running: Running) -> None:
        user = running.demo.users[3]

        await control(running, "POST", "reset", 204)

        answer = await running.http.post(
            "/restapi/oauth/token",
            data={"grant_type": "password", "username": user.user_name, "password": running.demo.password},
            auth=(running.demo.client_id, running.demo.client_secret),
        )
        assert answer.json()["owner_id"] == user.extension_id

    async def test_requests_that_come_meanwhile_wait_and_are_answered_after(self, running: Running) -> None:
        async def health() -> int:
            return (await running.http.get("/bellwire/v1/ready")).status_code

        resetting = asyncio.create_task(control(running, "POST", "reset", 204))
        statuses = await asyncio.gather(*(health() for _ in range(20)))
        await resetting

        assert set(statuses) == {200}

    async def test_resets_at_the_same_time_take_turns(self, running: Running) -> None:
        await asyncio.gather(*(control(running, "POST", "reset", 204) for _ in range(3)))

        assert (await running.publish(an_opt_out()))["accepted"] == 1

    async def test_a_hanging_endpoint_does_not_hold_it_up(self, running: Running, receiver: WebhookReceiver) -> None:
        await running.subscribe(receiver.url, OPT_OUTS)
        await control(running, "POST", "faults", 201, json={"kind": "delivery", "delaySeconds": 600})
        await running.publish(an_opt_out())
        while (await control(running, "GET", "faults"))["records"][0]["used"] == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

        await control(running, "POST", "reset", 204)  # the client waits for a minute at most, the endpoint for ten

        assert (await control(running, "GET", "faults"))["records"] == []

    async def test_a_restart_after_it_finds_the_same(self, tmp_path: Path) -> None:
        async with running_server(tmp_path) as first:
            await first.publish(an_opt_out())
            await control(first, "POST", "reset", 204)
            demo = first.demo
        async with running_server(tmp_path) as second:
            assert second.demo == demo
            assert (await second.token())["owner_id"] == demo.extension_id
            assert (await second.http.get("/bellwire/v1/ready")).json()["logHead"] == 0

    async def test_those_who_watch_attempts_and_the_clock_stay(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        watched: list[str] = []
        running.server.on_attempt(lambda attempt, _event: watched.append(attempt.uuid))
        await control(running, "POST", "clock", json={"advanceSeconds": 50})

        await control(running, "POST", "reset", 204)

        await running.subscribe(receiver.url, OPT_OUTS)
        await running.publish(an_opt_out(uuid="seen"))
        await receiver.wait_for(1)
        async with asyncio.timeout(20):
            while watched != ["seen"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await control(running, "GET", "clock"))["aheadSeconds"] == 50

    async def test_the_clock_is_rewound_where_that_is_asked_for(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        await control(running, "POST", "clock", json={"advanceSeconds": 864_000})

        await control(running, "POST", "reset", 204, json={"rewindClock": True})

        assert (await control(running, "GET", "clock"))["aheadSeconds"] == 0
        await running.subscribe(receiver.url, OPT_OUTS)
        await running.publish(an_opt_out())
        await receiver.wait_for(1)
        refused = await control(running, "POST", "reset", 400, json={"rewind": True})
        assert refused["errors"][0]["parameterName"] == "rewind"


SEED = """
accounts:
  - {id: "500100", companyName: Tern & Co, mainNumber: +12025550100}
extensions:
  - id: 500101
    accountId: 500100
    extensionNumber: 101
    firstName: Ida
    isAdmin: true
    userName: ida@tern.example
    password: correct horse
  - {id: 500102, accountId: 500100, extensionNumber: 102, firstName: Odd, monitoredLines: [500101]}
numbers:
  - {accountId: 500100, phoneNumber: +12025550177, extensionId: 500101, features: [SmsSender, A2PSmsSender]}
applications:
  - clientId: till
    clientSecret: the till's secret
    name: Till
    permissions: [ReadAccounts, ReadPresence, A2PSMS]
    accountId: 500100
subscriptions:
  - ownerId: 500101
    clientId: till
    address: @ADDRESS@
    eventFilters: [/restapi/v1.0/account/~/a2p-sms/opt-outs, /restapi/v1.0/account/~/extension/500102/presence]
    verificationToken: shown
"""


class TestSeed:
    async def load(self, running: Running, text: str, status: int = 200) -> Any:
        return await control(running, "POST", "seed", status, content=text.encode())

    async def log_in(self, running: Running) -> dict[str, str]:
        answer = await running.http.post(
            "/restapi/oauth/token",
            data={"grant_type": "password", "username": "ida@tern.example", "password": "correct horse"},
            auth=("till", "the till's secret"),
        )
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def test_its_users_log_in_and_its_subscriptions_get_events(
        self, running: Running, receiver: WebhookReceiver
    ) -> None:
        seeded = await self.load(running, SEED.replace("@ADDRESS@", receiver.url))

        bearer = await self.log_in(running)
        listed = (await running.http.get("/restapi/v1.0/subscription", headers=bearer)).json()["records"]
        event = an_opt_out(event="/restapi/v1.0/account/500100/a2p-sms/opt-outs")
        await running.publish(event)
        [request] = await receiver.wait_for(1)
        assert seeded == {"accounts": 1, "extensions": 2, "numbers": 1, "applications": 1, "subscriptions": 1}
        assert [record["eventFilters"] for record in listed] == [
            [
                "/restapi/v1.0/account/500100/a2p-sms/opt-outs",
                "/restapi/v1.0/account/500100/extension/500102/presence",
            ]
        ]
        assert request.headers["verification-token"] == "shown"
        assert receiver.handshakes == []

    async def test_loading_it_twice_changes_nothing(self, running: Running, receiver: WebhookReceiver) -> None:
        await self.load(running, SEED.replace("@ADDRESS@", receiver.url))
        bearer = await self.log_in(running)
        before = (await running.http.get("/restapi/v1.0/subscription", headers=bearer)).json()["records"]

        await self.load(running, SEED.replace("@ADDRESS@", receiver.url))

        after = (await running.http.get("/restapi/v1.0/subscription", headers=bearer)).json()["records"]
        assert [record["id"] for record in after] == [record["id"] for record in before]

    async def test_every_problem_is_named_by_its_place_and_nothing_is_changed(self, untouched: Running) -> None:
        broken = SEED.replace("@ADDRESS@", "ftp://nowhere").replace("[500101]", "[500109]")
        broken = broken.replace("mainNumber: +12025550100", "mainNumber: +16505550100").replace(
            "a2p-sms/opt-outs,", "a2p-sms/opt-out,"
        )

        refused = await self.load(untouched, broken, 400)

        places = {error["parameterName"] for error in refused["errors"]}
        admin = {"Authorization": f"Bearer {untouched.demo.admin_key}"}
        assert places == {
            "accounts[0].mainNumber",
            "extensions[1].monitoredLines[0]",
            "subscriptions[0].address",
            "subscriptions[0].eventFilters[0]",
        }
        assert (await untouched.http.get("/bellwire/v1/admin/accounts/500100", headers=admin)).status_code == 404

    async def test_it_is_loaded_at_start_and_again_at_a_reset(self, tmp_path: Path, receiver: WebhookReceiver) -> None:
        seed = SEED.replace("@ADDRESS@", receiver.url).encode()
        async with running_server(tmp_path, seed=seed) as running:
            await self.log_in(running)
            await self.load(running, "accounts: [{id: 9, companyName: Passing}]")
            await control(running, "POST", "reset", 204)
            await self.log_in(running)
            admin = {"Authorization": f"Bearer {running.demo.admin_key}"}
            passing = await running.http.get("/bellwire/v1/admin/accounts/9", headers=admin)

        assert passing.status_code == 404

    async def test_a_broken_one_keeps_the_server_from_starting_and_says_all_of_it(self, tmp_path: Path) -> None:
        with pytest.raises(Misconfigured) as refused:
            async with running_server(tmp_path, seed=b"accounts: [{id: 9}, {companyName: x}]"):
                pass

        assert [problem.key for problem in refused.value.problems] == ["accounts[0].companyName", "accounts[1].id"]


class TestWhoMayUseThem:
    PATHS = (("GET", "clock"), ("POST", "clock"), ("GET", "faults"), ("POST", "faults"), ("DELETE", "faults"),
             ("POST", "reset"), ("POST", "seed"))  # fmt: skip

    async def test_serve_does_not_have_them(self, tmp_path: Path) -> None:
        async with running_server(tmp_path, dev=False) as running:
            answers = [await running.http.request(method, f"{DEV}/{path}", json={}) for method, path in self.PATHS]
            openapi = (await running.http.get("/bellwire/v1/openapi.json")).json()

        assert {(answer.status_code, answer.json()["errorCode"]) for answer in answers} == {(404, "CMN-120")}
        assert not [path for path in openapi["paths"] if path.startswith(DEV)]

    @pytest.mark.parametrize(
        "headers",
        [{"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}, {"Origin": "https://evil.example"}],
    )
    async def test_others_than_programs_on_this_machine_are_refused(
        self, untouched: Running, headers: dict[str, str]
    ) -> None:
        answers = [
            await untouched.http.request(method, f"{DEV}/{path}", json={}, headers=headers)
            for method, path in self.PATHS
        ]

        assert {answer.status_code for answer in answers} == {403}

    async def test_a_page_from_this_machine_may(self, untouched: Running) -> None:
        await control(untouched, "GET", "clock", headers={"Origin": "http://localhost:3000"})

    async def test_another_address_of_this_machine_is_another_machine(self, tmp_path: Path) -> None:
        transport = httpx.ASGITransport
        async with running_server(tmp_path) as running:
            elsewhere = transport(app=running.server.app, client=("192.0.2.7", 5000))
            async with httpx.AsyncClient(transport=elsewhere, base_url=running.url) as client:
                answer = await client.get(f"{DEV}/clock")

        assert answer.status_code == 403
