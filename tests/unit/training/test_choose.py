"""How much memory a model keeps: short where the outcome drifts, all of it where shortness is chance."""

from __future__ import annotations

import numpy as np
import pytest

from training.candidates import Rows, fit_trees
from training.choose import Choice, choose, half_lives, recency, span_of
from training.curve import learning_curve
from training.encoders import GramMatrix, fit_grams
from training.metrics import auc
from triage.domain.instant import DAY
from triage.features import FeatureTable

ROWS = 2400
AT = np.sort(np.random.RandomState(1).randint(0, 90 * DAY, ROWS))
FIT, CHOOSING = np.arange(1800), np.arange(1800, ROWS)


def rows(turns: bool) -> Rows:
    """Return rows whose queues breach alike all the time, or the other way round since day 40."""
    rng = np.random.RandomState(0)
    queue = rng.randint(0, 4, ROWS)
    slow = (queue < 2) != (turns & (AT > 40 * DAY))
    y = (rng.random_sample(ROWS) < np.where(slow, 0.7, 0.2)).astype(int)
    features = FeatureTable([""] * ROWS, [[str(one)] for one in queue], rng.normal(size=(ROWS, 2)))
    return Rows(features, fit_grams(features.texts), y, 2, False)


def chosen(table: Rows) -> Choice:
    return choose(table, FIT, CHOOSING, AT, np.ones(ROWS), 0, lambda line: None)


def test_where_the_outcome_turned_what_is_long_ago_weighs_little() -> None:
    """Queues that were quick are slow now: rows from before the turn weigh little."""
    choice = chosen(rows(True))
    assert 0 < choice.half_life <= 30


def test_a_memory_grows_with_the_rows_it_is_for() -> None:
    """Twice the days, twice the half-life; without memory none."""
    rows = np.arange(1000)
    at = np.linspace(0, 40 * DAY, 1000).astype(np.int64)
    choice = Choice(half_life=10.0, span=span_of(at, rows))
    assert choice.life_on(at, rows) == pytest.approx(10.0)
    assert choice.life_on(2 * at, rows) == pytest.approx(20.0)
    assert Choice().life_on(at, rows) == 0.0


def test_where_nothing_turned_all_rows_weigh_the_same() -> None:
    """A shorter memory that is better by chance alone is not taken."""
    choice = chosen(rows(False))
    assert choice.half_life == 0.0


def test_without_time_no_row_is_more_recent() -> None:
    """Half-lives need instants."""
    assert half_lives(None, FIT) == (0.0,)


def test_text_alone_is_left_to_the_linear_part() -> None:
    """Trees would see its own margin again."""
    rng = np.random.RandomState(0)
    texts = [" ".join(rng.choice(["late", "soon", "plan", "page", "file"], 5)) for _ in range(ROWS)]
    y = np.array([text.count("late") > 1 for text in texts]).astype(int)
    features = FeatureTable(texts, [[] for _ in texts], np.full((ROWS, 1), 5.0))
    choice = choose(
        Rows(features, fit_grams(texts), y, 2, False), FIT, CHOOSING, None, np.ones(ROWS), 0, lambda line: None
    )
    assert choice.share == 1.0
    assert not any(name.startswith("trees") for name in choice.losses)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_learning_curve_rises_to_what_all_rows_reach(classes: int) -> None:
    """Points are in order of rows; the last is the figure of the choosing itself."""
    table = rows(False)
    table.n_classes = classes
    table.y = np.minimum(table.y + (table.features.numbers[:, 0] > 1) * (classes - 2), classes - 1)
    choice = chosen(table)
    curve = learning_curve(table, FIT, CHOOSING, AT, np.ones(ROWS), choice)
    assert [count for count, _ in curve] == [225, 450, 900, 1800]
    assert curve[-1][1] == choice.reached
    assert curve[-1][1] > curve[0][1] - 0.05


def test_no_text_gives_an_empty_matrix() -> None:
    """Tables without a text column cost nothing for it."""
    found = fit_grams(["", ""])
    assert isinstance(found, GramMatrix) and found.widths == (0, 0)


def test_where_memory_is_short_a_second_forest_remembers_all() -> None:
    """Each forest sees codes of its own weights; without memory and pairs there is one forest."""
    table, even = rows(True), np.ones(len(FIT))
    one = fit_trees(table, FIT, even, seed=0, iterations=5)
    two = fit_trees(table, FIT, recency(AT, FIT, 5.0), seed=0, iterations=5, even=even)
    assert [own.tolist() for own in one.columns] == [[0, 1, 2, 3]]
    assert [own.tolist() for own in two.columns] == [[0, 1, 4, 5], [2, 3, 4, 5]]
    recent, old = (one.decision_function(two.seen(table, CHOOSING)[:, own]) for one, own in two._pairs())
    y = table.y[CHOOSING]
    assert auc(y, recent) > auc(y, old)
