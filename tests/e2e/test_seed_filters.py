"""Every seed filter string, subscribed to through the official Python SDK: exactly the match arrives.

For each string, with ids and with `~`, as it is written and narrowed by each predicate that it may take: near misses
are published, then the match. The server's own count of notifications shows that nothing else was made of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from bellwire.testing.receiver import WebhookReceiver
from tests.contract import published_reference as reference
from tests.e2e.in_process import Running, running_server
from tests.e2e.official_sdk import GENERAL, WEBINAR, OfficialClient
from tests.e2e.seed_rows import ANOTHER_ACCOUNT, Row, seed_rows

pytestmark = [
    pytest.mark.skipif(not reference.IS_HERE, reason=reference.ABSENT),
    pytest.mark.asyncio(loop_scope="module"),
]

ROWS = seed_rows()

UNPUBLISHABLE = {"instant_sms": {"another type"}}
"""Near misses that are no valid body of their family, by filter."""


class _Notification(msgspec.Struct):
    body: msgspec.Raw


@dataclass(frozen=True)
class Stage:
    """One server, one SDK client and one receiver for the whole table."""

    running: Running
    client: OfficialClient
    receiver: WebhookReceiver

    async def publish(self, *lines: bytes) -> dict[str, Any]:
        answer = await self.running.http.post(
            "/bellwire/v1/events",
            content=b"[" + b",".join(lines) + b"]",
            headers={
                "Authorization": f"Bearer {self.running.demo.publisher_key}",
                "Content-Type": "application/json",
            },
        )
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def notifications_made(self) -> int:
        text = (await self.running.http.get("/metrics")).text
        found = re.search(r"^bellwire_notifications_total (\S+)$", text, re.MULTILINE)
        assert found is not None
        return int(float(found[1]))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    # The other account of near misses: events of one that there is not are rejected.
    another = json.dumps({"accounts": [{"id": ANOTHER_ACCOUNT, "companyName": "Another"}]}).encode()
    async with running_server(tmp_path_factory.mktemp("seed"), seed=another) as running, WebhookReceiver() as receiver:
        yield Stage(running, await OfficialClient.logged_in(running.url, running.demo), receiver)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_exactly_the_match_arrives(stage: Stage, row: Row) -> None:
    path = WEBINAR if row.is_webinar else GENERAL
    created = await stage.client.subscribe(stage.receiver.url, row.text, path=path)
    try:
        assert created["eventFilters"] == [row.canonical]
        assert "disabledFilters" not in created
        stage.receiver.forget()
        before = await stage.notifications_made()

        misses = [miss.encoded(f"{created['id'][:8]}-miss-{n}") for n, miss in enumerate(row.near_misses)]
        matches = {f"{created['id'][:8]}-match-{n}": match for n, match in enumerate(row.matches)}
        answer = await stage.publish(*misses, *(match.encoded(uuid) for uuid, match in matches.items()))
        received = await stage.receiver.wait_for(len(matches))

        assert answer["accepted"] == len(misses) + len(matches) - answer["rejectedCount"], answer
        # What the family's model has no room for can't even be published: it is rejected, and by name.
        unpublishable = {row.near_misses[rejected["index"]].what for rejected in answer["rejected"]}
        assert unpublishable == UNPUBLISHABLE.get(row.entry["id"], set()), answer
        assert len(received) == len(matches)
        assert await stage.notifications_made() - before == len(matches), "a near miss became a notification"
        for request in received:
            document = request.json()
            match = matches.pop(document["uuid"])
            assert document["event"] == row.canonical
            assert document["subscriptionId"] == created["id"]
            assert document["ownerId"] == stage.running.demo.extension_id
            assert list(document) == ["uuid", "event", "timestamp", "subscriptionId", "ownerId", "body"]
            reference.validator(row.entry["envelope_schema"]).validate(document)
            assert reference.fits_schema(row.entry, document["body"])
            if "sipData" in str(match.body):  # only what a projection leaves out is missing
                assert document["body"] == without_sip_data(match.body)
            else:
                assert bytes(msgspec.json.decode(request.body, type=_Notification).body) == match.body_bytes
    finally:
        await stage.client.delete(created["id"], path=path)


def without_sip_data(body: dict[str, Any]) -> dict[str, Any]:
    parties = [{name: value for name, value in party.items() if name != "sipData"} for party in body["parties"]]
    return {**body, "parties": parties}


async def test_every_seed_string_is_in_the_table_with_near_misses_of_all_its_ids_and_predicates() -> None:
    strings = {seed["string"] for entry in reference.filters() for seed in entry["seeds"]}
    assert len(strings) == 36
    shapes = {re.sub(r"\{\w+\}|~|(?<=/)[0-9a-f-]{6,}|\+\d+", "*", row.text) for row in ROWS}
    assert {re.sub(r"\{\w+\}|~", "*", string) for string in strings} <= shapes
    for row in ROWS:
        parts = len(re.findall(r"\{(?!accountId)\w+\}", row.entry["template"].partition("?")[0]))
        predicates = row.text.partition("?")[2].count("=") - row.text.count("usageType")
        assert len(row.near_misses) >= 1 + parts + predicates, row.text
