"""How many messages a sender number may send now, and whose turn it is.

A number has a limit of messages a second: carriers give a local (10DLC) number about one, a toll-free one more. Within
any second, wherever it begins, no more than that are let go; a number without a limit lets go of all. What is let go
is shared fairly: senders take turns, and so do the batches of one sender, one message a turn, so that a small batch is
not kept behind a large one.

Pure: running time comes in, in seconds. The caller offers how many messages of a batch wait, takes shares, and offers
again what could not be sent after all; time that was spent on those is not given back.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

from bellwire.model.sms import BatchId
from bellwire.sms.numbers import is_toll_free

WINDOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SenderLimits:
    """Messages a second by the kind of number; None is unlimited."""

    local: int | None = 1
    toll_free: int | None = 8

    def per_second(self, sender: str) -> int | None:
        return self.toll_free if is_toll_free(sender) else self.local


@dataclass(frozen=True, slots=True)
class Share:
    """So many messages of one batch may go now, the first of those that wait."""

    sender: str
    batch: BatchId
    messages: int


class SenderQueue:
    """The batches of one sender number."""

    def __init__(self, per_second: int | None) -> None:
        """
        Args:
            per_second: at least 1, or None for unlimited.
        """
        if per_second is not None and per_second < 1:
            raise ValueError("a sender's limit is at least one message a second")
        self._per_second = per_second
        self._waiting: OrderedDict[BatchId, int] = OrderedDict()
        self._let_go: deque[tuple[float, int]] = deque()
        """When how many were let go, within the last second."""
        self._in_window = 0

    @property
    def waiting(self) -> int:
        """Messages of all batches."""
        return sum(self._waiting.values())

    def offer(self, batch: BatchId, messages: int) -> None:
        """So many more messages of a batch wait; a batch that is new has its turn last."""
        if messages > 0:
            self._waiting[batch] = self._waiting.get(batch, 0) + messages

    def withdraw(self, batch: BatchId) -> None:
        """No message of the batch waits any more."""
        self._waiting.pop(batch, None)

    def take(self, now: float, most: int) -> dict[BatchId, int]:
        """Let go of up to `most` messages, as far as the limit allows.

        Returns:
            batch → messages, each at least 1.
        """
        left = min(most, self._allowance(now), self.waiting)
        taken: dict[BatchId, int] = {}
        let_go = left
        while left:
            each = max(1, left // len(self._waiting))
            for _ in range(min(len(self._waiting), left)):
                batch, waiting = self._waiting.popitem(last=False)
                share = min(each, waiting)
                if share < waiting:
                    self._waiting[batch] = waiting - share  # its next turn is last
                taken[batch] = taken.get(batch, 0) + share
                left -= share
        if let_go > 0 and self._per_second is not None:
            self._let_go.append((now, let_go))
            self._in_window += let_go
        return taken

    def ready_at(self, now: float) -> float | None:
        """When the next message may go, `now` at the earliest; None while none waits."""
        if not self._waiting:
            return None
        if self._allowance(now) > 0:
            return now
        return self._let_go[0][0] + WINDOW_SECONDS

    def is_idle(self, now: float) -> bool:
        """Whether the queue may be forgotten: none waits, and the last second has nothing to be remembered."""
        self._forget(now)
        return not self._waiting and not self._let_go

    def _allowance(self, now: float) -> int:
        if self._per_second is None:
            return self.waiting
        self._forget(now)
        return self._per_second - self._in_window

    def _forget(self, now: float) -> None:
        while self._let_go and self._let_go[0][0] + WINDOW_SECONDS <= now:
            self._in_window -= self._let_go.popleft()[1]


class Throughput:
    """The queues of all sender numbers, in memory that is bounded by the batches that wait."""

    def __init__(self, limits: SenderLimits) -> None:
        self._limits = limits
        self._queues: OrderedDict[str, SenderQueue] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Messages of all senders."""
        return sum(queue.waiting for queue in self._queues.values())

    def offer(self, sender: str, batch: BatchId, messages: int) -> None:
        """So many more messages of a batch wait; a batch has one sender."""
        if messages <= 0:
            return
        queue = self._queues.get(sender)
        if queue is None:
            queue = self._queues[sender] = SenderQueue(self._limits.per_second(sender))
        queue.offer(batch, messages)

    def withdraw(self, sender: str, batch: BatchId) -> None:
        """No message of the batch waits any more."""
        queue = self._queues.get(sender)
        if queue is not None:
            queue.withdraw(batch)

    def take(self, now: float, most: int) -> list[Share]:
        """Let go of up to `most` messages; senders that may send take turns at being first.

        A sender gets at most its part of `most` while others could use theirs.
        """
        shares: dict[tuple[str, BatchId], int] = {}
        left = most
        while left > 0:
            able = [sender for sender, queue in self._queues.items() if queue.ready_at(now) == now]
            if not able:
                break
            each = max(1, left // len(able))
            for sender in able[:left]:
                for batch, messages in self._queues[sender].take(now, each).items():
                    shares[sender, batch] = shares.get((sender, batch), 0) + messages
                    left -= messages
                self._queues.move_to_end(sender)
        for sender in [sender for sender, queue in self._queues.items() if queue.is_idle(now)]:
            del self._queues[sender]
        return [Share(sender, batch, messages) for (sender, batch), messages in shares.items()]

    def ready_at(self, now: float) -> float | None:
        """When some message may go, `now` at the earliest; None while none waits."""
        times = [at for queue in self._queues.values() if (at := queue.ready_at(now)) is not None]
        return min(times, default=None)
