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

from bellwire.cli.remote import said
from bellwire.engine.seed import DemoCredentials
from bellwire.engine.seed_company import ACCOUNT, DEVICES, PEOPLE, extensions
from bellwire.engine.traffic import Publication, Traffic, run_traffic
from bellwire.engine.traffic_stage import Person, Scene
from bellwire.filters import TemplateReference, reference
from bellwire.model.directory import ExtensionType
from bellwire.ports.clock import Clock
from bellwire.testing.receiver import WebhookReceiver

RECEIVER_PATH = "/bellwire-dev"
_SUBSCRIPTIONS = {"general": "/restapi/v1.0/subscription", "webinar": "/webinar/notifications/v1/subscriptions"}
_SUPERVISOR = next(person for person in PEOPLE if person.also_may)
_NOT_FOR_HER = frozenset({"subscription_reminder", "emergency_address", "insights", "contact_center_number"})
"""Families that are no traffic, or that the supervisor has no permission for."""


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
    """Filters for all families of the traffic, by endpoint: one for the account where there is such a template,
    otherwise one for each extension or queue."""
    found: dict[str, list[str]] = {endpoint: [] for endpoint in _SUBSCRIPTIONS}
    widest: dict[str, TemplateReference] = {}
    for template in reference():
        if template.family not in _NOT_FOR_HER:
            known = widest.get(template.family)
            if known is None or len(template.path_parameters) < len(known.path_parameters):
                widest[template.family] = template
    for template in widest.values():
        found[template.endpoint] += _filters_on(template, scene)
    return found


def _filters_on(template: TemplateReference, scene: Scene) -> list[str]:
    fixed = [f"{parameter.name}={parameter.fixed}" for parameter in template.query_parameters if parameter.fixed]
    path = template.template.replace("{accountId}", "~") + ("?" + "&".join(fixed) if fixed else "")
    if "{extensionId}" in path:
        return [path.replace("{extensionId}", person.extension_id) for person in scene.people]
    if "{groupId}" in path:
        return [path.replace("{groupId}", queue) for queue in scene.queues]
    return [path]


class _Refused(Exception):
    """The server did not do what the demo asked for."""


@contextlib.asynccontextmanager
async def demo_traffic(
    server_url: str, credentials: DemoCredentials, clock: Clock, write: Callable[[str], None]
) -> AsyncIterator[None]:
    """Run traffic while the context lasts. What goes wrong is written, and does not end the server."""
    async with (
        WebhookReceiver(path=RECEIVER_PATH, keep=False) as receiver,
        httpx.AsyncClient(base_url=server_url, timeout=30, trust_env=False) as client,
    ):
        demo = _Demo(client, credentials)
        running = asyncio.create_task(_run(demo, receiver.url, clock, write))
        try:
            yield
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            with contextlib.suppress(_Refused, httpx.HTTPError, TimeoutError):
                async with asyncio.timeout(3):
                    await demo.unsubscribe()


async def _run(demo: _Demo, address: str, clock: Clock, write: Callable[[str], None]) -> None:
    scene = demo_scene(demo.credentials)
    rng = random.Random()  # noqa: S311 - stories, not secrets
    try:
        await demo.log_in()
        await demo.unsubscribe()
        await demo.subscribe(address, demo_filters(scene))
        await run_traffic(Traffic(scene, rng), demo.publish, clock, rng)
    except (_Refused, httpx.HTTPError) as error:
        write(f"the built-in traffic has stopped: {error or type(error).__name__}")


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
        for endpoint, path in _SUBSCRIPTIONS.items():
            mode = {"transportType": "WebHook", "address": address}
            body = {"eventFilters": filters[endpoint], "deliveryMode": mode, "expiresIn": 86400 * 365}
            _accepted(await self._ask("POST", path, json=body))

    async def unsubscribe(self) -> None:
        """Delete what this run or an earlier one has made."""
        for path in _SUBSCRIPTIONS.values():
            listed = _accepted(await self._ask("GET", path)).json()
            for subscription in listed["records"]:
                if subscription["deliveryMode"].get("address", "").endswith(RECEIVER_PATH):
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
