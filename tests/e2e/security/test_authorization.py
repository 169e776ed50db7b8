"""Who may use which route: every route of the server, tried by everyone who might knock (`routes.py`, `stage.py`).

A route without a row fails the first test. That nobody who was refused did any harm shows in the last one, where those
who may use the routes find every record that the others tried to read, change or delete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Route

from bellwire.api.openapi import OPENAPI_PATH
from bellwire.api.routing import every_route
from bellwire.console.gate import ConsoleGate
from bellwire.development import DevServer
from bellwire.gateway.endpoint import GatewayEndpoint
from tests.e2e.security.routes import ADMIN, GENERAL, PRESENCE, PRESENCE_BODY, ROWS, WEBINAR, Guard, Row, filled
from tests.e2e.security.stage import Stage, code_of, set_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_KEY = {
    "nobody": "CMN-405",
    "an empty token": "OAU-213",
    "another scheme": "OAU-151",
    "garbage": "OAU-213",
    "a token of strange characters": "OAU-213",
    "a token without end": "OAU-213",
    "an expired token": "OAU-213",
    "a revoked session": "OAU-213",
    "a login JWT": "OAU-213",
    "a client secret": "OAU-213",
}
NO_TOKEN = NO_KEY | {
    "an empty token": "OAU-149",
    "garbage": "OAU-129",
    "a token of strange characters": "OAU-149",
    "a token without end": "OAU-149",
    "an expired token": "OAU-128",
    "a replaced token": "OAU-213",
    "a refresh token": "OAU-213",
    "a login JWT": "OAU-129",
}
REFUSED: dict[Guard, dict[str, str]] = {
    Guard.TOKEN: NO_TOKEN
    | dict.fromkeys(("the admin key", "the publisher key", "a disabled publisher key"), "OAU-129"),
    Guard.TOKEN_OR_PUBLISHER: NO_TOKEN | dict.fromkeys(("the admin key", "a disabled publisher key"), "OAU-213"),
    Guard.PUBLISHER: NO_KEY
    | {"the user": "OAU-213", "the admin key": "OAU-213", "a disabled publisher key": "OAU-213"},
    Guard.ADMIN: NO_KEY | {"the user": "OAU-213", "the publisher key": "OAU-213", "a disabled admin key": "OAU-213"},
}
"""Who is refused with 401 at routes of each kind, and with which code (wire contract, 2.6)."""

RIGHTFUL = {
    Guard.NOTHING: "nobody",
    Guard.TOKEN: "the user",
    Guard.PUBLISHER: "the publisher key",
    Guard.ADMIN: "the admin key",
    Guard.TOKEN_OR_PUBLISHER: "the user",
    Guard.THIS_MACHINE: "nobody",
    Guard.UNSUPPORTED: "nobody",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with set_stage(tmp_path_factory.mktemp("authorization")) as stage:
        yield stage


def rows(*guards: Guard) -> list[Row]:
    return [row for row in ROWS if row.guard in guards]


async def test_every_route_has_a_row(stage: Stage) -> None:
    assert isinstance(stage.running.server, DevServer)
    gateway = stage.running.server._front.app  # its own route, /ws, is what test_websocket.py is about
    assert isinstance(gateway, GatewayEndpoint)
    assert isinstance(gateway.app, FastAPI)
    routes = list(every_route(gateway.app.routes))
    found = {
        f"{method} {c.path}" for c in iter_route_contexts(routes) for method in c.methods or () if method != "HEAD"
    }
    document = (await stage.http.get(OPENAPI_PATH)).json()
    found |= {f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations}

    assert [name for name, times in Counter(map(plain, ROWS)).items() if times > 1] == []
    assert {plain(row) for row in ROWS} == found
    # What is behind the console's gate is in test_console_authorization.py.
    others = [route for route in routes if not isinstance(route, Route)]
    assert [type(route) for route in others] == [ConsoleGate]


def plain(row: Row) -> str:
    """The row's name with the parameters as the server names them: ours tell records apart that have one name there."""
    name = row.name.replace("{webinarSubscriptionId}", "{subscriptionId}").replace(
        "{spareExtensionId}", "{extensionId}"
    )
    return name.replace("{publisherKeyId}", "{keyId}").replace("{adminKeyId}", "{keyId}")


@pytest.mark.parametrize("guard", list(REFUSED), ids=lambda guard: guard.name.lower())
async def test_who_is_not_known_gets_nothing(stage: Stage, guard: Guard) -> None:
    wrong: list[tuple[object, ...]] = []
    for who, code in REFUSED[guard].items():
        for row, answer in await stage.answers(rows(guard), who):
            if (answer.status_code, code_of(answer)) != (401, code):
                wrong.append((row.name, who, answer.status_code, answer.text[:200]))
            elif "www-authenticate" not in answer.headers:
                wrong.append((row.name, who, "no WWW-Authenticate"))
    assert not wrong, "\n".join(map(str, wrong))


