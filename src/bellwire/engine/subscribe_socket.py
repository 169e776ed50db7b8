"""Subscriptions over a socket: made, changed and ended by the session that they belong to (wire contract, 5.5, 5.8).

They are live subscriptions as all others: listed, counted, matched alike. What differs is who holds them. A session has
one; a second takes its place. They do not expire while their session lasts, and end with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from bellwire.engine.subscribe import Subscriptions
from bellwire.engine.subscribe_live import LiveSubscriptions
from bellwire.errors import NotFound, Unavailable
from bellwire.model.identity import Caller
from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import Subscription, SubscriptionApi, TransportType
from bellwire.ports.socket_gateway import SocketLink
from bellwire.ports.socket_sessions import SocketSession, SocketSessionStore
from bellwire.subscriptions.lifetime import DEFAULT_SECONDS
from bellwire.subscriptions.requested import check_count
from bellwire.subscriptions.versions import first_version

_API = SubscriptionApi.GENERAL
_log = structlog.get_logger("bellwire.subscriptions")


class SocketSubscriptions:
    """The use cases of one server's sockets.

    Args:
        sessions: where sessions are kept; None: they end with the process.
    """

    def __init__(
        self, *, subscriptions: Subscriptions, live: LiveSubscriptions, sessions: SocketSessionStore | None = None
    ) -> None:
        self._sessions = sessions
        self._subscriptions = subscriptions
        self._live = live
        self._ending: set[SubscriptionId] = set()
        """Those of ended sessions that are not removed yet."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def create(self, link: SocketLink, caller: Caller, filters: Sequence[str]) -> Subscription:
        """Make the session's subscription, in place of the one that it had.

        Raises:
            InvalidRequest, Forbidden: as `Subscriptions.create`.
            Unavailable: it could not be stored, or the session ended meanwhile; there is nothing of it.
        """
        id_ = self._subscriptions.new_id()
        return await self._live.in_turn(id_, lambda: self._create(id_, link, caller, filters))

    async def _create(
        self, id_: SubscriptionId, link: SocketLink, caller: Caller, filters: Sequence[str]
    ) -> Subscription:
        parsed = self._subscriptions.parsed(caller, _API, id_, filters, DEFAULT_SECONDS)
        judgement = self._subscriptions.judged(caller, parsed)
        listed = self._subscriptions.list(caller, _API)
        check_count(sum(other.id != link.subscription for other in listed))
        now = self._subscriptions.now()
        subscription = Subscription(
            id=id_,
            api=_API,
            account_id=caller.account_id,
            owner_id=caller.extension_id,
            client_id=caller.client_id,
            transport=TransportType.WEB_SOCKET,
            webhook=None,
            versions=(first_version([allowed.text for allowed in judgement.allowed], self._live.head()),),
            disabled_filters=judgement.disabled(),
            created_at=now,
            expires_at=now + timedelta(seconds=DEFAULT_SECONDS),
            lifetime_seconds=DEFAULT_SECONDS,
        )
        link.begin(id_)
        try:
            await self._live.open(subscription, judgement.allowed)
        except BaseException:
            link.abandon(id_)
            raise
        before = link.activate(id_)
        if before is not None:
            await self._remove(before)
        if before == id_:
            raise Unavailable("The session ended before its subscription was made")
        if self._sessions is not None:
            await self._keep(self._sessions, link, caller, id_)
        _log.info(
            "subscription.created",
            subscription_id=id_,
            api=str(_API),
            owner_id=caller.extension_id,
            client_id=caller.client_id,
            filters=len(subscription.filters),
            disabled_filters=len(subscription.disabled_filters),
            transport=str(subscription.transport),
        )
        return subscription

    async def _keep(self, sessions: SocketSessionStore, link: SocketLink, caller: Caller, id_: SubscriptionId) -> None:
        session = SocketSession(key=link.session, subscription=id_, login=caller.session_id, user=caller.extension_id)
        try:
            await sessions.save(session)
        except Unavailable as problem:  # it is good all the same, but for a restart
            _log.warning("socket.session_not_kept", subscription_id=id_, error=str(problem))

    async def update(
        self, link: SocketLink, caller: Caller, id_: SubscriptionId, filters: Sequence[str] | None
    ) -> Subscription:
        """Replace the event filters of the session's own subscription, if any are given.

        Raises:
            NotFound: it is another session's; its client has to subscribe anew, or it would wait for ever.
            InvalidRequest, Forbidden: as `create`.
        """
        return await self._live.in_turn(id_, lambda: self._update(link, caller, id_, filters))

    async def _update(
        self, link: SocketLink, caller: Caller, id_: SubscriptionId, filters: Sequence[str] | None
    ) -> Subscription:
        subscription = await self._subscriptions.get(caller, _API, id_)
        if link.subscription != id_:
            raise NotFound(
                "CMN-102",
                f"Subscription [{id_}] is not of this session; subscribe anew",
                parameter="subscriptionId",
                value=id_,
            )
        renewed = self._renewed(subscription)
        if filters is None:
            changed = await self._live.change(renewed)
        else:
            parsed = self._subscriptions.parsed(caller, _API, id_, filters, DEFAULT_SECONDS)
            judgement = self._subscriptions.judged(caller, parsed)
            changed = await self._live.change(
                replace(renewed, disabled_filters=judgement.disabled()), judgement.allowed
            )
        link.updated(id_)
        _log.info("subscription.updated", subscription_id=id_, filters=len(changed.filters))
        return changed

    def ended(self, subscription: SubscriptionId) -> None:
        """Its session is no more: remove it, now or as soon as the store can."""
        self._ending.add(subscription)
        task = asyncio.get_running_loop().create_task(self._remove(subscription))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end_again(self) -> None:
        """Remove what could not be removed before; to be called now and then."""
        for subscription in list(self._ending):
            await self._remove(subscription)

    async def _remove(self, subscription: SubscriptionId) -> None:
        async def remove() -> None:
            if self._live.get(subscription) is not None:
                await self._live.remove(subscription)
                _log.info("subscription.ended", subscription_id=subscription, reason="its socket session ended")

        self._ending.add(subscription)
        try:
            await self._live.in_turn(subscription, remove)
        except Unavailable as problem:
            _log.warning("subscription.end_failed", subscription_id=subscription, error=str(problem))
        else:
            self._ending.discard(subscription)

    def _renewed(self, subscription: Subscription) -> Subscription:
        expires_at = self._subscriptions.now() + timedelta(seconds=DEFAULT_SECONDS)
        return replace(subscription, expires_at=expires_at, lifetime_seconds=DEFAULT_SECONDS)
