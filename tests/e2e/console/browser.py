"""The system's Chromium, driven by Playwright, and a development server that it looks at."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.e2e.in_process import JWT_BEARER
from tests.e2e.processes import BellwireProcess, bellwire, env_of

ROOT = Path(__file__).resolve().parents[3]
SCREENSHOTS = ROOT / "build" / "screenshots"
PATIENCE_SECONDS = 30.0
"""For what appears on a page: the machine may be busy."""

A2P = "/restapi/v1.0/account/400100/a2p-sms/messages"

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Its path; without it the test is skipped, but in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing: apt-get install chromium")
        pytest.skip("Chromium is not installed")
    return found


@dataclass(slots=True)
class Console:
    """A server, a browser, and what the browser asked for."""

    url: str
    env: dict[str, str]
    http: httpx.AsyncClient
    browser: Browser
    subscribed: list[str] = field(default_factory=list)
    """Ids of what `subscribe` made and `end_subscriptions` did not end yet."""
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What pages wrote to the browser's console as errors, and scripts that failed."""

    @contextlib.asynccontextmanager
    async def page(self, path: str | None = None, *, dark: bool = False, phone: bool = False) -> AsyncIterator[Page]:
        """A new browser context with one page; with `path`, signed in with the demo's key and at that page."""
        context = await self.browser.new_context(
            color_scheme="dark" if dark else "light",
            viewport={"width": 390, "height": 844} if phone else {"width": 1366, "height": 900},
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        self._watch(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        try:
            if path is not None:
                await self.sign_in(page, path)
            yield page
        finally:
            await context.close()

    async def sign_in(self, page: Page, path: str = "/", *, key: str | None = None) -> None:
        """Through the page, as an operator does."""
        await page.goto(f"{self.url}/console{path}")
        await page.get_by_label("Admin key").fill(key or self.env["BELLWIRE_ADMIN_KEY"])
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()

    async def bearer(self) -> dict[str, str]:
        """Headers of the demo application's administrator."""
        answer = await self.http.post(
            "/restapi/oauth/token",
            data={"grant_type": JWT_BEARER, "assertion": self.env["RC_USER_JWT"]},
            auth=(self.env["RC_APP_CLIENT_ID"], self.env["RC_APP_CLIENT_SECRET"]),
        )
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def subscribe(self, address: str, *filters: str) -> str:
        """A subscription by the API; its id."""
        mode = {"transportType": "WebHook", "address": address}
        answer = await self.http.post(
            "/restapi/v1.0/subscription",
            json={"eventFilters": list(filters), "deliveryMode": mode},
            headers=await self.bearer(),
        )
        assert answer.is_success, answer.text
        self.subscribed.append(str(answer.json()["id"]))
        return self.subscribed[-1]

    async def end_subscriptions(self) -> None:
        """Those of a test whose receiver is about to go: their retries would be seen by the next."""
        headers = await self.bearer()
        for id_ in self.subscribed:
            await self.http.delete(f"/restapi/v1.0/subscription/{id_}", headers=headers)
        self.subscribed.clear()

    async def publish(self, *bodies: dict[str, Any], event: str = A2P) -> None:
        answer = await self.http.post(
            "/bellwire/v1/events",
            json=[{"event": event, "body": body} for body in bodies],
            headers={"Authorization": f"Bearer {self.env['BELLWIRE_PUBLISHER_KEY']}"},
        )
        assert answer.status_code == 202
        assert answer.json()["rejectedCount"] == 0, answer.text

    def foreign(self) -> list[str]:
        """Requests to other hosts."""
        own = ("http://", "ws://")
        host = self.url.removeprefix("http://")
        return [
            url
            for url in self.requested
            if not url.startswith(tuple(scheme + host + "/" for scheme in own))
            and not url.startswith(("data:", "blob:"))
        ]

    def _watch(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self.requested.append(request.url))
        context.on("page", lambda page: page.on("websocket", lambda socket: self.requested.append(socket.url)))
        context.on(
            "console",
            lambda message: (
                self.complaints.append(f"{message.text} {message.location['url']}") if message.type == "error" else None
            ),
        )


def message(
    number: int, *, direction: str = "Inbound", to: str = "+16505550180", text: str = "Hello"
) -> dict[str, Any]:
    """The body of a High Volume SMS message."""
    return {
        "id": str(number),
        "direction": direction,
        "from": "+16505550142",
        "to": [to],
        "messageStatus": "Delivered",
        "text": text,
    }


@contextlib.asynccontextmanager
async def looked_at(directory: Path) -> AsyncIterator[Console]:
    """Start a server without traffic, and a browser."""
    executable = chromium()
    arguments = ("dev", "--no-traffic", "--port", "0", "--data", str(directory))
    with BellwireProcess(*arguments, environ={"BELLWIRE_MIN_FREE_MIB": "0"}, cwd=directory.parent) as process:
        url = process.url()
        env = env_of(bellwire("env", "--data", str(directory)).stdout)
        async with (
            httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=executable, args=_FLAGS)
            try:
                yield Console(url, env, http, browser)
            finally:
                await browser.close()
        process.stop()


async def keep_picture(page: Page, name: str) -> None:
    """A screenshot, as build output."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.png")


async def serious_findings(page: Page, *, only: str | None = None) -> list[str]:
    """What axe finds serious or critical on a page, in a line each; `only`: by one rule."""
    options = {"resultTypes": ["violations"], **({} if only is None else {"runOnly": [only]})}
    found = await Axe().run(page, options=options)
    return [
        f"{violation['id']} ({violation['impact']}): {violation['nodes'][0]['html'][:200]}"
        for violation in found.response["violations"]
        if violation["impact"] in {"serious", "critical"}
    ]