async def test_a_key_or_dead_token_in_the_query_gets_nothing_either(stage: Stage) -> None:
    wrong = []
    for row in rows(Guard.TOKEN, Guard.ADMIN, Guard.PUBLISHER):
        if row.method == "GET":
            for who in ("garbage", "a revoked session", "the admin key", "the publisher key"):
                shown = str(stage.shown[who]).removeprefix("Bearer ")
                answer = await stage.http.get(row.target(stage.ids), params={"access_token": shown})
                if answer.status_code != 401:
                    wrong.append((row.name, who, answer.status_code))
    assert not wrong, "\n".join(map(str, wrong))


async def test_an_application_without_the_permission_is_refused(stage: Stage) -> None:
    asked = [row for row in rows(Guard.TOKEN) if row.permission is not None]
    answers = await stage.answers(asked, "an application without permissions")
    assert len(asked) > 15
    assert [
        (row.name, answer.status_code, answer.text[:200])
        for row, answer in answers
        if (answer.status_code, code_of(answer)) != (403, "CMN-401") or str(row.permission) not in answer.text
    ] == []


async def test_a_user_without_the_permission_is_refused(stage: Stage) -> None:
    asked = [row for row in rows(Guard.TOKEN) if row.user_code is not None]
    answers = await stage.answers(asked, "a user without permissions")
    assert len(asked) == 4
    assert [
        (row.name, answer.status_code, answer.text[:200])
        for row, answer in answers
        if (answer.status_code, code_of(answer)) != (403, row.user_code)
    ] == []


@pytest.mark.parametrize("who", ["a user without permissions", "another application"])
async def test_anothers_subscription_is_not_found(stage: Stage, who: str) -> None:
    asked = [row for row in rows(Guard.TOKEN) if row.path.startswith((GENERAL, WEBINAR)) and "{" in row.path]
    answers = await stage.answers(asked, who)
    assert len(asked) == 8
    assert {(answer.status_code, code_of(answer)) for _row, answer in answers} == {(404, "CMN-102")}


@pytest.mark.parametrize(
    ("guard", "who"),
    [
        (Guard.TOKEN, "another account's user"),
        (Guard.ADMIN, "another account's admin key"),
        (Guard.PUBLISHER, "another account's publisher key"),
    ],
    ids=["user", "admin key", "publisher key"],
)
async def test_another_account_is_out_of_reach(stage: Stage, guard: Guard, who: str) -> None:
    ours = {f'"{id_}"' for name, id_ in stage.ids.items() if name.endswith("Id") or name in ("event", "jti")}
    wrong = []
    for row, answer in await stage.answers(rows(guard), who):
        if row.foreign is not None:
            if (answer.status_code, code_of(answer)) != row.foreign:
                wrong.append((row.name, answer.status_code, answer.text[:300]))
        elif answer.status_code != row.status or any(id_ in answer.text for id_ in ours):
            wrong.append((row.name, answer.status_code, answer.text[:300]))
    assert not wrong, "\n".join(map(str, wrong))


async def test_a_publisher_key_of_another_account_publishes_and_explains_nothing(stage: Stage) -> None:
    key = {"Authorization": str(stage.shown["another account's publisher key"])}
    event = {"event": filled(PRESENCE, stage.ids), "body": PRESENCE_BODY}
    published = (await stage.http.post("/bellwire/v1/events", json=event, headers=key)).json()
    assert (published["accepted"], published["rejected"][0]["errorCode"]) == (0, "CMN-401")
    for who in ("another account's publisher key", "another account's user"):
        [(_row, answer)] = await stage.answers(rows(Guard.TOKEN_OR_PUBLISHER), who)
        assert (answer.status_code, code_of(answer)) == (403, "SUB-406")


async def test_development_controls_answer_this_machine_alone(stage: Stage) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=x"},
        {"Host": "evil.example:8710"},  # DNS rebinding: such a page's own requests may say no origin
    ):
        answers = await stage.answers(rows(Guard.THIS_MACHINE), "nobody", **headers)
        assert {(answer.status_code, code_of(answer)) for _row, answer in answers} == {(403, "CMN-401")}


@pytest.mark.parametrize("who", ["nobody", "the user", "the admin key"])
async def test_what_is_not_there_gives_nothing_to_anybody(stage: Stage, who: str) -> None:
    answers = await stage.answers(rows(Guard.UNSUPPORTED), who)
    assert {(answer.status_code, code_of(answer)) for _row, answer in answers} == {(501, "CMN-202")}


async def test_those_who_may_get_through_and_find_everything_as_it_was(stage: Stage) -> None:
    """The last one: it deletes."""
    order = [row for row in ROWS if row.harmless and row.guard is not Guard.CLIENT]
    ending = [row for row in ROWS if not row.harmless and row.guard is not Guard.THIS_MACHINE]
    # What belongs to something goes before it, and the account last of all.
    order += sorted(ending, key=lambda row: (row.path.startswith(f"{ADMIN}/accounts"), -row.path.count("/")))
    wrong = []
    for row in order:
        answer = await stage.ask(row, RIGHTFUL[row.guard])
        if answer.status_code != row.status:
            wrong.append((row.name, answer.status_code, answer.text[:300]))
    assert not wrong, "\n".join(map(str, wrong))
