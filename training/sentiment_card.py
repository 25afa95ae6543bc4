"""The card of a sentiment model and its plots: what it can do, what it learnt from, and where it fails."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from triage.scoring.sentiment import CLASSES, Settings


def card(name: str, settings: Settings, judged: Mapping[str, Mapping[str, float]], facts: Mapping[str, Any]) -> str:
    """Return the card in Markdown; its first line is for anyone."""
    right = judged["macro_recall"]["value"]
    lines = [
        f"# {name}: of 10 customers in a mood it names it rightly for {10 * right:.1f}, counting each mood alike",
        "",
        f"Reads what a customer wrote and says {', '.join(CLASSES)}, with calibrated probabilities. "
        f"Trained for: {', '.join(settings.languages) or 'any language (not looked at)'}; on others it abstains.",
        "",
        "| on rows held out | value | 95 % | knows only the frequencies |",
        "|---|---|---|---|",
    ]
    for metric, numbers in judged.items():
        lines.append(
            f"| {metric} | {numbers['value']:.3f} | {numbers['low']:.3f} to {numbers['high']:.3f} "
            f"| {numbers['floor']:.3f} |"
        )
    lines += ["", *_rows(facts), "", *_recipe(facts, settings), "", *_limits(settings), ""]
    if facts["notes"]:
        lines += ["## Where the texts come from, and on what terms", "", *[f"* {note}" for note in facts["notes"]], ""]
    lines += ["![reliability](reliability.png) ![confusion](confusion.png)", ""]
    return "\n".join(lines)


def _rows(facts: Mapping[str, Any]) -> list[str]:
    rows = facts["rows"]
    shown = ", ".join(f"{rows[name]:,} {name}" for name in CLASSES)
    return [f"Fitted on {rows['fit']:,} texts ({shown}); {rows['held_out']:,} held out to choose by and calibrate on."]


def _recipe(facts: Mapping[str, Any], settings: Settings) -> list[str]:
    made = facts["recipe"]
    lines = ["## How it was made", "", f"* {made['kind']}" + (f" from {made['base']}" if "base" in made else "")]
    for stage in made.get("stages") or [made] * ("recipe" in made):
        lines += _stage(stage)
    lines += _origin(made)
    if "mixed" in made:
        lines.append(f"* {made['mixed']['share']:g} of the way from the weights it began with to those learnt")
    if "parity" in made:
        gate = made["parity"]
        lines.append(
            f"* parity on {gate['texts']} texts: float32 export off by {gate['exact_gap']:.1e} at most, int8 by "
            f"{gate['mean_gap']:.3f} on average; macro-F1 {gate['f1_before']:.4f} before, {gate['f1_after']:.4f} after"
        )
    lean = ", ".join(f"{value:+.2f}" for value in settings.lean)
    lines.append(f"* words beside the encoder weigh {settings.share:g}; seed {facts['seed']}; lean of the label {lean}")
    return lines


def _stage(stage: Mapping[str, Any]) -> list[str]:
    numbers, done = stage["recipe"], stage["done"]
    return [
        f"* {stage['rows']:,} rows: " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in numbers.items()),
        f"* {done['steps']:,} of {done['planned']:,} steps in {done['seconds']:,.0f} s ({done['epochs']:.2f} passes)",
    ]


def _origin(made: Mapping[str, Any]) -> list[str]:
    """Return how to make the model again, where one command does."""
    if "made_by" not in made:
        return []
    data = ", ".join(f"{name} (sha256 {digest}..)" for name, digest in made["data"].items())
    return [
        f"* made by `{made['made_by']}` with DATA holding {data}; library versions are in the manifest",
        "* the same processor kind and libraries give the same weights again; others give their like",
    ]


def _limits(settings: Settings) -> list[str]:
    return [
        "## Limits",
        "",
        f"* It abstains where more than one class stays possible at {settings.coverage:.0%} coverage per class; the "
        "label is then its best guess. Coverage holds for texts like those it was set on.",
        "* The label leans towards rarer classes, so that few complaints and thanks are missed; probabilities do not.",
        "* Irony, sarcasm, and texts whose mood lies in facts it cannot know are often missed.",
    ]


def plots(labels: np.ndarray, shares: np.ndarray) -> dict[str, bytes]:
    """Return reliability.png and confusion.png; nothing where matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return {}
    found = {}
    for name, draw in (("reliability", _reliability), ("confusion", _confusion)):
        figure = Figure(figsize=(4, 3.4), dpi=80, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.subplots(), labels, shares)
        held = io.BytesIO()
        figure.savefig(held, format="png", metadata={"Software": None})
        found[f"{name}.png"] = held.getvalue()
    return found


def _reliability(axes: Any, labels: np.ndarray, shares: np.ndarray) -> None:
    axes.plot([0, 1], [0, 1], color="0.7")
    for which, name in enumerate(CLASSES):
        order = np.argsort(shares[:, which], kind="stable")
        parts = [part for part in np.array_split(order, 10) if len(part)]
        axes.plot(
            [shares[part, which].mean() for part in parts], [(labels[part] == which).mean() for part in parts],
            marker="o", markersize=3, label=name,
        )  # fmt: skip
    axes.set(xlabel="probability said", ylabel="share found", title="reliability")
    axes.legend(frameon=False)


def _confusion(axes: Any, labels: np.ndarray, shares: np.ndarray) -> None:
    said = shares.argmax(axis=1)
    table = np.array([[((labels == row) & (said == column)).sum() for column in range(3)] for row in range(3)])
    axes.imshow(table / np.maximum(1, table.sum(axis=1, keepdims=True)), cmap="Blues", vmin=0, vmax=1)
    for row in range(3):
        for column in range(3):
            axes.text(column, row, str(table[row, column]), ha="center", va="center")
    axes.set(xticks=range(3), yticks=range(3), xticklabels=CLASSES, yticklabels=CLASSES, xlabel="said", ylabel="was")
