"""The lane against a model of a few lines: what is owed, and which of it is first of its key.

Hypothesis chooses what happens: events of any key, attempts with any outcome, commits, reads of the backlog with
anything in between, pauses, retention, and crashes. Whatever the lane starts must be the first that is owed of its key;
in the end nothing is owed any more. So nothing is lost, out of order, or sent again but for a failure or a crash.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bellwire.delivery.lane import Lane, LaneLimits, Mode
from bellwire.delivery.notification import Notification, Place
from bellwire.delivery.schedule import DELIVERED, GIVE_UP, RetryAfter, Verdict
from bellwire.delivery.settling import Settling
from bellwire.model.attempt import BacklogRow
from bellwire.model.ids import Position
from tests.unit.delivery.test_lane_simulation import SUBSCRIPTION, Disk, GatheringLedger, event_at

LIMITS = LaneLimits(waiting=3, waiting_bytes=10_000, parallel=3, page=5, page_bytes=10_000, held_keys=2)
TOPIC = "/t"
OUTCOMES: st.SearchStrategy[Verdict] = st.sampled_from(
    [DELIVERED, DELIVERED, DELIVERED, GIVE_UP, RetryAfter(0.3), RetryAfter(3.0), RetryAfter(1.0, whole_endpoint=True)]
)


class Owed:
    """The model: what is owed now, and what would be after a crash."""

    def __init__(self) -> None:
        self.keys: dict[Place, str] = {}
        """Everything that was ever published."""
        self.done: set[Place] = set()
        self.done_durably: set[Place] = set()

    def first_of(self, key: str) -> Place:
        return min(place for place, its in self.keys.items() if its == key and place not in self.done)

    def commit(self) -> None:
        self.done_durably |= self.done

    def crash(self) -> None:
        self.done = set(self.done_durably)


class LaneMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.owed = Owed()
        self.disk = Disk()
        self.now = 0.0
        self.boot()

    def boot(self) -> None:
        """A process begins, with what is on disk."""
        places = self.disk.outcomes | set(self.disk.rows)
        self.settled = {place for place in places if place[0] > self.disk.watermark}
        self.settling = Settling(self.disk.watermark)
        self.ledger = GatheringLedger(self.settling)
        self.lane = Lane(SUBSCRIPTION, self.ledger, LIMITS, backlog_rows=len(self.disk.rows))
        self.in_flight: list[Notification] = []
        self.page: tuple[list[BacklogRow], int] | None = None
        self.expiring: list[BacklogRow] | None = None

    # Events

    @rule(keys=st.lists(st.sampled_from("abc"), min_size=1, max_size=8))
    def publish(self, keys: list[str]) -> None:
        for key in keys:
            self.owed.keys[Position(len(self.owed.keys) + 1), TOPIC] = key
        self.route()

    def route(self) -> None:
        """Everything that was published and not routed yet in this life."""
        while (position := Position(self.settling.routed + 1)) <= len(self.owed.keys):
            is_wanted = (position, TOPIC) not in self.settled
            self.settling.route(position, int(is_wanted), self.now)
            if is_wanted:
                key = self.owed.keys[position, TOPIC]
                self.lane.offer(Notification(position, TOPIC, key, 1, 0, event_at(position), 2, self.now))

    # Attempts

    @rule(seconds=st.sampled_from([0.0, 0.0, 0.5, 4.0]))
    def start(self, seconds: float = 0.0) -> None:
        """All that may start after so long."""
        self.now += seconds
        self.lane.tick(self.now)
        while (notification := self.lane.next_start(self.now)) is not None:
            assert notification.place == self.owed.first_of(notification.key)
            assert notification.key not in {other.key for other in self.in_flight}
            self.in_flight.append(notification)

    @precondition(lambda self: self.in_flight)
    @rule(outcomes=st.lists(st.tuples(st.integers(0, 2), OUTCOMES), min_size=1, max_size=3))
    def answer(self, outcomes: list[tuple[int, Verdict]]) -> None:
        for which, verdict in outcomes:
            if self.in_flight:
                notification = self.in_flight.pop(which % len(self.in_flight))
                if not isinstance(verdict, RetryAfter):
                    self.owed.done.add(notification.place)
                self.lane.finished(notification, verdict, self.now)

    # The disk

    @rule()
    def commit(self) -> None:
        done = list(self.ledger.dones)
        self.disk.rows |= {(row.position, row.topic): row for row in self.ledger.puts}
        for place in done:
            self.disk.rows.pop(place, None)
        self.disk.outcomes.update(self.ledger.outcomes)
        self.disk.watermark = self.settling.watermark()
        for gathered in (self.ledger.puts, self.ledger.dones, self.ledger.outcomes):
            gathered.clear()
        self.owed.commit()
        self.lane.committed(done)

    @precondition(lambda self: self.page is None and self.lane.wants_rows(self.now))
    @rule()
    def begin_read(self) -> None:
        self.commit()
        asked = self.lane.wants_rows(self.now)
        if asked:
            self.lane.begin_read()
            places = [place for place in sorted(self.disk.rows) if place > self.lane.cursor]
            self.page = ([self.disk.rows[place] for place in places[:asked]], asked)

    @precondition(lambda self: self.page is not None)
    @rule(
        succeeds=st.sampled_from([True, True, True, False]),
        meanwhile=st.lists(st.tuples(st.integers(0, 2), OUTCOMES), max_size=2),
        starts=st.booleans(),
    )
    def end_read(
        self, succeeds: bool = True, meanwhile: Sequence[tuple[int, Verdict]] = (), starts: bool = False
    ) -> None:
        """The rows are there, and then their events; some attempts end in between."""
        assert self.page is not None
        (rows, asked), self.page = self.page, None
        events = {row.position: event_at(row.position) for row in self.lane.wanted(rows)}
        self.answer(list(meanwhile))
        if starts:
            self.start()
        self.lane.load(rows, events, asked, self.now, complete=succeeds)

    # From outside

    @rule()
    def grow_old(self) -> None:
        self.now += 2
        self.lane.spill_if_older(self.now - 2)

    @rule(meanwhile=st.lists(st.sampled_from("abc"), max_size=3))
    def pause(self, meanwhile: list[str]) -> None:
        self.lane.pause()
        self.publish(meanwhile)
        self.lane.resume()

    @precondition(lambda self: self.expiring is None and self.disk.rows)
    @rule(most=st.integers(1, 3))
    def begin_expiry(self, most: int) -> None:
        self.lane.begin_drop()
        self.commit()
        self.expiring = [self.disk.rows[place] for place in sorted(self.disk.rows)][:most]

    @precondition(lambda self: self.expiring is not None)
    @rule()
    def end_expiry(self) -> None:
        assert self.expiring is not None
        rows, self.expiring = self.expiring, None
        for notification in self.lane.drop(rows):
            assert notification.place not in self.owed.done, "it had its outcome"
            assert notification.place not in {other.place for other in self.in_flight}, "it is under way"
            self.owed.done.add(notification.place)

    @rule()
    def crash(self) -> None:
        self.owed.crash()
        self.boot()
        self.route()

    # What holds at every moment

    @invariant()
    def memory_is_bounded(self) -> None:
        most = LIMITS.waiting if self.lane.mode is Mode.LIVE else LIMITS.page
        assert self.lane.waiting <= most
        assert len(self.in_flight) <= LIMITS.parallel

    @invariant()
    def what_is_owed_would_survive_a_crash(self) -> None:
        """It is above the watermark, or has its row."""
        for place in self.owed.keys.keys() - self.owed.done_durably:
            assert place in self.disk.rows or (place[0] > self.disk.watermark and place not in self.disk.outcomes)

    def teardown(self) -> None:
        """With an endpoint that takes everything, all that is owed arrives."""
        self.lane.resume()
        for _ in range(500):
            if self.page is not None:
                self.end_read()
            if self.expiring is not None:
                self.end_expiry()
            self.start(1.0)
            while self.in_flight:
                self.answer([(0, DELIVERED)])
            if self.lane.wants_rows(self.now):
                self.begin_read()
            if self.lane.is_idle and not self.in_flight:
                break
        self.commit()
        assert self.owed.done == set(self.owed.keys), "something is owed for ever"
        assert not self.disk.rows, "rows are left behind"
        assert self.disk.watermark == len(self.owed.keys)


LaneMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestLane = LaneMachine.TestCase
