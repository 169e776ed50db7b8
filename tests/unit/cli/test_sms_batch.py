"""What `bellwire sms batch` makes of a CSV file."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.cli.failure import CommandFailed
from bellwire.cli.sms_batch import CHUNK_CHARACTERS, entries, request


def read(text: str) -> list[dict[str, Any]]:
    return list(entries(io.StringIO(text, newline=""), "file.csv"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("to\n+12025550101\n+12025550102\n", [{"to": ["+12025550101"]}, {"to": ["+12025550102"]}]),
        ("+12025550101\n+12025550102", [{"to": ["+12025550101"]}, {"to": ["+12025550102"]}]),
        ("+12025550101,Hello\n+12025550102,\n", [{"to": ["+12025550101"], "text": "Hello"}, {"to": ["+12025550102"]}]),
        ("name,Text, TO \nAda,Hi,+12025550101\n", [{"to": ["+12025550101"], "text": "Hi"}]),
        ("to\n\n+12025550101\n,\n", [{"to": ["+12025550101"]}]),
        (
            'to,text\n+12025550101,"two\nlines, and ""quotes"""\n',
            [{"to": ["+12025550101"], "text": 'two\nlines, and "quotes"'}],
        ),
        ("to,text\n+12025550101\n", [{"to": ["+12025550101"]}]),
        ("text,to\nhello\n", [{"to": [""], "text": "hello"}]),
        ("(202) 555-0101\n", [{"to": ["(202) 555-0101"]}]),
    ],
)
def test_a_table_with_columns_or_numbers_alone_becomes_entries(text: str, expected: list[dict[str, Any]]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no recipients"),
        ("\n\n", "no recipients"),
        ("to,text\n", "no recipients"),
        ("name,text\nA,b\n", "no column `to`"),
    ],
)
def test_a_file_without_recipients_is_refused(text: str, reason: str) -> None:
    with pytest.raises(CommandFailed, match=reason):
        read(text)


@given(
    st.lists(st.fixed_dictionaries({"to": st.lists(st.text(), min_size=1, max_size=1), "text": st.text()}), max_size=20)
)
def test_the_pieces_of_a_request_are_one_json_object(found: list[dict[str, Any]]) -> None:
    body = b"".join(request(iter(found), sender="+16505550180", text="to all", on_chunk=lambda: None))
    assert json.loads(body) == {"from": "+16505550180", "text": "to all", "messages": found}


def test_a_large_file_is_sent_in_pieces_as_it_is_read() -> None:
    table = io.StringIO()
    csv.writer(table).writerows([f"+1202555{n:04}"] for n in range(10_000))
    table.seek(0)
    chunks = 0

    def sent() -> None:
        nonlocal chunks
        chunks += 1

    pieces = list(request(entries(table, "file.csv"), sender="+16505550180", text=None, on_chunk=sent))
    assert len(pieces) == chunks >= 3
    assert max(map(len, pieces)) < CHUNK_CHARACTERS + 100
    body = json.loads(b"".join(pieces))
    assert (len(body["messages"]), "text" in body) == (10_000, False)
