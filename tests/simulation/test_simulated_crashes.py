"""A thousand installations, crashed at every kind of point: nothing lost, nothing out of its key's order, nothing twice
but as engine.md allows.

To see one story again: `Story(seed).run()`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.story import POINTS, Story

STORIES = 1000
BLOCK = 50


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("first", range(0, STORIES, BLOCK))
def test_nothing_is_lost_repeated_or_out_of_order_whenever_it_crashes(first: int) -> None:
    kills: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    owed = repeats = 0
    for seed in range(first, first + BLOCK):
        story = Story(seed)
        try:
            owed += story.run()
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        kills += story.kills
        passed += story.disk.passed
        repeats += story.audit.repeats
    # What is shown here is worth something only as long as the stories meet what they are about.
    assert owed > 20 * BLOCK
    assert repeats > BLOCK // 2
    assert min(kills[what] for what in ("in flight", "idle", "live", "spilling", "draining")) > 0, kills
    assert min(passed[point] for point in POINTS) > 0, passed
