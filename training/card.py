"""The card of a model: one line for anyone, then what a reviewer needs. Plots are small PNG files beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.drift import REFERENCE, reference_of
from training.plots import draw_curve, draw_lift, draw_reliability, draw_segments
from training.workload import Workload, first_line, workloads

_MOST_SEGMENTS = 8
_FEWEST = 30


@dataclass(frozen=True)
class CardFacts:
    """
    All that a card tells. Arrays are of the slice that nothing was fitted on (calibration or a later test slice).

    Attributes:
        family: urgency, lead-value or sentiment.
        name: `<model>/<version>`.
        task: binary, classes or number.
        target: What is predicted, in words or the column's name.
        y: array of shape (n_rows,), the truth.
        score: array of shape (n_rows,): probability of 1 (binary), of shape (n_rows, n_classes), or predicted numbers.
        baseline: array of shape (n_rows,): what people sort by today (priority as a number, list price), or None.
        baseline_name: What that is called.
        segments: segment column -> array of shape (n_rows,) of its values as text.
        days: float, how many days the slice spans; 0 unknown.
        curve: learning curve: (rows fitted on, value of `curve_name`) pairs.
        metrics: as metrics.json holds them: name -> {"value", "low", "high", "floor"}.
        window: first and last instant of the training rows, ISO text, or "".
        sources: file name -> rows.
        kept: column -> because, of `--keep`.
        dropped: column -> evidence, of the guard.
        notes: warnings, maturity treatment, exclusions: sentences.
        licence: sources' terms, where a shipped model needs them.
    """

    family: str
    name: str
    task: str
    target: str
    y: np.ndarray
    score: np.ndarray
    baseline: np.ndarray | None = None
    baseline_name: str = ""
    segments: Mapping[str, np.ndarray] = field(default_factory=dict)
    days: float = 0.0
    curve: Sequence[tuple[int, float]] = ()
    curve_name: str = ""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    window: tuple[str, str] = ("", "")
    sources: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    licence: str = ""


def write_card(folder: Path, facts: CardFacts) -> list[str]:
    """
    Write `card.md` and its plots into *folder*; return the names of the files written, for the manifest.

    The first line is for anyone: of so many alerts a day so many were right, and what today's order finds. The same
    facts give the same bytes: the card reads no clock and draws no chance.
    """
    positive, chance = _as_binary(facts)
    parts = [f"# {first_line(facts.target, positive, chance, facts.days, facts.baseline, facts.baseline_name)}", ""]
    parts += [f"{facts.name}, a score of {facts.family} for {facts.target}.", ""]
    files = ["card.md"]
    if facts.kept:
        parts += ["> **Kept by hand, and so not to be promoted without an administrator:**"]
        parts += [f"> {name}: {why}" for name, why in facts.kept.items()] + [""]
    parts += _figures(facts)
    parts += _workload(workloads(positive, chance, facts.days))
    today = facts.baseline, facts.baseline_name
    plots: dict[str, tuple[str, Callable[[Path], None]]] = {
        "reliability.png": ("How often it was right when it said so", lambda p: draw_reliability(p, positive, chance)),
        "lift.png": ("How much the top of the list finds", lambda p: draw_lift(p, positive, chance, *today)),
    }  # fmt: skip
    found = _segments(facts.segments, positive, chance)
    if found:
        plots["segments.png"] = ("By segment", lambda p: draw_segments(p, found))
        parts += _segment_table(found)
    if len(facts.curve) > 1:
        told = facts.curve_name or "score"
        plots["learning_curve.png"] = ("What more rows would bring", lambda p: draw_curve(p, facts.curve, told))
    parts += ["## Plots", ""]
    for name, (title, draw) in plots.items():
        draw(folder / name)
        files.append(name)
        parts += [f"![{title}]({name})", ""]
    parts += _history(facts)
    (folder / REFERENCE).write_bytes(reference_of(positive, chance, facts.segments))
    files.append(REFERENCE)
    (folder / "card.md").write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")
    return sorted(files)


def _as_binary(facts: CardFacts) -> tuple[np.ndarray, np.ndarray]:
    """Return what the plots are of: 1 and its chance; of classes the top one's; of numbers the upper tenth by order."""
    y, score = np.asarray(facts.y), np.asarray(facts.score, dtype=np.float64)
    if facts.task == "number":
        chance = (np.argsort(np.argsort(score, kind="stable"), kind="stable") + 0.5) / max(1, len(score))
        return (y >= np.quantile(y, 0.9)).astype(np.float64), chance
    if score.ndim == 2:
        return (y == score.shape[1] - 1).astype(np.float64), score[:, -1]
    return (y > 0).astype(np.float64), score


def _figures(facts: CardFacts) -> list[str]:
    if not facts.metrics:
        return []
    lines = [
        "## Figures",
        "",
        "On rows that nothing was fitted on. *Floor* is what a perfect or a chance model shows.",
        "",
    ]
    lines += ["| figure | value | 95 % from | to | floor |", "|---|---:|---:|---:|---:|"]
    for name, row in facts.metrics.items():
        cells = [_number(row.get(part)) for part in ("value", "low", "high", "floor")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def _workload(rows: Sequence[Workload]) -> list[str]:
    lines = ["## Threshold against workload", "", "| score from | alerts a day | of them right | share of all found |"]
    lines.append("|---:|---:|---:|---:|")
    for row in rows:
        day = f"{row.alerts:.1f}" if row.per_day else f"{row.alerts:.0f} of the slice"
        lines.append(f"| {row.threshold:.2f} | {day} | {row.precision:.0%} | {row.recall:.0%} |")
    return [*lines, ""]


def _segments(
    segments: Mapping[str, np.ndarray], positive: np.ndarray, chance: np.ndarray
) -> list[tuple[str, int, float, float]]:
    """Return name, rows, mean score and share of ones of the largest segments."""
    found = []
    for column, values in segments.items():
        texts = np.array([str(value) for value in values])
        names, counts = np.unique(texts, return_counts=True)
        order = sorted(range(len(names)), key=lambda at: (-counts[at], names[at]))[:_MOST_SEGMENTS]
        for at in order:
            rows = texts == names[at]
            if counts[at] >= _FEWEST:
                label = f"{column}: {names[at] or '(empty)'}"
                found.append((label, int(counts[at]), float(chance[rows].mean()), float(positive[rows].mean())))
    return found


def _segment_table(found: Sequence[tuple[str, int, float, float]]) -> list[str]:
    lines = ["## Segments", "", "| segment | rows | mean score | came true |", "|---|---:|---:|---:|"]
    lines += [f"| {_cell(name)} | {rows:,} | {score:.0%} | {rate:.0%} |" for name, rows, score, rate in found]
    return [*lines, ""]


def _history(facts: CardFacts) -> list[str]:
    lines = ["## How it came to be", ""]
    if any(facts.window):
        lines.append(f"* Training window: {facts.window[0]} to {facts.window[1]}")
    lines += [f"* Source: {_cell(name)}, {rows:,} rows" for name, rows in facts.sources.items()]
    if facts.licence:
        lines.append(f"* Terms of the sources: {facts.licence}")
    lines += [f"* Left out, known only after the outcome: {_cell(name)} ({why})" for name, why in facts.dropped.items()]
    lines += [f"* {note}" for note in facts.notes]
    return [*lines, ""]


def _number(value: float | None) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}"


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "/")
