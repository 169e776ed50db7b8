"""What viewers are shown of what flows."""

from __future__ import annotations

from random import Random

from bellwire.console.feed import LARGEST_BODY_HELD, MOST_HELD, Feed, Viewer
from bellwire.model.event import Event
from bellwire.model.ids import AccountId
from tests.doubles.attempts import an_attempt


def an_event(number: int = 1, *, account: str = "1", body: bytes = b"{}") -> Event:
    return Event(account=AccountId(account), uuid=str(number), chosen=True, topic="/t", timestamp_ms=number, body=body)


def test_a_viewer_sees_what_comes_while_it_is_open() -> None:
    feed, viewer = Feed(), Viewer(None)
    feed.routed(an_event(1), 0)
    feed.open(viewer)
    feed.routed(an_event(2), 3)
    feed.attempted(an_attempt(), an_event(2))
    seen = viewer.take_events()
    assert [(one.event.uuid, one.notifications) for one in seen.items] == [("2", 3)]
    assert viewer.take_attempts().seen == 1
    assert viewer.take_events().seen == 0, "each is given once"
    feed.close(viewer)
    feed.routed(an_event(3), 0)
    assert viewer.take_events().seen == 0


def test_a_viewer_of_one_account_sees_nothing_of_others() -> None:
    feed, viewer = Feed(), Viewer(AccountId("1"))
    feed.open(viewer)
    feed.routed(an_event(account="2"), 1)
    feed.attempted(an_attempt(), an_event(account="2"))
    feed.attempted(an_attempt(), None)
    assert viewer.take_events().seen == viewer.take_attempts().seen == 0


def test_under_load_a_bounded_sample_is_held_and_all_are_counted() -> None:
    viewer = Viewer(None, Random(7))
    for number in range(10 * MOST_HELD):
        viewer.routed(an_event(number), 1)
    seen = viewer.take_events()
    assert seen.seen == 10 * MOST_HELD
    assert len(seen.items) == MOST_HELD
    order = [one.event.timestamp_ms for one in seen.items]
    assert order == sorted(order)
    late = sum(1 for at in order if at >= 5 * MOST_HELD)
    assert 0.3 < late / MOST_HELD < 0.7, "each had the same chance"


def test_large_bodies_are_counted_and_not_held() -> None:
    viewer = Viewer(None)
    viewer.routed(an_event(body=b"x" * (LARGEST_BODY_HELD + 1)), 1)
    seen = viewer.take_events()
    assert (seen.seen, seen.items) == (1, ())


def test_an_engine_is_listened_to_only_while_somebody_looks() -> None:
    feed, first, second = Feed(), Viewer(None), Viewer(None)
    told: list[str] = []
    feed.connect(lambda: told.append("listen"), lambda: told.append("stop"))
    feed.open(first)
    feed.open(second)
    feed.open(second)
    feed.close(first)
    feed.close(first)
    assert told == ["listen"]
    feed.connect(lambda: told.append("listen to another"), lambda: told.append("stop that"))
    assert told[-1] == "listen to another", "somebody looks while the engine is changed"
    feed.close(second)
    assert told[-1] == "stop that"
