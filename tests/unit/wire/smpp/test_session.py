from __future__ import annotations

from collections import Counter

import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bellwire.wire.smpp.pace import Pace
from bellwire.wire.smpp.pdus import Address, BindTransceiver, Status, SubmitSm
from bellwire.wire.smpp.session import (
    Answered,
    Bound,
    Delivery,
    Ended,
    EndReason,
    Session,
    SessionLimits,
    Unanswered,
)
from bellwire.wire.smpp.timers import TimerPolicy
from tests.unit.wire.smpp.peer_pdus import bind_answer, deliver, raw, split, submit_answer

BIND = BindTransceiver("bellwire", "secret")
TIMERS = TimerPolicy(bind=10, enquire_link=30, response=5)
LIMITS = SessionLimits(window=3, timers=TIMERS, max_deliveries=2)
PDU = SubmitSm(Address("16505550180", 1, 1), Address("16505550142", 1, 1), 0, b"Hi")

RESP = 0x80000000


def a_bound_session(*, limits: SessionLimits = LIMITS, pace: Pace | None = None) -> Session[str]:
    session: Session[str] = Session(BIND, limits, pace or Pace(None), now=0)
    assert session.receive(bind_answer(), 0) == [Bound("smsc")]
    session.take_bytes()
    return session


def answers_of(session: Session[str]) -> list[tuple[int, int, int]]:
    """Command, status and sequence of what it wrote."""
    pdus = split(session.take_bytes())
    return [(p.command_id, p.command_status, p.sequence_number) for p in pdus if isinstance(p, smpp34.RawPdu)]


def test_it_begins_with_a_bind_and_takes_texts_once_that_is_accepted() -> None:
    session: Session[str] = Session(BIND, LIMITS, Pace(None), now=0)

    (bind,) = split(session.take_bytes())
    assert isinstance(bind, smpp34.RawPdu)
    assert (bind.command_id, bind.sequence_number) == (0x9, 1)
    assert bind.body.startswith(b"bellwire\0secret\0")
    assert session.submit_at(0) is None
    assert session.receive(bind_answer(), 1) == [Bound("smsc")]
    assert session.submit_at(1) == 1


def test_a_refused_bind_ends_it_with_the_status() -> None:
    session: Session[str] = Session(BIND, LIMITS, Pace(None), now=0)

    assert session.receive(bind_answer(status=0x0E), 1) == [Ended(EndReason.BIND_REFUSED, 0x0E, ())]
    assert session.next_at is None


@pytest.mark.parametrize("status", [0x03, 0x0D])
def test_a_generic_nack_refuses_a_bind_too(status: int) -> None:
    session: Session[str] = Session(BIND, LIMITS, Pace(None), now=0)

    assert session.receive(raw(0x80000000, status=status), 1) == [Ended(EndReason.BIND_REFUSED, status, ())]


def test_a_bind_without_an_answer_ends_in_time() -> None:
    session: Session[str] = Session(BIND, LIMITS, Pace(None), now=0)

    assert session.next_at == 10
    assert session.tick(10) == [Ended(EndReason.BIND_TIMED_OUT, 0, ())]


def test_answers_find_their_texts_in_any_order() -> None:
    session = a_bound_session()
    for about in ("a", "b", "c"):
        session.submit(PDU, about, 1)
    a, b, c = (pdu.sequence_number for pdu in split(session.take_bytes()))

    assert session.submit_at(1) is None
    events = session.receive(submit_answer(c, "id-c") + submit_answer(a, status=0x0B) + submit_answer(b, "id-b"), 2)

    assert events == [Answered("c", 0, "id-c"), Answered("a", 0x0B, ""), Answered("b", 0, "id-b")]
    assert session.submit_at(2) == 2


def test_a_generic_nack_for_a_text_is_its_answer() -> None:
    session = a_bound_session()
    session.submit(PDU, "a", 1)
    (pdu,) = split(session.take_bytes())

    assert session.receive(raw(0x80000000, status=3, sequence=pdu.sequence_number), 1) == [Answered("a", 3, "")]


