"""Fields of forms, and what is said of a filter that can't be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bellwire.console.markup import Html, h
from bellwire.errors import InvalidRequest
from bellwire.families import REGISTRY
from bellwire.filters import FilterRefused
from bellwire.model.directory import Account

Option = tuple[str, str]
"""Value and what is read."""


def choice(name: str, label: str, options: Sequence[Option], value: str = "", *, hint: str = "") -> Html:
    """A drop-down list."""
    listed = [h("option", {"value": option, "selected": option == value}, read) for option, read in options]
    select = h("select", {"id": name, "name": name, "aria-describedby": f"{name}-hint" if hint else None}, listed)
    return h("div", {"class": "field"}, h("label", {"for": name}, label), select, _hint(name, hint))


def text_field(
    name: str,
    label: str,
    value: str = "",
    *,
    hint: str = "",
    placeholder: str = "",
    kind: str = "text",
    is_required: bool = False,
    is_search: bool = False,
    look: str = "field",
    limit: int = 2048,
) -> Html:
    """A line of text."""
    attributes = {
        "id": name,
        "name": name,
        "type": kind,
        "value": value or None,
        "placeholder": placeholder or None,
        "required": is_required,
        "data-search": is_search,
        "maxlength": limit,
        "autocomplete": "off",
        "autocapitalize": "none",
        "spellcheck": "false",
        "aria-describedby": f"{name}-hint" if hint else None,
        "step": "1" if kind == "datetime-local" else None,
    }
    return h("div", {"class": look}, h("label", {"for": name}, label), h("input", attributes), _hint(name, hint))


def _hint(name: str, hint: str) -> Html | None:
    return h("p", {"class": "hint", "id": f"{name}-hint"}, hint) if hint else None


def button(action: str, label: str, look: str = "", **data: str) -> Html:
    """One that tells its region what was pressed, with `data` as `data-…`."""
    names = {f"data-{name.replace('_', '-')}": value for name, value in data.items()}
    return h("button", {"type": "button", "class": look or None, "data-action": action, **names}, label)


def options_of_accounts(accounts: Iterable[Account]) -> list[Option]:
    return [(account.id, f"{account.company_name} ({account.id})") for account in accounts]


def options_of_families() -> list[Option]:
    return [(family.name, family.title) for family in REGISTRY.families]


def filter_refusal(text: str, refused: InvalidRequest) -> Html:
    """Why a filter can't be read: the place in it, what may stand there, and what was probably meant."""
    if not isinstance(refused, FilterRefused):
        return h("div", {"class": "note bad", "role": "alert"}, refused.message)
    start = min(refused.position, len(text))
    end = min(len(text), start + max(1, len(refused.found)))
    marked = h("p", {"class": "marked"}, text[:start], h("mark", None, text[start:end] or "…"), text[end:])
    allowed = None
    if refused.allowed:
        allowed = h("p", None, "Allowed: ", h("span", {"class": "mono"}, ", ".join(refused.allowed)))
    suggested = None
    if refused.suggestion is not None:
        whole = _mended(text, refused, start)
        suggested = h(
            "p",
            None,
            "Did you mean ",
            h("code", None, refused.suggestion),
            "? ",
            button("use", "Use it", "small", value=whole),
        )
    reason = h("p", None, f"{refused.reason[:1].upper()}{refused.reason[1:]}.")
    return h("div", {"class": "note bad", "role": "alert"}, reason, marked, allowed, suggested)


def _mended(text: str, refused: FilterRefused, start: int) -> str:
    """The filter with the suggestion in its place."""
    suggestion = (refused.suggestion or "").replace("{accountId}", "~").replace("{extensionId}", "~")
    path, mark, query = text.partition("?")
    if suggestion.startswith("/"):
        return suggestion if "?" in suggestion else suggestion + mark + query
    if not refused.found:  # a parameter is missing
        return f"{path}?{query}&{suggestion}" if query else f"{path}?{suggestion}"
    return text[:start] + suggestion + text[start + len(refused.found) :]
