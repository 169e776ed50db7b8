"""HTML put together from parts, each text escaped unless it was made here.

h("p", {"class": "hint"}, "5 < 6")  ──▶  <p class="hint">5 &lt; 6</p>
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})

Attribute = str | int | bool | None


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def h(tag: str, attributes: Mapping[str, Attribute] | None = None, *parts: object) -> Html:
    """One element.

    Args:
        tag: a name from our own code, never from input.
        attributes: True writes the name alone; False and None leave it out.
        parts: `Html` as it is, any other text escaped, lists and tuples flattened, None left out.
    """
    written = "".join(_attribute(name, value) for name, value in (attributes or {}).items())
    if tag in _VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{join(*parts)}</{tag}>")


def join(*parts: object) -> Html:
    """Parts one after the other."""
    return Html("".join(_text(part) for part in parts))


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def _text(part: object) -> str:
    if part is None:
        return ""
    if isinstance(part, Html):
        return part
    if isinstance(part, list | tuple):
        return "".join(_text(one) for one in part)
    return escape(str(part), quote=False)
