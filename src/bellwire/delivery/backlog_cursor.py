"""Reading a lane's backlog in order: where the cursor stands, what was passed over, and what must not be loaded again.

Rows are read in (position, topic) order, page by page. A row whose key is held is passed over; when a key is free
again, `rewind` brings the cursor back to the first row that was, so that what waits in memory stays bounded however
many rows a held key has. Reading takes time, in which rows are added, loaded from memory and completed:
`begin_read`, `choose` and `take` are the steps of one read, and a cursor that was moved in between makes it void.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence

from bellwire.delivery.notification import START, Notification, Place
from bellwire.model.attempt import BacklogRow
from bellwire.model.event import Event
from bellwire.model.ids import Position

_LAST_TOPIC = "\U0010ffff"


class BacklogCursor:
    """Counts and places only; the rows themselves are on disk, those of the commit being gathered included."""

    __slots__ = (
        "_at_end",
        "_dropping",
        "_finished",
        "_finished_while_reading",
        "_fresh",
        "_fresh_bytes",
        "_fresh_limits",
        "_generation",
        "_loaded",
        "_put_since_read_began",
        "_read_generation",
        "_skipped_from",
        "_skipped_keys",
        "_wanted",
        "place",
        "reading",
        "rows",
    )

    def __init__(self, rows: int, *, remember: int, remember_bytes: int) -> None:
        """`rows`: in the backlog at start. `remember`, `remember_bytes`: of the rows put last, so many in memory."""
        self.rows = rows
        self.place: Place = START
        """All rows up to here were met."""
        self.reading = False
        self._fresh_limits = (remember, remember_bytes)
        self._loaded: set[Place] = set()
        self._finished: set[Place] = set()
        self._finished_while_reading: list[Place] = []
        self._dropping = False
        self._at_end = False
        self._put_since_read_began = False
        self._skipped_from: Place | None = None
        self._skipped_keys: set[str] = set()
        self._wanted: set[Place] = set()
        self._fresh: deque[Notification] = deque()
        self._fresh_bytes = 0
        self._generation = 0
        self._read_generation = 0

    @property
    def has_more(self) -> bool:
        """There may be rows that were neither loaded nor passed over."""
        return not self._at_end and self.rows > len(self._loaded)

    @property
    def passed_over_some(self) -> bool:
        return self._skipped_from is not None

    @property
    def is_recorded(self) -> bool:
        """No row is left on disk of a notification that has its outcome."""
        return not self._finished

    # Rows come and go

    def put(self) -> None:
        """A row was added."""
        self.rows += 1
        self._at_end = False
        self._put_since_read_began = True

    def remember(self, notification: Notification) -> None:
        """Keep the last few rows put while draining, so that the lane can catch up with what is not committed yet.

        They come in the order of the backlog: `take` and `catch_up` tell by their places which of them were read.
        """
        most, most_bytes = self._fresh_limits
        assert not self._fresh or self._fresh[-1].place < notification.place, "put out of the backlog's order"
        self._fresh.append(notification)
        self._fresh_bytes += notification.size_bytes
        while len(self._fresh) > most or (self._fresh_bytes > most_bytes and len(self._fresh) > 1):
            self._fresh_bytes -= self._fresh.popleft().size_bytes

    def forget_fresh(self) -> None:
        self._fresh.clear()
        self._fresh_bytes = 0

    def loaded(self, place: Place) -> None:
        """It is in memory or under way."""
        self._loaded.add(place)

    def unloaded(self, place: Place) -> None:
        """It is on disk alone again."""
        self._loaded.discard(place)

    def completed(self, place: Place) -> None:
        """It has its outcome; its row goes with the commit being gathered."""
        self.rows -= 1
        self._loaded.discard(place)
        self._finished.add(place)

    def committed(self, done: Iterable[Place]) -> None:
        """The removal of these rows is durable: no later read will show them."""
        if self.reading or self._dropping:
            self._finished_while_reading.extend(done)
        else:
            self._finished.difference_update(done)

    # Reading

    def begin_read(self) -> None:
        """Rows after `place` are being read; everything put so far must be committed before they are."""
        self.reading = True
        self._put_since_read_began = False
        self._read_generation = self._generation

    def choose(self, rows: Sequence[BacklogRow], held: Collection[str], room: int, room_bytes: int) -> list[BacklogRow]:
        """Which of the rows read could be loaded now, in at most so many and so many bytes, but always one."""
        chosen: list[BacklogRow] = []
        for row in rows:
            if room <= 0 or (room_bytes < row.size_bytes and chosen):
                break
            # Invariant: bounded duplicates. What is in memory, under way, or has an outcome that its row may outlive
            # until the next commit is not loaded once more, whatever modes the lane passes through.
            if not (self._is_taken((row.position, row.topic)) or row.key in held or row.key in self._skipped_keys):
                chosen.append(row)
                room -= 1
                room_bytes -= row.size_bytes
        self._wanted = {(row.position, row.topic) for row in chosen}
        return chosen

    def take(
        self,
        rows: Sequence[BacklogRow],
        events: Mapping[Position, Event],
        held: Collection[str],
        asked: int,
        now: float,
    ) -> list[Notification]:
        """Move on past the rows that were read; returns those to load, in order."""
        found: list[Notification] = []
        if self._read_generation != self._generation:
            return found
        for row in rows:
            place = (row.position, row.topic)
            if self._is_taken(place):
                pass
            elif row.key in held or row.key in self._skipped_keys:
                self.skip(row.key, place)
            elif place not in self._wanted:
                return found  # it became loadable after its event was asked for, or there was no room: next time
            else:
                self._loaded.add(place)
                found.append(Notification.of_row(row, events.get(row.position), now))
            self.place = place
            while self._fresh and self._fresh[0].place <= place:
                self._fresh_bytes -= self._fresh.popleft().size_bytes
        self._at_end = len(rows) < asked and not self._put_since_read_began
        return found

    def end_read(self) -> None:
        self.reading = False
        self._forget_finished()

    def skip(self, key: str, place: Place) -> None:
        """Pass over a row, and all later ones of its key."""
        self._skipped_keys.add(key)
        if self._skipped_from is None or place < self._skipped_from:
            self._skipped_from = place

    def rewind(self) -> None:
        """Read again from the first row that was passed over."""
        if self._skipped_from is not None:
            position = self._skipped_from[0]
            self.restart(min(self.place, (Position(position - 1), _LAST_TOPIC)))

    def restart(self, place: Place = START) -> None:
        """Read on from there; what is being read is void."""
        self.place = place
        self._at_end = False
        self._skipped_from = None
        self._skipped_keys.clear()
        self._generation += 1

    def catch_up(self, room: int) -> Sequence[Notification] | None:
        """The rows put last, from memory, if they are all that is unread and no more than `room`; None otherwise."""
        unread = self.rows - len(self._loaded)
        if unread > room:
            return None
        if not unread:
            return ()
        # What is remembered lies beyond every row the cursor has met, so it is unread; equal counts, equal sets.
        if len(self._fresh) != unread:
            return None
        self._loaded.update(notification.place for notification in self._fresh)
        return self._fresh

    def stand_still(self) -> None:
        """All rows are in memory; the next read begins at the first."""
        self.place = START
        self.forget_fresh()

    # Dropping

    def begin_drop(self) -> None:
        """Rows are being read in order to be dropped: outcomes from here on are remembered until `end_drop`."""
        self._dropping = True

    def drop(self, rows: Sequence[BacklogRow], under_way: Collection[Place]) -> list[Notification]:
        """Those of the rows that are neither under way nor have their outcome; they count as completed now."""
        dropped: list[Notification] = []
        for row in rows:
            place = (row.position, row.topic)
            if place in under_way or place in self._finished:
                continue
            dropped.append(Notification.of_row(row, None, 0.0))
            self.rows -= 1
            self._finished.add(place)
        self._fresh = deque(notification for notification in self._fresh if notification.place not in self._finished)
        self._fresh_bytes = sum(notification.size_bytes for notification in self._fresh)
        return dropped

    def end_drop(self) -> None:
        self._dropping = False
        self._forget_finished()

    # Steps

    def _is_taken(self, place: Place) -> bool:
        """In memory, under way, or with an outcome."""
        return place in self._loaded or place in self._finished

    def _forget_finished(self) -> None:
        """Outcomes that are durable need not be remembered once no rows are held that were read before."""
        if self._finished_while_reading and not (self.reading or self._dropping):
            self._finished.difference_update(self._finished_while_reading)
            self._finished_while_reading.clear()
