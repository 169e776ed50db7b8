"""The stage with High Volume SMS on it: read from, and written to, a real records database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter
from sqlalchemy import Connection, delete

from bellwire.api.a2p import a2p_reading_routes
from bellwire.api.authentication import Authenticator
from bellwire.api.conventions import Conventions
from bellwire.engine.assign_consents import ConsentAssignment
from bellwire.engine.consent_lists import ConsentLists
from bellwire.engine.sms_lists import SmsLists
from bellwire.model.directory import Account
from bellwire.model.ids import AccountId
from bellwire.storage.records import Records, open_records
from bellwire.storage.records.consents import SqlConsentWriter
from bellwire.storage.records.outbox import SqlOutbox
from bellwire.storage.records.sms_tables import batch, consent, consent_history, message, outbox
from tests.conformance.sms_reading import a_batch as a_batch_of_account
from tests.doubles.identity import MemoryIdentity
from tests.doubles.stepped_clock import SteppedClock
from tests.integration.api.stage import ACCOUNT, ALICE, APP, LIMITED, MAIN_NUMBER, SECRET, Stage, set_stage
from tests.integration.storage.sms_shelf import SqlConsentShelf, SqlShelf

OURS = MAIN_NUMBER
THEIRS = "+12025550101"
A2P = "/restapi/v1.0/account/~/a2p-sms"
START = SteppedClock().now()
CONSENTS = "/restapi/v2/accounts/~/sms/consents"


@dataclass
class A2pStage:
    """`call` uses the token of Alice, through an application with every permission, unless told otherwise."""

    stage: Stage
    records: Records
    shelf: SqlShelf
    consents: SqlConsentShelf
    outbox: SqlOutbox
    token: str

    async def call(self, method: str, path: str, *, token: str | None = None, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"} | request.pop("headers", {})
        return await self.stage.client.request(method, path, headers=headers, **request)

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        """An answer that is right, by its query."""
        answer = await self.call("GET", path, params=query or None)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def refused(self, path: str, **query: Any) -> tuple[int, str, str | None]:
        """Status, error code and parameter of an answer that is an error."""
        answer = await self.call("GET", path, params=query or None)
        first = answer.json()["errors"][0]
        return answer.status_code, first["errorCode"], first.get("parameterName")

    async def ids(self, path: str, **query: Any) -> list[str]:
        return [record["id"] for record in (await self.get(path, **query))["records"]]

    async def clear(self) -> None:
        """As it was at first, for the next test: nothing stored, the clock set back, Alice logged in."""

        def empty(connection: Connection) -> None:
            for table in (batch, message, consent, consent_history, outbox):
                connection.execute(delete(table))

        await self.records.write(empty)
        self.stage.clock.advance((START - self.stage.clock.now()).total_seconds())
        self.token = (await self.stage.login(ALICE, (APP, SECRET)))["access_token"]


async def _always_room() -> None:
    return None


@asynccontextmanager
async def set_a2p_stage(data_dir: Path) -> AsyncIterator[A2pStage]:
    stores = await open_records(data_dir, SteppedClock())
    try:
        for account in (ACCOUNT, AccountId("500100")):
            await stores.directory.save_account(Account(id=account, company_name="Acme"))
        shelf, consents = SqlShelf(stores.records), SqlConsentShelf(stores.records)
        waiting = SqlOutbox(stores.records)

        def routes(authenticator: Authenticator, identity: MemoryIdentity, clock: SteppedClock) -> list[APIRouter]:
            key = stores.installation.signing_key
            return a2p_reading_routes(
                lists=SmsLists(reading=shelf.reading, clock=clock, key=key),
                consent_lists=ConsentLists(reading=consents.reading, key=key),
                assignment=ConsentAssignment(
                    writer=SqlConsentWriter(waiting), directory=identity, clock=clock, room=_always_room
                ),
                authenticator=authenticator,
            )

        stage = await set_stage(more=routes, conventions=Conventions())
        await stage.change_application(LIMITED, rate_limit_factor=100)  # tests log in more often than people
        async with stage.client:
            yield A2pStage(stage, stores.records, shelf, consents, waiting, token="")
    finally:
        await stores.close()


def a_batch(stage: A2pStage, name: str, *, minutes: int = 0) -> Any:
    """A batch of Alice's company, accepted so many minutes after the stage was set."""
    batch = a_batch_of_account(name, minutes=minutes, account=ACCOUNT)
    shift = stage.stage.clock.now() - a_batch_of_account(name).created_at
    return replace(batch, sender=OURS, created_at=batch.created_at + shift, modified_at=batch.modified_at + shift)
