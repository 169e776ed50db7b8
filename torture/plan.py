"""What happens when, by seed: pure, so that the same seed and length give the same plan.

A run is a row of rounds. Each has a quiet stretch; then endpoints break, and nothing else, so that it shows whether the
healthy ones notice; then the server itself suffers, while the endpoints heal one after the other. How far the server
has come at a moment is the machine's affair, so a repeated run is alike and not the same.

Of the blacklisting (600 s of nothing but failures) a plan keeps clear: an endpoint is broken for a part of a round, in
which the clock is advanced once or twice, by `ADVANCE_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Generic, TypeVar

ROUND_SECONDS = 20.0
SETTLED, QUIET, TROUBLE = 0.12, 0.3, 0.5
"""Parts of a round: until the first, backlogs of the one before drain; until the second, it is quiet; until the third,
only endpoints are broken; until its end, the server suffers."""
SHORTEST_BLOW_SECONDS = 0.8
ADVANCE_SECONDS = 61
"""More than the first ten pauses between two tries; less than the 180 s in which a session may be recovered."""
MAX_JUMP_HOURS = 30
"""Ahead and back together stay under the 72 hours after which undelivered notifications go."""
BATCH_EVERY_SECONDS = 7.0
CHURNED = 3
SESSIONS = 3


class Mood(StrEnum):
    """How an endpoint is broken."""

    REFUSING = "refusing"
    HANGING = "hanging"
    DRIPPING = "dripping"
    RESETTING = "resetting"
    HANGING_UP = "hanging up"
    ERROR_500 = "500"
    THROTTLING = "429"
    REDIRECTING = "redirecting"
    OVERSIZED = "oversized"
    MALFORMED = "malformed"
    BAD_TLS = "bad TLS"
    SLOW = "slow"


class Wanted(StrEnum):
    """What a subscription asks for, of the events that are published here."""

    ALL = "all"
    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL, and a start. `again_after`: kill that start, too, so many seconds on its way. `tears`: between them, the
    ends of the write-ahead logs are as a machine that lost its power may leave them."""

    again_after: float | None = None
    tears: bool = False


@dataclass(frozen=True, slots=True)
class Terminate:
    """SIGTERM, and a start."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """SIGSTOP for so long; more than 3 s is longer than an answer may take."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock is set, and set right again after so many seconds."""

    hours: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Advance:
    """The development clock, running time included, goes ahead by `ADVANCE_SECONDS`."""


@dataclass(frozen=True, slots=True)
class FillDisk:
    """So long, the disk has little room left, or none at all. `kills`: SIGKILL while it is full."""

    seconds: float
    entirely: bool
    kills: bool


Blow = Kill | Terminate | Freeze | Jump | Advance | FillDisk


@dataclass(frozen=True, slots=True)
class Dealt:
    """So long after the server answers again."""

    after_seconds: float
    blow: Blow


Step_co = TypeVar("Step_co", covariant=True)


@dataclass(frozen=True, slots=True)
class At(Generic[Step_co]):
    """`seconds` from the beginning of the run."""

    seconds: float
    step: Step_co


@dataclass(frozen=True, slots=True)
class Breaks:
    """An endpoint is in this mood until it `heals_at`, in seconds from the beginning."""

    mood: Mood
    heals_at: float


@dataclass(frozen=True, slots=True)
class Subscribe:
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Refilter:
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    pass


Change = Subscribe | Refilter | Pause | Unsubscribe


@dataclass(frozen=True, slots=True)
class Drop:
    """A connection is cut, and its client stays away for so long before it asks for its session back."""

    away_seconds: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """Seconds from the beginning: `from_` until `until`."""

    from_: float
    until: float


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    seconds: float
    blows: tuple[Dealt, ...]
    """One after the other, as far as `suffering` has time for them."""
    breaks: tuple[At[Breaks], ...]
    changes: tuple[tuple[At[Change], ...], ...]
    """Of each churned subscription's place."""
    drops: tuple[tuple[At[Drop], ...], ...]
    """Of each session."""
    batches: tuple[float, ...]
    """When batches of SMS are handed in."""
    quiet: tuple[Stretch, ...]
    """Nothing is broken, and nothing suffers."""
    troubled: tuple[Stretch, ...]
    """Endpoints are broken, and nothing else suffers."""
    suffering: tuple[Stretch, ...]
    """Blows are dealt."""


