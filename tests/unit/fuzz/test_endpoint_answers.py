"""What endpoints answer, as arbitrary bytes in arbitrary pieces: each request has one outcome, whatever comes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from bellwire.model.attempt import AttemptResult
from bellwire.model.webhook import Endpoint
from bellwire.transports.connection import Connection
from bellwire.transports.limits import SenderLimits
from bellwire.transports.post import Post
from tests.doubles.stepped_clock import SteppedClock
from tests.doubles.wire import Wire

ENDPOINT = Endpoint("https", "endpoint.example", 443, "/")
LIMITS = SenderLimits(max_answer_bytes=500)
HEAD = b"POST / HTTP/1.1\r\nHost: endpoint.example\r\n"

fragments = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 204 No Content\r\n",
        b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: Fri, 99 Xxx 2026\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: http://169.254.169.254/\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/9.9 999 ?\r\n",
        b"Content-Length: 2\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Connection: close\r\n",
        b"X: " + b"x" * 600 + b"\r\n",
        b"X: a\r\n b\r\n",
        b"\r\n",
        b"\n",
        b"ok",
        b"2\r\nok\r\n",
        b"0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\n",
        b"\x1f\x8b\x08",
        b"\x16\x03\x01",
        b"\x00",
    ]
)
answers = st.one_of(
    st.binary(max_size=80), st.lists(st.one_of(fragments, st.binary(max_size=4)), max_size=9).map(b"".join)
)


class Pool:
    """Keeps nothing, and gives a connection that is free again one more request."""

    def __init__(self) -> None:
        self.freed = 0
        self.orphans: list[Post] = []

    def opened(self, connection: Connection) -> None: ...

    def free(self, connection: Connection, now: float) -> None:
        self.freed += 1

    def unusable(self, connection: Connection) -> None: ...

    def gone(self, connection: Connection, orphan: Post | None) -> None:
        if orphan is not None:
            self.orphans.append(orphan)

    def allow_for_standstill(self, now: float) -> None: ...


def deliver(pieces: list[bytes], body: bytes = b"{}") -> tuple[list[AttemptResult], Pool, Wire]:
    """One request on a new connection, the pieces that come back, and the connection's end."""
    outcomes: list[AttemptResult] = []
    pool, wire = Pool(), Wire()
    connection = Connection(("https", "endpoint.example", 443), pool, SteppedClock(), LIMITS)
    connection.connection_made(wire)
    connection.send(Post(ENDPOINT, HEAD, body, outcomes.append, connection.opened_at))
    for piece in pieces:
        if wire.closed:
            break
        connection.data_received(piece)
        kept = connection._partial_head
        assert kept is None or len(kept) <= LIMITS.max_answer_bytes + len(piece), "memory is bounded"
    if not wire.closed:
        connection.eof_received()
    connection.connection_lost(None)
    return outcomes, pool, wire


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(ends)]


@given(answers, st.lists(st.integers(0, 2000), max_size=6))
@example(b"HTTP/1.1 200 OK\r\n\r\n", [])
@example(b"HTTP/1.1 100 Continue\r\n\r\n" * 30, [25])
@example(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 5000, list(range(0, 5000, 100)))
def test_each_request_has_one_outcome_whatever_is_answered(answer: bytes, places: list[int]) -> None:
    outcomes, pool, _wire = deliver(cut(answer, places))

    assert len(outcomes) == 1
    assert pool.freed <= 1
    assert not pool.orphans, "it was written to a new connection, and is not sent a second time"
    outcome = outcomes[0]
    assert (outcome.failure is None) == (200 <= outcome.status < 300)
    assert outcome.failure is None or outcome.detail
    assert outcome.retry_after_seconds is None or outcome.retry_after_seconds >= 0


@given(answers, st.lists(st.integers(0, 2000), max_size=6))
def test_an_answer_means_the_same_however_it_is_cut(answer: bytes, places: list[int]) -> None:
    if len(answer) > LIMITS.max_answer_bytes:
        return  # whether it is too large is known sooner in small pieces
    whole, pieces = deliver(cut(answer, [])), deliver(cut(answer, places))

    assert [(o.failure, o.status, o.retry_after_seconds) for o in whole[0]] == [
        (o.failure, o.status, o.retry_after_seconds) for o in pieces[0]
    ]


@given(st.binary(max_size=300))
@example(b"\r\n\r\nPOST /smuggled HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
@example(b"x" * 200_000)
def test_the_length_is_the_sender_s_own_and_of_the_body_alone(body: bytes) -> None:
    _outcomes, _pool, wire = deliver([], body)

    assert bytes(wire.written) == HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_a_compressed_answer_is_not_unpacked() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"
    outcomes, pool, _wire = deliver([answer])

    assert [(outcome.failure, outcome.status) for outcome in outcomes] == [(None, 200)]
    assert pool.freed == 1
