"""Scores as a person reads them: a column for each score, in words, with `abstained` beside the one it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Values = Mapping[str, Any]


def cells_of(lines: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return the titles and rows of a table of *lines*, which `triage score --json` would print; no column is empty."""
    told = list(lines)
    shown = [(family, text) for family, text in _TEXTS.items() if any(_has(line["scores"], family) for line in told)]
    titles = ["id", *(_TITLES.get(family, family) for family, _ in shown), "why"]
    rows = [
        [line["id"], *(_cell(line["scores"], family, text) for family, text in shown), _why(line["reasons"])]
        for line in told
    ]
    return titles, rows


def _has(values: Values, family: str) -> bool:
    return any(name.partition(".")[0] == family for name in values)


def _cell(values: Values, family: str, text: Callable[[Values], str]) -> str:
    if not _has(values, family):
        return ""
    return text(values) + (" (abstained)" if values.get(f"{family}.abstained") else "")


def _lead(values: Values) -> str:
    text = f"{values['lead.probability']:.2f}"
    if "lead.value" in values:
        text += f", worth {values['lead.value']:,.0f}"
    if "lead.value_low" in values and "lead.value_high" in values:
        text += f" ({values['lead.value_low']:,.0f} to {values['lead.value_high']:,.0f})"
    return text


def _why(reasons: Mapping[str, Iterable[str]]) -> str:
    told = ((_TITLES.get(family, family), "; ".join(texts)) for family, texts in reasons.items())
    return " | ".join(f"{title}: {text}" for title, text in told if text)


_TITLES = {"lead": "lead value", "complexity": "effort"}
"""What a person calls a family, where that is not its name."""

_TEXTS: Mapping[str, Callable[[Values], str]] = {
    "urgency": lambda values: f"{values['urgency.score']:.2f}",
    "lead": _lead,
    "sentiment": lambda values: f"{values['sentiment.label']} {values['sentiment.score']:.2f}",
    "language": lambda values: str(values["language.code"]),
    "complexity": lambda values: f"{values['complexity.score']:.2f}",
}
"""How each family is told, in the order of the columns."""
