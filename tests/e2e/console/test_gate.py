"""The way into the console, over HTTP and without a browser: who gets in, with what cookie, and what is behind it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from bellwire.console import gate
from bellwire.console.facade import EngineFacade
from bellwire.console.sessions import FAILURES
from bellwire.development import DevServer
from bellwire.engine.history import AttemptSearch
from bellwire.engine.provision_scope import ALL_ACCOUNTS, Scope
from bellwire.errors import NotFound
from bellwire.model.ids import AccountId, SubscriptionId
from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.in_process import Running, running_server
from tests.e2e.processes import clean_environment

SIGN_IN = "/console/sign-in"
A2P = "/restapi/v1.0/account/400100/a2p-sms/messages"
BODY = {
    "id": "1",
    "direction": "Inbound",
    "from": "+16505550142",
    "to": ["+16505550180"],
    "messageStatus": "Delivered",
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running_server(tmp_path_factory.mktemp("gate")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def browser(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    """One that keeps cookies."""
    async with httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=20) as browser:
        yield browser


def facade_of(running: Running) -> EngineFacade:
    assert isinstance(running.server, DevServer)
    return running.server._console.facade


async def test_pages_lead_to_the_sign_in_and_anything_else_is_refused(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/console/events?family=fax", headers={"Accept": "text/html"})
    assert page.status_code == 303
    assert page.headers["location"] == f"{SIGN_IN}?next=/events%3Ffamily%3Dfax"
    assert (await browser.get("/console/_nicegui/3/static/nicegui.js")).status_code == 401
    assert (await browser.post("/console/_nicegui_ws/socket.io/")).status_code == 401
    assert (await browser.get("/console")).headers["location"] == "/console/"


async def test_the_sign_in_page_is_closed_to_other_sites_and_loads_nothing_from_elsewhere(
    browser: httpx.AsyncClient,
) -> None:
    page = await browser.get(SIGN_IN)
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert "http" not in page.text.replace("http-equiv", "")
    assert (await browser.get("/console/assets/console.css")).headers["content-type"].startswith("text/css")
    assert (await browser.get("/console/assets/../gate.py")).status_code in {303, 401, 404}


@pytest.mark.parametrize("path", ["", "/", "/sign-in", "/events", "/assets/console.css", "//sign-in"])
async def test_no_script_of_another_origin_reads_its_pages(
    running: Running, browser: httpx.AsyncClient, path: str
) -> None:
    """`dev` lets any origin call the API, and its sign-in page holds the demo's key, which may do everything."""
    foreign = {"Origin": "https://evil.example", "Accept": "text/html"}
    api = await browser.get("/bellwire/v1/health", headers=foreign)
    assert api.headers["access-control-allow-origin"] == "https://evil.example", "else this test shows nothing"

    for prefix in ("/console", "//console", "/%63onsole"):
        page = await browser.get(running.url + prefix + path, headers=foreign)
        assert "access-control-allow-origin" not in page.headers
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
        assert (await browser.options(running.url + prefix + path, headers=asked)).status_code == 403


