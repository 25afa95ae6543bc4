"""The simulated day as a drawing: one panel a figure, one bar a policy, a line from the least to the most seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from xml.sax.saxutils import escape

from triage.demo.routing_day import POLICIES, ROWS, Result, figures

_WIDTH, _PANEL, _LEFT, _BAR = 760, 92, 330, 20
_COLOURS = {"round_robin": "#9aa5b1", "best": "#3b82c4", "optimal": "#1b4f72"}


def svg(results: Sequence[Result]) -> str:
    """Return the drawing as an SVG document."""
    height = 50 + _PANEL * len(ROWS)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        '<text x="16" y="26" font-size="16">A simulated day: median of the seeds, least to most</text>',
    ]
    for number, (label, name) in enumerate(ROWS):
        lines += _panel(results, label, name, 46 + number * _PANEL)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _panel(results: Sequence[Result], label: str, name: str, top: int) -> Iterator[str]:
    most = max(max(figures(results, policy, name)) for policy in POLICIES) or 1.0
    yield f'<text x="16" y="{top + 14}">{escape(label)}</text>'
    for row, policy in enumerate(POLICIES):
        found = figures(results, policy, name)
        y = top + 20 + row * (_BAR + 2)
        width = (_WIDTH - _LEFT - 90) / most
        yield f'<text x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{policy}</text>'
        yield (
            f'<rect x="{_LEFT}" y="{y}" width="{max(1.0, median(found) * width):.1f}" height="{_BAR}" '
            f'fill="{_COLOURS[policy]}"/>'
        )
        yield (
            f'<line x1="{_LEFT + min(found) * width:.1f}" x2="{_LEFT + max(found) * width:.1f}" y1="{y + _BAR / 2:g}" '
            f'y2="{y + _BAR / 2:g}" stroke="black"/>'
        )
        yield f'<text x="{_LEFT + max(found) * width + 8:.1f}" y="{y + 15}">{median(found):g}</text>'
