"""Why a score is what it is, in words: the three columns that moved it furthest from a typical record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.features.extract import Row
from triage.features.spec import AGE_STEP
from triage.features.text import word_grams

if TYPE_CHECKING:
    from triage.scoring.linear import Active, LinearPart
    from triage.scoring.tabular import TabularModel

REASONS = 3
_FAINT = 0.02
"""Parts of the margin below this are no reason."""


def strongest(model: TabularModel, row: Row) -> tuple[str, ...]:
    """Return at most three reasons for the score of *row*, the strongest first."""
    moved = parts(model, row)
    names = sorted(moved, key=lambda name: (-abs(moved[name]), name))
    told = [name for name in names if abs(moved[name]) >= _FAINT][:REASONS]
    return tuple(_sentence(model, row, name, moved[name]) for name in told)


def parts(model: TabularModel, row: Row) -> dict[str, float]:
    """Return how far each column moved the margin of *row* up (towards more urgent) or down, against the typical."""
    spec = model.spec
    fixed = _fixed(model)
    moved: dict[str, float] = {}
    grams = model.grams.active(row.text)
    if model.linear is not None and spec.share > 0:
        linear = model.linear
        # With two classes there is one output, and it counts as it is.
        alone = linear.single is not None and len(spec.classes) == 2
        found = (
            linear.shares(linear.active(row, grams))
            if alone
            else (fixed.weights @ linear_shares(linear, row, grams)).tolist()
        )
        for name, share, usual in zip(fixed.linear_names, found, fixed.usual_linear, strict=True):
            moved[name] = moved.get(name, 0.0) + spec.share * (share - usual)
    if model.forest is not None and spec.share < 1:
        seen = model.tree_row(row, grams)
        found = (fixed.tree_weights @ model.forest.shares(seen, len(seen))).tolist()
        for name, share, usual in zip(fixed.tree_names, found, fixed.usual_trees, strict=True):
            moved[name] = moved.get(name, 0.0) + (1 - spec.share) * (share - usual)
    return moved


class _Fixed(NamedTuple):
    """What of a model every record's reasons need."""

    weights: np.ndarray
    tree_weights: np.ndarray
    linear_names: list[str]
    tree_names: list[str]
    usual_linear: list[float]
    usual_trees: list[float]
    categories: dict[str, int]
    numbers: dict[str, int]


def _fixed(model: TabularModel) -> _Fixed:
    held: _Fixed | None = model.fixed
    if held is None:
        weights, tree_weights, features = direction(model), tree_direction(model), model.spec.features
        linear = model.linear is not None and model.spec.share > 0
        trees = model.forest is not None and model.spec.share < 1
        held = model.fixed = _Fixed(
            weights, tree_weights, linear_names(model), tree_names(model),
            _usual(model.spec.typical_linear, weights).tolist() if linear else [],
            _usual(model.spec.typical_trees, tree_weights).tolist() if trees else [],
            {name: at for at, name in reversed(list(enumerate(features.category_names)))},
            {name: at for at, name in reversed(list(enumerate(features.number_names)))},
        )  # fmt: skip
    return held


def linear_shares(linear: LinearPart, row: Row, grams: Active) -> np.ndarray:
    """Return, of shape (n_outputs, n_groups), what each group of places adds to each margin of *row*."""
    places, values = linear.active(row, grams)
    found = np.zeros((len(linear.intercept), len(linear.starts)))
    if places:
        groups = np.searchsorted(np.asarray(linear.starts), np.asarray(places), side="right") - 1
        np.add.at(found.T, groups, linear.weights[places] * np.asarray(values)[:, None])
    return found


def direction(model: TabularModel) -> np.ndarray:
    """Return how much each output of the linear part counts towards the score, of shape (n_outputs,)."""
    classes = len(model.spec.classes)
    if classes == 2:
        return np.ones(1)
    sign = -1.0 if model.spec.high_first else 1.0
    if model.spec.linear.form == "cumulative":
        return np.full(classes - 1, sign / (classes - 1))
    return sign * np.linspace(-1, 1, classes)


