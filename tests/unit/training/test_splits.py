"""Slices: by time or by hash, duplicates on one side, independent of the order of rows."""

import numpy as np
import pandas as pd
import pytest

from training.duplicates import duplicate_groups
from training.splits import split
from training.tables import NO_TIME, Table
from triage.errors import IntakeError


def table_of(n=1000, *, timed=True, seed=0, **columns):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"Id": [f"r{at}" for at in range(n)], "x": rng.normal(size=n), **columns})
    return Table(frame, "Id", "At" if timed else None, np.arange(n, dtype=np.int64) * 1000 if timed else None)


def ids(table, rows):
    return set(table.frame["Id"].iloc[rows])


def test_later_rows_calibrate_and_every_row_has_one_slice():
    found = split(table_of(), np.zeros(1000), 0)
    assert found.by_time
    assert found.fit.max() < found.choose.min() <= found.choose.max() < found.calibrate.min()
    assert len(found.fit) + len(found.choose) + len(found.calibrate) == 1000
    assert abs(len(found.calibrate) - 150) <= 1


def test_rows_of_one_instant_are_never_parted():
    table = table_of()
    table.at[:] = np.arange(1000) // 250
    found = split(table, np.zeros(1000), 0)
    sides = [set(table.at[rows]) for rows in (found.fit, found.choose, found.calibrate)]
    assert not sides[0] & sides[1] and not sides[1] & sides[2] and not sides[0] & sides[2]


def test_without_a_time_slices_go_by_id_and_seed_whatever_the_order():
    table = table_of(timed=False)
    order = np.random.default_rng(1).permutation(1000)
    one, other = split(table, np.zeros(1000), 7), split(table.take(order), np.zeros(1000), 7)
    assert ids(table, one.fit) == ids(table.take(order), other.fit)
    assert ids(table, one.fit) != ids(table, split(table, np.zeros(1000), 8).fit)
    assert 0.6 < len(one.fit) / 1000 < 0.8


@pytest.mark.parametrize("timed", [True, False])
def test_groups_stay_on_one_side(timed):
    groups = np.random.default_rng(0).integers(0, 300, 1000)
    found = split(table_of(timed=timed), np.zeros(1000), 0, groups)
    sides = [set(groups[rows]) for rows in (found.fit, found.choose, found.calibrate)]
    assert not sides[0] & sides[1] and not sides[1] & sides[2] and not sides[0] & sides[2]
    assert (len(found.dropped) > 0) == timed


def test_texts_that_differ_in_numbers_only_stay_on_one_side():
    rng = np.random.default_rng(0)
    words = np.array([f"word{chr(97 + a)}{chr(97 + b)}" for a in range(20) for b in range(20)])
    bodies = [" ".join(rng.choice(words, 12)) for _ in range(500)]
    texts = [f"{body} ticket {number}!" for number, body in enumerate(bodies)] + [
        f"{b.upper()} ticket 9" for b in bodies
    ]
    table = table_of(timed=False, Body=pd.Series(texts).astype("str"))
    groups = duplicate_groups(table)
    assert groups.repeated == 1000
    assert len(set(groups.codes)) == 500
    found = split(table, np.zeros(1000), 0)
    assert all((at + 500 if at < 500 else at - 500) in set(found.fit) for at in found.fit)


def test_equal_rows_of_common_values_are_chance_and_of_rare_ones_are_not():
    n = 1000
    common = pd.DataFrame({"Id": [str(at) for at in range(n)], "a": np.arange(n) % 3, "b": np.arange(n) % 2})
    assert duplicate_groups(Table(common, "Id")).repeated == 0
    rare = common.assign(c=np.arange(n) // 2)
    rare[["a", "b"]] = 0
    assert duplicate_groups(Table(rare, "Id")).repeated == n


def test_rows_without_an_instant_and_stacked_ones_only_help_to_fit():
    table = table_of()
    table.at[-100:] = NO_TIME
    table = Table(table.frame, "Id", "At", table.at, stacked=np.arange(1000) >= 800)
    found = split(table, np.zeros(1000), 0)
    assert set(range(800, 1000)) <= set(found.fit)


def test_too_few_rows_are_refused():
    with pytest.raises(IntakeError, match="30 are the least"):
        split(table_of(20), np.zeros(20), 0)


def test_a_common_wording_makes_no_duplicates_of_its_rows() -> None:
    """Every row of a form says the same but for its number; what few rows share is a repetition."""
    form = [f"The disk of server {number} in the hall is full again today" for number in range(300)]
    other = [f"Nothing {word} here that anyone would say again about {word}" for word in ("x", "y")] * 2
    frame = pd.DataFrame({"Id": [f"r{at}" for at in range(304)], "Text": pd.Series([*form, *other], dtype="str")})
    assert duplicate_groups(Table(frame, "Id", text=("Text",))).repeated == 4