@pytest.mark.parametrize(
    ("headers", "is_shown"),
    [
        ({}, True),
        ({"Host": "localhost:8710"}, True),
        ({"Host": "[::1]:8710"}, True),
        ({"Host": "bellwire:8710"}, True),
        ({"Host": "evil.example"}, False),
        ({"Host": "127.0.0.1.evil.example:8710"}, False),
        ({"Host": "localhost", "X-Forwarded-For": "203.0.113.9"}, False),
        ({"Host": "localhost", "X-Forwarded-Host": "tunnel.example"}, False),
    ],
    ids=str,
)
async def test_the_demo_key_is_shown_to_no_page_whose_name_was_made_to_mean_this_machine(
    running: Running, browser: httpx.AsyncClient, headers: dict[str, str], is_shown: bool
) -> None:
    page = await browser.get(SIGN_IN, headers=headers)
    assert page.status_code == 200
    assert (running.demo.admin_key in page.text) is is_shown


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
    ids=["cross-site", "another port or subdomain", "origin"],
)
async def test_a_form_of_another_site_is_not_taken(
    running: Running, browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await browser.post(SIGN_IN, data={"key": running.demo.admin_key}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [
        ("/events?x=1", "/console/events?x=1"),
        ("//evil.example", "/console/"),
        ("https://evil.example", "/console/"),
        ("/\\evil.example", "/console/"),
        ("/sign-out", "/console/"),
    ],
)
async def test_signing_in_goes_on_within_the_console_alone(
    running: Running, browser: httpx.AsyncClient, wanted: str, goes_to: str
) -> None:
    answer = await browser.post(SIGN_IN, data={"key": running.demo.admin_key, "next": wanted})
    assert (answer.status_code, answer.headers["location"]) == (303, goes_to)


async def test_the_cookie_is_for_the_console_alone_and_out_of_reach_of_scripts(
    running: Running, browser: httpx.AsyncClient
) -> None:
    answer = await browser.post(SIGN_IN, data={"key": running.demo.admin_key})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Path=/console" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie, "it is reached by http"
    assert running.demo.admin_key not in cookie
    assert (await browser.get(SIGN_IN)).status_code == 303, "one who is signed in goes on"

    answer = await browser.post("/console/sign-out", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.headers["location"] == SIGN_IN
    assert (await browser.get("/console/charts", headers={"Accept": "text/html"})).status_code == 303


async def test_a_key_that_is_no_admin_key_opens_nothing(running: Running, browser: httpx.AsyncClient) -> None:
    for key in (running.demo.publisher_key, "", "x" * 600, "\x00"):
        answer = await browser.post(SIGN_IN, data={"key": key})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
        assert "no admin key" in answer.text


async def test_guessing_is_slowed_down(running: Running, browser: httpx.AsyncClient) -> None:
    for _ in range(FAILURES):
        answer = await browser.post(SIGN_IN, data={"key": "wrong"})
        if answer.status_code == 429:
            break
    answer = await browser.post(SIGN_IN, data={"key": running.demo.admin_key})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "Too many wrong keys" in answer.text
    assert isinstance(running.server, DevServer)
    running.server._console._guesses.forget("127.0.0.1")


async def test_with_the_extra_missing_it_is_said_what_to_install(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "is_installed", lambda: False)
    answer = await browser.get("/console/", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "bellwire[console]" in answer.text


async def test_serve_says_what_to_install_and_serves_the_rest(tmp_path: Path) -> None:
    """In a process that can't find NiceGUI."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    program = (
        "from importlib import util; find = util.find_spec; "
        "util.find_spec = lambda name, *more: None if name == 'nicegui' else find(name, *more); "
        "from bellwire.cli import main; main()"
    )
    environ = clean_environment(
        {"BELLWIRE_DATA_DIR": str(data), "BELLWIRE_PORT": "0", "BELLWIRE_MIN_FREE_MIB": "0", "PYTHONUNBUFFERED": "1"}
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, "serve", env=environ, stdout=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            serves, console = await process.stdout.readline(), await process.stdout.readline()
    finally:
        process.kill()
        await process.wait()
    assert b"bellwire serves" in serves
    assert console.decode().strip() == gate.EXTRA_MISSING


async def test_nobody_entered_so_nothing_heavy_was_loaded() -> None:
    """Unless another test of this process did: then this says nothing."""
    if "nicegui" not in sys.modules:
        assert "bellwire.console.application" not in sys.modules


async def test_a_request_is_written_again_as_it_was_sent(running: Running) -> None:
    filters = (A2P, f"{A2P}?direction=Inbound")
    async with WebhookReceiver(verification_token="token") as receiver:
        made = await running.subscribe(receiver.url, *filters, mode={"verificationToken": "token"})
        await running.publish({"event": A2P, "body": BODY})
        [sent] = await receiver.wait_for(1, timeout=20)
        search = AttemptSearch(subscription=SubscriptionId(made["id"]))
        facade = facade_of(running)
        async with asyncio.timeout(20):
            while not (page := await facade.attempts(ALL_ACCOUNTS, search, None, 1)).records:  # noqa: ASYNC110 - a commit
                await asyncio.sleep(0.02)
    request = await facade.request_of(ALL_ACCOUNTS, page.records[0].attempt)
    assert request is not None
    assert request.body == sent.body
    first, *lines = request.head.splitlines()
    assert first == f"POST {sent.target} HTTP/1.1"
    written = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert written.pop("verification-token") == "(hidden)"
    assert written.items() <= sent.headers.items()


async def test_a_scope_of_another_account_reaches_no_subscription(running: Running) -> None:
    async with WebhookReceiver() as receiver:
        made = await running.subscribe(receiver.url, A2P)
    elsewhere, facade = Scope(AccountId("999")), facade_of(running)
    id_ = SubscriptionId(made["id"])
    for refused in (facade.pause, facade.resume, facade.renew, facade.delete, facade.test_event, facade.probe):
        with pytest.raises(NotFound):
            await refused(elsewhere, id_)
    with pytest.raises(NotFound):
        facade.health(elsewhere, id_)
    with pytest.raises(NotFound):
        await facade.replay_time(elsewhere, id_, None, None)
    assert facade.accounts(elsewhere) == []


async def test_behind_a_proxy_with_tls_the_cookie_is_secure_and_the_path_has_its_prefix(tmp_path: Path) -> None:
    environment = {"BELLWIRE_PUBLIC_URL": "https://events.example.com/bellwire"}
    async with running_server(tmp_path, environment=environment) as running:
        answer = await running.http.post(SIGN_IN, data={"key": running.demo.admin_key})
        assert answer.headers["location"] == "/bellwire/console/"
        assert "Secure" in answer.headers["set-cookie"]
        assert "Path=/bellwire/console" in answer.headers["set-cookie"]
        other = await running.http.post(SIGN_IN, headers={"Origin": "https://events.example.com"})
        assert other.status_code == 403
        assert "no admin key" in other.text, "a page of our own"


async def test_the_console_can_be_left_out(tmp_path: Path) -> None:
    async with running_server(tmp_path, environment={"BELLWIRE_CONSOLE": "false"}) as running:
        assert (await running.http.get("/console/")).status_code == 404
