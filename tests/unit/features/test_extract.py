"""Records into features: values of any kind, the local clock, and the record's own past."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from triage.domain.instant import HOUR, parse_instant
from triage.domain.work import Event, WorkItem
from triage.features import Extractor, FeatureSpec, extract_features
from triage.features.spec import CONTACTS_IN, CONTACTS_OUT, LATEST, WAITING

BORN = parse_instant("2026-03-02T23:30:00Z")


def item(**fields: object) -> WorkItem:
    return WorkItem(object="Case", id="500", created_at=BORN, fields=fields)  # type: ignore[arg-type]


def event(hours: float, type_: str = "updated", **values: object) -> Event:
    return Event(at=BORN + int(hours * HOUR), type=type_, event_id=str(hours), **values)  # type: ignore[arg-type]


def numbers(spec: FeatureSpec, record: WorkItem, past: tuple[Event, ...] = (), hours: float = 0) -> dict[str, float]:
    row = Extractor(spec).row(record, past, BORN + int(hours * HOUR))
    return dict(zip(spec.number_names, row.numbers, strict=True))


def test_a_row_has_one_cell_for_each_name() -> None:
    spec = FeatureSpec(
        texts=("Subject",), categories=("Origin",), numbers=("Seats",), instants=("Due",), clock=True, age=True,
        crosses=(("Origin", "opened.hour"),), past=("Status",), contacts=True,
    )  # fmt: skip
    row = Extractor(spec).row(item(Subject="Hello"), (), BORN)
    assert len(row.categories) == len(spec.category_names)
    assert len(row.numbers) == len(spec.number_names)


def test_one_level_is_spelled_one_way_whatever_type_it_comes_in() -> None:
    spec = FeatureSpec(categories=("A", "B", "C", "D", "E", "F", "G"))
    row = Extractor(spec).row(
        item(A=12.0, B="12", C=True, D=" High ", E="12.0", F=Decimal("12.0"), G="007.0"), (), BORN
    )
    assert row.categories == ["12", "12", "true", "high", "12", "12", "007.0"]


def test_exact_numbers_and_spans_are_numbers() -> None:
    """As a parquet file holds prices and lengths of time; a span counts in seconds."""
    found = numbers(FeatureSpec(numbers=("Price", "Span", "Odd")), item(
        Price=Decimal("1.50"), Span=timedelta(minutes=2), Odd=Decimal("NaN")
    ))  # fmt: skip
    assert (found["Price"], found["Span"]) == (1.5, 120.0)
    assert math.isnan(found["Odd"])


NOTHING = [None, "", "n/a", "?", float("nan"), float("inf"), {"a": 1}, [1], "12 34", "1.2.3", "1,2,3", "3 - Low"]


@pytest.mark.parametrize("value", NOTHING)
def test_what_is_no_number_is_missing(value: object) -> None:
    fields = {} if value is None else {"Seats": value}
    assert math.isnan(numbers(FeatureSpec(numbers=("Seats",)), item(**fields))["Seats"])


SPELLED = [
    ("1,234.5", 1234.5), ("12 %", 12), ("€ 5", 5), ("-3", -3), (True, 1), ("1.234,50 €", 1234.5), ("12,5", 12.5),
    ("-$1,000", -1000), ("(500)", -500), ("1'234.50", 1234.5), ("0,125", 0.125), ("7 EUR", 7), ("1e3", 1000),
]  # fmt: skip


@pytest.mark.parametrize(("value", "number"), SPELLED)
def test_numbers_are_read_as_people_write_them(value: object, number: float) -> None:
    assert numbers(FeatureSpec(numbers=("Seats",)), item(Seats=value))["Seats"] == number


def test_the_hour_and_weekday_are_local() -> None:
    """23:30 UTC on Monday is half past midnight on Tuesday in Berlin."""
    spec = FeatureSpec(clock=True, zone="Europe/Berlin")
    row = Extractor(spec).row(item(), (), BORN)
    assert row.categories == ["0", "1"]
    assert row.numbers == [24.5, 0.0]


def test_a_further_date_counts_as_hours_before_the_opening() -> None:
    spec = FeatureSpec(instants=("Due",))
    assert numbers(spec, item(Due=BORN - 3 * HOUR))["Due.hours_before"] == 3
    assert numbers(spec, item(Due="2026-03-02T22:30:00Z"))["Due.hours_before"] == 1
    assert math.isnan(numbers(spec, item(Due="soon"))["Due.hours_before"])


def test_changes_people_and_returns_are_counted_up_to_now() -> None:
    spec = FeatureSpec(past=("OwnerId",), age=True)
    past = (
        event(1, changes={"OwnerId": "a"}, actor="x"), event(2, changes={"OwnerId": "b"}, actor="y"),
        event(3, changes={"OwnerId": "a"}, actor="x"), event(9, changes={"OwnerId": "c"}, actor="z"),
    )  # fmt: skip
    found = numbers(spec, item(), past, hours=5)
    assert found["past.changes"] == 3
    assert found["past.people"] == 2
    assert found["past.OwnerId.changes"] == 3
    assert found["past.OwnerId.returns"] == 1
    assert found["past.quiet_hours"] == 2
    assert found["age.hours"] == 5


def test_present_values_are_those_the_past_left() -> None:
    spec = FeatureSpec(categories=("OwnerId",), past=("OwnerId",))
    row = Extractor(spec).row(item(OwnerId="first"), (event(1, changes={"OwnerId": "second"}),), BORN + 2 * HOUR)
    assert row.categories == ["second", "second"]


def test_our_own_writes_are_no_features() -> None:
    spec = FeatureSpec(categories=("OwnerId",), past=("OwnerId",))
    ours = event(1, changes={"OwnerId": "us"}, origin="triage")
    assert Extractor(spec).row(item(), (ours,), BORN + 2 * HOUR) == Extractor(spec).row(item(), (), BORN + 2 * HOUR)


def test_contacts_count_and_the_last_words_are_read() -> None:
    spec = FeatureSpec(texts=(LATEST,), contacts=True)
    past = (
        event(1, "message", direction="in", body="first"), event(2, "message", direction="out", body="answer"),
        event(3, "message", direction="in", body="again!"),
        event(4, "message", direction="in", body="out of office", auto=True),
    )  # fmt: skip
    row = Extractor(spec).row(item(), past, BORN + 5 * HOUR)
    found = dict(zip(spec.number_names, row.numbers, strict=True))
    assert row.text == "again!"
    assert (found[CONTACTS_IN], found[CONTACTS_OUT], found[WAITING]) == (2, 1, 2)


def test_an_answered_customer_does_not_wait() -> None:
    past = (event(1, "message", direction="in"), event(2, "message", direction="out"))
    assert math.isnan(numbers(FeatureSpec(contacts=True), item(), past, hours=5)[WAITING])


def test_an_empty_table_has_the_right_shape() -> None:
    table = extract_features([], 0, FeatureSpec(numbers=("A", "B"), categories=("C",)))
    assert table.numbers.shape == (0, 2)
    assert len(table) == 0


def test_rows_are_taken_in_the_order_asked() -> None:
    spec = FeatureSpec(numbers=("A",))
    table = extract_features([(item(A=number), ()) for number in range(4)], BORN, spec)
    assert np.array_equal(table.take([2, 0]).numbers[:, 0], [2, 0])


def test_a_level_is_told_apart_by_the_age_that_the_record_has_reached() -> None:
    """What a queue says at the opening is not what it says of a record still open after a day."""
    spec = FeatureSpec(categories=("Queue", "Origin"), crosses=(("Queue", "Origin"),), age=True, ages=(0, 4, 24))
    record = item(Queue="North", Origin="Phone")
    for hours, step in ((0, "0h"), (3.9, "0h"), (4, "4h"), (200, "24h")):
        row = Extractor(spec).row(record, (), BORN + int(hours * HOUR))
        assert row.categories == [f"{step}|north", f"{step}|phone", step, f"{step}|north|phone"]
        assert len(row.categories) == len(spec.category_names)


@pytest.mark.parametrize(
    ("opened", "hours", "open_hours"),
    [("2026-03-02T09:00Z", 4, 4), ("2026-03-02T17:00Z", 24, 10), ("2026-03-06T12:00Z", 72, 10),
     ("2026-03-07T03:00Z", 24, 0), ("2026-02-27T08:00Z", 24 * 14, 100)],
)  # fmt: skip
def test_open_hours_since_the_opening_leave_out_nights_and_weekends(
    opened: str, hours: float, open_hours: float
) -> None:
    """Ten hours a weekday, counted between the opening and now."""
    spec = FeatureSpec(clock=True, age=True, ages=(0, 24))
    born = parse_instant(opened.replace("Z", ":00Z"))
    record = WorkItem(object="Case", id="500", created_at=born)
    row = Extractor(spec).row(record, (), born + int(hours * HOUR))
    assert dict(zip(spec.number_names, row.numbers, strict=True))["age.open_hours"] == open_hours
