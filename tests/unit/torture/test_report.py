"""What a run prints in the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from torture.checker import Repeats, Verdict
from torture.isolation import Isolation
from torture.report import SHOWN, Outcome, how_to_look, lines


def outcome(*complaints: str) -> Outcome:
    verdict = Verdict(
        matched=1200,
        receipts=1250,
        lost=0,
        repeats=50,
        allowed=Repeats(after_failure=30, after_end=20),
        out_of_order=0,
        missed=0,
        socket_receipts=300,
        socket_repeats=0,
        complaints=(),
    )
    return Outcome(
        seed=7,
        seconds=60,
        lasted_seconds=75.2,
        verdict=verdict,
        isolation=Isolation(0.010, 0.015, 400, 500),
        published=100,
        acknowledged=98,
        refusals={503: 12},
        blows={"kills": 4, "disk full": 1},
        left_out=[],
        peak_rss_bytes=140 << 20,
        rss_bound_bytes=310 << 20,
        changes=Counter(made=3),
        sockets=Counter(dropped=5, recovered=6),
        sms_messages=64,
        sms_events=184,
        sms_repeats=0,
        sms_final=Counter(Delivered=64),
        load_average=(0.5, 0.4, 0.3),
        complaints=list(complaints),
    )


def test_figures_are_told_and_the_seed_is_in_the_last_line() -> None:
    said = list(lines(outcome()))
    text = "\n".join(said)
    assert said[-1] == "seed 7: every promise held in 75 s"
    assert "100, acknowledged 98, 12 requests answered 503" in text
    assert "50, allowed 50: 30 after a failed answer, 20 after an end that came before the record" in text
    assert "4 kills, 0 torn tails, 0 terms, 0 stops, 0 clock jumps, 0 clock advances, 1 disk full" in text
    assert "15.0 ms beside broken ones, 10.0 ms in quiet, ratio 1.50" in text


def test_broken_rules_are_named_up_to_a_number_and_all_are_counted() -> None:
    said = list(lines(outcome(*(f"hook: torture0-{n} is lost" for n in range(SHOWN + 2)))))
    assert "hook: torture0-0 is lost" in said
    assert "… and 2 more" in said
    assert said[-1] == f"seed 7: {SHOWN + 2} BROKEN RULES in 75 s"


def test_what_to_do_then_is_said_with_the_seed_and_the_place() -> None:
    said = "\n".join(how_to_look(7, 60, Path("build/torture/seed-7/data")))
    assert "make torture SECONDS=60 SEED=7" in said
    assert "bellwire check --data build/torture/seed-7/data" in said
