"""Who gets a place for an attempt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bellwire.engine.places import Gate, OriginPlaces, Places, full_gate, room_below

ONE, TWO = ("https", "one.example", 443), ("https", "two.example", 443)


def take(gates: tuple[Gate[object], ...], attempts: int) -> int:
    """Take places until they are full; how many were had."""
    for taken in range(attempts):
        if full_gate(gates) is not None:
            return taken
        for gate in gates:
            gate.in_flight += 1
    return attempts


def test_draining_lanes_leave_half_of_a_host_and_half_of_all_to_first_attempts() -> None:
    places: Places[object] = Places(20, 12)
    one, two = places.enter(ONE), places.enter(TWO)
    assert take(one.draining, 100) == 6
    assert take(two.draining, 100) == 4
    assert take(one.live, 100) == 6
    assert take(two.live, 100) == 4


def test_a_host_is_forgotten_with_its_last_subscription() -> None:
    places: Places[object] = Places(20, 12)
    first = places.enter(ONE)
    assert places.enter(ONE) is first
    places.leave(ONE, first)
    assert places.enter(ONE) is first
    places.leave(ONE, first)
    places.leave(ONE, first)
    assert places.enter(ONE) is not first


@given(st.integers(1, 500), st.integers(1, 64))
def test_endpoints_that_hang_leave_places_to_others_as_long_as_they_are_fewer_than_the_places(
    hanging: int, parallel: int
) -> None:
    """Each takes what its share allows, until none may take more."""
    places: Places[object] = Places(1024, 64)
    lanes: list[tuple[OriginPlaces[object], int]] = [
        (places.enter(("https", f"{number}.example", 443)), 0) for number in range(hanging)
    ]
    moved = True
    while moved:
        moved = False
        for number, (origin, running) in enumerate(lanes):
            if not running or running < origin.share(parallel):
                assert take(origin.live, 1) == 1, "nothing was left"
                lanes[number] = (origin, running + 1)
                moved = True
    assert places.all.in_flight < 1024


def test_a_lane_alone_may_use_its_whole_limit() -> None:
    places: Places[object] = Places(896, 56)
    origin = places.enter(ONE)
    running = 0
    while running < 16 and (not running or running < origin.share(16)):
        take(origin.live, 1)
        running += 1
    assert running == 16


@given(st.integers(1, 100_000))
def test_there_is_always_a_place_and_never_one_without_a_connection(connections: int) -> None:
    assert 1 <= room_below(connections) <= connections
