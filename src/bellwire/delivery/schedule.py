"""When to try again, and when to give up.

A notification that failed is tried again after an exponential pause with full jitter: up to 1 s, doubling to 60 s, then
on towards 15 minutes for as long as the backlog keeps it. The endpoint's `Retry-After` lengthens a pause, never
beyond 15 minutes (design.md, Delivery), and gets some jitter on top: it was told to all of a host's subscriptions.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellwire.model.attempt import AttemptResult, FailureCode


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Times in seconds of running time."""

    first_pause: float = 1.0
    doubling_until: float = 60.0
    longest_pause: float = 900.0
    tries_at_longest_doubling: int = 10
    """So many attempts pause at most `doubling_until`; later ones go on doubling up to `longest_pause`."""
    least_pause: float = 0.05
    """Full jitter may come near zero; an endpoint that just failed gets at least this long."""
    retry_after_spread: float = 0.1
    """The pause that an endpoint asked for is longer by up to this part."""
    give_up_after: int = 10
    """Refusals of one notification (4xx other than 408, 425, 429) after which it is given up."""

    def pause(self, failures: int, jitter: float) -> float:
        """Seconds to wait after so many failures in a row (1 or more).

        Args:
            jitter: 0 to 1, uniform.
        """
        if failures <= self.tries_at_longest_doubling:
            ceiling = min(self.doubling_until, self.first_pause * 2.0 ** min(failures - 1, 30))
        else:
            beyond = min(failures - self.tries_at_longest_doubling, 30)
            ceiling = min(self.longest_pause, self.doubling_until * 2.0**beyond)
        return max(self.least_pause, ceiling * jitter)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The endpoint took it."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Try again after so many seconds; `whole_endpoint`: the endpoint asked to be left alone for that long."""

    seconds: float
    whole_endpoint: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Never again by itself; it is recorded and can be replayed."""


Verdict = Delivered | RetryAfter | GiveUp

DELIVERED = Delivered()
GIVE_UP = GiveUp()

_STATUSES_WORTH_RETRYING = frozenset({408, 425, 429})


def is_refusal(result: AttemptResult) -> bool:
    """Whether the endpoint understood the notification and did not want it, rather than being unable to take it."""
    return result.failure is FailureCode.STATUS_4XX and result.status not in _STATUSES_WORTH_RETRYING


def after_attempt(
    result: AttemptResult, *, failures: int, refusals: int, policy: RetryPolicy, jitter: float
) -> Verdict:
    """What an attempt means for its notification.

    Args:
        failures: failed attempts in a row of this notification or its endpoint, whichever is more, this one included.
        refusals: refusals (`is_refusal`) of this notification, this one included.
        jitter: 0 to 1, uniform.
    """
    if result.failure is None:
        return DELIVERED
    if refusals >= policy.give_up_after and is_refusal(result):
        return GIVE_UP
    pause = policy.pause(max(1, failures), jitter)
    asked = result.retry_after_seconds
    if asked is None:
        return RetryAfter(pause)
    asked = min(max(asked, 0.0) * (1 + policy.retry_after_spread * jitter), policy.longest_pause)
    return RetryAfter(max(pause, asked), whole_endpoint=True)
