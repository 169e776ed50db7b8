"""What a run prints: figures, and, where a rule was broken, what and how to look at it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torture.checker import Verdict
from torture.isolation import Isolation

MIB = 1 << 20
SHOWN = 40
"""Complaints; the others are counted."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """All that a run found."""

    seed: int
    seconds: float
    lasted_seconds: float
    verdict: Verdict
    isolation: Isolation
    published: int
    acknowledged: int
    refusals: Mapping[int, int]
    blows: Mapping[str, int]
    left_out: Sequence[str]
    peak_rss_bytes: int
    rss_bound_bytes: int
    changes: Counter[str]
    sockets: Counter[str]
    sms_messages: int
    sms_events: int
    sms_repeats: int
    sms_final: Counter[str]
    load_average: tuple[float, float, float]
    complaints: list[str] = field(default_factory=list)
    """Every broken rule."""


def lines(outcome: Outcome) -> Iterator[str]:
    """The figures, and the verdict in the last line."""
    verdict, blows = outcome.verdict, outcome.blows
    yield ""
    for name, value in (
        ("published", f"{outcome.published:,}, acknowledged {outcome.acknowledged:,}{_refused(outcome.refusals)}"),
        ("matched", f"{verdict.matched:,} notifications owed to webhooks that stayed"),
        ("receipts", f"{verdict.receipts:,} at webhooks"),
        ("lost", f"{verdict.lost}"),
        (
            "duplicates",
            f"{verdict.repeats:,}, allowed {verdict.allowed.allowed:,}: {verdict.allowed.after_failure:,} after a "
            f"failed answer, {verdict.allowed.after_end:,} after an end that came before the record",
        ),
        ("order breaks", f"{verdict.out_of_order}"),
        ("server", ", ".join(f"{blows.get(name, 0)} {name}" for name in BLOWS)),
        ("isolation", _isolation(outcome.isolation)),
        ("memory", f"{outcome.peak_rss_bytes / MIB:.0f} MiB at most, bound {outcome.rss_bound_bytes / MIB:.0f} MiB"),
        ("subscriptions", ", ".join(f"{outcome.changes[name]} {name}" for name in CHANGES)),
        (
            "sockets",
            f"{outcome.sockets['dropped']} dropped by their clients, {outcome.sockets['recovered']} recovered (the "
            f"server's ends included), {outcome.sockets['not recovered']} not, {verdict.socket_receipts:,} "
            f"notifications, {verdict.socket_repeats} again after a recovery, {verdict.missed} missed within the "
            "recovery window",
        ),
        (
            "SMS",
            f"{outcome.sms_messages:,} messages, {outcome.sms_events:,} events, {outcome.sms_repeats} repeated; "
            + ", ".join(f"{count:,} {status}" for status, count in sorted(outcome.sms_final.items())),
        ),
        ("load average", ", ".join(f"{load:.1f}" for load in outcome.load_average)),
    ):
        yield f"  {name:<14} {value}"
    for left_out in outcome.left_out:
        yield f"  {'left out':<14} {left_out}"
    yield ""
    yield from outcome.complaints[:SHOWN]
    if len(outcome.complaints) > SHOWN:
        yield f"… and {len(outcome.complaints) - SHOWN} more"
    judgement = "every promise held" if not outcome.complaints else f"{len(outcome.complaints)} BROKEN RULES"
    yield f"seed {outcome.seed}: {judgement} in {outcome.lasted_seconds:.0f} s"


BLOWS = ("kills", "torn tails", "terms", "stops", "clock jumps", "clock advances", "disk full")
CHANGES = ("made", "changed", "paused", "deleted")


def how_to_look(seed: int, seconds: float, data: Path) -> Iterator[str]:
    """Where a rule was broken."""
    place = shlex.quote(str(data))
    yield f"again:    make torture SECONDS={seconds:g} SEED={seed}"
    yield f"kept:     {place}; beside it what the processes wrote: output, and of the last one data-output"
    yield f"check it: .venv/bin/bellwire check --data {place}"
    yield f"look:     .venv/bin/bellwire dev --no-traffic --data {place} & .venv/bin/bellwire deliveries --help"


def _refused(refusals: Mapping[int, int]) -> str:
    return "".join(f", {count:,} requests answered {status}" for status, count in sorted(refusals.items()))


def _isolation(found: Isolation) -> str:
    if found.quiet is None or found.troubled is None or found.ratio is None:
        return "not measured: too short"
    return (
        f"p99 of healthy endpoints {found.troubled * 1000:.1f} ms beside broken ones, {found.quiet * 1000:.1f} ms in "
        f"quiet, ratio {found.ratio:.2f} ({found.troubled_receipts:,} and {found.quiet_receipts:,} receipts)"
    )
