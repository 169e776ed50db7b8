from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from bellwire.observe.metrics import Metrics
from bellwire.observe.publishing import PublishWatch
from tests.doubles.stepped_clock import SteppedClock
from tests.unit.observe.test_metrics import samples


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def request(watch: PublishWatch, **fields: Any) -> list[Any]:
    with capture_logs() as lines:
        clean: dict[str, Any] = {"accepted": 1, "duplicates": 0, "rejected": 0, "first_rejection": "", "refusal": ""}
        watch.request(**clean | fields)
    return lines


def test_events_are_counted_by_outcome_and_groups_by_duration() -> None:
    metrics, clock = Metrics(), SteppedClock()
    watch = PublishWatch(metrics, clock, {"accepted": 5, "duplicate": 2}, debug=False)

    begun = watch.begun()
    clock.advance(seconds=0.02)
    watch.group(begun, rejected=3)

    found = samples(metrics)
    assert [
        found["bellwire_events_published_total", (("outcome", o),)] for o in ("accepted", "duplicate", "rejected")
    ] == [
        5,
        2,
        3,
    ]
    assert found["bellwire_publish_seconds_bucket", (("le", "0.01"),)] == 0
    assert found["bellwire_publish_seconds_bucket", (("le", "0.025"),)] == 1


def test_a_clean_request_is_logged_at_debug_only_and_one_with_rejections_at_info() -> None:
    quiet = PublishWatch(Metrics(), SteppedClock(), {}, debug=False)
    loud = PublishWatch(Metrics(), SteppedClock(), {}, debug=True)

    assert request(quiet) == []
    [clean] = request(loud)
    [rejected] = request(quiet, rejected=2, first_rejection="body.to: missing")

    assert (clean["event"], clean["log_level"], clean["accepted"]) == ("events.published", "debug", 1)
    assert (rejected["log_level"], rejected["rejected"], rejected["first_rejection"]) == ("info", 2, "body.to: missing")


def test_a_request_that_is_refused_as_a_whole_is_counted_and_says_why() -> None:
    metrics = Metrics()
    watch = PublishWatch(metrics, SteppedClock(), {}, debug=False)

    [line] = request(watch, accepted=0, refusal="the disk is nearly full")

    assert line["refusal"] == "the disk is nearly full"
    assert samples(metrics)["bellwire_publish_refused_total", ()] == 1
