"""Charts: published, delivered, failed, latencies, backlog and watermark lag of the last minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui
from starlette.requests import Request

from bellwire.console.figures import SAMPLE_SECONDS, Point
from bellwire.console.forms import choice
from bellwire.console.frame import Page, framed
from bellwire.console.markup import Html, h
from bellwire.console.records import empty
from bellwire.console.region import Region, Values, text_of
from bellwire.console.visitor import Visitor
from bellwire.console.words import milliseconds, rate

_SPANS = [("120", "2 minutes"), ("600", "10 minutes"), ("1800", "30 minutes")]

_TEXT = "getComputedStyle(document.documentElement).getPropertyValue('--muted').trim()"
_LINE = "getComputedStyle(document.documentElement).getPropertyValue('--line').trim()"


def register(visitor_of: Callable[[Request], Visitor]) -> None:
    @ui.page("/charts")
    async def charts(request: Request) -> None:
        visitor = visitor_of(request)
        with framed(visitor, "Charts", current="/charts") as page:
            _Charts(page).build()


class _Charts:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._visitor = page.visitor
        self._seconds = 600.0

    def build(self) -> None:
        with ui.element("div").classes("heading"):
            Region(h("h1", None, "Charts"))
            Region(
                h("form", {"data-live": "span"}, choice("span", "Span", _SPANS, "600")),
                span=self._page.guarded(self._span),
            ).classes("tools")
        if self._visitor.scope.account_id is not None:
            said = empty(
                "Charts are about the whole server.",
                "Your key is good for one account. What its subscriptions deliver is under Subscriptions.",
            )
            Region(h("div", {"class": "panel"}, said))
            return
        with ui.element("div").classes("panel"):
            self._now = Region(h("p", {"class": "hint"}, "The first figures come within seconds."))
        with ui.element("div").classes("charts"):
            self._flow = _chart("Events and notifications a second", ("Published", "Delivered", "Failed"))
            self._latency = _chart("From publish to delivery, milliseconds", ("p50", "p95", "p99"))
            self._backlog = _chart("Notifications in the backlog", ("Waiting",))
            self._lag = _chart("Watermark lag, events; attempts under way", ("Lag", "Under way"))
        self._page.every(SAMPLE_SECONDS, self._refresh)

    async def _span(self, values: Values) -> None:
        span = text_of(values, "span")
        self._seconds = float(span) if span in dict(_SPANS) else 600.0
        if self._visitor.scope.account_id is None:
            await self._refresh()

    async def _refresh(self) -> None:
        self._visitor.scope.require_all("Looking at charts")
        points = self._visitor.facade.figures.points(seconds=self._seconds)
        if not points:
            return
        self._now.show(_present(points[-1]))
        _draw(self._flow, points, [lambda p: p.published, lambda p: p.delivered, lambda p: p.failed])
        _draw(
            self._latency,
            points,
            [lambda p, place=place: _in_ms(p.latencies[place]) for place in range(3)],  # type: ignore[misc]
        )
        _draw(self._backlog, points, [lambda p: p.backlog])
        _draw(self._lag, points, [lambda p: p.lag, lambda p: p.in_flight])


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _chart(title: str, names: Sequence[str]) -> ui.echart:
    """Colours are those of the theme at the moment of drawing."""
    with ui.element("section").classes("panel"):
        Region(h("h2", None, title, h("span", {"class": "hint"}, " · times are UTC")))
        colours = ("#2f7fd8", "#2a9d62", "#d9534a")
        options: dict[str, Any] = {
            "animation": False,
            "aria": {"enabled": True, "label": {"description": f"Line chart: {title}."}},
            "useUTC": True,
            # On the right, half of the last time is beyond the axis.
            "grid": {"left": 8, "right": 36, "top": 34, "bottom": 8, "containLabel": True},
            "legend": {"top": 0, "left": 0, "icon": "roundRect", "textStyle": {":color": _TEXT}},
            "tooltip": {"trigger": "axis", "confine": True},
            "xAxis": {
                "type": "time",
                "axisLabel": {":color": _TEXT, "hideOverlap": True},
                "axisLine": {"lineStyle": {":color": _LINE}},
            },
            "yAxis": {
                "type": "value",
                "min": 0,
                "minInterval": 0.1,
                "axisLabel": {":color": _TEXT},
                "splitLine": {"lineStyle": {":color": _LINE}},
            },
            "series": [
                {
                    "name": name,
                    "type": "line",
                    "symbolSize": 3,  # a moment with nothing before and after it is a point
                    "connectNulls": False,
                    "lineStyle": {"width": 2},
                    "color": colour,
                    "data": [],
                }
                for name, colour in zip(names, colours, strict=False)
            ],
        }
        chart = ui.echart(options)
        chart.props('role="img"')
    return chart


def _draw(chart: ui.echart, points: Sequence[Point], read: Sequence[Callable[[Point], float | None]]) -> None:
    latest: list[str] = []
    for series, value in zip(chart.options["series"], read, strict=True):
        series["data"] = [[point.at_ms, _rounded(value(point))] for point in points]
        now = series["data"][-1][1]
        latest.append(f"{series['name']} {'unknown' if now is None else f'{now:,}'}")
    label = chart.options["aria"]["label"]
    # What it writes by itself are moments as milliseconds since 1970.
    label["description"] = f"{label['description'].partition(' Now: ')[0]} Now: {', '.join(latest)}."
    chart.update()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _present(point: Point) -> Html:
    """The same in words and figures, for those who can't see the lines."""
    p50, _, p99 = point.latencies
    shown = [
        (rate(point.published), "published a second"),
        (rate(point.delivered), "delivered a second"),
        (rate(point.failed), "failed a second"),
        ("–" if p50 is None else milliseconds(p50), "p50 to delivery"),
        ("–" if p99 is None else milliseconds(p99), "p99 to delivery"),
        (f"{point.backlog:,.0f}", "in the backlog"),
        (f"{point.lag:,.0f}", "watermark lag"),
    ]
    return h(
        "div",
        {"class": "figures"},
        [h("div", {"class": "figure"}, h("b", None, value), h("span", None, name)) for value, name in shown],
    )
