"""What `bellwire dev` runs beside its server: a receiver, subscriptions of it, and traffic. All by the real HTTP API.

The subscriber is one demo user, a supervisor, so that the lists and limits of the user whose JWT developers are given
stay theirs alone. The subscriptions are deleted at the end, and those of an earlier run that ended hard at the start.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx

from bellwire.cli.notification_lines import BUILT_IN_RECEIVER_PATH
from bellwire.cli.remote import said
from bellwire.engine.seed import DemoCredentials
from bellwire.engine.seed_company import ACCOUNT, DEVICES, PEOPLE, extensions
from bellwire.engine.traffic import Publication, Traffic, run_traffic
from bellwire.engine.traffic_stage import Person, Scene
from bellwire.model.directory import ExtensionType
from bellwire.ports.clock import Clock
from bellwire.testing.receiver import WebhookReceiver

FILTERS_EACH = 100
"""One subscription takes so many."""
LIFETIME_SECONDS = 365 * 86400
GENERAL_PATH = "/restapi/v1.0/subscription"
WEBINAR_PATH = "/webinar/notifications/v1/subscriptions"

_ACCOUNT = "/restapi/v1.0/account/~"
_OF_THE_ACCOUNT = (
    f"{_ACCOUNT}/telephony/sessions",
    f"{_ACCOUNT}/presence?detailedTelephonyState=true",
    f"{_ACCOUNT}/extension/~/presence/line/presence",
    f"{_ACCOUNT}/a2p-sms/batches",
    f"{_ACCOUNT}/a2p-sms/messages",
    f"{_ACCOUNT}/a2p-sms/opt-outs",
    f"{_ACCOUNT}/directory/entries",
    f"{_ACCOUNT}/extension",
    f"{_ACCOUNT}/message-threads/entries/sync",
    "/team-messaging/v1/chats",
    "/team-messaging/v1/posts",
)
_OF_EACH_EXTENSION = (
    "",
    "/incoming-call-pickup",
    "/missed-calls",
    "/message-store",
    "/message-store/instant?type=SMS",
    "/voicemail",
    "/fax?direction=Inbound",
    "/presence/dnd",
    "/favorite",
    "/grant",
)
_WEBINAR = (
    "/webinar/configuration/v1/company/sessions",
    "/webinar/registration/v1/company/sessions/state",
    "/webinar/registration/v1/company/sessions/registrants",
    "/webinar/runtime/v1/company/sessions/state",
)
_SUPERVISOR = next(person for person in PEOPLE if person.also_may)


def demo_scene(credentials: DemoCredentials) -> Scene:
    """The demo company, as the stories need it."""
    people = tuple(
        Person(
            extension_id=person.extension_id,
            extension_number=person.extension_number,
            first_name=person.first_name,
            last_name=person.last_name,
            phone_number=person.direct_number,
        )
        for person in PEOPLE
    )
    queues = tuple(extension.id for extension in extensions() if extension.type is ExtensionType.CALL_QUEUE)
    return Scene(
        account_id=ACCOUNT.id,
        people=people,
        queues=queues,
        device_ids=tuple(device.id for device in DEVICES),
        a2p_number=credentials.a2p_number,
    )


def demo_filters(scene: Scene) -> dict[str, list[str]]:
    """Event filters for what the stories tell, by the path of the API that subscribes to them."""
    general = list(_OF_THE_ACCOUNT)
    general += [f"{_ACCOUNT}/call-queues/{queue}/presence" for queue in scene.queues]
    general += [
        f"{_ACCOUNT}/extension/{person.extension_id}{rest}" for person in scene.people for rest in _OF_EACH_EXTENSION
    ]
    return {GENERAL_PATH: general, WEBINAR_PATH: list(_WEBINAR)}


class _Refused(Exception):
    """The server did not do what the demo asked for."""


@contextlib.asynccontextmanager
async def demo_traffic(
    server_url: str, credentials: DemoCredentials, clock: Clock, write: Callable[[str], None], resets: asyncio.Event
) -> AsyncIterator[None]:
    """Run traffic while the context lasts. What goes wrong is written, and does not end the server.

    Args:
        resets: set after each reset of the server, which takes the subscriptions away.
    """
    async with (
        WebhookReceiver(path=BUILT_IN_RECEIVER_PATH, keep=False) as receiver,
        httpx.AsyncClient(base_url=server_url, timeout=30, trust_env=False) as client,
    ):
        demo = _Demo(client, credentials)
        running = asyncio.create_task(_run(demo, receiver.url, clock, write, resets))
        try:
            yield
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            with contextlib.suppress(_Refused, httpx.HTTPError, TimeoutError):
                async with asyncio.timeout(3):
                    await demo.unsubscribe()


async def _run(demo: _Demo, address: str, clock: Clock, write: Callable[[str], None], resets: asyncio.Event) -> None:
    scene = demo_scene(demo.credentials)
    rng = random.Random()  # noqa: S311 - stories, not secrets
    filters = demo_filters(scene)
    try:
        await demo.log_in()
        await demo.unsubscribe()
        await demo.subscribe(address, filters)
        again = asyncio.create_task(_subscribe_again(demo, address, filters, resets, write))
        try:
            await run_traffic(Traffic(scene, rng), demo.publish, clock, rng)
        finally:
            again.cancel()
    except (_Refused, httpx.HTTPError) as error:
        _say_stopped(write, error)


async def _subscribe_again(
    demo: _Demo,
    address: str,
    filters: Mapping[str, list[str]],
    resets: asyncio.Event,
    write: Callable[[str], None],
) -> None:
    while True:
        await resets.wait()
        resets.clear()
        try:
            await demo.log_in()
            await demo.subscribe(address, filters)
        except (_Refused, httpx.HTTPError) as error:
            _say_stopped(write, error)


def _say_stopped(write: Callable[[str], None], error: Exception) -> None:
    write(f"the built-in traffic has stopped: {str(error) or type(error).__name__}")


class _Demo:
    """The subscriber and the publisher, as clients of the API."""

    def __init__(self, client: httpx.AsyncClient, credentials: DemoCredentials) -> None:
        self.credentials = credentials
        self._client = client
        self._token = ""

    async def log_in(self) -> None:
        form = {"grant_type": "password", "username": _SUPERVISOR.user_name, "password": self.credentials.password}
        application = (self.credentials.client_id, self.credentials.client_secret)
        answer = _accepted(await self._client.post("/restapi/oauth/token", data=form, auth=application))
        self._token = answer.json()["access_token"]

    async def subscribe(self, address: str, filters: Mapping[str, list[str]]) -> None:
        mode = {"transportType": "WebHook", "address": address}
        for path, wanted in filters.items():
            for start in range(0, len(wanted), FILTERS_EACH):
                part = wanted[start : start + FILTERS_EACH]
                body = {"eventFilters": part, "deliveryMode": mode, "expiresIn": LIFETIME_SECONDS}
                _accepted(await self._ask("POST", path, json=body))

    async def unsubscribe(self) -> None:
        """Delete what this run or an earlier one has made."""
        for path in (GENERAL_PATH, WEBINAR_PATH):
            listed = _accepted(await self._ask("GET", path)).json()
            for subscription in listed["records"]:
                if subscription["deliveryMode"].get("address", "").endswith(BUILT_IN_RECEIVER_PATH):
                    await self._ask("DELETE", f"{path}/{subscription['id']}")

    async def publish(self, publication: Publication) -> None:
        headers = {"Authorization": f"Bearer {self.credentials.publisher_key}"}
        answer = await self._client.post("/bellwire/v1/events", json=publication, headers=headers)
        while answer.status_code in {429, 503}:
            await asyncio.sleep(min(int(answer.headers.get("Retry-After", 5)), 60))
            answer = await self._client.post("/bellwire/v1/events", json=publication, headers=headers)
        for rejection in _accepted(answer).json()["rejected"]:
            raise _Refused(f"{publication['event']}: {rejection['message']}")

    async def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """A request of the subscriber, with a new token where the old one has expired."""
        for _ in range(2):
            headers = {"Authorization": f"Bearer {self._token}"}
            answer = await self._client.request(method, path, headers=headers, **arguments)
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                break
            await self.log_in()
        return answer


def _accepted(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        raise _Refused(said(answer))
    return answer
