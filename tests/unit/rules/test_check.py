"""Leaves against the field map: constants typed exactly, and every invalid file of `policies` told so in one place."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from triage.config import load_policy
from triage.domain.schema import BUILTIN_FIELDS, FieldSpec
from triage.errors import ConfigError
from triage.rules.check import OPERATORS, Known, Wrong, check_clock, check_hours, coerce, parse_amount
from triage.rules.language import CLOCK_LEAVES, ClockLeaf, Condition, Leaf

Read = Callable[[str], Condition]
INVALID = sorted((Path(__file__).parent / "policies" / "invalid").glob("*.yaml"))


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_file_gives_exactly_the_fault_that_its_first_line_names(path: Path, base: str) -> None:
    text = path.read_text(encoding="utf-8")
    place, _, words = text.split("\n", 1)[0].removeprefix("# ").partition(" ")
    with pytest.raises(ConfigError) as caught:
        load_policy({"base.yaml": base, "rules.yaml": text})
    (fault,) = caught.value.faults
    assert f"{fault.line}:{fault.column}" == place
    assert words in fault.text
    assert fault.file == "rules.yaml"


@pytest.mark.parametrize(
    ("text", "op", "values"),
    [
        ("priority == high", "==", ("High",)),
        ("priority in [LOW, critical]", "in", ("Low", "Critical")),
        ("priority >= High", "in", ("High", "Critical")),
        ("priority > Critical", "in", ()),
        ("priority < High", "in", ("Low", "Medium")),
        ("priority <= low", "in", ("Low",)),
        ("priority is missing", "is missing", ()),
        ("products includes [mail, Voice]", "includes", ("Mail", "Voice")),
        ("products excludes Chat", "excludes", ("Chat",)),
        ("seats > 12", ">", (12,)),
        ("seats != -3", "!=", (-3,)),
        ("amount >= 500", ">=", (500,)),
        ("amount >= 500.50 EUR", ">=", (500.5,)),
        ("lead.value >= 5000", ">=", (5000,)),
        ("discount >= 80%", ">=", (0.8,)),
        ("discount < 33.3%", "<", (0.333,)),
        ("discount == 0.1", "==", (0.1,)),
        ("discount > 0", ">", (0.0,)),
        ("waited >= 1h30m", ">=", (5_400_000,)),
        ("opened_at > 2026-01-31T09:00:00Z", ">", (1_769_850_000_000,)),
        ("opened_at > 2026-01-31T10:00:00", ">", (1_769_850_000_000,)),
        ("renewal < 2026-01-31", "<", (1_769_817_600_000,)),
        ("is_closed", "is true", ()),
        ("is_closed == true", "is true", ()),
        ("is_closed == false", "is false", ()),
        ("is_closed != true", "is false", ()),
        ("is_closed != false", "is true", ()),
        ("subject == NO", "==", ("NO",)),
        ("subject contains 010", "contains", ("010",)),
        ("status in [New, 'On Hold']", "in", ("New", "On Hold")),
        ("owner == 005A", "==", ("005A",)),
        ("text in words(outage)", "in words", ("outage", "down", "ne fonctionne plus")),
        ("description in words(anger)", "in words", ("angry", "furious", "sauer")),
        ("sentiment.label <= neutral", "in", ("negative", "neutral")),
    ],
)
def test_constants_are_typed_by_their_field(read: Read, text: str, op: str, values: tuple[Any, ...]) -> None:
    leaf = read(f'"{text}"')
    assert isinstance(leaf, Leaf)
    assert (leaf.op, leaf.values) == (op, values)
    assert [type(value) for value in leaf.values] == [type(value) for value in values]
    assert leaf.text == text


@pytest.mark.parametrize(
    ("text", "clock", "amount", "of_remaining", "until"),
    [
        ("age > 6h", "created", 21_600_000, False, False),
        ("age >= 6h", "created", 21_600_000, False, False),
        ("age < 90s", "created", 90_000, False, True),
        ("age_until_modified >= 2d", "created_until_modified", 172_800_000, False, False),
        ("since_modified <= 1h", "last_modified", 3_600_000, False, True),
        ("since_assignment >= 15m", "assigned", 900_000, False, False),
        ("since_queued >= 15m", "queued", 900_000, False, False),
        ("since_contact >= 1h 30m", "last_contact", 5_400_000, False, False),
        ("sla.used >= 80%", "sla", Fraction(4, 5), False, False),
        ("sla.used < 80%", "sla", Fraction(4, 5), False, True),
        ("sla.remaining <= 20%", "sla", Fraction(1, 5), True, False),
        ("sla.remaining > 30m", "sla", 1_800_000, True, True),
        ("milestone.first_response.used >= 12.5%", "milestone:first_response", Fraction(1, 8), False, False),
        ("milestone.resolution.remaining < 1h", "milestone:resolution", 3_600_000, True, False),
    ],
)
def test_clock_leaves_hold_from_or_until_their_amount(
    read: Read, text: str, clock: str, amount: int | Fraction, of_remaining: bool, until: bool
) -> None:
    leaf = read(text)
    assert isinstance(leaf, ClockLeaf)
    assert (leaf.clock, leaf.amount, leaf.of_remaining, leaf.until) == (clock, amount, of_remaining, until)
    assert leaf.hours == ""


def test_percentages_of_clocks_are_exact_where_floats_are_not() -> None:
    assert parse_amount("0.1%", of_milestone=True, name="sla.used") == Fraction(1, 1000)
    assert parse_amount("33.333333333%", of_milestone=True, name="x") == Fraction(33_333_333_333, 100_000_000_000)


@pytest.mark.parametrize("text", ["10001%", "-1%", "6", "h", "6 hours", "", "80%%", "1e3h"])
def test_amounts_that_are_neither_duration_nor_percentage_are_refused(text: str) -> None:
    with pytest.raises(Wrong):
        parse_amount(text, of_milestone=True, name="sla.used")


def test_every_clock_of_the_language_has_a_leaf_and_can_be_named(known: Known) -> None:
    assert [check_clock(clock, known) for clock in CLOCK_LEAVES.values()] == list(CLOCK_LEAVES.values())
    assert check_clock("sla", known) == "sla"
    assert check_clock("resolution", known) == "milestone:resolution"


def test_hours_are_none_the_record_s_or_a_declared_calendar(known: Known) -> None:
    assert [check_hours(hours, known) for hours in ("none", "record", "support")] == ["none", "record", "support"]
    with pytest.raises(Wrong, match="did you mean 'support'"):
        check_hours("Support", known)


@pytest.mark.parametrize("spec", [spec for spec in BUILTIN_FIELDS if spec.name != "text"], ids=lambda spec: spec.name)
def test_every_builtin_field_can_be_asked_whether_it_is_missing(spec: FieldSpec, read: Read) -> None:
    leaf = read(f"{spec.name} is missing")
    assert isinstance(leaf, Leaf)
    assert (leaf.field, leaf.op) == (spec.name, "is missing")
    assert "is missing" in OPERATORS[spec.type]


def test_picklists_without_values_take_any_constant() -> None:
    assert coerce("whatever", FieldSpec(name="a", source="A", type="picklist")) == "whatever"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "1e400"),
        ("number", "nan"),
        ("number", "1,5"),
        ("number", "٣"),
        ("integer", "9" * 30),
        ("percent", "1"),
        ("percent", "1.5"),
        ("money", "5000 EURO"),
        ("datetime", "2026-01-31T09:00:00"),
        ("date", "20260131"),
        ("duration", "1:30"),
    ],
)
def test_dirty_constants_are_refused_never_guessed(kind: Any, text: str) -> None:
    with pytest.raises(Wrong):
        coerce(text, FieldSpec(name="a", source="A", type=kind))


@pytest.mark.parametrize("text", ["9" * 99 + "h", "9" * 4000 + "h", "3200000d"])
def test_durations_beyond_three_thousand_years_are_refused(text: str) -> None:
    with pytest.raises(Wrong):
        parse_amount(text, of_milestone=False, name="age")


@pytest.mark.parametrize("text", ["text is missing", "text == x", "text"])
def test_all_texts_together_can_only_be_searched(text: str, base: str) -> None:
    with pytest.raises(ConfigError, match="all of a record's texts together"):
        load_policy({"base.yaml": base, "rules.yaml": f"match: first_match\nrules: [{{id: a, when: [{text}]}}]"})
