"""The documentation site, as `make docs` builds it: strict, without the network, and asking nothing of another host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from tests.e2e.console.browser import PATIENCE_SECONDS, chromium

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
BUILD = """
import socket
def refused(*_): raise OSError("no network for the documentation")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refused
from mkdocs.__main__ import cli
cli()
"""
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}


class Loads(HTMLParser):
    """What a browser fetches by itself for a page; links that a reader may follow are none of that."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        attribute = "href" if tag == "link" else LOADED.get(tag)
        if attribute and found.get(attribute) and found.get("rel") not in {"canonical", "next", "prev"}:
            self.addresses.append(found[attribute] or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("documentation") / "site"
    built = subprocess.run(
        [sys.executable, "-c", BUILD, "build", "--strict", "--site-dir", str(target)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return target


def test_every_page_and_file_is_there(site: Path) -> None:
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").glob("*.md")]
    files = [file.relative_to(ROOT) for file in (ROOT / "deploy").iterdir()]

    assert {page.with_suffix(".html") for page in pages} <= {p.relative_to(site) for p in site.rglob("*.html")}
    assert set(files) <= {found.relative_to(site) for found in site.rglob("*")}
    for name in ("index.html", "CHANGELOG.html", "CONTRIBUTING.html", "examples/parcel_desk/index.html"):
        assert (site / name).is_file()


def test_no_page_asks_anything_of_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text())
        assert loads.addresses
        assert [address for address in loads.addresses if re.match(r"(?:\w+:)?//", address)] == [], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:\w+:)?//", sheet.read_text()), sheet
    assert len(pages) > 20


def test_links_written_for_the_repository_lead_to_pages_of_the_site(site: Path) -> None:
    for page in site.rglob("*.html"):
        for target in re.findall(r'<a [^>]*?href="([^"]+)"', page.read_text()):
            path = target.partition("#")[0]
            if path and "://" not in path and page.name != "404.html":
                assert (page.parent / path).exists(), (page.relative_to(site), target)


def test_the_markers_of_tours_are_not_shown(site: Path) -> None:
    assert [page for page in site.rglob("*.html") if "<!-- tour:" in page.read_text()] == []
    assert "tour: run" not in (site / "index.html").read_text()


def test_search_works_from_an_index_of_its_own(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())

    assert any("watermark" in found["text"] for found in index["docs"])
    assert {"event-filters.html", "quickstart-sms-events.html"} <= {
        found["location"].partition("#")[0] for found in index["docs"]
    }


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Quietly."""


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    """The site as `python3 -m http.server --directory site` serves it; its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.mark.timeout(300)
async def test_a_reader_searches_in_a_browser_which_asks_nobody_else(served: str) -> None:
    asked: list[str] = []
    failed: list[str] = []
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = await browser.new_page(viewport={"width": 1366, "height": 900})
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
        page.on("pageerror", lambda error: failed.append(str(error)))
        await page.goto(f"{served}/index.html")
        await page.get_by_placeholder("Search").click()
        await page.get_by_placeholder("Search").press_sequentially("watermark")
        first = page.locator(".md-search-result__link").first
        await expect(first).to_be_visible(timeout=PATIENCE_SECONDS * 1000)
        await page.goto(f"{served}/architecture.html")
        for picture in await page.locator("article img").all():
            assert await picture.evaluate("picture => picture.complete && picture.naturalWidth > 0")
        await page.screenshot(path=SCREENSHOTS / "documentation-architecture.png", full_page=True)
        await page.goto(f"{served}/compatibility.html")
        await page.screenshot(path=SCREENSHOTS / "documentation-compatibility.png")
        await browser.close()

    assert len(asked) > 5
    assert [url for url in asked if not url.startswith((f"{served}/", "data:", "blob:"))] == []
    assert failed == []
