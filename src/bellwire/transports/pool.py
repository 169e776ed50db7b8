"""Which request goes out on which connection, and when connections are opened and closed.

Each origin has its idle connections (the one used last is used first), its requests that wait (first come, first
served) and its dials. A dial is started while more requests wait than dials run, within the limits of the origin and
of all together. Where the total is used up, an idle connection of another origin is closed; failing that, the origin
queues for the next connection that closes anywhere. How many requests may wait is the caller's to limit.

Deadlines are looked at by one sweep over the connections every 50 ms: a timer for each request would cost as much as
parsing its answer. A sweep that is long overdue shows that the process itself stood still (stopped, frozen with its
container, out of processor time) while answers lay in the sockets: then everybody gets that time on top.
"""

from __future__ import annotations

import asyncio
from collections import deque

from bellwire.delivery.failures import sentence
from bellwire.model.attempt import FailureCode
from bellwire.model.webhook import Endpoint
from bellwire.ports.clock import Clock
from bellwire.transports.connection import Connection
from bellwire.transports.dial import Dialer, DialFailure, Stage
from bellwire.transports.known_answers import KnownAnswers
from bellwire.transports.limits import SenderLimits
from bellwire.transports.post import Post

OriginKey = tuple[str, str, int]


class _Origin:
    __slots__ = ("dials", "endpoint", "idle", "is_queued", "key", "open", "waiting")

    def __init__(self, endpoint: Endpoint) -> None:
        self.key = endpoint.origin
        self.endpoint = endpoint
        self.idle: list[Connection] = []
        """Idle for longest first."""
        self.waiting: deque[Post] = deque()
        """Handed over earliest first."""
        self.open = 0
        self.dials: list[_Dial] = []
        self.is_queued = False

    @property
    def connections(self) -> int:
        return self.open + len(self.dials)

    @property
    def undialled(self) -> int:
        """How many requests wait for which no dial runs."""
        return len(self.waiting) - sum(dial.post is None for dial in self.dials)

    @property
    def is_unused(self) -> bool:
        return not (self.open or self.dials or self.waiting)


class _Dial:
    """A connection being opened, for whoever waits then, or for one request that needs a fresh one."""

    __slots__ = ("post", "stage", "task")

    def __init__(self, post: Post | None) -> None:
        self.post = post
        self.stage = Stage()
        self.task: asyncio.Task[None] | None = None


