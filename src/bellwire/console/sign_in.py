"""The sign-in page: plain HTML that needs no script; with one, `dev` fills in the demo's key."""

from __future__ import annotations

from bellwire.console.markup import Html, h, join

MAX_KEY_LENGTH = 512

_THEME = Html(
    "document.documentElement.dataset.theme=localStorage.getItem('bellwire-theme')||"
    "(matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light')"
)
"""Before anything is painted, so that nothing flashes."""


def head_parts(base: str, assets_version: str) -> Html:
    """What every page of the console has in its head: the theme, and our own style and script."""
    return join(
        h("script", None, _THEME),
        h("link", {"rel": "stylesheet", "href": f"{base}/assets/console.css?v={assets_version}"}),
        h("script", {"src": f"{base}/assets/console.js?v={assets_version}", "defer": True}),
    )


def sign_in_page(
    *,
    base: str,
    assets_version: str,
    goes_on_to: str,
    demo_key: str | None,
    note: str | None = None,
    problem: str | None = None,
) -> str:
    """The whole document.

    Args:
        base: path of the console, without a slash at the end.
        goes_on_to: the path of the console that was asked for.
        demo_key: in `dev`, the demo's admin key.
        note: why the page is shown, where that may surprise.
        problem: why the last try failed.
    """
    demo = None
    if demo_key is not None:
        demo = h(
            "p",
            {"class": "demo"},
            h("button", {"type": "button", "class": "quiet", "data-fill": "key", "data-with": demo_key}, "Fill in"),
            " the demo’s key: this server runs for development.",
        )
    form = h(
        "form",
        {"method": "post", "action": f"{base}/sign-in"},
        h("input", {"type": "hidden", "name": "next", "value": goes_on_to}),
        h("label", {"for": "key"}, "Admin key"),
        h(
            "input",
            {
                "id": "key",
                "name": "key",
                "type": "password",
                "required": True,
                "maxlength": MAX_KEY_LENGTH,
                "autocomplete": "current-password",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
                "aria-describedby": "hint problem" if problem else "hint",
                "aria-invalid": "true" if problem else None,
            },
        ),
        h(
            "p",
            {"class": "hint", "id": "hint"},
            "The first start of the server printed one. Another is made with ",
            h("code", None, "bellwire admin admin-keys create label=NAME"),
            ". A key for one account sees that account alone.",
        ),
        demo,
        h("button", {"type": "submit", "class": "primary"}, "Sign in"),
    )
    body = h(
        "main",
        {"class": "sign-in"},
        h("h1", None, h("span", {"class": "mark", "aria-hidden": "true"}), "Bellwire console"),
        None if note is None else h("p", {"class": "note", "role": "status"}, note),
        None if problem is None else h("p", {"class": "problem", "role": "alert", "id": "problem"}, problem),
        form,
    )
    return _document("Sign in", base, assets_version, body)


def plain_page(*, base: str, assets_version: str, title: str, sentences: tuple[str, ...]) -> str:
    """A page that says one thing, for those who can't be let in."""
    said = [h("p", None, sentence) for sentence in sentences]
    return _document(title, base, assets_version, h("main", {"class": "sign-in"}, h("h1", None, title), *said))


def _document(title: str, base: str, assets_version: str, body: Html) -> str:
    head = join(
        h("meta", {"charset": "utf-8"}),
        h("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        h("title", None, f"{title} · Bellwire"),
        h("link", {"rel": "icon", "href": f"{base}/assets/mark.svg", "type": "image/svg+xml"}),
        head_parts(base, assets_version),
    )
    return "<!DOCTYPE html>" + h("html", {"lang": "en"}, h("head", None, head), h("body", None, body))
