"""The server's own history, read by its API when all is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from torture.checker import Logged
from torture.lives import Lives

PAGE = 1000


async def logged(lives: Lives, prefix: str) -> list[Logged]:
    """All events whose uuid begins so, oldest first."""
    found = [
        Logged(int(record["position"]), record["uuid"])
        async for record in _records(lives, "/events")
        if record["uuid"].startswith(prefix)
    ]
    return sorted(found, key=lambda each: each.position)


async def delivered(lives: Lives, subscription: str) -> Counter[str]:
    """How often history has which uuid delivered to a subscription."""
    return Counter(
        [
            record["uuid"]
            async for record in _records(lives, "/deliveries", subscription=subscription)
            if record["outcome"] == "delivered"
        ]
    )


async def _records(lives: Lives, path: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
    while True:
        page = await lives.ask("GET", path, params={"limit": PAGE, **query})
        for record in page["records"]:
            yield record
        if page["nextCursor"] is None:
            return
        query["cursor"] = page["nextCursor"]
