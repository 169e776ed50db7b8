"""A whole server, one receiver, and callers of the API: what conformance tests speak of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from bellwire.model.attempt import Attempt
from bellwire.model.event import Event
from bellwire.testing.receiver import WebhookReceiver
from tests.e2e.conformance.schemas import check_answer, check_notification
from tests.e2e.in_process import Running, running_server

GENERAL = "/restapi/v1.0/subscription"
WEBINAR = "/webinar/notifications/v1/subscriptions"


@asynccontextmanager
async def conforming_server(data: Path, **options: Any) -> AsyncIterator[Running]:
    """A running server, every answer of which is held against the published schemas."""
    async with running_server(data, **options) as running:
        running.http.event_hooks = {"request": [], "response": [check_answer]}
        yield running


@asynccontextmanager
async def set_stage(running: Running) -> AsyncIterator[Stage]:
    """A stage on a server that others may have used before; what was subscribed on it is gone afterwards."""
    stage = Stage(running)
    running.server.attempts.listen(stage.attempted)
    async with stage.receiver:
        try:
            yield stage
            for notification in stage.receiver.notifications:
                check_notification(notification.json())
        finally:
            await stage.clear()


class User:
    """A user through an application. Logs in when it is first needed, and again when the clock was advanced."""

    def __init__(self, stage: Stage, log_in: Callable[[], Any]) -> None:
        self._stage = stage
        self._log_in = log_in
        self._logging_in = asyncio.Lock()
        self._token = ""

    def forget_token(self) -> None:
        self._token = ""

    async def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Call the API, with the content type that SDKs send always."""
        async with self._logging_in:
            if not self._token:
                self._token = (await self._log_in())["access_token"]
        headers = {"Authorization": f"bearer {self._token}", "Content-Type": "application/json"}
        return await self._stage.running.http.request(method, path, headers=headers, **request)

    async def create(
        self, *filters: str, path: str = GENERAL, mode: dict[str, Any] | None = None, **fields: Any
    ) -> httpx.Response:
        """Ask for a subscription with the stage's receiver."""
        delivery_mode = {"transportType": "WebHook", "address": self._stage.receiver.url, **(mode or {})}
        answer = await self.call(
            "POST", path, json={"eventFilters": list(filters), "deliveryMode": delivery_mode, **fields}
        )
        if answer.is_success:
            self._stage.made.append((self, f"{path}/{answer.json()['id']}"))
        return answer

    async def subscribe(self, *filters: str, **options: Any) -> dict[str, Any]:
        """Create a subscription; its resource."""
        answer = await self.create(*filters, **options)
        assert answer.is_success, answer.text
        resource: dict[str, Any] = answer.json()
        return resource

    async def listed(self, path: str = GENERAL) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = (await self.call("GET", path)).json()["records"]
        return records


