"""The times of one session as a value: what came when goes in, what is due comes out; nobody waits here.

    connected ──bind──▶ bound ──nothing heard for enquire_link──▶ enquired ──nothing for response──▶ dead
                          ▲───────────────heard───────────────────┘
    bound ──no text and no receipt for inactivity──▶ inactive        unbinding ──response──▶ given up

Source: SMPP 3.4, section 7.2 (session_init, enquire_link, inactivity and response timers).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto


class Phase(Enum):
    BINDING = auto()
    BOUND = auto()
    UNBINDING = auto()


class Due(Enum):
    BIND_TIMED_OUT = auto()
    ENQUIRE = auto()
    LINK_DEAD = auto()
    INACTIVE = auto()
    UNBIND_TIMED_OUT = auto()


@dataclass(frozen=True, slots=True)
class TimerPolicy:
    """Seconds."""

    bind: float = 30.0
    enquire_link: float = 30.0
    """Of silence, after which the peer is asked whether it is there."""
    response: float = 30.0
    """For an answer to any request."""
    inactivity: float | None = None
    """Without texts and receipts either way, after which the session is ended; None: never."""


@dataclass(frozen=True, slots=True)
class Timers:
    policy: TimerPolicy
    phase: Phase
    since: float
    """When the phase began."""
    heard_at: float
    """When a whole PDU came last."""
    worked_at: float
    """When a text or a receipt passed last."""
    enquired_at: float | None = None
    """When the peer was asked, while it has not answered."""

    @classmethod
    def connected(cls, policy: TimerPolicy, now: float) -> Timers:
        return cls(policy, Phase.BINDING, since=now, heard_at=now, worked_at=now)

    def bound(self, now: float) -> Timers:
        return replace(self, phase=Phase.BOUND, since=now, worked_at=now)

    def unbinding(self, now: float) -> Timers:
        return replace(self, phase=Phase.UNBINDING, since=now)

    def heard(self, now: float) -> Timers:
        """A PDU came, whichever: the peer is there."""
        return replace(self, heard_at=now, enquired_at=None)

    def worked(self, now: float) -> Timers:
        return replace(self, worked_at=now)

    def enquired(self, now: float) -> Timers:
        return replace(self, enquired_at=now)

    def due(self, now: float) -> Due | None:
        """What has to be done now, the most grave first."""
        at, what = self._next()
        return what if now >= at else None

    @property
    def next_at(self) -> float:
        """When `due` will have something, if nothing comes before."""
        return self._next()[0]

    def _next(self) -> tuple[float, Due]:
        policy = self.policy
        if self.phase is Phase.BINDING:
            return self.since + policy.bind, Due.BIND_TIMED_OUT
        if self.phase is Phase.UNBINDING:
            return self.since + policy.response, Due.UNBIND_TIMED_OUT
        if self.enquired_at is not None:
            return self.enquired_at + policy.response, Due.LINK_DEAD
        enquire_at = self.heard_at + policy.enquire_link
        if policy.inactivity is not None and (inactive_at := self.worked_at + policy.inactivity) <= enquire_at:
            return inactive_at, Due.INACTIVE
        return enquire_at, Due.ENQUIRE
