"""The gateway's machine: sessions, connections and their rules; frames and times in, effects out (wire contract, 5).

    connect ─▶ ConnectionDetails ─┬─ fresh ─────────────────────▶ notifications flow
                                  └─ recovered ─▶ barrier ping ─▶ its pong ─▶ what was missed ─▶ flow
    subscribe ─▶ notifications wait ─▶ answer, barrier ping ─▶ its pong ─▶ flow
    connection lost ─▶ session and notifications are kept ─▶ connect with `wsc` in time, or the subscription ends

The barrier: a client must have parsed the answer in an earlier read than the first notification, which a pong proves;
otherwise a Node client dies (5.5) or loses what is replayed (5.8).

Methods are generators of effects: they go on when an effect has been done, so that a client that can't be written to
any more (`congested`) is noticed between two frames. Each has to be run to its end. `notify` alone gives a tuple where
there is one frame to write, which is the rule: a generator would be a third of what a frame costs.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from bellwire.model.ids import SubscriptionId
from bellwire.wire.gateway import frames
from bellwire.wire.gateway.codes import (
    BAD_RECOVERY_TOKEN,
    CLOSE_NORMAL,
    IDLE,
    REVOKED,
    TOO_MANY,
    TOO_OLD,
    RecoveryFailure,
    Refusal,
)
from bellwire.wire.gateway.effects import Abort, Call, Close, Effect, Ended, Outcome, Ping, ReadLog, Send, Told
from bellwire.wire.gateway.frames import ClientRequest, Heartbeat, Unreadable
from bellwire.wire.gateway.limits import MAX_FRAME_BYTES, GatewayLimits
from bellwire.wire.gateway.requests import refused_request
from bellwire.wire.gateway.session import Connection, Notification, Owner, Session
from bellwire.wire.gateway.tokens import RecoveryToken, parse_recovery_token

SUBSCRIPTION_HEADER = "WSG-SubscriptionId"
_PING = b"bw"


class Gateway:
    """All sessions of one server. Owned by one event loop.

    Args:
        time: running seconds, by which clients are idle and sessions end.
        real_time: running seconds that nobody can move, by which pongs are late: clients live in real time.
        new_key: unguessable, of `A-Za-z0-9-_`, 16 to 43 characters.
    """

    def __init__(
        self,
        *,
        limits: GatewayLimits,
        time: Callable[[], float],
        real_time: Callable[[], float],
        new_key: Callable[[], str],
    ) -> None:
        self.limits = limits
        self._time = time
        self._real_time = real_time
        self._new_key = new_key
        self._sessions: dict[str, Session] = {}
        self._by_subscription: dict[SubscriptionId, Session] = {}
        self._by_login: dict[str, set[Session]] = {}
        self._connections: dict[Connection, None] = {}
        self._of_login: Counter[Hashable] = Counter()
        self._of_user: Counter[Hashable] = Counter()
        self._leaving: deque[tuple[float, Session]] = deque()
        """Sessions that lost their connection, the first to end first; those that came back are passed over."""
        self.recoveries: Counter[str] = Counter()
        """How often sessions were recovered, by result."""

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def sessions(self) -> int:
        """With and without connection."""
        return len(self._sessions)

    def holds(self, subscription: SubscriptionId) -> bool:
        """Whether a session has this subscription, or is about to."""
        return subscription in self._by_subscription

    def is_connected(self, login: str) -> bool:
        """Whether an OAuth session has an open socket."""
        return login in self._of_login

    def connection_of(self, subscription: SubscriptionId) -> Connection | None:
        """Of the client that a subscription's notifications go to."""
        session = self._by_subscription.get(subscription)
        return session.connection if session is not None and session.subscription == subscription else None

    # Connections

    def refusal(self, owner: Owner, wsc: str | None) -> Refusal | None:
        """Why a socket with a good token can't be let in; None: it can."""
        limits = self.limits
        if (
            len(self._connections) >= limits.connections
            or self._of_login[owner.login] >= limits.connections_per_session
            or self._of_user[owner.user] >= limits.connections_per_user
        ):
            return TOO_MANY
        if wsc is not None and parse_recovery_token(wsc) is None:
            return BAD_RECOVERY_TOKEN
        return None

    def connect(
        self, owner: Owner, socket: Any, *, created: str, wsc: str | None = None
    ) -> tuple[Connection, Iterator[Effect]]:
        """Let a socket in that `refusal` has nothing against.

        Args:
            socket: the shell's own.
            created: now, as the wire has it.
            wsc: the recovery token, where the client gave one.
        """
        token = None if wsc is None else parse_recovery_token(wsc)
        failure = None if token is None else self._why_not_recovered(owner, token)
        recovered = self._sessions[token.session] if token is not None and failure is None else None
        superseded = None if recovered is None else recovered.connection
        if superseded is not None:
            self._take_off(superseded)
        session = recovered or self._new_session(owner)
        now, real = self._time(), self._real_time()
        connection = Connection(session, socket, now=now, ping_due=real + self.limits.ping_seconds)
        session.connection = connection
        self._connections[connection] = None
        self._of_login[owner.login] += 1
        self._of_user[owner.user] += 1
        return connection, self._greet(connection, created, token, recovered, failure, superseded)

    def _why_not_recovered(self, owner: Owner, token: RecoveryToken) -> RecoveryFailure | None:
        session = self._sessions.get(token.session)
        if session is None:
            return RecoveryFailure.GONE
        if session.owner.login != owner.login:
            return RecoveryFailure.OTHER_LOGIN
        if session.subscription is None or (session.connection is None and session.expires_at <= self._time()):
            return RecoveryFailure.GONE
        if not session.is_answered:
            return RecoveryFailure.GONE  # as in `dropped`: its client does not know of the subscription that it has now
        return None

    def _greet(  # noqa: PLR0917 - one caller
        self,
        connection: Connection,
        created: str,
        token: RecoveryToken | None,
        recovered: Session | None,
        failure: RecoveryFailure | None,
        superseded: Connection | None,
    ) -> Iterator[Effect]:
        session, limits = connection.session, self.limits
        if superseded is not None:
            yield Close(superseded, CLOSE_NORMAL, None)
        body: dict[str, Any] = {
            "creationTime": created,
            "maxConnectionsPerSession": limits.connections_per_session,
            "recoveryBufferSize": limits.recovery_messages,
            "recoveryTimeout": int(limits.recovery_seconds),
            "idleTimeout": int(limits.idle_seconds),
            "absoluteTimeout": int(limits.absolute_seconds),
            "maxActiveRequests": limits.active_requests,
        }
        if failure is not None:
            self.recoveries[f"failed {failure}"] += 1
            body |= {"recoveryState": "Failed", "recoveryErrorCode": failure.value}
        elif recovered is not None and token is not None:
            self.recoveries["successful"] += 1
            body["recoveryState"] = "Successful"
            self._rewind(session, token)
        session.sequence += 1
        yield Send(connection, frames.connection_details(session.token(), session.sequence, body))
        if recovered is not None:
            if session.is_reading and session.subscription is not None:
                yield ReadLog(connection, session.subscription, session.position, session.ordinal)
            yield from self._raise_barrier(connection)

    def _rewind(self, session: Session, token: RecoveryToken) -> None:
        """Have what the client has not read wait for it."""
        unread = min(len(session.sent), max(0, session.sequence - token.sequence))
        again = [session.sent.pop() for _ in range(unread)]
        session.sent.clear()
        session.sequence = max(session.sequence, token.sequence)
        session.position, session.ordinal = token.position, token.ordinal
        session.waiting_bytes = 0  # the recovery buffer is counted in notifications
        session.is_reading = self.limits.reads_log
        if session.is_reading:
            session.waiting.clear()
        else:
            session.waiting.extendleft(again)

    def _new_session(self, owner: Owner) -> Session:
        session = Session(self._new_key(), owner)
        self._sessions[session.key] = session
        self._by_login.setdefault(owner.login, set()).add(session)
        return session

    def restore(self, key: str, owner: Owner, subscription: SubscriptionId) -> None:
        """Take over a session of an earlier process; it ends like one whose connection was lost now."""
        session = Session(key, owner)
        session.subscription = subscription
        self._sessions[key] = session
        self._by_login.setdefault(owner.login, set()).add(session)
        self._by_subscription[subscription] = session
        self._leave(session)

    def close(self, connection: Connection, why: Refusal) -> Iterator[Effect]:
        """Say why by an Error frame, and close."""
        if not connection.is_open:
            return
        yield Send(connection, frames.error(why.code, why.status, why.message))
        yield Close(connection, why.close_code, why)
        yield from self.dropped(connection)

    def dropped(self, connection: Connection) -> Iterator[Effect]:
        """The connection is no more, for whatever reason."""
        if not connection.is_open:
            return
        session = connection.session
        self._take_off(connection)
        if session.subscription is None or not session.is_answered:
            yield from self._end(session)  # its client does not know of a subscription that it could recover
            return
        self._leave(session)
        for notification in session.waiting:
            yield Told(notification, Outcome.KEPT, session)
        if self.limits.reads_log:
            session.sent.clear()
            session.waiting.clear()
            session.waiting_bytes = 0
        else:
            yield from self._trim(session)

    def _take_off(self, connection: Connection) -> None:
        session = connection.session
        session.connection = None
        session.is_reading = False
        del self._connections[connection]
        owner = session.owner
        for counts, key in ((self._of_login, owner.login), (self._of_user, owner.user)):
            counts[key] -= 1
            if not counts[key]:
                del counts[key]

    def _leave(self, session: Session) -> None:
        session.expires_at = self._time() + self.limits.recovery_seconds
        self._leaving.append((session.expires_at, session))

    def _end(self, session: Session) -> Iterator[Effect]:
        """The session is no more; its connection, if it had one, is off already."""
        if self._sessions.pop(session.key, None) is None:
            return
        of_login = self._by_login[session.owner.login]
        of_login.discard(session)
        if not of_login:
            del self._by_login[session.owner.login]
        for coming in session.coming or ():
            self._by_subscription.pop(coming, None)
        session.coming = None
        for notification in session.waiting:
            yield Told(notification, Outcome.EXPIRED, session)
        session.waiting.clear()
        if session.subscription is not None:
            self._by_subscription.pop(session.subscription, None)
            yield Ended(session.subscription)
            session.subscription = None

    def revoke(self, login: str) -> Iterator[Effect]:
        """An OAuth session was ended: so are its sockets, and what they subscribed to."""
        for session in list(self._by_login.get(login, ())):
            connection = session.connection
            if connection is not None:
                yield Send(connection, frames.error(REVOKED.code, REVOKED.status, REVOKED.message))
                yield Close(connection, REVOKED.close_code, REVOKED)
                self._take_off(connection)
            yield from self._end(session)

    # Time

    def sweep(self) -> Iterator[Effect]:
        """To be called about once a second: pings, pongs that are late, timeouts, sessions that end."""
        now, real, limits = self._time(), self._real_time(), self.limits
        for connection in list(self._connections):
            if not connection.is_open:
                continue
            if now - connection.opened_at >= limits.absolute_seconds:
                yield from self.close(connection, TOO_OLD)
            elif now - connection.last_active >= limits.idle_seconds:
                yield from self.close(connection, IDLE)
            elif connection.pong_due is not None:
                if real >= connection.pong_due:
                    yield Abort(connection)
                    yield from self.dropped(connection)
            elif real >= connection.ping_due:
                yield self._ping(connection)
        while self._leaving and self._leaving[0][0] <= now:
            left_at, session = self._leaving.popleft()
            if session.connection is None and session.expires_at == left_at:
                yield from self._end(session)

    def pong(self, connection: Connection, payload: bytes) -> Iterator[Effect]:
        """A pong came. One may answer several pings: those before it, too."""
        number = payload[len(_PING) :]
        if not connection.is_open or not payload.startswith(_PING) or not number.isdigit() or len(number) > 15:
            return
        answered = int(number)
        if answered > connection.pinged:
            return
        connection.pong_due = None if answered == connection.pinged else self._real_time() + self.limits.pong_seconds
        if connection.barrier is not None and answered >= connection.barrier:
            connection.barrier = None
            yield from self._flow(connection)

    def client_ping(self, connection: Connection) -> None:
        """A ping of the client's came, which is activity."""
        connection.last_active = self._time()

    def _ping(self, connection: Connection) -> Ping:
        real = self._real_time()
        connection.pinged += 1
        connection.ping_due = real + self.limits.ping_seconds
        if connection.pong_due is None:
            connection.pong_due = real + self.limits.pong_seconds
        return Ping(connection, b"%b%d" % (_PING, connection.pinged))

    def _raise_barrier(self, connection: Connection) -> Iterator[Effect]:
        ping = self._ping(connection)
        connection.barrier = connection.pinged
        yield ping

    # Frames of clients

    def received(self, connection: Connection, text: str | bytes) -> Iterator[Effect]:
        """A text frame came."""
        if not connection.is_open:
            return
        connection.last_active = self._time()
        match frames.read_frame(text):
            case Heartbeat(message_id):
                yield Send(connection, frames.heartbeat(message_id))
            case Unreadable() as unreadable:
                yield Send(connection, frames.unreadable_frame(unreadable))
            case ClientRequest() as request:
                yield self._take_request(connection, request)

    def _take_request(self, connection: Connection, request: ClientRequest) -> Effect:
        most = self.limits.active_requests
        if connection.active_requests >= most:
            said = f"More than {most} requests of this connection are under way"
            return Send(connection, frames.failed_answer(request.message_id, 429, "CMN-304", said))
        reason = refused_request(request)
        if reason is not None:
            return Send(connection, frames.failed_answer(request.message_id, 400, "CMN-104", reason))
        connection.active_requests += 1
        return Call(connection, request)

    def answered(self, call: Call, status: int, headers: dict[str, str], body: bytes) -> Iterator[Effect]:
        """A request's answer is there.

        Args:
            body: JSON, or empty.
        """
        connection, message_id = call.connection, call.request.message_id
        connection.active_requests -= 1
        if not connection.is_open:
            return
        succeeded = status < 300
        if succeeded and call.subscription is not None:
            headers[SUBSCRIPTION_HEADER] = call.subscription
        frame = frames.answer(message_id, status, headers, body)
        if len(frame) > MAX_FRAME_BYTES:
            said = f"The answer is larger than {MAX_FRAME_BYTES} bytes; ask over HTTP"
            frame = frames.failed_answer(message_id, 413, "CMN-104", said)
        connection.last_active = self._time()
        yield Send(connection, frame)
        if call.is_new and connection.session.subscription == call.subscription:
            connection.session.is_answered = True
            yield from self._raise_barrier(connection)

    # Subscriptions

    def begin(self, call: Call, subscription: SubscriptionId) -> None:
        """A subscription is being made for a call's session: what matches from now on waits."""
        session = call.session
        if session.coming is None:
            session.coming = {}
        session.coming[subscription] = []
        self._by_subscription[subscription] = session

    def abandon(self, call: Call, subscription: SubscriptionId) -> None:
        """It could not be made."""
        if call.session.coming is not None:
            call.session.coming.pop(subscription, None)
        if call.session.subscription != subscription:
            self._by_subscription.pop(subscription, None)

    def activate(self, call: Call, subscription: SubscriptionId) -> SubscriptionId | None:
        """It is made, and takes the place of the session's subscription of before, whose notifications are dropped.

        Returns:
            the one of before, to be deleted; the new one itself when the session has ended meanwhile, or has another
            connection: nobody would be told of it.
        """
        session = call.session
        if session.key not in self._sessions or session.connection is not call.connection:
            self.abandon(call, subscription)
            return subscription
        before = session.subscription
        if before is not None:
            self._by_subscription.pop(before, None)
        session.sent.clear()
        session.waiting = deque((session.coming or {}).pop(subscription, ()))
        session.waiting_bytes = sum(notification.size_bytes for notification in session.waiting)
        session.position = session.ordinal = 0
        session.subscription = subscription
        session.is_answered = False
        call.subscription, call.is_new = subscription, True
        return before

    def updated(self, call: Call, subscription: SubscriptionId) -> None:
        """The call changed its session's subscription."""
        call.subscription = subscription

    def unsubscribed(self, subscription: SubscriptionId) -> Iterator[Effect]:
        """A subscription was deleted, by whomever."""
        session = self._by_subscription.get(subscription)
        if session is None or session.subscription != subscription:
            return
        del self._by_subscription[subscription]
        session.subscription = None
        session.is_answered = True
        session.sent.clear()
        session.waiting.clear()
        session.waiting_bytes = 0
        if session.connection is None:
            yield from self._end(session)

    # Notifications

    def notify(self, subscription: SubscriptionId, notification: Notification) -> Iterable[Effect]:
        """An event matched. In log order for each subscription."""
        session = self._by_subscription.get(subscription)
        if session is None:
            return ()
        connection = session.connection
        if (
            connection is not None
            and session.subscription == subscription
            and not session.waiting
            and self._may_write(connection)
        ):
            return self._write(connection, notification)
        return self._keep(session, subscription, notification)

    def _keep(self, session: Session, subscription: SubscriptionId, notification: Notification) -> Iterator[Effect]:
        """It can't be written now."""
        if session.subscription != subscription:
            if session.coming is not None and subscription in session.coming:
                session.coming[subscription].append(notification)
            return
        connection = session.connection
        if connection is None:
            yield Told(notification, Outcome.KEPT, session)
            if not self.limits.reads_log:
                session.waiting.append(notification)
                yield from self._trim(session)
        else:
            session.waiting.append(notification)
            session.waiting_bytes += notification.size_bytes
            if session.waiting_bytes > self.limits.waiting_bytes:
                yield Abort(connection)
                yield from self.dropped(connection)

    def read_from_here(self, connection: Connection) -> None:
        """What waits for a session that is being read for is in the log as well, up to this moment; from now on it
        comes after what the log has."""
        session = connection.session
        if connection.is_open and session.is_reading:
            session.waiting.clear()
            session.waiting_bytes = 0

    def found(self, connection: Connection, missed: Iterable[Notification]) -> Iterator[Effect]:
        """What a recovered connection's session missed was read from the event log; it goes before what came since."""
        session = connection.session
        if not connection.is_open or not session.is_reading:
            return
        session.is_reading = False
        session.waiting.extendleft(reversed(list(missed)))
        yield from self._flow(connection)

    def not_found(self, connection: Connection) -> Iterator[Effect]:
        """The event log could not be read: the client is to recover once more, rather than to wait for ever."""
        if connection.session.is_reading:
            yield from self.cut(connection)

    def congested(self, connection: Connection) -> None:
        """More was written than the client has read yet: notifications wait."""
        connection.is_congested = True

    def drained(self, connection: Connection) -> Iterator[Effect]:
        """It has read on."""
        connection.is_congested = False
        yield from self._flow(connection)

    def overrun(self, connection: Connection) -> Iterator[Effect]:
        """Answers to a client that does not read have piled up."""
        yield from self.cut(connection)

    def cut(self, connection: Connection) -> Iterator[Effect]:
        """End a connection without a word; its session is left as after any loss."""
        if connection.is_open:
            yield Abort(connection)
            yield from self.dropped(connection)

    def _may_write(self, connection: Connection) -> bool:
        session = connection.session
        return (
            connection.barrier is None
            and not connection.is_congested
            and session.is_answered
            and not session.is_reading
            and session.connection is connection
        )

    def _flow(self, connection: Connection) -> Iterator[Effect]:
        session = connection.session
        while session.waiting and self._may_write(connection):
            notification = session.waiting.popleft()
            if session.waiting_bytes:
                session.waiting_bytes = max(0, session.waiting_bytes - notification.size_bytes)
            yield from self._write(connection, notification)

    def _write(self, connection: Connection, notification: Notification) -> tuple[Effect, ...]:
        session = connection.session
        position = notification.position
        ordinal = session.ordinal + 1 if position == session.position else 0
        sequence = session.sequence + 1
        wsc = f'{{"token":"{session.key}.{sequence}.{position}.{ordinal}","sequence":{sequence}}}'
        frame = frames.notification(notification.uuid, notification.request_id, wsc, notification.envelope())
        if len(frame) > MAX_FRAME_BYTES:
            return (Told(notification, Outcome.TOO_LARGE, session),)
        session.sequence, session.position, session.ordinal = sequence, position, ordinal
        if not self.limits.reads_log:
            session.sent.append(notification)
            if len(session.sent) > self.limits.recovery_messages:
                session.sent.popleft()
        connection.last_active = self._time()
        return Send(connection, frame), Told(notification, Outcome.SENT, session)

    def _trim(self, session: Session) -> Iterator[Effect]:
        """Keep the newest of what a session without connection may still be owed."""
        most = self.limits.recovery_messages
        while len(session.sent) + len(session.waiting) > most:
            if session.sent:
                session.sent.popleft()
            else:
                yield Told(session.waiting.popleft(), Outcome.OVERFLOWED, session)