def test_a_text_without_an_answer_expires_alone_and_its_answer_comes_too_late() -> None:
    session = a_bound_session()
    session.submit(PDU, "a", 1)
    session.submit(PDU, "b", 4)
    a, _ = (pdu.sequence_number for pdu in split(session.take_bytes()))

    assert session.next_at == 6
    assert session.tick(6) == [Unanswered("a")]
    assert session.receive(submit_answer(a, "id-a"), 7) == []
    assert session.late_answers == 1
    assert session.open_submits == 1


def test_throughput_is_kept() -> None:
    session = a_bound_session(pace=Pace(2.0))
    session.submit(PDU, "a", 10)

    assert session.submit_at(10) == 10.5


def test_a_deliver_sm_is_answered_only_when_it_is_acknowledged() -> None:
    session = a_bound_session()

    (event,) = session.receive(deliver(b"STOP", sequence=9), 1)

    assert isinstance(event, Delivery)
    assert event.pdu.short_message == b"STOP"
    assert session.take_bytes() == b""
    session.acknowledge(9)
    assert answers_of(session) == [(0x80000005, 0, 9)]
    session.acknowledge(9)
    assert session.take_bytes() == b""


def test_one_that_could_not_be_kept_is_refused_for_now() -> None:
    session = a_bound_session()
    session.receive(deliver(b"STOP", sequence=9), 1)

    session.acknowledge(9, Status.TEMPORARY_APPLICATION_ERROR)

    assert answers_of(session) == [(0x80000005, 0x64, 9)]


def test_more_deliver_sm_than_may_wait_are_told_to_come_again() -> None:
    session = a_bound_session()

    events = session.receive(b"".join(deliver(b"x", sequence=n) for n in (1, 2, 3)), 1)

    assert [event.sequence for event in events if isinstance(event, Delivery)] == [1, 2]
    assert answers_of(session) == [(0x80000005, 0x64, 3)]
    session.acknowledge(1)
    assert len(session.receive(deliver(b"x", sequence=4), 1)) == 1


def test_a_deliver_sm_before_the_bind_is_refused() -> None:
    session: Session[str] = Session(BIND, LIMITS, Pace(None), now=0)
    session.take_bytes()

    assert session.receive(deliver(b"x", sequence=4), 1) == []
    assert answers_of(session) == [(0x80000005, 0x04, 4)]


def test_enquire_link_is_answered_at_once() -> None:
    session = a_bound_session()

    assert session.receive(raw(0x15, sequence=77), 1) == []
    assert answers_of(session) == [(0x80000015, 0, 77)]


def test_a_silent_peer_is_asked_and_then_given_up_with_what_it_did_not_answer() -> None:
    limits = SessionLimits(window=3, timers=TimerPolicy(bind=10, enquire_link=3, response=5))
    session = a_bound_session(limits=limits)
    session.submit(PDU, "a", 4)
    session.take_bytes()

    assert session.tick(4) == []
    ((command, _, sequence),) = answers_of(session)
    assert command == 0x15
    assert session.tick(8.5) == []
    assert session.receive(raw(0x80000015, sequence=sequence), 8.6) == []
    assert session.tick(8.9) == []
    session.tick(11.6)
    assert session.tick(16.6) == [Ended(EndReason.SILENT, 0, ())]


def test_what_a_dead_link_leaves_unanswered_is_told_with_its_end() -> None:
    session = a_bound_session()
    session.submit(PDU, "a", 1)
    session.submit(PDU, "b", 1)

    assert session.connection_lost() == [Ended(EndReason.CONNECTION_LOST, 0, ("a", "b"))]
    assert session.connection_lost() == []


def test_a_peer_that_unbinds_gets_its_answer_and_what_follows_is_not_read() -> None:
    session = a_bound_session()
    session.submit(PDU, "a", 1)
    session.take_bytes()

    events = session.receive(raw(0x6, sequence=5) + deliver(b"too late"), 1)

    assert events == [Ended(EndReason.PEER_UNBOUND, 0, ("a",))]
    assert answers_of(session) == [(0x80000006, 0, 5)]


