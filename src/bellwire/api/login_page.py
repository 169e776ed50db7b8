"""The login page of the authorization-code grant: plain HTML, nothing loaded, no script, no cookie.

The form carries the request signed and for ten minutes (`engine/authorize_codes.py`). It is taken only from a page of
our own: browsers say where a form was sent from (`Sec-Fetch-Site`, or `Origin`), and a foreign site is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from bellwire.api.problems import error_content, printable
from bellwire.engine.authorize import LoginPage
from bellwire.errors import InvalidRequest, OAuthRefused

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 10vh auto; padding: 0 1rem }
h1 { font-size: 1.4rem }
label { display: block; margin-top: 1rem }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem }
button { font: inherit; margin-top: 1.5rem; padding: .5rem 1rem }
[role=alert] { border-left: .3rem solid #b00020; padding: .2rem .8rem }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""

_FORM = """<p>to continue to <strong>{application}</strong></p>
{alert}
<form method="post">
<input type="hidden" name="login_state" value="{login_state}">
<label for="username">User name or phone number</label>
<input id="username" name="username" value="{username}" required maxlength="255" autocomplete="username"
 autocapitalize="none" spellcheck="false"{invalid}>
<label for="extension">Extension (with a company number)</label>
<input id="extension" name="extension" value="{extension}" maxlength="32" inputmode="numeric" autocomplete="off">
<label for="password">Password</label>
<input id="password" name="password" type="password" required maxlength="255" autocomplete="current-password"{invalid}>
<button type="submit">Sign in</button>
<button type="submit" name="decision" value="cancel" formnovalidate>Cancel</button>
</form>"""


def login_answer(page: LoginPage, form: Mapping[str, str], *, message: str | None = None) -> Response:
    """The login page; with `message`, why the last try failed, and status 400."""
    content = _FORM.format(
        application=escape(printable(page.application.name)),
        alert="" if message is None else f'<p role="alert" id="problem">{escape(printable(message))}</p>',
        invalid="" if message is None else ' aria-describedby="problem"',
        login_state=escape(page.login_state),
        username=escape(printable(form.get("username") or form.get("login_hint", ""))),
        extension=escape(printable(form.get("extension", ""))),
    )
    return _html("Sign in", content, status=200 if message is None else 400, goes_on_to=page.request.redirect_uri)


def refusal_answer(request: Request, refused: InvalidRequest) -> Response:
    """A refusal that can't be told by redirect: a page for browsers, the error envelope for others."""
    status, headers, content = error_content(refused)
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse(content, status_code=status, headers=headers)
    page = f'<p role="alert">{escape(printable(refused.message))} ({escape(refused.code)})</p>'
    answer = _html("Sign-in is not possible", page, status=status)
    answer.headers.update(headers)
    return answer


def require_same_site(request: Request, base: str) -> None:
    """Refuse a login form that another site's page sent (login CSRF). Programs, which say nothing, are let pass.

    Raises:
        OAuthRefused: sent from elsewhere.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        same = site in ("same-origin", "none")
    else:
        origin = request.headers.get("origin")
        ours = urlsplit(base)
        same = origin is None or origin in (
            f"{ours.scheme}://{ours.netloc}",
            f"{request.url.scheme}://{request.url.netloc}",
        )
    if not same:
        raise OAuthRefused("invalid_request", "OAU-102", "The login form was sent from another site")


def _html(title: str, content: str, *, status: int, goes_on_to: str | None = None) -> Response:
    return HTMLResponse(
        _PAGE.format(title=escape(title), style=_STYLE, content=content),
        status_code=status,
        headers={
            "Cache-Control": "no-store",
            # Browsers hold a form's redirects to form-action too, so the application's address has to be among it.
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
            f"frame-ancestors 'none'; form-action 'self'{_source_of(goes_on_to)}",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        },
    )


def _source_of(uri: str | None) -> str:
    if uri is None:
        return ""
    parts = urlsplit(uri)
    source = f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"
    return "" if any(c in source for c in ";, '\"") or not source.isascii() else f" {source}"
