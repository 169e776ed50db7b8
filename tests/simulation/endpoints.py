"""Endpoints that take, fail, refuse, hang and lose answers, and the `WebhookSender` that leads to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random

import msgspec

from bellwire.model.attempt import AttemptResult, FailureCode
from bellwire.model.ids import SubscriptionId
from bellwire.model.webhook import Answer, Endpoint
from tests.simulation.audit import Audit, Name

TIMEOUT = 3.0
Done = Callable[[AttemptResult], None]
_OK = AttemptResult(None, 200, "", 0.01)


class Mood(Enum):
    GOOD = "good"
    SLOW = "slow"
    FLAKY = "flaky"
    DOWN = "down"
    LOSSY = "lossy"
    """Takes some, and its answer is lost."""
    REFUSING = "refusing"
    THROTTLING = "throttling"
    HANGING = "hanging"


class _Envelope(msgspec.Struct):
    uuid: str
    event: str
    body: _Body
    subscription: str = msgspec.field(name="subscriptionId")


class _Body(msgspec.Struct):
    n: int


_decode = msgspec.json.Decoder(_Envelope).decode


@dataclass(eq=False, slots=True)
class _Post:
    name: Name
    key: str
    done: Done
    arrives: asyncio.TimerHandle | None = None
    ends: asyncio.TimerHandle | None = None


class SimulatedEndpoints:
    """One per subscription, all with the same sender. `moods`: how each behaves now; those not named are good."""

    def __init__(self, audit: Audit, random: Random) -> None:
        self.moods: dict[SubscriptionId, Mood] = {}
        self.posts = 0
        self._audit = audit
        self._random = random
        self._under_way: set[_Post] = set()
        self._dead = False

    @property
    def in_flight(self) -> int:
        return len(self._under_way)

    def begin(self) -> None:
        """Another process sends from now on."""
        self._dead = False

    def kill(self) -> None:
        """The sending process dies: what is on its way arrives, or does not, and nobody hears of it."""
        self._dead = True
        for post in self._under_way:
            if post.arrives is not None and self._random.random() < 0.5:
                self._audit.arrived(post.name, post.key)
        self._under_way.clear()

    def post(self, endpoint: Endpoint, head: bytes, body: bytes, done: Done) -> Callable[[], None]:
        if self._dead:
            return lambda: None
        self.posts += 1
        found = _decode(body)
        subscription = SubscriptionId(found.subscription)
        assert endpoint.target == f"/{subscription}", "a notification went to another's endpoint"
        assert head.startswith(b"POST ")
        key = self._audit.happenings[found.body.n].key
        loop = asyncio.get_running_loop()
        name = self._audit.posted(subscription, found.body.n, found.event, found.uuid, loop.time())
        post = _Post(name, key, done)
        self._under_way.add(post)
        arrives, seconds, result = self._fate(self.moods.get(subscription, Mood.GOOD))
        if arrives:
            post.arrives = loop.call_later(seconds * self._random.random(), self._arrive, post)
        post.ends = loop.call_later(seconds, self._end, post, result)
        return lambda: self._abandon(post)

    async def ask(self, endpoint: Endpoint, head: bytes, body: bytes, *, timeout_seconds: float) -> Answer:
        raise NotImplementedError("no handshakes here")

    def _fate(self, mood: Mood) -> tuple[bool, float, AttemptResult]:
        """Whether it arrives, how long the attempt takes, and what the sender makes of it."""
        chance = self._random.random()
        quick = 0.002 + 0.3 * self._random.random() ** 3
        match mood:
            case Mood.SLOW:
                return True, 0.2 + 2.0 * chance, _OK
            case Mood.FLAKY if chance < 0.3:
                return chance < 0.15, quick, _failure(FailureCode.STATUS_5XX, 500)
            case Mood.DOWN:
                return False, quick, _failure(FailureCode.CONNECT_REFUSED)
            case Mood.LOSSY if chance < 0.4:
                return True, quick, _failure(FailureCode.RESET)
            case Mood.REFUSING if chance < 0.5:
                return True, quick, _failure(FailureCode.STATUS_4XX, 422)
            case Mood.THROTTLING if chance < 0.5:
                return True, quick, _failure(FailureCode.THROTTLED, 429, 0.5 + 3 * chance)
            case Mood.HANGING if chance < 0.5:
                return True, TIMEOUT, _failure(FailureCode.RESPONSE_TIMEOUT)
        return True, quick, _OK

    def _arrive(self, post: _Post) -> None:
        post.arrives = None
        self._audit.arrived(post.name, post.key)

    def _end(self, post: _Post, result: AttemptResult) -> None:
        if post.arrives is not None:  # timers of one moment have no order
            post.arrives.cancel()
            self._arrive(post)
        self._under_way.discard(post)
        self._audit.ended(post.name, post.key, asyncio.get_running_loop().time(), delivered=result.failure is None)
        post.done(result)

    def _abandon(self, post: _Post) -> None:
        if post not in self._under_way:
            return
        self._under_way.discard(post)
        for timer in (post.arrives, post.ends):
            if timer is not None:
                timer.cancel()
        if post.arrives is not None and self._random.random() < 0.5:
            self._audit.arrived(post.name, post.key)
        loop = asyncio.get_running_loop()
        self._audit.ended(post.name, post.key, loop.time(), delivered=False)
        loop.call_soon(post.done, _failure(FailureCode.CANCELLED))


def _failure(code: FailureCode, status: int = 0, retry_after: float | None = None) -> AttemptResult:
    return AttemptResult(code, status, "It failed.", 0.01, retry_after)