def test_our_unbind_lets_answers_come_in_and_ends_with_theirs() -> None:
    session = a_bound_session()
    session.submit(PDU, "a", 1)
    (submitted,) = split(session.take_bytes())

    assert session.unbind(2) == []
    ((command, _, sequence),) = answers_of(session)
    assert command == 0x6
    assert session.submit_at(2) is None
    assert session.receive(submit_answer(submitted.sequence_number, "id"), 3) == [Answered("a", 0, "id")]
    assert session.receive(deliver(b"x", sequence=3), 3) == []
    assert answers_of(session) == [(0x80000005, 0x64, 3)]
    assert session.receive(raw(0x80000006, sequence=sequence), 3) == [Ended(EndReason.UNBOUND, 0, ())]


def test_our_unbind_without_an_answer_ends_all_the_same() -> None:
    session = a_bound_session()
    session.submit(PDU, "a", 1)
    session.unbind(2)

    assert session.tick(7)[-1] == Ended(EndReason.UNBOUND, 0, ())


def test_a_peer_that_only_says_that_it_lives_is_left_after_the_inactivity_time() -> None:
    session = a_bound_session(limits=SessionLimits(timers=TimerPolicy(enquire_link=30, inactivity=40)))
    session.receive(raw(0x15), 39)
    session.take_bytes()

    assert session.tick(40) == [Ended(EndReason.INACTIVE, 0, ())]
    assert [command for command, _, _ in answers_of(session)] == [0x6]


@pytest.mark.parametrize(
    ("stream", "answer"),
    [
        (raw(0x00000103, sequence=8, body=b"data_sm"), (0x80000000, 0x03, 8)),
        (raw(0x00001234, sequence=8), (0x80000000, 0x03, 8)),
        (raw(0x00000005, sequence=8, body=b"no NUL"), (0x80000005, 0xC2, 8)),
        (raw(0x00000005, sequence=8, body=b"\0\1\1" + b"1\0\1\1" + b"2\0" + b"\0" * 3), (0x80000005, 0x02, 8)),
        (deliver(b"x", sequence=8)[:-1], (0x80000005, 0x01, 8)),
        (deliver(b"x", sequence=8, tlvs={0x1400: b"v"})[:-1], (0x80000005, 0xC0, 8)),
        (raw(0x80000103, sequence=8), None),
    ],
)
def test_a_pdu_that_cannot_be_read_is_answered_and_the_link_goes_on(
    stream: bytes, answer: tuple[int, int, int] | None
) -> None:
    session = a_bound_session()
    stream = len(stream).to_bytes(4, "big") + stream[4:]

    assert session.receive(stream, 1) == []
    assert answers_of(session) == ([] if answer is None else [answer])
    assert session.unparsable == 1
    assert session.receive(raw(0x15, sequence=2), 1) == []
    assert answers_of(session) == [(0x80000015, 0, 2)]


def test_broken_framing_ends_the_link() -> None:
    session = a_bound_session()
    session.submit(PDU, "a", 1)
    session.take_bytes()

    assert session.receive(b"HTTP/1.1 400 Bad Request\r\n", 1) == [Ended(EndReason.BROKEN_FRAMING, 0, ("a",))]
    assert answers_of(session) == [(0x80000000, 0x02, 0)]
    assert session.receive(deliver(b"x"), 2) == []


@given(st.lists(st.binary(max_size=80), max_size=30))
def test_arbitrary_bytes_never_break_it(pieces: list[bytes]) -> None:
    session = a_bound_session()
    ended = 0
    for piece in pieces:
        ended += sum(isinstance(event, Ended) for event in session.receive(piece, 1))

    assert ended == session.has_ended
    split(session.take_bytes())


