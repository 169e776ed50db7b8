"""Curves as SVG pictures: logarithmic axes, one line, a label at each point. No library draws so little."""

from __future__ import annotations

import math
import re
from html import escape
from pathlib import Path

from bench.results import Curve

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 40, 50
_STYLE = (
    "text{font:13px sans-serif;fill:#1f2933}.grid{stroke:#d5dbe1}.line{fill:none;stroke:#0b6bcb;stroke-width:2}"
    ".point{fill:#0b6bcb}"
)


def draw(curve: Curve, folder: Path) -> Path:
    """Write a curve's picture; returns its path, which is the curve's name with hyphens."""
    path = folder / (re.sub(r"[^a-z0-9]+", "-", curve.name.lower()).strip("-") + ".svg")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(svg(curve))
    return path


def svg(curve: Curve) -> str:
    """The picture. The vertical axis begins at the power of ten below the lowest point and ends at the one above."""
    xs, ys = [math.log10(x) for x, _ in curve.points], [math.log10(y) for _, y in curve.points]
    low, high = math.floor(min(ys)), max(math.ceil(max(ys)), math.floor(min(ys)) + 1)
    span = (max(xs) - min(xs)) or 1.0

    def across(x: float) -> float:
        return LEFT + (x - min(xs)) / span * (WIDTH - LEFT - RIGHT)

    def up(y: float) -> float:
        return HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(curve.name)}"><style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{LEFT}" y="20">{escape(curve.up)}</text>',
    ]
    for power in range(low, high + 1):
        y = up(power)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short(10.0**power)}</text>')
    line = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in zip(xs, ys, strict=True))
    parts.append(f'<polyline class="line" points="{line}"/>')
    for (x, y), (real_x, real_y) in zip(zip(xs, ys, strict=True), curve.points, strict=True):
        parts.append(f'<circle class="point" cx="{across(x):.1f}" cy="{up(y):.1f}" r="4"/>')
        parts.append(f'<text x="{across(x):.1f}" y="{up(y) - 9:.1f}" text-anchor="middle">{short(real_y)}</text>')
        parts.append(f'<text x="{across(x):.1f}" y="{HEIGHT - 28}" text-anchor="middle">{short(real_x)}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(curve.across)}</text></svg>\n')
    return "\n".join(parts)


def short(value: float) -> str:
    """A number in a few characters: 12k rather than 12000."""
    for least, letter in ((1e6, "M"), (1e3, "k")):
        if value >= least:
            return f"{value / least:.3g}{letter}"
    return f"{value:.3g}"
