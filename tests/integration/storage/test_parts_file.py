"""`parts.db`: parts of long inbound texts, durable one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from bellwire.errors import Misconfigured, Unavailable
from bellwire.ports.part_store import KeptText
from bellwire.storage.embedded.parts_file import PARTS_FILE, PartsFile
from bellwire.wire.smpp.reassembly import TextPart


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[PartsFile]:
    file = PartsFile(tmp_path)
    yield file
    await file.close()


def part(number: int, reference: str = "8:1") -> TextPart:
    return TextPart("+16505550142", "+16505550180", reference, 3, number, 8, b"\0\xff%d" % number, 1_700_000_000_000)


async def reopened(tmp_path: Path) -> list[KeptText]:
    file = PartsFile(tmp_path)
    try:
        return list(await file.load())
    finally:
        await file.close()


async def test_a_new_file_is_empty(parts: PartsFile) -> None:
    assert await parts.load() == []


async def test_what_is_kept_is_there_after_a_crash_in_the_order_of_first_parts(
    parts: PartsFile, tmp_path: Path
) -> None:
    await parts.load()
    await parts.keep([("b", part(2))])
    await parts.keep([("a", part(1, "8:2")), ("b", part(1))])

    assert await reopened(tmp_path) == [
        KeptText("b", (part(2), part(1)), None),
        KeptText("a", (part(1, "8:2"),), None),
    ]


async def test_texts_that_went_on_are_marked_and_then_dropped(parts: PartsFile, tmp_path: Path) -> None:
    await parts.load()
    await parts.keep([("a", part(1)), ("b", part(1, "8:2"))])
    await parts.mark_handed_on("a", 42)

    assert [(text.text, text.handed_on_ms) for text in await reopened(tmp_path)] == [("a", 42), ("b", None)]
    await parts.drop(["a"])
    assert [text.text for text in await reopened(tmp_path)] == ["b"]


async def test_a_part_is_kept_once(parts: PartsFile) -> None:
    await parts.load()
    await parts.keep([("a", part(1))])

    with pytest.raises(Unavailable):
        await parts.keep([("a", part(2)), ("a", part(1))])
    assert await parts.load() == [KeptText("a", (part(1),), None)]


async def test_nothing_is_taken_after_the_end(parts: PartsFile) -> None:
    await parts.load()
    await parts.close()
    await parts.close()

    with pytest.raises(Unavailable):
        await parts.keep([("a", part(1))])


async def test_a_later_format_is_refused_and_left_as_it_is(parts: PartsFile, tmp_path: Path) -> None:
    await parts.load()
    await parts.close()
    with apsw.Connection(str(tmp_path / PARTS_FILE)) as connection:
        connection.execute("PRAGMA user_version=99")

    with pytest.raises(Misconfigured, match="99"):
        await reopened(tmp_path)
