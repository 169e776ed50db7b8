from __future__ import annotations

import structlog

from bellwire.model.attempt import Attempt
from bellwire.model.event import Event
from bellwire.observe.attempts import AttemptWatch
from bellwire.observe.metrics import Metrics
from tests.doubles.attempts import an_attempt

ATTEMPT = an_attempt(1)


def test_a_listener_that_fails_is_said_and_keeps_nothing_from_the_others() -> None:
    watch, told = AttemptWatch(Metrics(), debug=False), []

    def fails(_attempt: Attempt, _event: Event | None) -> None:
        raise OSError

    watch.listen(fails)
    watch.listen(lambda attempt, _event: told.append(attempt))
    with structlog.testing.capture_logs() as log:
        watch(None, ATTEMPT, None)

    assert told == [ATTEMPT]
    assert [(line["event"], line["log_level"]) for line in log] == [("attempts.listener_failed", "error")]
