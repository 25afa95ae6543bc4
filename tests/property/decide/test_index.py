"""The index answers as every leaf asked one by one; nested conditions as three-valued logic has it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.property.decide.generate import some
from tests.property.decide.record import FREE, LADDERS, static
from triage.domain.schema import FieldSpec
from triage.rules.conditions import normal, static_test
from triage.rules.index import Index
from triage.rules.language import AllOf, AnyOf, Condition, Leaf, Negation
from triage.rules.leaves import leaf_holds

LADDER = ("Low", "Medium", "High")
WORDS = ("Straße", "STRASSE", "strasse", "İstanbul", "new", "New", "NEW ", "ﬁx", "fix", "", "0", "\x00")
NUMBERS = (-1, 0, 1, 0.0, -0.0, 0.1, 0.3, 0.1 + 0.2, 10, 10.0, 10.000001, 999_999_999_999_999, 1e15, -7.5)
WHOLE = (-(10**12), -1, 0, 1, 2, 1_767_225_600_000, 1_767_225_600_001, 10**15)
TAGS = ("vip", "VIP", "legal", "straße", "strasse")

FIELDS: dict[str, tuple[FieldSpec | None, tuple[Any, ...], tuple[str, ...]]] = {
    "priority": (
        FieldSpec(name="priority", source="P", type="picklist", values=LADDER, ordered=True),
        (*LADDER, "low", "Odd"),
        ("==", "!=", "in", "not in", "<", "<=", ">", ">=", "is missing", "is present"),
    ),
    "kind": (
        FieldSpec(name="kind", source="K", type="picklist", values=("new", "old")),
        ("new", "old", "New", "other"),
        ("==", "!=", "in", "not in", "contains", "starts_with", "is missing", "is present"),
    ),
    "status": (
        FieldSpec(name="status", source="S"),
        WORDS,
        ("==", "!=", "in", "not in", "contains", "starts_with", "is missing", "is present"),
    ),
    "owner": (
        FieldSpec(name="owner", source="O", type="reference"),
        ("005a", "005A", "queue:x"),
        ("==", "!=", "in", "not in", "is missing", "is present"),
    ),
    "amount": (
        FieldSpec(name="amount", source="A", type="money"),
        NUMBERS,
        ("==", "!=", "in", "not in", "<", "<=", ">", ">=", "is missing", "is present"),
    ),
    "due": (
        FieldSpec(name="due", source="D", type="datetime"),
        WHOLE,
        ("==", "!=", "in", "not in", "<", "<=", ">", ">="),
    ),
    "vip": (
        FieldSpec(name="vip", source="V", type="boolean"),
        (True, False),
        ("is true", "is false", "is missing", "is present"),
    ),
    "tags": (
        FieldSpec(name="tags", source="T", type="multipicklist"),
        TAGS,
        ("includes", "excludes", "is missing", "is present"),
    ),
}
SPECS = {name: spec for name, (spec, _, _) in FIELDS.items() if spec is not None}
assert set(FREE) >= {"status", "owner"} and LADDERS["priority"] == LADDER


def random_leaf(rng: Random) -> Leaf:
    """Return a leaf that fits its field."""
    name = rng.choice(list(FIELDS))
    _, values, ops = FIELDS[name]
    op = rng.choice(ops)
    if op.startswith("is "):
        chosen: tuple[Any, ...] = ()
    elif op in ("<", "<=", ">", ">="):
        chosen = (rng.choice(LADDER if name == "priority" else values),)
    elif op in ("contains", "starts_with"):
        chosen = tuple(value for value in rng.sample(values, 2) if value) or ("x",)
    else:
        chosen = tuple(rng.sample(values, rng.choice((1, 1, 2, len(values)))))
    return Leaf(field=name, op=op, values=chosen, negate=some(rng, 0.3))  # type: ignore[arg-type]


def random_values(rng: Random) -> dict[str, Any]:
    """Return a record's values: some missing, some that no rule names, constants and their neighbours."""
    found: dict[str, Any] = {}
    for name, (spec, values, _) in FIELDS.items():
        if some(rng, 0.2):
            continue
        value = rng.choice(values)
        if spec is not None and spec.type == "multipicklist":
            value = tuple(rng.sample(values, rng.randrange(0, 3)))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value += rng.choice((0, 0, 1, -1))
        elif isinstance(value, str):
            value = rng.choice((value, value, value.upper(), value.casefold(), f"{value} "))
        found[name] = value
    return found


@pytest.mark.parametrize("seed", range(20))
def test_index_names_exactly_the_rules_whose_every_leaf_holds(seed: int) -> None:
    """Forty rules against sixty records: index, closures and a plain reading agree."""
    rng = Random(seed)
    guards = [[random_leaf(rng) for _ in range(rng.randrange(0, 4))] for _ in range(40)]
    index = Index(guards, SPECS)
    closures = [[leaf_holds(leaf, SPECS[leaf.field]) for leaf in leaves] for leaves in guards]
    for _ in range(60):
        values = random_values(rng)
        found = index.candidates(values)
        for number, leaves in enumerate(guards):
            plainly = all(static(leaf, values) is True for leaf in leaves)
            assert all(holds(values) for holds in closures[number]) == plainly, f"{leaves} on {values}"
            assert bool(found >> number & 1) == plainly, f"index: {leaves} on {values}"


@pytest.mark.parametrize("seed", range(20))
def test_nested_conditions_hold_where_three_valued_logic_says_true(seed: int) -> None:
    """Random nesting of not, any and all: pushed down to the leaves it is TRUE exactly where Kleene's logic says so."""
    rng = Random(seed)
    for _ in range(40):
        condition = random_condition(rng, 0)
        test = static_test(normal(condition), SPECS)
        for _ in range(20):
            values = random_values(rng)
            assert test(values) == (static(condition, values) is True), f"{condition} on {values}"


def random_condition(rng: Random, depth: int) -> Condition:
    """Return leaves nested up to five deep."""
    roll = rng.random()
    if depth < 5 and roll < 0.3:
        return Negation(random_condition(rng, depth + 1))
    if depth < 5 and roll < 0.7:
        parts = tuple(random_condition(rng, depth + 1) for _ in range(rng.randrange(0, 4)))
        return AllOf(parts) if some(rng, 0.5) else AnyOf(parts)
    return random_leaf(rng)
