"""The plots of a card: small PNG files without a date in them, so that the same model gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_SIZE, _DPI = (4.2, 3.0), 80
_INK, _OTHER = "#1f5fa8", "#b0b0b0"
_BINS = 10


def draw_reliability(path: Path, positive: np.ndarray, chance: np.ndarray) -> None:
    """Write what share came true against what was said, in ten bins of equal counts."""
    order = np.argsort(chance, kind="stable")
    bins = [part for part in np.array_split(order, _BINS) if len(part)]
    said, true = [float(chance[part].mean()) for part in bins], [float(positive[part].mean()) for part in bins]
    with _plot(path, "said", "came true") as axes:
        axes.plot([0, 1], [0, 1], color=_OTHER, linewidth=1)
        axes.plot(said, true, marker="o", color=_INK, markersize=4)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)


def draw_lift(
    path: Path, positive: np.ndarray, chance: np.ndarray, baseline: np.ndarray | None, baseline_name: str
) -> None:
    """Write the share of all ones found in the top of the list, for the score and for the order of today."""
    with _plot(path, "share of the list", "share found") as axes:
        axes.plot([0, 1], [0, 1], color=_OTHER, linewidth=1)
        axes.plot(*_found(positive, chance), color=_INK, label="score")
        if baseline is not None:
            axes.plot(*_found(positive, baseline), color="#c0392b", linestyle="--", label=baseline_name or "today")
            axes.legend(frameon=False, fontsize=8)


def draw_segments(path: Path, found: Sequence[tuple[str, int, float, float]]) -> None:
    """Write mean score (bar) and what came true (dot) of each segment."""
    names = [name if len(name) <= 28 else name[:27] + "…" for name, *_ in found]
    with _plot(path, "share", "", height=max(_SIZE[1], 0.28 * len(found) + 0.8)) as axes:
        places = np.arange(len(found))[::-1]
        axes.barh(places, [score for _, _, score, _ in found], color=_OTHER, height=0.6)
        axes.plot([rate for *_, rate in found], places, "o", color=_INK, markersize=5)
        axes.set_yticks(places, names, fontsize=7)


def draw_curve(path: Path, curve: Sequence[tuple[int, float]], name: str) -> None:
    """Write *name* against the number of rows fitted on."""
    with _plot(path, "rows fitted on", name) as axes:
        axes.plot([rows for rows, _ in curve], [value for _, value in curve], marker="o", color=_INK, markersize=4)


def _found(positive: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ranked = positive[np.argsort(-np.nan_to_num(np.asarray(order, dtype=np.float64)), kind="stable")]
    share = np.concatenate([[0.0], np.cumsum(ranked) / max(1.0, float(positive.sum()))])
    at = np.unique(np.linspace(0, len(positive), 101).astype(int))
    return at / max(1, len(positive)), share[at]


@contextmanager
def _plot(path: Path, across: str, up: str, height: float = _SIZE[1]) -> Iterator[Axes]:
    figure = Figure(figsize=(_SIZE[0], height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlabel(across, fontsize=8)
    axes.set_ylabel(up, fontsize=8)
    axes.tick_params(labelsize=7)
    yield axes
    # Without this the file would hold the version that drew it and differ from machine to machine.
    figure.savefig(path, metadata={"Software": None})
