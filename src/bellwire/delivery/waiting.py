"""A lane's notifications in memory: those that wait, key by key, and those under way.

Of one ordering key, at most one is under way, and the others wait behind it in (position, topic) order. Keys take
turns: a key whose notification has ended goes to the back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from bellwire.delivery.notification import Notification


class Waiting:
    """All methods take constant time but where they say otherwise."""

    __slots__ = ("_queues", "count", "in_flight", "ready", "size_bytes")

    def __init__(self) -> None:
        self.in_flight: dict[str, Notification] = {}
        """By ordering key."""
        self.count = 0
        """How many wait."""
        self.size_bytes = 0
        """Bytes of the bodies that wait."""
        self._queues: dict[str, Notification | deque[Notification]] = {}
        """By ordering key. Most keys have one that waits, and it stands for itself: a deque takes 600 bytes."""
        self.ready: deque[str] = deque()
        """Keys in the order of their turns. While it is empty, `start` finds nothing."""

    def add(self, notification: Notification) -> None:
        """It waits behind all of its key."""
        key = notification.key
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = notification
            if key not in self.in_flight:
                self.ready.append(key)
        elif isinstance(queue, Notification):
            self._queues[key] = deque((queue, notification))
        else:
            queue.append(notification)
        self.count += 1
        self.size_bytes += notification.size_bytes

    def start(self) -> Notification | None:
        """The next notification whose key is free; it is under way from here on."""
        while self.ready:
            key = self.ready.popleft()
            queue = self._queues.get(key)
            if queue is None or key in self.in_flight:
                continue
            if isinstance(queue, Notification):
                notification = queue
                del self._queues[key]
            else:
                notification = queue.popleft()
                if not queue:
                    del self._queues[key]
            self.count -= 1
            self.size_bytes -= notification.size_bytes
            # Invariant: order. A key's next notification starts when the one before it has its outcome.
            self.in_flight[key] = notification
            return notification
        return None

    def free(self, key: str) -> None:
        """The key's notification was completed: the next of the key may have its turn."""
        if key in self._queues:
            self.ready.append(key)

    def __iter__(self) -> Iterator[Notification]:
        """Those that wait; each key's in order."""
        return chain.from_iterable(
            (queue,) if isinstance(queue, Notification) else queue for queue in self._queues.values()
        )

    def clear(self) -> None:
        """Let go of all that wait."""
        self._queues.clear()
        self.ready.clear()
        self.count = self.size_bytes = 0

    def take_key(self, key: str) -> Iterable[Notification]:
        """Let go of what waits of one key; takes time in proportion to it."""
        queue = self._queues.pop(key, None)
        if queue is None:
            return ()
        taken = (queue,) if isinstance(queue, Notification) else queue
        for notification in taken:
            self.count -= 1
            self.size_bytes -= notification.size_bytes
        return taken
