"""The days of a tryout as bars: promises broken on each, caught beforehand and missed, one on top of the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triage.tryout.look import Day

WIDTH, HEIGHT, FOOT, SIDE = 900, 150, 22, 34


def chart(days: Sequence[Day]) -> str:
    """Return an SVG picture of *days* with a legend; each bar says its figures to whoever points at it."""
    most = max(1, *(day.caught + day.missed for day in days))
    title = "Promises broken on each day: caught beforehand, and missed"
    legend = (
        f'<p class="dim">{_square("good")} broken, caught beforehand &nbsp; {_square("bad")} broken, and missed</p>'
    )
    body = "".join((*_scale(most), *_bars(days, most)))
    size = f"0 0 {WIDTH} {HEIGHT + FOOT}"
    return f'<svg viewBox="{size}" role="img" aria-label="{title}">{body}</svg>{legend}'


def _square(kind: str) -> str:
    shape = f'<rect class="{kind}" width="10" height="10"></rect>'
    return f'<svg viewBox="0 0 10 10" style="width:.7rem" aria-hidden="true">{shape}</svg>'


def _scale(most: int) -> Iterator[str]:
    yield f'<text x="0" y="12">{most:,}</text><text x="0" y="{HEIGHT}">0</text>'


def _bars(days: Sequence[Day], most: int) -> Iterator[str]:
    step = (WIDTH - SIDE) / max(1, len(days))
    labelled = max(1, len(days) // 8)
    for number, day in enumerate(days):
        left, wide = SIDE + number * step, max(0.5, step * 0.8)
        high, low = (HEIGHT * count / most for count in (day.caught, day.missed))
        yield f"<g><title>{day.date}: {day.caught:,} caught, {day.missed:,} missed</title>"
        yield from _bar("good", left, HEIGHT - high, wide, high)
        yield from _bar("bad", left, HEIGHT - high - low, wide, low)
        yield "</g>"
        if number % labelled == 0:
            yield f'<text x="{left:.1f}" y="{HEIGHT + 16}">{day.date[5:]}</text>'


def _bar(kind: str, left: float, top: float, wide: float, high: float) -> Iterator[str]:
    if high:
        yield f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"></rect>'
