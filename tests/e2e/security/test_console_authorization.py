"""Every page, asset and socket of the console, tried without a session: nobody gets past the gate.

The pages are found in their sources, so that a new one is tried as soon as it is there. What one sees who is signed
in, and with a key of one account, is in `tests/e2e/console`.
"""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from bellwire import console
from bellwire.console.gate import COOKIE
from tests.e2e.in_process import Running, running_server

pytestmark = pytest.mark.asyncio(loop_scope="module")


def pages() -> Iterator[str]:
    """The paths of `@ui.page(…)`, with something in the place of their parameters."""
    for source in Path(str(console.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "ui.page":
                path = node.args[0]
                assert isinstance(path, ast.Constant), f"{source.name}: the path is written where the page is"
                yield str(path.value).replace("{", "").replace("}", "")


PAGES = sorted(set(pages()))
BEHIND = [
    *PAGES,
    "/_nicegui/3/static/nicegui.js",
    "/_nicegui/3/dynamic_resources/x",
    "/_nicegui_ws/socket.io/?EIO=4&transport=polling",
    "/_nicegui/auto/static/../../gate.py",
    "/%2e%2e/bellwire/v1/admin/accounts",
    "/sign-in/",
    "/assets",
    "/nothing",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running_server(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def knocks(running: Running) -> dict[str, dict[str, str]]:
    """Headers of those who are not signed in."""
    demo = running.demo
    token = (await running.token())["access_token"]
    signed_in = await running.http.post("/console/sign-in", data={"key": demo.admin_key})
    ended = signed_in.cookies[COOKIE]
    await running.http.post("/console/sign-out", headers={"Cookie": f"{COOKIE}={ended}"})
    running.http.cookies.clear()
    return {
        "nobody": {},
        "an admin key instead of a session": {"Authorization": f"Bearer {demo.admin_key}"},
        "a user": {"Authorization": f"Bearer {token}"},
        **{
            f"{who} as cookie": {"Cookie": f"{COOKIE}={value}"}
            for who, value in {
                "garbage": "garbage",
                "nothing": "",
                "a session that was ended": ended,
                "an access token": token,
                "the admin key": demo.admin_key,
                "the publisher key": demo.publisher_key,
                "something long": "x" * 10_000,
            }.items()
        },
    }


async def test_no_page_asset_or_socket_is_shown_without_a_session(
    running: Running, knocks: dict[str, dict[str, str]]
) -> None:
    assert len(PAGES) > 8
    wrong: list[tuple[object, ...]] = []
    async with httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=20) as http:
        for who, headers in knocks.items():
            for path in BEHIND:
                page = await http.get(f"/console{path}", headers=headers | {"Accept": "text/html"})
                is_led = page.status_code == 303 and page.headers["location"].startswith("/console/sign-in?next=")
                if not is_led:
                    wrong.append((who, path, "as a page", page.status_code))
                for method in ("GET", "POST", "PUT", "DELETE"):
                    answer = await http.request(method, f"/console{path}", headers=headers)
                    if answer.status_code != 401:
                        wrong.append((who, path, method, answer.status_code))
                if "set-cookie" in page.headers:
                    wrong.append((who, path, "a cookie"))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("path", ["/_nicegui_ws/socket.io/", "/", "/anything"])
async def test_no_socket_is_let_in_without_a_session_of_its_own_page(running: Running, path: str) -> None:
    signed_in = await running.http.post("/console/sign-in", data={"key": running.demo.admin_key})
    cookie = f"{COOKIE}={signed_in.cookies[COOKIE]}".encode()
    running.http.cookies.clear()
    host = running.url.partition("//")[2].encode()
    for headers in (
        [],
        [(b"cookie", COOKIE.encode() + b"=garbage")],
        [(b"cookie", cookie), (b"origin", b"https://evil.example")],
        [(b"cookie", cookie), (b"origin", b"null")],
        [(b"cookie", cookie), (b"sec-fetch-site", b"cross-site"), (b"origin", b"http://" + host)],
    ):
        # The gate's own words: what is behind it refuses most of these, too.
        answered = await opened(running, f"/console{path}", [(b"host", host), *headers])
        assert answered == [{"type": "websocket.close", "code": 1008, "reason": "Sign in at the console."}]


async def test_a_socket_of_its_own_page_is_let_in(running: Running) -> None:
    """Else the refusals of others would show nothing."""
    signed_in = await running.http.post("/console/sign-in", data={"key": running.demo.admin_key})
    cookie = f"{COOKIE}={signed_in.cookies[COOKIE]}".encode()
    running.http.cookies.clear()
    own = [(b"host", running.url.partition("//")[2].encode()), (b"cookie", cookie), (b"origin", running.url.encode())]
    answered = await opened(running, "/console/_nicegui_ws/socket.io/", own)
    assert answered[0]["type"] == "websocket.accept"


async def opened(running: Running, path: str, headers: list[tuple[bytes, bytes]]) -> list[dict[str, Any]]:
    """What the application answers to a socket that asks to be opened, and is gone then."""
    sent: list[dict[str, Any]] = []
    said: Iterator[dict[str, object]] = iter([{"type": "websocket.connect"}])

    async def receive() -> dict[str, object]:
        return next(said, {"type": "websocket.disconnect", "code": 1001})

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": quote(path).encode(),
        "root_path": "",
        "query_string": b"EIO=4&transport=websocket",
        "headers": [*headers, (b"connection", b"Upgrade"), (b"upgrade", b"websocket")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
        "subprotocols": [],
        "extensions": {},
        "state": {},
    }
    await running.server.app(scope, receive, send)
    return sent


async def test_only_an_admin_key_signs_in(running: Running) -> None:
    demo = running.demo
    token = (await running.token())["access_token"]
    for key in ("", demo.publisher_key, token, demo.client_secret, demo.jwt, demo.password, demo.admin_key[:-1]):
        answer = await running.http.post("/console/sign-in", data={"key": key})
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


async def test_what_needs_no_session_shows_nothing_of_the_server(running: Running) -> None:
    asset = await running.http.get("/console/assets/console.css")
    assert asset.status_code == 200
    for name in ("%2e%2e/gate.py", "..%2fgate.py", "gate.py", "console.css%00", "//etc/passwd"):
        assert (await running.http.get(f"/console/assets/{name}")).status_code in {401, 404}
    page = await running.http.get("/console/sign-in")
    for header, value in {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
    }.items():
        assert page.headers[header] == value