class Pool:
    """Connections to all origins. Implements `connection.Keeper`."""

    def __init__(self, dialer: Dialer, clock: Clock, limits: SenderLimits) -> None:
        self._dialer = dialer
        self._clock = clock
        self._limits = limits
        self._known = KnownAnswers()
        self._origins: dict[OriginKey, _Origin] = {}
        self._connections: set[Connection] = set()
        self._dialing = 0
        self._queued: deque[_Origin] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweep_due = 0.0
        self._all_gone = asyncio.Event()
        self._closed = False
        self._requests_before = self._connections_before = 0
        self.retried = 0
        """Requests that were sent once more, on a fresh connection."""
        self.failed_dials = 0

    # Figures.

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    @property
    def in_flight(self) -> int:
        """Requests without an outcome yet, waiting ones included."""
        carried = sum(connection.post is not None for connection in self._connections)
        return carried + sum(
            len(origin.waiting) + sum(dial.post is not None for dial in origin.dials)
            for origin in self._origins.values()
        )

    @property
    def reused(self) -> int:
        """Requests that went out on a connection that was open already."""
        requests = self._requests_before + sum(connection.served for connection in self._connections)
        used = self._connections_before + sum(connection.served > 0 for connection in self._connections)
        return requests - used

    # What the client asks.

    def submit(self, post: Post) -> None:
        endpoint = post.endpoint
        key = (endpoint.scheme, endpoint.host, endpoint.port)
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = _Origin(endpoint)
        if origin.idle:
            origin.idle.pop().send(post)
        else:
            origin.waiting.append(post)
            self._grow(origin)

    def abandon(self, post: Post) -> None:
        """Let go of a request, wherever it is; its outcome is the caller's to tell."""
        origin = self._origins.get(post.endpoint.origin)
        if origin is None:
            return
        if post in origin.waiting:
            origin.waiting.remove(post)
            return
        for dial in origin.dials:
            if dial.post is post:
                dial.post = None
                return
        for connection in self._connections:
            if connection.post is post:
                connection.abort()
                return

    async def close(self) -> list[Post]:
        """Close everything; returns the requests that had no outcome yet."""
        self._closed = True
        orphans: list[Post] = []
        tasks: list[asyncio.Task[None]] = []
        for connection in list(self._connections):
            if connection.post is not None:
                orphans.append(connection.post)
            connection.abort()
        for origin in self._origins.values():
            orphans.extend(origin.waiting)
            origin.waiting.clear()
            for dial in origin.dials:
                if dial.post is not None:
                    orphans.append(dial.post)
                    dial.post = None
                if dial.task is not None:
                    dial.task.cancel()
                    tasks.append(dial.task)
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connections:
            await self._all_gone.wait()
        if self._sweeper is not None:
            self._sweeper.cancel()
        return orphans

    # What connections say.

    def opened(self, connection: Connection) -> None:
        origin = self._origins.get(connection.origin)
        if self._closed or origin is None:
            connection.abort()
            return
        self._connections.add(connection)
        origin.open += 1
        self._all_gone.clear()

    def free(self, connection: Connection, now: float) -> None:
        origin = self._origins[connection.origin]
        if self._closed or (connection.served and connection.is_too_old(now)):
            connection.close()
        elif origin.waiting:
            connection.send(origin.waiting.popleft())
        else:
            connection.idle_since = now
            origin.idle.append(connection)
            if self._queued:
                self._make_room()

    def unusable(self, connection: Connection) -> None:
        origin = self._origins.get(connection.origin)
        if origin is not None and connection in origin.idle:
            origin.idle.remove(connection)

    def gone(self, connection: Connection, orphan: Post | None) -> None:
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        self.unusable(connection)
        self._requests_before += connection.served
        self._connections_before += connection.served > 0
        origin = self._origins[connection.origin]
        origin.open -= 1
        if orphan is not None and not self._closed:
            orphan.retried = True
            self.retried += 1
            self._dial(origin, orphan)
        self._grow(origin)
        self._serve_queued()
        self._forget_if_unused(origin)
        if not self._connections:
            self._all_gone.set()

    def allow_for_standstill(self, now: float) -> None:
        """If the process stood still, let everything under way have begun so much later. Dials keep their own time:
        those that were under way fail, and are tried again."""
        stood = now - self._sweep_due
        if self._sweeper is None or stood <= self._limits.standstill:
            return
        self._sweep_due = now
        for connection in self._connections:
            connection.deadline += stood
            if connection.post is not None:
                connection.post.started += stood
        for origin in self._origins.values():
            for post in (*origin.waiting, *(dial.post for dial in origin.dials)):
                if post is not None:
                    post.started += stood

    # Opening connections.

    def _grow(self, origin: _Origin) -> None:
        """Start dials for requests that wait, as far as the limits allow."""
        wanted = origin.undialled
        room = self._limits.max_connections_per_origin - origin.connections
        for _ in range(min(wanted, room)):
            if len(self._connections) + self._dialing >= self._limits.max_connections:
                if not origin.is_queued:
                    origin.is_queued = True
                    self._queued.append(origin)
                self._make_room()
                return
            self._dial(origin, None)

    def _dial(self, origin: _Origin, post: Post | None) -> None:
        if self._closed:
            return
        dial = _Dial(post)
        origin.dials.append(dial)
        self._dialing += 1
        dial.task = asyncio.create_task(self._run(origin, dial), name=f"dial {origin.endpoint.host}")
        if self._sweeper is None:
            self._sweep_later()

    async def _run(self, origin: _Origin, dial: _Dial) -> None:
        connection = Connection(origin.key, self, self._clock, self._limits, self._known)
        try:
            outcome = await self._dialer.connect(
                origin.endpoint, lambda: connection, timeout_seconds=self._limits.connect_timeout, stage=dial.stage
            )
        except BaseException:
            # Stopping, or a bug of ours: either way the request must come to its outcome.
            if dial.post is not None:
                origin.waiting.appendleft(dial.post)
            self._drop(connection)
            raise
        finally:
            origin.dials.remove(dial)
            self._dialing -= 1
        if isinstance(outcome, DialFailure):
            self._drop(connection)
            self._dial_failed(origin, dial, outcome)
        elif outcome.is_closing:
            # Counting it as a failed dial keeps an endpoint that accepts and hangs up from being dialled in a loop.
            code = FailureCode.RESET
            self._dial_failed(origin, dial, DialFailure(code, sentence(code, cause="right after it was opened")))
        elif dial.post is not None:
            outcome.send(dial.post)
        else:
            self.free(outcome, self._clock.monotonic())

    def _drop(self, connection: Connection) -> None:
        """Let go of a connection that opened just when its dial ran out of time or was cancelled: uvloop then closes
        it without telling that it is lost."""
        if connection in self._connections:
            connection.abort()
            self.gone(connection, None)

    def _dial_failed(self, origin: _Origin, dial: _Dial, failure: DialFailure) -> None:
        """A dial's failure is the outcome of the request that it was for, or of the one that has waited longest."""
        self.failed_dials += 1
        post = dial.post
        if post is None and origin.waiting:
            post = origin.waiting.popleft()
        self._grow(origin)
        self._serve_queued()
        self._forget_if_unused(origin)
        if post is not None:
            post.finish(self._clock.monotonic(), failure.code, detail=failure.detail)

    # Sharing the total.

    def _make_room(self) -> None:
        """Close the longest idle connection of all, for an origin that queues; its place is given when it is gone: at
        once, without TLS's goodbye, since a request's three seconds are running."""
        longest = min(
            (origin.idle[0] for origin in self._origins.values() if origin.idle),
            key=lambda connection: connection.idle_since,
            default=None,
        )
        if longest is not None:
            self.unusable(longest)
            longest.abort()

    def _serve_queued(self) -> None:
        while self._queued and len(self._connections) + self._dialing < self._limits.max_connections:
            origin = self._queued.popleft()
            origin.is_queued = False
            if origin.waiting:
                # One connection at a time, then to the end of the queue: no origin takes all that is freed.
                if origin.connections < self._limits.max_connections_per_origin:
                    self._dial(origin, None)
                if origin.undialled > 0:
                    origin.is_queued = True
                    self._queued.append(origin)

    def _forget_if_unused(self, origin: _Origin) -> None:
        if origin.is_unused and not origin.is_queued:
            self._origins.pop(origin.key, None)

    # Time.

    def _sweep_later(self) -> None:
        self._sweep_due = self._clock.monotonic() + self._limits.sweep_every
        self._sweeper = asyncio.get_running_loop().call_later(self._limits.sweep_every, self._sweep)

    def _sweep(self) -> None:
        if not self._origins:
            self._sweeper = None
            return
        now = self._clock.monotonic()
        self.allow_for_standstill(now)
        self._sweep_later()
        late: list[tuple[Post, FailureCode]] = []
        for connection in list(self._connections):
            if (connection.post is not None or connection.draining) and now >= connection.deadline:
                if connection.post is not None:
                    late.append((connection.post, FailureCode.RESPONSE_TIMEOUT))
                connection.abort()
        overdue = now - self._limits.answer_timeout
        for origin in list(self._origins.values()):
            self._sweep_waiting(origin, overdue, late)
            self._sweep_idle(origin, now)
            self._forget_if_unused(origin)
        for post, code in late:
            # One by one, so that an error in who is told of one doesn't keep the others from being told.
            asyncio.get_running_loop().call_soon(post.finish, now, code, 0, sentence(code))

    def _sweep_waiting(self, origin: _Origin, overdue: float, late: list[tuple[Post, FailureCode]]) -> None:
        for dial in origin.dials:
            if dial.post is not None and dial.post.started <= overdue:
                late.append((dial.post, dial.stage.if_late))
                dial.post = None
        while origin.waiting and origin.waiting[0].started <= overdue:
            # What it waited for: the oldest dial, or one of the busy connections.
            code = origin.dials[0].stage.if_late if origin.dials else FailureCode.RESPONSE_TIMEOUT
            late.append((origin.waiting.popleft(), code))

    def _sweep_idle(self, origin: _Origin, now: float) -> None:
        idle, limits = origin.idle, self._limits
        while idle:
            idle_for = now - idle[0].idle_since
            surplus = len(idle) > limits.max_idle_per_origin and idle_for > limits.surplus_idle_for
            if not surplus and idle_for <= limits.idle_for:
                return
            idle.pop(0).close()
