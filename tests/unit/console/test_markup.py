"""HTML put together from parts."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from bellwire.console.markup import Html, h, join


def test_text_is_escaped_and_html_is_not() -> None:
    assert h("p", None, "1 < 2 & 3", h("b", None, "x")) == "<p>1 &lt; 2 &amp; 3<b>x</b></p>"


def test_attributes_are_quoted_or_left_out() -> None:
    made = h("input", {"value": '"><script>', "disabled": True, "checked": False, "title": None, "maxlength": 3})
    assert made == '<input value="&quot;&gt;&lt;script&gt;" disabled maxlength="3">'


def test_lists_are_flattened_and_none_is_nothing() -> None:
    assert join(["a", ["b", None], Html("<i>")], None, 5) == "ab<i>5"


@given(st.text(), st.text())
def test_any_text_is_read_back_as_it_was(text: str, value: str) -> None:
    """By an HTML parser: no text makes a tag, or ends an attribute."""
    seen: list[object] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append((tag, attrs))

        def handle_data(self, data: str) -> None:
            seen.append(data)

    reader = Reader()
    reader.feed(h("p", {"title": value}, text))
    reader.close()
    assert seen[0] == ("p", [("title", value)])
    assert "".join(str(part) for part in seen[1:]) == text
