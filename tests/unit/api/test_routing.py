"""Routers whose routes are made at once, and those whose routes are made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import Route

from bellwire.api.app import build_app
from bellwire.api.routing import LaterRoutes, api_router, every_route


def things() -> Iterable[APIRouter]:
    router = api_router("/accounts/{accountId}/things", tag="Things")

    @router.get("/{thing}")
    async def read_thing(accountId: str, thing: str) -> dict[str, str]:
        return {"account": accountId, "thing": thing}

    @router.delete("/{thing}", status_code=204)
    async def delete_thing(thing: str) -> None: ...

    return [router]


@pytest.fixture
def made() -> list[str]:
    """What was made so far."""
    return []


@pytest.fixture
def app(made: list[str]) -> FastAPI:
    def make() -> Iterable[APIRouter]:
        made.append("things")
        return things()

    at_once = api_router(tag="Accounts")

    @at_once.get("/accounts/{accountId}")
    async def read_account(accountId: str) -> dict[str, str]:
        return {"account": accountId}

    return build_app(routers=[at_once, LaterRoutes(["/accounts/{accountId}/things"], make)], version="1")


async def ask(app: FastAPI, method: str, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://bellwire.test") as client:
        return await client.request(method, path)


async def test_they_are_made_once_by_the_first_request_below_their_prefix(app: FastAPI, made: list[str]) -> None:
    elsewhere = [await ask(app, "GET", path) for path in ("/accounts/7", "/accounts/7/other", "/nowhere")]
    assert ([answer.status_code for answer in elsewhere], made) == ([200, 404, 404], [])

    for _ in range(2):
        answer = await ask(app, "GET", "/accounts/7/things/a%20b")
        assert (answer.status_code, answer.json()) == (200, {"account": "7", "thing": "a b"})
    assert (await ask(app, "DELETE", "/accounts/7/things/x")).status_code == 204
    assert made == ["things"]


async def test_another_method_is_405_with_those_there_are(app: FastAPI) -> None:
    answer = await ask(app, "POST", "/accounts/7/things/x")

    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET")


async def test_the_document_has_them(app: FastAPI) -> None:
    operations = app.openapi()["paths"]["/accounts/{accountId}/things/{thing}"]

    assert {method: operation["operationId"] for method, operation in operations.items()} == {
        "get": "readThing",
        "delete": "deleteThing",
    }


def test_a_route_that_would_never_be_found_is_a_mistake_that_is_said() -> None:
    later = LaterRoutes(["/accounts/{accountId}/thing/"], things)

    with pytest.raises(AssertionError, match="would never be found"):
        list(every_route([Route("/", print), later]))
