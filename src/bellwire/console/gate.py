"""The way into the console: a route for everything under `/console` that lets operators in, and nobody else.

    request ──▶ ours? (sign-in, sign-out, assets) ──▶ answered here
            └─▶ a session's cookie? ── no ──▶ to the sign-in page (pages), or 401
                       └─ yes ──▶ from our own page? ── no ──▶ 403
                                          └─ yes ──▶ NiceGUI, loaded at the first such request

The cookie is for `/console` alone, out of reach of scripts, and `Secure` wherever the server is reached by https. Forms
and sockets are taken from pages of our own only: browsers say where they come from (`Sec-Fetch-Site`, `Origin`).
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlsplit

import structlog
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bellwire.console.feed import Feed
from bellwire.console.sessions import FAILURES, ConsoleSession, ConsoleSessions
from bellwire.console.sign_in import MAX_KEY_LENGTH, plain_page, sign_in_page
from bellwire.engine.secrets import hash_secret
from bellwire.engine.wrong_guesses import WrongGuesses

if TYPE_CHECKING:
    from bellwire.console.facade import EngineFacade

PREFIX = "/console"
COOKIE = "bellwire_console"
SESSION_OVER = "Your session is over. Sign in again to go on where you were."
"""It expired, the server was started anew, or its key was disabled or deleted."""
EXTRA_MISSING = "The web console is not installed: pip install 'bellwire[console]', and start the server again."
SESSION_KEY = "bellwire.console.session"
"""Where pages find the session in the scope of their request."""

_STATIC = Path(__file__).parent / "static"
_ASSETS = {"console.css": "text/css", "console.js": "text/javascript", "mark.svg": "image/svg+xml"}
_MAX_FORM_BYTES = 16 << 10
_LONG_CACHE = b"public, max-age=31536000, immutable"
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    # NiceGUI writes its page's script into the page, and Vue compiles templates.
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src 'self'; font-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)

_log = structlog.get_logger("bellwire.console")


class Pages(Protocol):
    """What is behind the gate once it is loaded."""

    app: ASGIApp

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the gate has to know of the server that it stands in."""

    base_url: Callable[[HTTPConnection], str]
    """Scheme, authority and path prefix that a request was made by."""
    remote_address: Callable[[HTTPConnection], str]
    """What stands for an unknown caller in limits."""
    demo_key: Callable[[HTTPConnection], str | None]
    """In `dev`, the demo's admin key, for those to whom it may be shown."""


def is_installed() -> bool:
    """Whether the extra `console` is."""
    return importlib.util.find_spec("nicegui") is not None