@given(st.binary(min_size=1, max_size=60), st.lists(st.integers(1, 9), min_size=1))
def test_split_bytes_say_the_same_as_whole_ones(text: bytes, cuts: list[int]) -> None:
    stream = deliver(text, sequence=3) + raw(0x15, sequence=4) + submit_answer(99, "none") + deliver(b"2", sequence=5)
    whole, pieces = a_bound_session(), a_bound_session()

    expected = whole.receive(stream, 1)
    got = []
    for size in [*cuts, len(stream)]:
        got += pieces.receive(stream[:size], 1)
        stream = stream[size:]

    assert got == expected
    assert pieces.take_bytes() == whole.take_bytes()


class SessionStory(RuleBasedStateMachine):
    """A session and a peer that keeps a plain list of what it was sent and has not answered."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.session: Session[str] = Session(BIND, LIMITS, Pace(None), now=0)
        self.session.receive(bind_answer(), 0)
        self.session.take_bytes()
        self.made = 0
        self.open: dict[str, tuple[int, float]] = {}
        """About → its number and when it was written."""
        self.outcomes: Counter[str] = Counter()
        self.handed_on: list[int] = []
        self.delivered = 0

    def hear(self, data: bytes) -> None:
        for event in self.session.receive(data, self.now):
            self.note(event)

    def note(self, event: object) -> None:
        if isinstance(event, Answered | Unanswered):
            self.outcomes[event.about] += 1
            del self.open[event.about]
        elif isinstance(event, Delivery):
            self.handed_on.append(event.sequence)
        elif isinstance(event, Ended):
            for about in event.unanswered:
                self.outcomes[about] += 1
                del self.open[about]
            self.handed_on.clear()

    @precondition(lambda self: self.session.submit_at(self.now) is not None)
    @rule()
    def submit(self) -> None:
        about = f"text {self.made}"
        self.made += 1
        self.session.submit(PDU, about, self.now)
        written = [pdu for pdu in split(self.session.take_bytes()) if isinstance(pdu, smpp34.SubmitSm)]
        self.open[about] = (written[-1].sequence_number, self.now)

    @rule(pick=st.integers(0, 3), status=st.sampled_from([0, 0x58, 0x0B]))
    def answer(self, pick: int, status: int) -> None:
        numbers = [number for number, _ in self.open.values()]
        self.hear(submit_answer(numbers[pick] if pick < len(numbers) else 4_000_000, "id", status=status))

    @rule()
    def deliver(self) -> None:
        self.delivered += 1
        waiting = len(self.handed_on)
        self.hear(deliver(b"in", sequence=self.delivered))
        answered = [pdu for pdu in split(self.session.take_bytes()) if isinstance(pdu, smpp34.RawPdu)]
        acknowledgements = [pdu for pdu in answered if pdu.command_id == 0x80000005]
        if self.session.has_ended:
            assert not acknowledgements
        else:
            assert len(acknowledgements) == (waiting >= LIMITS.max_deliveries)

    @precondition(lambda self: self.handed_on)
    @rule(pick=st.integers(0, 1))
    def acknowledge(self, pick: int) -> None:
        sequence = self.handed_on.pop(pick % len(self.handed_on))
        self.session.take_bytes()
        self.session.acknowledge(sequence)
        (answer,) = split(self.session.take_bytes())
        assert (answer.command_id, answer.sequence_number) == (0x80000005, sequence)

    @rule(seconds=st.floats(0.1, 6))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        if not self.session.has_ended:
            self.hear(raw(0x15, sequence=1))
        for event in self.session.tick(self.now):
            self.note(event)
        assert all(written + TIMERS.response > self.now for _, written in self.open.values())

    @rule()
    def lose_or_unbind(self) -> None:
        if self.made % 5 == 4:
            self.hear(raw(0x6, sequence=9))

    @invariant()
    def each_text_has_one_outcome_or_is_open(self) -> None:
        assert all(count == 1 for count in self.outcomes.values())
        assert len(self.outcomes) + len(self.open) == self.made
        assert self.session.open_submits == len(self.open) <= LIMITS.window


TestSessionAgainstAPeer = SessionStory.TestCase
