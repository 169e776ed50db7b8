"""The stage with subscriptions on it: stored in a real records database, their addresses called by the real sender."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bellwire.api.app import build_app
from bellwire.api.authentication import Authenticator
from bellwire.api.public_url import PublicUrl
from bellwire.api.rate_limits import RateLimits
from bellwire.api.subscriptions import subscription_routes
from bellwire.engine.subscribe import Subscriptions
from bellwire.engine.subscribe_live import LiveSubscriptions
from bellwire.engine.subscribe_upkeep import SubscriptionUpkeep
from bellwire.engine.subscribers import Subscribers
from bellwire.engine.validate_address import AddressHandshake
from bellwire.model.ids import EMBEDDED_PARTITION, ExtensionId, SubscriptionId
from bellwire.observe.system_clock import SystemClock
from bellwire.storage.records import FILE_NAME, Records, SqlSubscriptionStore
from bellwire.testing.receiver import WebhookReceiver
from bellwire.transports.guard import AddressGuard
from bellwire.transports.resolver import DnsResolver
from bellwire.transports.webhook_client import WebhookClient
from tests.doubles.identity import MemoryInstallation
from tests.doubles.subscriptions import QuietLog, RecordedDelivery
from tests.integration.api.stage import ALICE, APP, SECRET, Stage, set_stage

BASE = "https://events.example.com"
GENERAL = "/restapi/v1.0/subscription"
WEBINAR = "/webinar/notifications/v1/subscriptions"


@dataclass
class SubscribingStage:
    """`call` and `create` use the token of Alice, an administrator, unless told otherwise."""

    stage: Stage
    client: httpx.AsyncClient
    receiver: WebhookReceiver
    live: LiveSubscriptions
    upkeep: SubscriptionUpkeep
    delivery: RecordedDelivery
    store: SqlSubscriptionStore
    token: str

    async def call(self, method: str, path: str, *, token: str | None = None, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        return await self.client.request(method, path, headers=headers, **request)

    async def create(
        self, *filters: str, path: str = GENERAL, token: str | None = None, mode: Any = None, **fields: Any
    ) -> httpx.Response:
        delivery_mode = {"transportType": "WebHook", "address": self.receiver.url} | (mode or {})
        body = {"eventFilters": list(filters), "deliveryMode": delivery_mode} | fields
        return await self.call("POST", path, token=token, json=body)

    async def token_of(self, user: ExtensionId = ALICE, client: str = APP) -> str:
        login = await self.stage.login(user, (client, SECRET))
        return str(login["access_token"])


@asynccontextmanager
async def set_subscribing_stage(data_dir: Path) -> AsyncIterator[SubscribingStage]:
    stage = await set_stage()
    records = Records(data_dir / FILE_NAME)
    await records.open()
    system_clock = SystemClock()
    resolver = DnsResolver(system_clock)
    sender = WebhookClient(
        resolver=resolver, guard=AddressGuard(allow_http=True, allow_private=True), clock=system_clock
    )
    delivery, store = RecordedDelivery(), SqlSubscriptionStore(records, stage.clock)
    live = LiveSubscriptions(
        partition=EMBEDDED_PARTITION, store=store, subscribers=Subscribers(), log=QuietLog(), delivery=delivery
    )
    subscriptions = Subscriptions(
        live=live,
        store=store,
        directory=stage.identity,
        installation=MemoryInstallation(),
        validate=AddressHandshake(
            sender=sender, user_agent="Bellwire-Webhook/test", allow_http=True, strict_content_type=False
        ),
        clock=stage.clock,
        new_id=lambda: SubscriptionId(str(uuid.uuid4())),
    )
    upkeep = SubscriptionUpkeep(
        live=live,
        store=store,
        directory=stage.identity,
        clock=stage.clock,
        public_url=BASE,
        new_uuid=lambda: str(uuid.uuid4()),
    )
    public_url = PublicUrl(BASE)
    authenticator = Authenticator(
        sessions=stage.sessions,
        credentials=stage.identity,
        limits=RateLimits(),
        clock=stage.clock,
        proxies=public_url.proxies,
    )
    routes = subscription_routes(
        subscriptions=subscriptions, authenticator=authenticator, public_url=public_url, clock=stage.clock
    )
    app = build_app(routers=routes, version="0.0")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    try:
        async with (
            stage.client,
            WebhookReceiver() as receiver,
            httpx.AsyncClient(transport=transport, base_url="http://bellwire.test") as client,
        ):
            token = str((await stage.login())["access_token"])
            yield SubscribingStage(stage, client, receiver, live, upkeep, delivery, store, token)
    finally:
        await sender.close()
        await resolver.close()
        await records.close()