class ConsoleGate(BaseRoute):
    """One for a process: it outlives the engines that a development server makes one after the other."""

    include_in_schema = False
    """It is no API."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        """`now`: seconds, never going back."""
        self.sessions = ConsoleSessions(now=now)
        self.feed = Feed()
        self._guesses = WrongGuesses(now, most=FAILURES)
        self._facade: EngineFacade | None = None
        self._surroundings: Surroundings | None = None
        self._pages: Pages | None = None
        self._loading = asyncio.Lock()
        self._closed = False

    def serve(self, facade: EngineFacade, surroundings: Surroundings) -> None:
        """From now on it is this engine that is looked at."""
        self._facade, self._surroundings = facade, surroundings

    @property
    def facade(self) -> EngineFacade:
        assert self._facade is not None, "nothing is served yet"
        return self._facade

    async def close(self) -> None:
        """End all that pages have running; nobody gets in any more."""
        self._closed = True
        async with self._loading:
            pages, self._pages = self._pages, None
        if pages is not None:
            await pages.close()

    # As a route

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] in {"http", "websocket"}:
            path: str = scope["path"]
            if path == PREFIX or path.startswith(PREFIX + "/"):
                return Match.FULL, {}
        return Match.NONE, {}

    def url_path_for(self, name: str, /, **path_params: object) -> NoMatchFound:  # type: ignore[override]
        """It has no name."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        entry = _Entry(self._around.base_url(connection))
        if scope["type"] == "websocket":
            if self._session(connection) is None or not entry.is_own(connection):
                await send({"type": "websocket.close", "code": 1008, "reason": "Sign in at the console."})
                return
            await self._enter(entry, scope, receive, send)
            return
        answer = await self._answer(entry, Request(scope, receive))
        if answer is not None:
            for name, value in _SAFETY.items():
                answer.headers.setdefault(name, value)
            await answer(scope, receive, send)
            return
        await self._enter(entry, scope, receive, send)

    # Steps

    @property
    def _around(self) -> Surroundings:
        assert self._surroundings is not None, "nothing is served yet"
        return self._surroundings

    def _session(self, connection: HTTPConnection) -> ConsoleSession | None:
        token = connection.cookies.get(COOKIE)
        if token is None or len(token) > MAX_KEY_LENGTH:
            return None
        session = self.sessions.find(token)
        if session is None or self.facade.scope_of(session.key_hash) is None:
            return None
        return session

    async def _answer(self, entry: _Entry, request: Request) -> Response | None:
        """The answer, unless it is the pages' to give."""
        path = request.scope["path"][len(PREFIX) :]
        if not path:
            return RedirectResponse(entry.base + "/", status_code=307)
        if path.startswith("/assets/"):
            return _asset(path.removeprefix("/assets/"))
        if not is_installed():
            return _said(entry, "The console is not installed", (EXTRA_MISSING,), 404)
        if request.method not in {"GET", "HEAD"} and not entry.is_own(request):
            return PlainTextResponse("This was sent from a page of another site.", 403)
        if path == "/sign-in":
            return await self._sign_in(entry, request)
        if path == "/sign-out":
            return self._sign_out(entry, request)
        if self._session(request) is not None:
            if self.facade.is_ready() or path.startswith("/_nicegui"):
                return None
            said = "The server is being started anew, or its engine failed. Load this page again in a moment."
            return _said(entry, "One moment", (said,), 503)
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            asked = path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"{entry.base}/sign-in?next={quote(asked, safe='/')}", status_code=303)
        return PlainTextResponse("Sign in at the console.", 401)

    async def _sign_in(self, entry: _Entry, request: Request) -> Response:
        goes_on_to = _own_path(request.query_params.get("next", "/"))
        if request.method in {"GET", "HEAD"}:
            if self._session(request) is not None:
                return RedirectResponse(entry.base + goes_on_to, status_code=303)
            over = None if request.cookies.get(COOKIE) is None else SESSION_OVER
            return self._sign_in_page(entry, request, goes_on_to, note=over)
        if request.method != "POST":
            return PlainTextResponse("Only GET and POST.", 405)
        address = self._around.remote_address(request)
        if (wait := self._guesses.wait_seconds(address)) > 0:
            said = f"Too many wrong keys were tried. Try again in {wait} seconds."
            return self._sign_in_page(
                entry, request, goes_on_to, problem=said, status=429, headers={"Retry-After": str(wait)}
            )
        async with request.form(max_files=0, max_fields=4, max_part_size=_MAX_FORM_BYTES) as form:
            shown, wanted = form.get("key"), form.get("next")
        goes_on_to = _own_path(wanted if isinstance(wanted, str) else "/")
        key = shown.strip() if isinstance(shown, str) else ""
        key_hash = hash_secret(key) if 0 < len(key) <= MAX_KEY_LENGTH else b""
        if self.facade.scope_of(key_hash) is None:
            self._guesses.count(address)
            _log.warning("console.sign_in_refused", address=address)
            said = "This is no admin key, or one that is disabled. Publisher keys don’t open the console."
            return self._sign_in_page(entry, request, goes_on_to, problem=said, status=403)
        self._guesses.forget(address)
        _log.info("console.signed_in", address=address)
        answer = RedirectResponse(entry.base + goes_on_to, status_code=303)
        answer.set_cookie(
            COOKIE,
            self.sessions.open(key_hash),
            path=entry.base,
            httponly=True,
            samesite="lax",
            secure=entry.is_https,
        )
        return answer

    def _sign_out(self, entry: _Entry, request: Request) -> Response:
        if request.method != "POST":
            return PlainTextResponse("Only POST.", 405)
        if (token := request.cookies.get(COOKIE)) is not None:
            self.sessions.close(token)
        answer = RedirectResponse(f"{entry.base}/sign-in", status_code=303)
        answer.delete_cookie(COOKIE, path=entry.base, httponly=True, samesite="lax", secure=entry.is_https)
        return answer

    def _sign_in_page(
        self,
        entry: _Entry,
        request: Request,
        goes_on_to: str,
        *,
        note: str | None = None,
        problem: str | None = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Response:
        page = sign_in_page(
            base=entry.base,
            assets_version=assets_version(),
            goes_on_to=goes_on_to,
            demo_key=self._around.demo_key(request),
            note=note,
            problem=problem,
        )
        return HTMLResponse(page, status_code=status, headers=headers)

    async def _enter(self, entry: _Entry, scope: Scope, receive: Receive, send: Send) -> None:
        pages = await self._loaded()
        path: str = scope["path"][len(PREFIX) :]
        inner = {
            **scope,
            "path": entry.base + path,
            "root_path": entry.base,
            "app_root_path": entry.base,
            SESSION_KEY: self._session(HTTPConnection(scope)),
        }
        is_library = path.startswith("/_nicegui/") and "/dynamic_resources/" not in path

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    (name, value)
                    for name, value in message.get("headers", ())
                    if not (is_library and name == b"cache-control")
                ]
                if is_library and message["status"] == 200:
                    kept.append((b"cache-control", _LONG_CACHE))
                kept += [(name.lower().encode(), value.encode()) for name, value in _SAFETY.items()]
                message = {**message, "headers": kept}
            await send(message)

        await pages.app(inner, receive, dressed if scope["type"] == "http" else send)

    async def _loaded(self) -> Pages:
        async with self._loading:
            if self._pages is None:
                if self._closed:
                    raise RuntimeError("the console is closed")
                # On a thread: deliveries go on meanwhile, if more slowly.
                open_pages = await asyncio.to_thread(_import_pages)
                self._pages = await open_pages(self)
            return self._pages


