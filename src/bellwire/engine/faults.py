"""Faults on purpose, for development: deliveries that fail or come late, a token endpoint that refuses, sockets that
are cut.

`Faults` holds what was asked for and says of each request whether it is to suffer; `FaultySender` stands before the
real sender and makes it suffer; `faulty_sockets.py` does so for the gateway. `serve` has none of them.

Of several faults that fit, the first that was made counts. One with a `count` is spent after so many uses, and gone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from fnmatch import translate
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from bellwire.delivery.failures import failure_of_status, heeds_retry_after, sentence
from bellwire.engine.provision_commands import Command
from bellwire.model.attempt import AttemptResult, FailureCode
from bellwire.model.ids import SubscriptionId
from bellwire.model.webhook import Answer, Endpoint
from bellwire.ports.webhook_sender import WebhookSender

MAX_FAULTS = 1000
MAX_DELAY_SECONDS = 600.0
MAX_COUNT = 1_000_000_000

Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
RetryAfter = Annotated[int, Field(ge=0, le=86_400)]


class DeliveryFault(Command):
    """What deliveries suffer: `delaySeconds`, and then `failure` or `status` instead of the endpoint's answer."""

    kind: Literal["delivery"]
    subscription_id: SubscriptionId | None = Field(
        default=None, max_length=64, description="Only this subscription's; by default everybody's."
    )
    host: Annotated[str, StringConstraints(min_length=1, max_length=253, to_lower=True)] | None = Field(
        default=None, description="Only those to this host; `*` stands for any characters."
    )
    failure: FailureCode | None = None
    status: int | None = Field(default=None, ge=300, le=599)
    retry_after_seconds: RetryAfter | None = Field(
        default=None, description="With status 429 or 503: what the pretended answer asks for."
    )
    delay_seconds: float = Field(
        default=0.0, ge=0.0, le=MAX_DELAY_SECONDS, description="In real time: advancing the clock does not shorten it."
    )
    reaches: bool = Field(
        default=False, description="The endpoint gets the notification all the same, so that it comes twice."
    )
    handshakes: bool = Field(default=False, description="Handshakes with the address suffer too.")
    count: Count | None = Field(default=None, description="How often; by default until it is cleared.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        fails = self.failure is not None or self.status is not None
        if self.failure is not None and self.status is not None:
            raise ValueError("failure and status exclude each other")
        if not fails and not self.delay_seconds:
            raise ValueError("failure, status or delaySeconds has to be given")
        if self.reaches and not fails:
            raise ValueError("reaches needs failure or status")
        if self.retry_after_seconds is not None and not heeds_retry_after(self.status or 0):
            raise ValueError("retryAfterSeconds needs status 429 or 503")
        if self.handshakes and self.subscription_id is not None:
            raise ValueError("handshakes are told apart by host, not by subscription")
        return self


class TokenFault(Command):
    """What requests of the token endpoint are answered."""

    kind: Literal["token"]
    status: Literal[400, 429, 500, 503] = Field(
        default=503, description="400 is `invalid_grant`: the login or refresh is refused."
    )
    retry_after_seconds: RetryAfter = Field(default=1, description="With 429 and 503.")
    count: Count | None = Field(default=1, description="How often; null is until it is cleared.")


class SocketFault(Command):
    """WebSocket connections are cut, each in place of the next notification that was to be written to it."""

    kind: Literal["socket"]
    subscription_id: SubscriptionId | None = Field(
        default=None, max_length=64, description="Only this subscription's; by default everybody's."
    )
    count: Count | None = Field(default=1, description="How often; null is until it is cleared.")


NewFault = DeliveryFault | TokenFault | SocketFault
"""Told apart by `kind`."""


@dataclass(slots=True)
class Fault:
    """A fault that is in force."""

    id: str
    what: NewFault
    used: int = 0

    @property
    def is_spent(self) -> bool:
        return self.what.count is not None and self.used >= self.what.count


class Faults:
    """All faults in force. Owned by one event loop."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self.in_force: Sized = self._faults
        """Empty: nothing suffers anything. Always the same object, to be asked at each notification."""
        self._made = 0

    def __len__(self) -> int:
        return len(self._faults)

    def all(self) -> Sequence[Fault]:
        """In the order in which they were made."""
        return tuple(self._faults)

    def add(self, what: NewFault) -> Fault:
        """Put a fault in force. Raises ValueError when there are too many."""
        if len(self._faults) >= MAX_FAULTS:
            raise ValueError(f"there are {MAX_FAULTS} faults already; clear some")
        self._made += 1
        fault = Fault(f"fault-{self._made}", what)
        self._faults.append(fault)
        return fault

    def clear(self, fault_id: str | None = None) -> int:
        """End one fault, or all of them. Returns how many."""
        kept = [] if fault_id is None else [fault for fault in self._faults if fault.id != fault_id]
        ended = len(self._faults) - len(kept)
        self._faults[:] = kept
        return ended

    def of_notification(self, endpoint: Endpoint, body: bytes) -> Fault | None:
        """What a notification suffers; that counts as one use."""
        for fault in self._faults:
            what = fault.what
            if (
                isinstance(what, DeliveryFault)
                and _fits(what, endpoint)
                and (what.subscription_id is None or _is_for(body, what.subscription_id))
            ):
                return self._use(fault)
        return None

    def of_handshake(self, endpoint: Endpoint) -> Fault | None:
        for fault in self._faults:
            if isinstance(fault.what, DeliveryFault) and fault.what.handshakes and _fits(fault.what, endpoint):
                return self._use(fault)
        return None

    def cuts_socket(self, subscription: SubscriptionId) -> bool:
        """Whether the connection of a WebSocket subscription's client is to be cut; that counts as one use."""
        for fault in self._faults:
            if isinstance(fault.what, SocketFault) and fault.what.subscription_id in (None, subscription):
                self._use(fault)
                return True
        return False

    def refuses_tokens(self) -> bool:
        return any(isinstance(fault.what, TokenFault) for fault in self._faults)

    def of_token_request(self) -> TokenFault | None:
        for fault in self._faults:
            if isinstance(fault.what, TokenFault):
                self._use(fault)
                return fault.what
        return None

    def _use(self, fault: Fault) -> Fault:
        fault.used += 1
        if fault.is_spent:
            self._faults.remove(fault)
        return fault


class FaultySender(WebhookSender):
    """The real sender, behind the faults that are in force."""

    def __init__(self, sender: WebhookSender, faults: Faults) -> None:
        self._sender = sender
        self._post = sender.post
        self._faults = faults
        self._in_force = faults.in_force

    def post(
        self, endpoint: Endpoint, head: bytes, body: bytes, done: Callable[[AttemptResult], None]
    ) -> Callable[[], None]:
        if not self._in_force:
            return self._post(endpoint, head, body, done)
        fault = self._faults.of_notification(endpoint, body)
        if fault is None:
            return self._post(endpoint, head, body, done)
        assert isinstance(fault.what, DeliveryFault)
        return _Suffering(
            fault.id, fault.what, lambda told: self._sender.post(endpoint, head, body, told), done
        ).abandon

    async def ask(self, endpoint: Endpoint, head: bytes, body: bytes, *, timeout_seconds: float) -> Answer:
        fault = self._faults.of_handshake(endpoint) if len(self._faults) else None
        if fault is None:
            return await self._sender.ask(endpoint, head, body, timeout_seconds=timeout_seconds)
        assert isinstance(fault.what, DeliveryFault)
        what = fault.what
        if what.delay_seconds >= timeout_seconds:
            await asyncio.sleep(timeout_seconds)
            late = FailureCode.RESPONSE_TIMEOUT
            return Answer(late, sentence(late, cause=_on_purpose(fault.id)), duration_seconds=timeout_seconds)
        await asyncio.sleep(what.delay_seconds)
        if what.failure is not None:
            return Answer(
                what.failure,
                sentence(what.failure, cause=_on_purpose(fault.id)),
                duration_seconds=what.delay_seconds,
            )
        if what.status is not None:
            return Answer(None, "", status=what.status, duration_seconds=what.delay_seconds)
        return await self._sender.ask(endpoint, head, body, timeout_seconds=timeout_seconds - what.delay_seconds)


class _Suffering:
    """One POST under a fault: it waits, perhaps goes out, and comes to what the fault says."""

    def __init__(
        self,
        fault_id: str,
        what: DeliveryFault,
        send: Callable[[Callable[[AttemptResult], None]], Callable[[], None]],
        done: Callable[[AttemptResult], None],
    ) -> None:
        self._fault_id = fault_id
        self._what = what
        self._send = send
        self._done: Callable[[AttemptResult], None] | None = done
        self._abandon_post: Callable[[], None] | None = None
        loop = asyncio.get_running_loop()
        self._begun = loop.time()
        self._timer = loop.call_later(what.delay_seconds, self._go_on)

    def abandon(self) -> None:
        """As the sender's: `done` is called with CANCELLED, later, if it was not called yet."""
        if self._done is None:
            return
        if self._abandon_post is not None:
            self._abandon_post()
            return
        self._timer.cancel()
        cancelled = FailureCode.CANCELLED
        asyncio.get_running_loop().call_soon(self._end, AttemptResult(cancelled, 0, sentence(cancelled), 0.0))

    def _go_on(self) -> None:
        if self._what.failure is None and self._what.status is None:
            self._abandon_post = self._send(self._end)
        elif self._what.reaches:
            self._abandon_post = self._send(self._end_as_said)
        else:
            self._end_as_said(None)

    def _end_as_said(self, real: AttemptResult | None) -> None:
        if real is not None and real.failure is FailureCode.CANCELLED:
            self._end(real)
            return
        status = self._what.status or 0
        failure = self._what.failure or failure_of_status(status)
        assert failure is not None, "statuses from 300 on are failures"
        said = sentence(failure, status=status, cause=_on_purpose(self._fault_id))
        asked = self._what.retry_after_seconds
        self._end(AttemptResult(failure, status, said, 0.0, None if asked is None else float(asked)))

    def _end(self, result: AttemptResult) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        seconds = asyncio.get_running_loop().time() - self._begun
        done(AttemptResult(result.failure, result.status, result.detail, seconds, result.retry_after_seconds))


def _on_purpose(fault_id: str) -> str:
    return f"{fault_id}, injected on purpose"


def _fits(what: DeliveryFault, endpoint: Endpoint) -> bool:
    return what.host is None or re.fullmatch(translate(what.host), endpoint.host) is not None


def _is_for(body: bytes, subscription: SubscriptionId) -> bool:
    """Whether a notification is for this subscription: by its envelope, which comes before the event's own members,
    and whose values before `subscriptionId` can't hold an unescaped quote."""
    name = b'"subscriptionId":"'
    start = body.find(name)
    return start >= 0 and body.startswith(subscription.encode() + b'"', start + len(name))
