"""The subscription use cases with everything around them in memory: two accounts, a few users, two applications."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import Any

from bellwire.engine.subscribe import Subscriptions, WebhookRequest
from bellwire.engine.subscribe_live import LiveSubscriptions
from bellwire.engine.subscribe_upkeep import SubscriptionUpkeep
from bellwire.engine.subscribers import Subscribers
from bellwire.model.directory import Account, Extension
from bellwire.model.event import Event
from bellwire.model.identity import Application, Caller
from bellwire.model.ids import EMBEDDED_PARTITION, AccountId, ClientId, ExtensionId, Position, SessionId, SubscriptionId
from bellwire.model.permission import Permission
from bellwire.model.subscription import Subscription, SubscriptionApi
from tests.doubles.identity import MemoryIdentity, MemoryInstallation
from tests.doubles.stepped_clock import SteppedClock
from tests.doubles.subscriptions import MemorySubscriptionStore, QuietLog, RecordedDelivery, ScriptedValidation

ADMIN, USER, STRANGER = ExtensionId("11"), ExtensionId("12"), ExtensionId("21")
HOOK = "https://receiver.example.com/hook"
PRESENCE = "/restapi/v1.0/account/1/extension/11/presence"
ACCOUNT_PRESENCE = "/restapi/v1.0/account/1/presence"
SESSIONS = "/restapi/v1.0/account/1/telephony/sessions"
REMINDER = "/restapi/v1.0/subscription/~?threshold=60&interval=15"
WEBINARS = "/webinar/configuration/v1/company/sessions"
PUBLIC_URL = "https://events.example.com"


async def let_run() -> None:
    """Give all tasks that can go on a good many turns of the event loop."""
    for _ in range(25):
        await asyncio.sleep(0)


class World:
    """`await World().settled()`; account 1 has an administrator (11) and an ordinary user (12), account 2 has 21.
    Application `app` may do everything, `limited` may read presence alone."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.identity = MemoryIdentity()
        self.installation = MemoryInstallation()
        self.store = MemorySubscriptionStore(self.clock)
        self.log = QuietLog()
        self.delivery = RecordedDelivery()
        self.validation = ScriptedValidation()
        self._ids = itertools.count(1)
        self.subscribers: Subscribers
        self.live: LiveSubscriptions
        self.subscriptions: Subscriptions
        self.upkeep: SubscriptionUpkeep
        self.start()

    def start(self) -> None:
        """Begin with empty memory, as a process does: what was stored is still there."""
        self.subscribers = Subscribers()
        self.live = LiveSubscriptions(
            partition=EMBEDDED_PARTITION,
            store=self.store,
            subscribers=self.subscribers,
            log=self.log,
            delivery=self.delivery,
        )
        self.subscriptions = Subscriptions(
            live=self.live,
            store=self.store,
            directory=self.identity,
            installation=self.installation,
            validate=self.validation,
            clock=self.clock,
            new_id=lambda: SubscriptionId(f"5a0b8a3e-0000-4000-8000-{next(self._ids):012d}"),
        )
        self.upkeep = SubscriptionUpkeep(
            live=self.live,
            store=self.store,
            directory=self.identity,
            clock=self.clock,
            public_url=PUBLIC_URL,
            new_uuid=lambda: f"reminder-{next(self._ids)}",
        )

    async def settled(self) -> World:
        for account in ("1", "2"):
            await self.identity.save_account(Account(id=AccountId(account), company_name=f"Company {account}"))
        for id_, account, is_admin in ((ADMIN, "1", True), (USER, "1", False), (STRANGER, "2", True)):
            await self.identity.save_extension(
                Extension(
                    id=id_,
                    account_id=AccountId(account),
                    extension_number=id_,
                    first_name=f"Person {id_}",
                    is_admin=is_admin,
                )
            )
        for client, permissions in (
            ("app", frozenset(Permission)),
            ("limited", frozenset({Permission.READ_PRESENCE})),
        ):
            await self.identity.save_application(
                Application(client_id=ClientId(client), name=client, secret_hash=b"hash", permissions=permissions)
            )
        return self

    def caller(self, extension: ExtensionId = ADMIN, client: str = "app") -> Caller:
        owner = self.identity.extension(extension)
        application = self.identity.application(ClientId(client))
        assert owner is not None
        assert application is not None
        return Caller(
            session_id=SessionId(f"session of {extension}"),
            client_id=application.client_id,
            account_id=owner.account_id,
            extension_id=extension,
            scope=application.permissions,
            rate_limit_factor=1.0,
        )

    async def create(
        self,
        *filters: str,
        extension: ExtensionId = ADMIN,
        client: str = "app",
        api: SubscriptionApi = SubscriptionApi.GENERAL,
        **wanted: Any,
    ) -> Subscription:
        request = WebhookRequest(filters=filters or (PRESENCE,), address=HOOK)
        return await self.subscriptions.create(self.caller(extension, client), api, replace(request, **wanted))

    async def happen(self, count: int = 1) -> None:
        """Let the log's head move on."""
        for number in range(count):
            event = Event(
                account=AccountId("1"),
                uuid=str(number),
                chosen=False,
                topic=PRESENCE,
                timestamp_ms=self.clock.now_ms(),
                body=b"{}",
            )
            await self.log.append(EMBEDDED_PARTITION, [event])

    def matched(self, key: str, position: int | None = None) -> list[tuple[SubscriptionId, int, int]]:
        """Who gets an event on a topic at a position (the next one, by default): id, version, filter index."""
        at = Position(len(self.log.events) + 1 if position is None else position)
        return [
            (match.subscriber.id, match.version, match.filter_index)
            for match in self.subscribers.matches(key, ({},), at)
        ]
