"""What every endpoint received, held against what engine.md allows: nothing lost, nothing twice without a reason,
nothing out of its key's order, nothing that nobody asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bellwire.model.attempt import Attempt, AttemptOutcome
from bellwire.model.event import LoggedEvent
from bellwire.model.ids import Position, SubscriptionId
from tests.simulation.model import Expectations, Happening

Place = tuple[Position, str]
Name = tuple[SubscriptionId, Position, str]


class Audit:
    """Told of everything as it happens; raises AssertionError at the first thing that must not be."""

    def __init__(self, *, least_pause: float) -> None:
        self.expected = Expectations()
        self.happenings: dict[int, Happening] = {}
        self.positions: dict[int, Position] = {}
        self.acknowledged: set[int] = set()
        self.removed: set[SubscriptionId] = set()
        """Their removal was acknowledged, or survived a crash."""
        self.held: set[SubscriptionId] = set()
        """Paused, and told so."""
        self.received: Counter[Name] = Counter()
        self.given_up: set[Name] = set()
        self.repeats = 0
        self._least_pause = least_pause
        self._failed_at: dict[Name, float] = {}
        self._uuids: dict[Name, str] = {}
        self._keys: dict[Position, str] = {}
        self._taken: set[Name] = set()
        """The engine heard of their delivery."""
        self._unrecorded: set[Name] = set()
        """Taken, and no durable record says so."""
        self._may_repeat: set[Name] = set()
        """Unrecorded when a process was killed."""
        self._newest: dict[tuple[SubscriptionId, str], Place] = {}
        self._in_flight: dict[tuple[SubscriptionId, str], Name] = {}
        self._unsettled: dict[tuple[SubscriptionId, str], Name] = {}
        """The notification of a key that was tried last, while it has no outcome."""
        self._ambiguous: set[Name] = set()
        self._attempts_seen = 0
        self._logged_up_to = 0

    # Publishing

    def logged(self, events: Iterable[LoggedEvent]) -> None:
        for logged in events:
            if logged.position > self._logged_up_to:
                number = int(logged.event.uuid.removeprefix("event-"))
                assert number not in self.positions, f"event {number} was logged twice"
                self.positions[number] = logged.position
                self._keys[logged.position] = self.happenings[number].key
                self._logged_up_to = logged.position

    # Sending

    def posted(self, subscription: SubscriptionId, number: int, text: str, uuid: str, now: float) -> Name:
        """An attempt begins."""
        happening, position = self.happenings[number], self.positions[number]
        topic = text.partition("?")[0]
        name = (subscription, position, topic)
        assert subscription not in self.removed, f"{name} goes out after its subscription ended"
        assert subscription not in self.held, f"{name} goes out while its subscription is paused"
        assert self.expected.may(subscription, text, topic, position, happening), f"{name}, {text}: nobody wanted it"
        if not self.expected.is_between_versions(subscription, position):
            assert self._uuids.setdefault(name, uuid) == uuid, f"{name} changed its uuid"
        if name in self._taken:
            assert name in self._may_repeat, f"{name} goes out again although it was delivered"
        pause = now - self._failed_at.get(name, -1000.0)
        assert pause > self._least_pause * 0.99, f"{name} is tried again after {pause} s"
        assert name not in self.given_up, f"{name} goes out again although it was given up"
        line = (subscription, happening.key)
        other = self._in_flight.setdefault(line, name)
        assert other is name, f"{name} goes out while {other} of the same key is under way"
        if name in self._may_repeat:
            pass
        elif self.expected.must(subscription, topic, position, happening):
            waiting = self._unsettled.get(line)
            if waiting is None or self.expected.is_between_versions(subscription, waiting[1]):
                self._unsettled[line] = waiting = name
            assert waiting == name, f"{name} goes out before {waiting} of the same key has its outcome"
        else:  # it came while its filter was changed, so that a later process may see it otherwise
            self._ambiguous.add(name)
        return name

    def arrived(self, name: Name, key: str) -> None:
        """The endpoint has it."""
        if name in self._ambiguous:
            pass
        elif not self.received[name] and not self.expected.is_between_versions(name[0], name[1]):
            newest = self._newest.get((name[0], key))
            assert newest is None or newest < name[1:], f"{name} arrives after {newest} of the same key"
            self._newest[name[0], key] = name[1:]
        self.repeats += self.received[name] > 0
        self.received[name] += 1

    def ended(self, name: Name, key: str, now: float, *, delivered: bool) -> None:
        """The engine is told an attempt's outcome."""
        self._failed_at[name] = now
        del self._in_flight[name[0], key]
        if delivered:
            self._has_outcome(name, key)
            self._taken.add(name)
            self._unrecorded.add(name)
            self._may_repeat.discard(name)

    def observed(self, attempt: Attempt, key: str) -> None:
        """The engine has judged an attempt."""
        if attempt.outcome is AttemptOutcome.GIVEN_UP:
            name = (attempt.subscription, attempt.position, attempt.topic)
            self.given_up.add(name)
            self._unrecorded.add(name)
            self._has_outcome(name, key)

    def _has_outcome(self, name: Name, key: str) -> None:
        if self._unsettled.get((name[0], key)) == name:
            del self._unsettled[name[0], key]

    def resumed(self, subscription: SubscriptionId) -> None:
        """Pauses after failures are forgotten."""
        for name in [name for name in self._failed_at if name[0] == subscription]:
            del self._failed_at[name]

    # Disk and death

    def recorded(self, attempts: list[Attempt]) -> None:
        """What history durably says."""
        for attempt in attempts[self._attempts_seen :]:
            name = (attempt.subscription, attempt.position, attempt.topic)
            if attempt.outcome is not AttemptOutcome.FAILED:
                self._unrecorded.discard(name)
            if attempt.outcome is AttemptOutcome.GIVEN_UP:
                known = name in self._taken and name not in self._may_repeat
                assert not known, f"{name} is given up although it was delivered"
                self.given_up.add(name)
                self._has_outcome(name, self._keys[attempt.position])
        self._attempts_seen = len(attempts)

    def killed(self) -> None:
        """The process is dead. What no record tells of may go out again, and nothing else."""
        self._may_repeat |= self._unrecorded
        self.given_up -= self._unrecorded
        self._unrecorded.clear()
        self._in_flight.clear()
        self._failed_at.clear()

    def stopped(self) -> None:
        """The process ended by itself, with a disk that worked."""
        assert not self._unrecorded, f"a graceful stop recorded nothing of {sorted(self._unrecorded)[:5]}"
        self._in_flight.clear()
        self._failed_at.clear()

    def forget(self, subscription: SubscriptionId) -> None:
        """It is gone: nothing more is owed."""
        self.expected.removed(subscription)
        for line in [line for line in self._unsettled if line[0] == subscription]:
            del self._unsettled[line]

    # At the end

    def settle_accounts(self) -> int:
        """Everything owed was received; returns how many notifications that were."""
        lost = self.acknowledged - self.positions.keys()
        assert not lost, f"acknowledged and not in the log: {sorted(lost)[:5]}"
        owed = 0
        for number, position in self.positions.items():
            happening = self.happenings[number]
            for subscription in self.expected.subscriptions:
                for topic in happening.topics:
                    name = (subscription, position, topic)
                    if self.expected.must(subscription, topic, position, happening):
                        owed += 1
                        assert self.received[name] or name in self.given_up, f"{name} is lost"
                        assert name in self._taken or name in self.given_up, f"{name} has no outcome"
        return owed
