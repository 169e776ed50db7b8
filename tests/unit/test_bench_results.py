"""What `make bench` makes of its figures: rows are judged, gathered from programs of their own, and curves drawn."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.__main__ import main
from bench.plots import draw, short
from bench.results import RESULTS_VARIABLE, Curve, Results, comparison, curve, row


def test_a_row_is_judged_by_its_ratio_where_there_is_a_reference() -> None:
    assert row("a", 50.0, "/s", reference=100.0, at_least=0.4).met
    assert not row("a", 50.0, "/s", reference=100.0, at_least=0.6).met
    assert row("a", 3.0, "us", reference=2.0, at_most=1.5).met


def test_a_row_without_reference_is_judged_by_its_value() -> None:
    met, missed = row("a", 60.0, "s", at_most=60), row("a", 60.1, "s", at_most=60)
    assert (met.met, missed.met, met.ratio, met.budget) == (True, False, None, "≤ 60")


def test_what_several_programs_tell_is_read_back_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "results"
    monkeypatch.setenv(RESULTS_VARIABLE, str(told))
    first = row("first", 1.0, "s", at_most=2)
    comparison("another", 2.0, "/s")
    curve("a curve", "things", "µs", [(1, 2.0), (10, 3.0)])
    row("second", 1.0, "s", at_least=2)

    results = Results.read(told)
    assert results.rows[0] == first
    document = json.loads(json.dumps(results.document()))
    assert [found["name"] for found in document["rows"]] == ["first", "second"]
    assert set(document["rows"][0]) == {"name", "value", "unit", "reference", "ratio", "budget", "met"}
    assert document["comparisons"] == [{"name": "another", "value": 2.0, "unit": "/s"}]
    assert document["curves"][0]["points"] == [[1, 2.0], [10, 3.0]]


def test_a_curve_is_drawn_within_its_picture(tmp_path: Path) -> None:
    points = [(1.0, 1.4), (100.0, 2.5), (1_000_000.0, 29.0)]
    path = draw(Curve(name="Cost by things", across="things <all>", up="µs", points=points), tmp_path)
    assert path.name == "cost-by-things.svg"
    picture = ElementTree.fromstring(path.read_text())
    circles = [element for element in picture.iter() if element.tag.endswith("circle")]
    places = [(float(circle.attrib["cx"]), float(circle.attrib["cy"])) for circle in circles]
    assert places == sorted(places, key=lambda place: (place[0], -place[1])), "rising to the right"
    assert all(0 < x < 640 and 0 < y < 320 for x, y in places)
    assert "1M" in "".join(picture.itertext())


def test_numbers_are_short() -> None:
    assert [short(value) for value in (0.5, 64.0, 1_000.0, 12_500.0, 1e6)] == ["0.5", "64", "1k", "12.5k", "1M"]


def test_every_tool_that_is_missing_is_named_with_its_package_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.peers.shutil.which", lambda tool, **_: None if tool == "redis-server" else f"/{tool}")
    monkeypatch.setattr("sys.argv", ["bench"])
    assert main() == 1
    told = capsys.readouterr()
    assert told.err == "redis-server not installed; on Debian and Ubuntu: apt-get install redis-server\n"
    assert told.out == ""
