"""Reading a batch request in chunks: however it is cut, and whatever it is, what comes out is what was written."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.errors import InvalidRequest
from bellwire.sms.batch_request import MAX_DEPTH, MAX_TEXT_LENGTH, BatchRequestReader, Entry


def read(body: bytes, *cuts: int) -> tuple[BatchRequestReader, list[Entry]]:
    """Read a body in the pieces that these places cut it into."""
    reader, entries = BatchRequestReader(), []
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for start, end in itertools.pairwise(places):
        entries += reader.feed(body[start:end])
    reader.end()
    return reader, entries


def refusal(body: Any) -> InvalidRequest:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidRequest) as refused:
        read(encoded)
    return refused.value


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)
NUMBERS = st.text(max_size=15)
REQUESTS = st.fixed_dictionaries(
    {
        "from": st.just("+16505550180"),
        "text": TEXTS,
        "messages": st.lists(
            st.fixed_dictionaries(
                {"to": st.lists(NUMBERS, min_size=1, max_size=1)},
                optional={
                    "text": TEXTS | st.none(),
                    "more": st.recursive(st.none() | st.booleans(), st.lists, max_leaves=4),
                },
            ),
            min_size=1,
            max_size=5,
        ),
    },
    optional={
        "more": st.recursive(
            st.integers(-(1 << 63), (1 << 63) - 1) | TEXTS, lambda inner: st.dictionaries(TEXTS, inner), max_leaves=4
        )
    },
)


@given(REQUESTS, st.permutations(["from", "text", "messages", "more"]), st.lists(st.integers(0, 500), max_size=8))
def test_what_is_written_is_read_in_any_order_and_however_it_is_cut(
    request: dict[str, Any], order: list[str], cuts: list[int]
) -> None:
    request = {name: request[name] for name in order if name in request}
    utf8 = json.dumps(request, ensure_ascii=False).encode("utf-8", "replace")
    for body in (utf8, json.dumps(request).encode()):
        reader, entries = read(body, *cuts)
        assert (reader.sender, reader.text, reader.count) == (
            request["from"],
            request["text"],
            len(request["messages"]),
        )
        if body is not utf8:
            assert [entry.text for entry in entries] == [one.get("text") for one in request["messages"]]
    assert len(entries) == len(request["messages"])


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_any_bytes_are_read_or_refused(body: bytes, cuts: list[int]) -> None:
    try:
        read(body, *cuts)
    except InvalidRequest as refused:
        assert refused.code in {"CMN-101", "CMN-103"}


@given(REQUESTS, st.integers(1, 200))
def test_a_request_that_ends_early_is_refused(request: dict[str, Any], missing: int) -> None:
    body = json.dumps(request).encode()
    assert refusal(body[: -min(missing, len(body) - 1)]).code == "CMN-103"


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"messages": [{"to": ["+1"]}], "text": "x"}, "from"),
        ({"from": 5, "messages": []}, "from"),
        ({"from": "+1", "text": "x"}, "messages"),
        ({"from": "+1", "text": "x", "messages": []}, "messages"),
        ({"from": "+1", "text": "x", "messages": {}}, "messages"),
        ({"from": "+1", "text": "x", "messages": ["+1"]}, "messages[0]"),
        ({"from": "+1", "text": "x", "messages": [{"to": ["+1"]}, {"to": "+1"}]}, "messages[1].to"),
        ({"from": "+1", "text": "x", "messages": [{"to": []}]}, "messages[0].to"),
        ({"from": "+1", "text": "x", "messages": [{"to": [7]}]}, "messages[0].to"),
        ({"from": "+1", "text": "x", "messages": [{"to": ["+1", "+2"]}]}, "messages[0].to"),
        ({"from": "+1", "text": "x", "messages": [{}]}, "messages[0].to"),
        ({"from": "+1", "messages": [{"to": ["+1"], "text": "y"}, {"to": ["+1"]}]}, "messages[1].text"),
        ({"from": "+1", "text": "", "messages": [{"to": ["+1"]}]}, "messages[0].text"),
        ({"from": "+1", "text": "x" * (MAX_TEXT_LENGTH + 1), "messages": [{"to": ["+1"]}]}, "text"),
        ({"from": "+1", "messages": [{"to": ["+1"], "text": {}}]}, "messages[0].text"),
        (b'{"from": "+1", "text": "x", "messages": [{"to": ["+1"]}], "from": "+2"}', "from"),
        (b'{"from": "+1", "text": "x", "messages": [{"to": ["+1"]}], "messages": []}', "messages"),
        ([], None),
    ],
)
def test_what_is_not_as_it_has_to_be_is_named(body: Any, parameter: str | None) -> None:
    refused = refusal(body)
    assert (refused.code, refused.entries[0].parameter) == ("CMN-101", parameter)


def test_a_text_of_the_longest_length_is_read() -> None:
    text = "ä" * MAX_TEXT_LENGTH
    body = json.dumps({"from": "+1", "messages": [{"to": ["+1"], "text": text}]}).encode()
    assert read(body)[1] == [Entry("+1", text)]


@pytest.mark.parametrize("number", [b"1" * 5000, b"1e999999", b"-" + b"9" * 4301])
def test_a_number_beyond_all_bounds_is_refused_and_not_the_end_of_the_process(number: bytes) -> None:
    assert refusal(b'{"n": ' + number + b"}").code == "CMN-103"


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_nesting_is_bounded_while_it_comes(opening: bytes) -> None:
    reader = BatchRequestReader()
    reader.feed(b'{"unknown":')
    with pytest.raises(InvalidRequest) as refused:
        reader.feed(opening * (MAX_DEPTH + 1))
    assert refused.value.code == "CMN-103"
    nested = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert read(b'{"unknown":' + nested + b',"from":"+1","text":"x","messages":[{"to":["+1"]}]}')[1] == [
        Entry("+1", None)
    ]
