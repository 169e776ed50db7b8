from __future__ import annotations

import asyncio

from structlog.typing import EventDict

from bellwire.observe.request_ids import add_request_id, answering


def line(**fields: object) -> EventDict:
    return add_request_id(None, "info", dict(fields))


def test_lines_name_the_request_on_whose_behalf_they_are_written() -> None:
    with answering("r-1"):
        inside = line(event="a")

    assert inside == {"event": "a", "request_id": "r-1"}
    assert line(event="b") == {"event": "b"}


def test_a_line_that_names_a_request_by_itself_keeps_that() -> None:
    with answering("r-1"):
        assert line(request_id="r-0") == {"request_id": "r-0"}


async def test_tasks_that_a_request_begins_name_it_until_it_is_over() -> None:
    over = asyncio.Event()
    lines: list[EventDict] = []

    async def begun() -> None:
        lines.append(line())
        await over.wait()
        lines.append(line())

    with answering("r-1"):
        task = asyncio.create_task(begun())
        await asyncio.sleep(0)
    over.set()
    await task

    assert lines == [{"request_id": "r-1"}, {}]
