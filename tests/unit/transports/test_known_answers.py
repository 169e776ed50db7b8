"""Answers that are known by heart mean what they meant when they were parsed."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from bellwire.model.attempt import AttemptResult
from bellwire.transports.connection import Connection
from bellwire.transports.known_answers import LONGEST_REMEMBERED, MOST_REMEMBERED, KnownAnswers
from bellwire.transports.post import Post
from tests.doubles.stepped_clock import SteppedClock
from tests.doubles.wire import Wire
from tests.unit.fuzz.test_endpoint_answers import ENDPOINT, HEAD, LIMITS, Pool, answers

CLEAN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class NothingKnown(KnownAnswers):
    """Has every answer parsed."""

    def remember(self, answer: bytes, status: int) -> None: ...


def converse(chunks: list[list[bytes]], known: KnownAnswers) -> list[object]:
    """One request after the other on a connection, with the chunks that answer each, for as long as it can be used;
    what came of them."""
    seen: list[object] = []
    outcomes: list[AttemptResult] = []
    pool, wire = Pool(), Wire()
    connection = Connection(("https", "endpoint.example", 443), pool, SteppedClock(), LIMITS, known)
    connection.connection_made(wire)
    for answer in chunks:
        freed = pool.freed
        connection.send(Post(ENDPOINT, HEAD, b"{}", outcomes.append, connection.opened_at))
        for chunk in answer:
            if not wire.closed:
                connection.data_received(chunk)
        seen.append((list(outcomes), pool.freed, wire.closed, connection.draining, connection.post is None))
        if wire.closed or pool.freed != freed + 1:
            break
    connection.connection_lost(None)
    return [*seen, outcomes, len(pool.orphans)]


@given(
    st.lists(st.lists(st.one_of(st.sampled_from([CLEAN, CLOSING, b""]), answers), min_size=1, max_size=3), max_size=6)
)
@example([[CLEAN], [CLEAN], [CLEAN + b"\r\n"], [CLEAN + b"\r\n"], [CLEAN]])
@example([[CLEAN], [CLEAN[:20], CLEAN[20:]], [CLEAN], [b"HTTP/1.1 100 Continue\r\n\r\n", CLEAN], [CLEAN]])
@example([[CLEAN], [CLEAN, CLEAN]])
@example([[CLEAN], [CLOSING], [CLOSING]])
def test_a_conversation_goes_as_if_every_answer_were_parsed(chunks: list[list[bytes]]) -> None:
    known = KnownAnswers()
    converse(chunks, known)  # whatever can be learned from it is known afterwards

    assert converse(chunks, known) == converse(chunks, NothingKnown())


def test_what_came_once_as_a_clean_answer_is_known() -> None:
    known = KnownAnswers()
    converse([[CLEAN]], known)

    assert known.status_of(CLEAN) == 200


def test_failures_and_goodbyes_are_parsed_each_time() -> None:
    known = KnownAnswers()
    for answer in (CLOSING, b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"):
        converse([[answer]], known)

        assert known.status_of(answer) is None


def test_its_memory_is_bounded() -> None:
    known = KnownAnswers()
    for number in range(3 * MOST_REMEMBERED):
        known.remember(b"%d" % number, 200)
    known.remember(b"x" * (LONGEST_REMEMBERED + 1), 200)

    assert sum(known.status_of(b"%d" % number) is not None for number in range(3 * MOST_REMEMBERED)) <= MOST_REMEMBERED
    assert known.status_of(b"x" * (LONGEST_REMEMBERED + 1)) is None
