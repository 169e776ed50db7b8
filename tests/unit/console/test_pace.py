"""How much comes a second."""

from __future__ import annotations

from bellwire.console.pace import Pace


def test_what_came_is_divided_by_the_time_that_passed_and_not_by_the_number_of_visits() -> None:
    pace = Pace(visits=10)
    assert pace.a_second("events") == 0
    pace.visit(0.5, events=10)
    assert pace.a_second("events") == 20
    pace.visit(3.5, events=4000)  # the server was busy, and came late
    assert pace.a_second("events") == 4010 / 4


def test_it_is_about_the_last_visits() -> None:
    pace = Pace(visits=2)
    for number in (1000, 1, 2):
        pace.visit(0.5, events=number)
    assert pace.a_second("events") == 3


def test_what_is_forgotten_begins_anew_beside_the_rest() -> None:
    pace = Pace(visits=10)
    pace.visit(1, events=100, fitting=100)
    pace.forget("fitting")
    assert pace.a_second("fitting") == 0
    pace.visit(1, events=0, fitting=7)
    assert (pace.a_second("events"), pace.a_second("fitting")) == (50, 7)