def planned(seed: int, seconds: float) -> Plan:
    rounds = list(_rounds(seconds))
    return Plan(
        seed,
        seconds,
        blows=tuple(_blows(Random(f"{seed} blows"), seconds)),
        breaks=tuple(_breaks(Random(f"{seed} breaks"), rounds)),
        changes=tuple(tuple(_changes(Random(f"{seed} changes {place}"), seconds)) for place in range(CHURNED)),
        drops=tuple(tuple(_drops(Random(f"{seed} drops {session}"), seconds)) for session in range(SESSIONS)),
        batches=tuple(n * BATCH_EVERY_SECONDS for n in range(max(1, int(seconds / BATCH_EVERY_SECONDS)))),
        quiet=tuple(Stretch(_part(r, SETTLED), _part(r, QUIET)) for r in rounds),
        troubled=tuple(Stretch(_part(r, QUIET), _part(r, TROUBLE)) for r in rounds),
        suffering=tuple(Stretch(_part(r, TROUBLE), r.until) for r in rounds),
    )


def _rounds(seconds: float) -> Iterator[Stretch]:
    count = max(1, round(seconds / ROUND_SECONDS))
    for number in range(count):
        yield Stretch(number * seconds / count, (number + 1) * seconds / count)


def _part(of: Stretch, part: float) -> float:
    return of.from_ + part * (of.until - of.from_)


def _blows(random: Random, seconds: float) -> Iterator[Dealt]:
    """More than there is time for. Every kind comes before one comes again, so that all have their turn."""
    while True:
        cards = ["kill", "kill", "kill on the way up", "tear", "terminate", "freeze", "jump", "advance"]
        cards += ["little room", "no room"]
        random.shuffle(cards)
        for card in cards:
            seconds -= SHORTEST_BLOW_SECONDS
            if seconds < 0:
                return
            yield Dealt(random.uniform(0.3, 1.5), _blow(random, card))


def _blow(random: Random, card: str) -> Blow:
    match card:
        case "kill":
            return Kill()
        case "kill on the way up":
            return Kill(again_after=random.uniform(0.0, 1.2))
        case "tear":
            return Kill(tears=True)
        case "terminate":
            return Terminate()
        case "freeze":
            return Freeze(random.uniform(0.5, 4.0))
        case "jump":
            return Jump(random.choice((-1, 1)) * random.uniform(0.1, MAX_JUMP_HOURS), random.uniform(0.5, 2.0))
        case "advance":
            return Advance()
        case "little room":
            return FillDisk(random.uniform(1.0, 2.0), entirely=False, kills=False)
        case _:
            return FillDisk(random.uniform(1.0, 2.0), entirely=True, kills=random.random() < 0.5)


def _breaks(random: Random, rounds: list[Stretch]) -> Iterator[At[Breaks]]:
    for number in rounds:
        at = _part(number, QUIET)
        for mood in Mood:
            if random.random() < 0.8:
                yield At(at, Breaks(mood, _part(number, random.uniform(TROUBLE, 0.8))))


def _changes(random: Random, seconds: float) -> Iterator[At[Change]]:
    """A subscription after the other: made, changed and paused a few times, deleted; the last one stays."""
    at = random.uniform(0.5, 2.0)
    while True:
        yield At(at, Subscribe(random.choice(list(Wanted))))
        for _ in range(random.randrange(2, 6)):
            at += random.uniform(0.5, 3.0)
            if at >= seconds:
                return
            yield At(at, random.choice((Refilter(random.choice(list(Wanted))), Pause(random.uniform(0.2, 2.0)))))
        at += random.uniform(0.5, 3.0)
        if at + 2.0 >= seconds:
            return
        yield At(at, Unsubscribe())
        at += random.uniform(0.1, 1.0)


def _drops(random: Random, seconds: float) -> Iterator[At[Drop]]:
    at = random.uniform(1.5, 4.0)
    while at < seconds:
        away = random.uniform(0.0, 3.0)
        yield At(at, Drop(away))
        at += away + random.uniform(1.0, 6.0)
