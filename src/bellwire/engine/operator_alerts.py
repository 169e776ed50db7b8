"""The operator webhook: what whoever runs Bellwire should know at once, posted as JSON to an address of theirs.

    {"type": "subscription.blacklisted", "time": "…", "subscriptionId": "…", "address": "…", …}

Fire and forget: a few tries, then a line in the log. Alerts go out by the same sender as notifications, so the guard
against forged requests judges this address too (an internal one has to be among the allowed networks).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec
import structlog

from bellwire.model.attempt import AttemptResult
from bellwire.model.webhook import Endpoint
from bellwire.ports.clock import Clock
from bellwire.ports.webhook_sender import WebhookSender
from bellwire.subscriptions.resource import wire_time
from bellwire.wire.webhook.request import request_head

PAUSES_SECONDS = (1.0, 5.0, 30.0)
"""Between the tries; after the last one the alert is given up."""
MOST_WAITING = 1000
AT_ONCE = 4

_log = structlog.get_logger("bellwire.operator")


class OperatorAlerts:
    """Owned by one event loop. Without an endpoint it only logs."""

    def __init__(self, *, sender: WebhookSender, endpoint: Endpoint | None, clock: Clock, user_agent: str) -> None:
        self._sender = sender
        self._endpoint = endpoint
        self._clock = clock
        self._head = b"" if endpoint is None else request_head(endpoint, user_agent=user_agent)
        self._places = asyncio.Semaphore(AT_ONCE)
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Alerts that were neither taken nor given up yet."""
        return len(self._sending)

    def tell(self, kind: str, **details: Any) -> None:
        """Log an alert as a warning, and post it.

        Args:
            kind: `type` of the JSON object, as `subscription.blacklisted`.
            details: its other members, by their names on the wire.
        """
        _log.warning(kind, **details)
        if self._endpoint is None:
            return
        if len(self._sending) >= MOST_WAITING:
            _log.error("operator_webhook.given_up", alert=kind, reason=f"{MOST_WAITING} alerts wait already")
            return
        body = msgspec.json.encode({"type": kind, "time": wire_time(self._clock.now()), **details})
        task = asyncio.get_running_loop().create_task(self._send(self._endpoint, kind, body), name=f"alert {kind}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def stop(self) -> None:
        """Give up what was not taken yet."""
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _send(self, endpoint: Endpoint, kind: str, body: bytes) -> None:
        for pause in (*PAUSES_SECONDS, None):
            async with self._places:
                result = await self._post(endpoint, body)
            if result.failure is None:
                return
            if pause is None:
                _log.error("operator_webhook.given_up", alert=kind, reason=result.detail)
            else:
                _log.warning("operator_webhook.failed", alert=kind, reason=result.detail, retry_in_seconds=pause)
                await asyncio.sleep(pause)

    async def _post(self, endpoint: Endpoint, body: bytes) -> AttemptResult:
        outcome: asyncio.Future[AttemptResult] = asyncio.get_running_loop().create_future()
        cancel = self._sender.post(endpoint, self._head, body, partial(_resolve, outcome))
        try:
            return await outcome
        finally:
            cancel()


def _resolve(outcome: asyncio.Future[AttemptResult], result: AttemptResult) -> None:
    if not outcome.done():
        outcome.set_result(result)