class Stage:
    """Methods of users are the demo administrator's, through the application with all permissions."""

    def __init__(self, running: Running) -> None:
        demo = running.demo
        self.running = running
        self.receiver = WebhookReceiver()
        self.account = f"/restapi/v1.0/account/{demo.account_id}"
        self.own = f"{self.account}/extension/{demo.extension_id}"
        self.others = f"{self.account}/extension/{demo.other_extension_id}"
        self.made: list[tuple[User, str]] = []
        self.attempts: list[Attempt] = []
        self._attempted = asyncio.Event()
        self.admin = User(self, running.token)
        self.colleague = User(self, self._log_colleague_in)
        """An ordinary user, through the same application."""
        self.elsewhere = User(self, self._log_in_elsewhere)
        """The administrator through the application with few permissions."""
        self.create, self.subscribe, self.call, self.listed = (
            self.admin.create,
            self.admin.subscribe,
            self.admin.call,
            self.admin.listed,
        )

    def advance(self, **by: float) -> None:
        """Let time pass, as `timedelta` takes it. Tokens are not to be what a test fails of."""
        self.running.clock.advance(timedelta(**by))
        for user in (self.admin, self.colleague, self.elsewhere):
            user.forget_token()

    async def publish(self, *events: dict[str, Any]) -> dict[str, Any]:
        """Publish events, all of which are accepted."""
        answer = await self.running.publish(*events)
        assert answer["rejectedCount"] == 0, answer
        return answer

    def attempted(self, attempt: Attempt, _event: Event | None) -> None:
        self.attempts.append(attempt)
        self._attempted.set()

    async def outcomes(self, number: int) -> list[Attempt]:
        """Wait until so many attempts have had their outcome; all of them, in order."""
        async with asyncio.timeout(20):
            while len(self.attempts) < number:
                self._attempted.clear()
                await self._attempted.wait()
        return list(self.attempts)

    async def settle(self) -> None:
        """Wait until all that was published so far is delivered, or in a backlog."""
        async with asyncio.timeout(20):
            ready = (await self.running.http.get("/bellwire/v1/ready")).json()
            head = ready["logHead"]
            while ready["watermark"] < head:
                ready = (await self.running.http.get("/bellwire/v1/ready")).json()

    async def until_there_are(self, subscriptions: int) -> None:
        """Wait until so many subscriptions are live: one that expires goes a moment later."""
        async with asyncio.timeout(20):
            while f"bellwire_subscriptions {subscriptions}.0" not in (await self.running.http.get("/metrics")).text:
                pass

    async def clear(self) -> None:
        """End what was subscribed, as far as it has not ended."""
        await asyncio.gather(*(user.call("DELETE", path) for user, path in self.made))
        self.made.clear()

    # Events

    def message(self, number: str, *, id_: str = "70001", direction: str = "Inbound", **more: Any) -> dict[str, Any]:
        """A High Volume SMS message to, or from, a number; its id is its ordering key."""
        body = {
            "id": id_,
            "batchId": "0b6c7a52-54c3-4c0e-8a3f-6f1f5a3f9d10",
            "from": "+14155550111" if direction == "Inbound" else number,
            "to": [number] if direction == "Inbound" else ["+14155550111"],
            "text": "hello",
            "creationTime": "2026-03-02T10:10:00.100000Z",
            "lastModifiedTime": "2026-03-02T10:10:01.900000Z",
            "messageStatus": "Delivered",
            "segmentCount": 1,
            "cost": 0.007,
            "direction": direction,
        }
        return {"event": f"{self.account}/a2p-sms/messages", "body": body, **more}

    def presence(self, extension: str | None = None, **more: Any) -> dict[str, Any]:
        """The presence of an extension, the administrator's own by default, with all details."""
        extension = extension or self.running.demo.extension_id
        body = {
            "extensionId": extension,
            "sequence": 41,
            "telephonyStatus": "CallConnected",
            "presenceStatus": "Busy",
            "userStatus": "Available",
            "dndStatus": "TakeAllCalls",
            "allowSeeMyPresence": True,
            "ringOnMonitoredCall": False,
            "pickUpCallsOnHold": False,
            "activeCalls": [
                {
                    "id": "c-1",
                    "direction": "Inbound",
                    "from": "+12025550188",
                    "to": "+12025550143",
                    "telephonyStatus": "CallConnected",
                    "startTime": "2026-03-02T11:00:02.500Z",
                    "telephonySessionId": "s-1",
                    "partyId": "p-1",
                    "sipData": {"toTag": "t-1", "fromTag": "f-1", "remoteUri": "sip:12025550188@sip.example.com"},
                }
            ],
            "totalActiveCalls": 1,
        }
        return {"event": f"{self.account}/extension/{extension}/presence", "body": body, **more}

    # Logins

    async def _log_colleague_in(self) -> dict[str, Any]:
        demo = self.running.demo
        answer = await self.running.http.post(
            "/restapi/oauth/token",
            data={"grant_type": "password", "username": demo.users[1].user_name, "password": demo.password},
            auth=(demo.client_id, demo.client_secret),
        )
        tokens: dict[str, Any] = answer.json()
        assert tokens["owner_id"] == demo.other_extension_id
        return tokens

    async def _log_in_elsewhere(self) -> dict[str, Any]:
        demo = self.running.demo
        return await self.running.token(
            client=(demo.limited_client_id, demo.limited_client_secret), jwt=demo.limited_jwt
        )


def assert_refused(answer: httpx.Response, status: int, code: str, parameter: str | None = None) -> str:
    """The answer is this error, on both levels; returns its message."""
    body = answer.json()
    assert (answer.status_code, body["errorCode"]) == (status, code), body
    first = body["errors"][0]
    assert (first["errorCode"], first["message"]) == (body["errorCode"], body["message"])
    if parameter is not None:
        assert first["parameterName"] == parameter
    return str(body["message"])
