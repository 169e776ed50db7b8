from __future__ import annotations

import pytest

from bellwire.cli.publish import _is_lines


@pytest.mark.parametrize(
    ("head", "name", "is_lines"),
    [
        (b'{"event":"a"}', "-", True),
        (b'\n {"event":"a"}\n{"event":"b"}\n', "-", True),
        (b'{\n  "event": "a"\n}', "-", False),
        (b'[{"event":"a"}]', "-", False),
        (b"", "-", False),
        (b"nonsense\n{}", "events.ndjson", True),
        (b"nonsense\n{}", "events.json", False),
        (b"12\n", "-", False),
    ],
)
def test_ndjson_is_told_from_json_by_its_first_line_or_its_name(head: bytes, name: str, is_lines: bool) -> None:
    assert _is_lines(head, name) is is_lines
