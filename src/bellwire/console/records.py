"""How records are shown, wherever they are: event filters as chips, states as badges, bodies as trees, empty lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bellwire.console.markup import Html, h, join
from bellwire.console.words import count
from bellwire.families import REGISTRY
from bellwire.families.what_happened import what_happened
from bellwire.model.directory import Extension
from bellwire.model.event import Event
from bellwire.model.subscription import Subscription

MOST_CHIPS = 6
"""Event filters of a subscription that a list shows."""
MOST_CHILDREN = 200
"""Members of one object or list that a tree shows."""
DEEPEST = 40
LONGEST_TEXT = 2000


def badge(level: str, word: str) -> Html:
    return h("span", {"class": f"state {level}".strip()}, word)


def filter_chip(text: str, *, is_off: bool = False) -> Html:
    """An event filter in short: its family, the ids that narrow it, and its parameters; whole as a tooltip."""
    path, _, query = text.partition("?")
    match = REGISTRY.match_shape(path)
    if match is None:
        return h("span", {"class": "chip", "title": text}, text)
    ids = [f"{name.removesuffix('Id')} {value}" for name, value in match.values.items() if name != "accountId"]
    said = " · ".join([*ids, *(part for part in query.split("&") if part)])
    look = "chip off" if is_off else "chip"
    return h("span", {"class": look, "title": text}, h("b", None, match.family.name), f" {said}" if said else None)


def filter_chips(record: Subscription) -> Html:
    """Those in force, then those that are not."""
    on = [h("li", None, filter_chip(text)) for text in record.filters[:MOST_CHIPS]]
    if len(record.filters) > MOST_CHIPS:
        on.append(h("li", {"class": "faint"}, f"and {len(record.filters) - MOST_CHIPS} more"))
    off = [h("li", None, filter_chip(one.filter, is_off=True)) for one in record.disabled_filters]
    return h("ul", {"class": "chips"}, on, off)


def family_of(topic: str) -> str:
    match = REGISTRY.match(topic)
    return "" if match is None else match.family.name


def told(event: Event | None) -> str:
    """What an event says, in a few words."""
    if event is None:
        return ""
    body = msgspec.json.decode(event.body)
    return what_happened(body) if isinstance(body, dict) else ""


def person(extension: Extension | None, extension_id: str) -> str:
    if extension is None:
        return f"extension {extension_id}, which is gone"
    name = f"{extension.first_name} {extension.last_name}".strip()
    return f"{name}, ext. {extension.extension_number}"


def empty(title: str, *sentences: object) -> Html:
    """In the place of a list: what it means that there is nothing, and what to do next."""
    return h("div", {"class": "empty"}, h("strong", None, title), *sentences)


def table(caption: str, columns: Sequence[str], rows: Sequence[Html], *, look: str = "cards") -> Html:
    """Rows under named columns; `caption` is for those who don't see it."""
    heads = [h("th", {"scope": "col"}, name or h("span", {"class": "unseen"}, "Action")) for name in columns]
    return h(
        "div",
        {"class": "scrolls", "tabindex": "0", "role": "group", "aria-label": caption},
        h(
            "table",
            {"class": look},
            h("caption", {"class": "unseen"}, caption),
            h("thead", None, h("tr", None, heads)),
            h("tbody", None, rows),
        ),
    )


def facts(pairs: Sequence[tuple[str, object]]) -> Html:
    """Names and values; pairs without a value are left out."""
    shown = [(h("dt", None, name), h("dd", None, value)) for name, value in pairs if value not in (None, "")]
    return h("dl", {"class": "facts"}, [list(pair) for pair in shown])


def more(cursor: str | None, shown: int) -> Html | None:
    """The way to the next part of a list."""
    if cursor is None:
        return None
    return h(
        "div",
        {"class": "more"},
        h("button", {"type": "button", "data-action": "more", "data-cursor": cursor, "id": "more"}, "Show more"),
        h("span", {"class": "faint"}, f"{shown:,} shown"),
    )


def tree(value: Any) -> Html:
    """A JSON value, foldable."""
    return h("ul", {"class": "tree"}, h("li", None, _node(None, value, "$", 0)))


def _node(name: str | None, value: Any, place: str, depth: int) -> Html:
    label = None if name is None else join(h("span", {"class": "name"}, name), ": ")
    if isinstance(value, Mapping):
        members = [(str(key), member) for key, member in value.items()]
        return _branch(join(label, _kind("{…} " + count(len(members), "field"))), members, place, depth)
    if isinstance(value, list):
        members = [(str(number), member) for number, member in enumerate(value)]
        return _branch(join(label, _kind("[…] " + count(len(members), "entry", "entries"))), members, place, depth)
    if isinstance(value, str):
        text = value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + "…"
        return join(label, h("span", {"class": "text"}, f"“{text}”"))
    return join(label, h("span", {"class": "plain"}, msgspec.json.encode(value).decode()))


def _kind(said: str) -> Html:
    return h("span", {"class": "kind"}, said)


def _branch(head: Html, members: Sequence[tuple[str, Any]], place: str, depth: int) -> Html:
    if not members or depth >= DEEPEST:
        return head
    shown = [h("li", None, _node(key, member, f"{place}.{key}", depth + 1)) for key, member in members[:MOST_CHILDREN]]
    if len(members) > MOST_CHILDREN:
        shown.append(h("li", {"class": "kind"}, f"… and {len(members) - MOST_CHILDREN} more"))
    return h("details", {"open": depth < 2, "id": place}, h("summary", None, head), h("ul", None, shown))