class _Entry:
    """Where the console is, as a browser sees it."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self.is_https = parts.scheme == "https"
        self.base = parts.path.rstrip("/") + PREFIX
        self._origin = f"{parts.scheme}://{parts.netloc}"

    def is_own(self, connection: HTTPConnection) -> bool:
        """Whether a request was made by a page of our own, or by no page at all."""
        site = connection.headers.get("sec-fetch-site")
        if site is not None:
            return site in {"same-origin", "none"}
        origin = connection.headers.get("origin")
        asked = f"{connection.url.scheme.replace('ws', 'http')}://{connection.headers.get('host', '')}"
        return origin is None or origin in {self._origin, asked}


@lru_cache(maxsize=1)
def assets_version() -> str:
    """Changes with our style and script, so that browsers may keep them for ever."""
    digest = hashlib.sha256()
    for name in sorted(_ASSETS):
        digest.update((_STATIC / name).read_bytes())
    return digest.hexdigest()[:12]


_SAFETY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@lru_cache(maxsize=len(_ASSETS))
def _content(name: str) -> bytes:
    return (_STATIC / name).read_bytes()


def _asset(name: str) -> Response:
    if name not in _ASSETS:
        return PlainTextResponse("There is no such file.", 404)
    return Response(_content(name), media_type=_ASSETS[name], headers={"Cache-Control": _LONG_CACHE.decode()})


def _said(entry: _Entry, title: str, sentences: tuple[str, ...], status: int) -> Response:
    page = plain_page(base=entry.base, assets_version=assets_version(), title=title, sentences=sentences)
    return HTMLResponse(page, status_code=status)


def _own_path(wanted: str) -> str:
    """Where to go after signing in: a path of the console, never another site."""
    is_path = wanted.startswith("/") and not wanted.startswith(("//", "/sign-")) and "\\" not in wanted
    return wanted if is_path and wanted.isprintable() and len(wanted) <= 2048 else "/"


def _import_pages() -> Callable[[ConsoleGate], Awaitable[Pages]]:
    """NiceGUI takes over a second to import, which servers that nobody looks at are spared."""
    from bellwire.console.application import open_pages  # noqa: PLC0415

    return open_pages