def tree_direction(model: TabularModel) -> np.ndarray:
    """Return how much each output of the trees counts towards the score."""
    classes = len(model.spec.classes)
    return np.ones(1) if classes == 2 else (-1.0 if model.spec.high_first else 1.0) * np.linspace(-1, 1, classes)


def linear_names(model: TabularModel) -> list[str]:
    """Return the column of each group of the linear part."""
    features = model.spec.features
    return ["text", "text", *features.category_names, *features.number_names]


def tree_names(model: TabularModel) -> list[str]:
    """Return the column of each feature that the trees see."""
    features = model.spec.features
    width = len(model.spec.unseen[0]) if model.spec.unseen else 0
    names = [name for name in features.category_names for _ in range(width)]
    margins = 0 if model.text is None else len(model.text.intercept)
    return [*names, *features.number_names, *(["text"] * margins)]


def _usual(typical: tuple[tuple[float, ...], ...], weights: np.ndarray) -> np.ndarray:
    found: np.ndarray = weights @ np.asarray(typical)
    return found


def _sentence(model: TabularModel, row: Row, name: str, moved: float) -> str:
    way = "raises" if moved > 0 else "lowers"
    much = "strongly" if abs(moved) >= 1.0 else "clearly" if abs(moved) >= 0.3 else "slightly"
    return f"{_told(model, row, name, moved)} {way} it {much}"


def _told(model: TabularModel, row: Row, name: str, moved: float) -> str:
    fixed = _fixed(model)
    if name == "text":
        words = list(_words(model, row, moved))
        return "the words " + ", ".join(f"“{word}”" for word in words) if words else "the wording"
    if name in fixed.categories:
        level = row.categories[fixed.categories[name]]
        aged = model.spec.features.ages and name != AGE_STEP
        return _level(name, level.partition("|")[2] if aged else level)
    value = row.numbers[fixed.numbers[name]]
    if name.endswith(".hours_before"):
        name = f"hours from {name.removesuffix('.hours_before')} to the opening"
    return f"{_plain(name)} missing" if value != value else f"{_plain(name)} {value:.6g}"


def _level(name: str, level: str) -> str:
    if " + " in name and "|" in level:
        names, levels = name.split(" + ", 1), level.split("|", 1)
        return " with ".join(_level(*pair) for pair in zip(names, levels, strict=True))
    return f"{_plain(name)} “{level}”" if level else f"{_plain(name)} missing"


_PLAIN = {
    "opened.hour": "opened in the hour",
    "opened.weekday": "opened on weekday (0 is Monday)",
    "opened.week_hour": "opened at hour of the week",
    "opened.in_hours": "opened in open hours (1 is yes)",
    "age.hours": "hours since the opening",
    "age.open_hours": "open hours since the opening",
    "age.step": "open for at least",
    "now.week_hour": "hour of the week",
    "text.words": "number of words",
    "past.changes": "changes so far",
    "past.people": "people who changed it",
    "past.quiet_hours": "hours since the last change",
    "past.contacts_in": "messages from the customer",
    "past.contacts_out": "messages to the customer",
    "past.waiting_hours": "hours that the customer has waited",
}


def _plain(name: str) -> str:
    if name in _PLAIN:
        return _PLAIN[name]
    if name.startswith("past.") and name.endswith(".changes"):
        return f"changes of {name[5:-8]}"
    if name.startswith("past.") and name.endswith(".returns"):
        return f"returns of {name[5:-8]} to an earlier value"
    return f"{name[4:]} now" if name.startswith("now.") else name


def _words(model: TabularModel, row: Row, moved: float) -> Iterator[str]:
    """Give the three words of the text that moved the margin furthest the way that the text did."""
    part = model.text if model.text is not None else model.linear
    if part is None or not row.text:
        return
    weights = _fixed(model).weights
    shares: dict[str, float] = {}
    for gram in set(word_grams(row.text)):
        found = model.grams.words.places.get(gram)
        if found is not None:
            place, idf = found
            weight = part.single[place] if part.single is not None else float(weights @ part.weights[place])
            shares[gram] = weight * idf
    sign = 1.0 if moved > 0 else -1.0
    for gram in sorted(shares, key=lambda gram: (-sign * shares[gram], gram))[:3]:
        if sign * shares[gram] > 0:
            yield gram
