"""Whether it is we who are cut off: when most hosts can't even be connected to, the fault is on our side. No I/O.

While at least 80 % of at least five hosts fail by DNS or connect, the *failing clock* stands still for everybody
(engine.md, Time), and so it does for as long as our own process did. A host counts by its last outcome: as unreachable
until the next one, since it may not be tried again for a quarter of an hour; as reached for a few minutes, since
nothing shows without traffic that it still can be.
"""

from __future__ import annotations

from dataclasses import dataclass

from bellwire.model.attempt import FailureCode

UNREACHABLE = frozenset(
    {FailureCode.DNS, FailureCode.CONNECT_REFUSED, FailureCode.CONNECT_TIMEOUT, FailureCode.CONNECT_FAILED}
)
"""Failures that say nothing of the endpoint if they strike everywhere."""


@dataclass(frozen=True, slots=True)
class OutageRule:
    least_hosts: int = 5
    least_part: float = 0.8
    reached_counts_for: float = 300.0
    """Seconds. Half of the time to blacklisting: an outage is seen before it has cost anybody theirs."""
    unreachable_counts_for: float = 1000.0
    """A little more than the longest pause between two tries of one host."""


class OutageWatch:
    """Hosts by their last outcome. Times are running time; `reached` is on the hot path."""

    __slots__ = ("_reached", "_rule", "_since", "_stood_still", "_unreachable")

    def __init__(self, rule: OutageRule | None = None) -> None:
        self._rule = rule or OutageRule()
        self._reached: dict[str, float] = {}
        self._unreachable: dict[str, float] = {}
        self._since: float | None = None
        self._stood_still = 0.0

    def reached(self, host: str, now: float) -> None:
        """The host answered, or failed in a way that only a host that is reached can."""
        self._reached[host] = now
        if self._unreachable:
            self._unreachable.pop(host, None)

    def unreachable(self, host: str, now: float) -> None:
        self._unreachable[host] = now
        self._reached.pop(host, None)

    @property
    def is_on(self) -> bool:
        """Whether the outage is ours, as of the last `judge`."""
        return self._since is not None

    def failing_clock(self, now: float) -> float:
        """Running time without that of outages and standstills."""
        return (now if self._since is None else self._since) - self._stood_still

    def stood_still(self, seconds: float) -> None:
        """Our own process did not run for so long just now, and could not hear of a success."""
        if self._since is None:
            self._stood_still += seconds

    def judge(self, now: float) -> bool:
        """Look again; whether an outage began or ended. Takes time in proportion to the hosts tried lately."""
        rule = self._rule
        _forget_before(self._unreachable, now - rule.unreachable_counts_for)
        _forget_before(self._reached, now - rule.reached_counts_for)
        failing, hosts = len(self._unreachable), len(self._unreachable) + len(self._reached)
        is_on = hosts >= rule.least_hosts and failing >= rule.least_part * hosts
        if is_on == self.is_on:
            return False
        if self._since is None:
            self._since = now
        else:
            self._stood_still += now - self._since
            self._since = None
        return True

    @property
    def figures(self) -> tuple[int, int]:
        """(unreachable hosts, hosts that count)."""
        return len(self._unreachable), len(self._unreachable) + len(self._reached)


def _forget_before(hosts: dict[str, float], before: float) -> None:
    for host in [host for host, at in hosts.items() if at < before]:
        del hosts[host]
