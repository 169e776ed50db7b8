"""Tables as CSV (RFC 4180), streamed, and whether a caller wants one."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence

from fastapi.responses import StreamingResponse

MEDIA_TYPE = "text/csv"


def wants_csv(accept: str | None) -> bool:
    """Whether an `Accept` header names CSV, and does not like JSON better."""
    liked = {"text/csv": 0.0, "application/json": 0.0}
    for part in (accept or "").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name in liked:
            liked[name] = _quality(parameters)
    return liked["text/csv"] > 0 and liked["text/csv"] >= liked["application/json"]


def _quality(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def csv_answer(
    columns: Sequence[str],
    chunks: AsyncIterator[list[Sequence[str]]],
    *,
    file_name: str,
    headers: dict[str, str] | None = None,
) -> StreamingResponse:
    """A table under its header line; rows are encoded as they are read."""

    async def lines() -> AsyncIterator[bytes]:
        yield csv_lines([columns])
        async for rows in chunks:
            yield csv_lines(rows)

    disposition = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    return StreamingResponse(lines(), media_type=MEDIA_TYPE, headers={**disposition, **(headers or {})})
