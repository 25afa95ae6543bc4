"""Breaches foreseen: counted by the time between a rule's first action in the run and the breach."""

from __future__ import annotations

import msgspec
import pytest

from tests.unit.replay.scenes import created, line, play, policy_of, updated
from triage.replay.foresight import COLUMNS, NEVER_ACTED, NOT_BEFORE, MilestoneForesight, foresight, foresight_table

NOTIFY = 'do: [{notify: {who: "queue:desk", template: news}}]'


def after(duration: str) -> str:
    return f"\n  - id: watch\n    when: [age >= {duration}]\n    {NOTIFY}\n"


def found_with(rules: str, *log: str, until: str = "17:00") -> MilestoneForesight:
    (one,) = foresight(play(log or [created("09:00")], policy_of(rules), until)).milestones
    return one


@pytest.mark.parametrize(
    ("duration", "column"),
    [
        ("1ms", "1-4 h"),
        ("3h", "1-4 h"),
        ("3h1s", "15 min-1 h"),
        ("3h45m", "15 min-1 h"),
        ("3h45m1s", "< 15 min"),
        ("3h59m59s", "< 15 min"),
        ("4h", NOT_BEFORE),
        ("5h", NOT_BEFORE),
        ("9h", NEVER_ACTED),
    ],
)
def test_a_breach_counts_in_the_column_of_its_lead_time(duration: str, column: str) -> None:
    one = found_with(after(duration))
    assert (one.runs, one.breaches) == (1, 1)
    assert {name for name, count in one.by_lead.items() if count} == {column}
    assert one.foreseen == (column not in (NOT_BEFORE, NEVER_ACTED))


@pytest.mark.parametrize(("opened", "column"), [("09:00", "1-4 h"), ("15:00", ">= 8 h"), ("14:00", ">= 8 h")])
def test_lead_time_is_elapsed_time_when_a_night_lies_between(opened: str, column: str) -> None:
    one = found_with(after("1ms"), created(opened), until="2026-01-13T17:00:00Z")
    assert one.by_lead[column] == 1


def test_the_first_action_counts_when_there_are_several() -> None:
    assert found_with(after("3h50m") + after("1h").replace("watch", "early")).by_lead["1-4 h"] == 1


def test_a_run_completed_late_is_a_breach_when_it_is_closed_at_the_end() -> None:
    one = found_with(after("3h"), created("09:00"), updated("13:00:01", Status="Closed"))
    assert (one.breaches, one.foreseen, one.needless) == (1, 1, 0)


def test_an_action_on_a_run_that_was_kept_is_needless() -> None:
    one = found_with(after("3h"), created("09:00"), updated("13:00", Status="Closed"))
    assert (one.runs, one.breaches, one.acted, one.needless, one.precision) == (1, 0, 1, 1, 0.0)


def test_precision_is_the_share_of_runs_acted_on_that_breached() -> None:
    log = [created("09:00", f"500{number}") for number in range(4)]
    log += [updated("12:30", "5001", Status="Closed"), updated("11:00", "5002", Status="Closed")]
    one = found_with(after("3h"), *log)
    assert (one.runs, one.breaches, one.acted, one.needless, one.precision) == (4, 2, 3, 1, 0.6667)


def test_precision_is_unknown_when_nothing_was_acted_on() -> None:
    assert found_with(after("9h")).precision is None


def test_an_action_that_was_suppressed_foresees_nothing() -> None:
    muted = policy_of(after("1h")).document.texts["desk.yaml"].replace("queue:desk", "address:a@b.example")
    base, _, rules = muted.partition("rules:\n")
    (one,) = foresight(play([created("09:00")], policy_of(rules, base + "rules:\n"), "17:00")).milestones
    assert one.by_lead[NEVER_ACTED] == 1


def test_columns_add_up_to_the_breaches() -> None:
    log = [created(f"09:{minute:02d}", f"500{minute}") for minute in range(0, 60, 5)]
    one = found_with(after("3h40m"), *log, until="13:20")
    assert list(one.by_lead) == list(COLUMNS)
    assert sum(one.by_lead.values()) == one.breaches == 5
    assert one.foreseen == 5


def test_table_says_it_in_rows_and_in_words() -> None:
    table = foresight_table(foresight(play([created("09:00")], policy_of(after("3h")), "17:00")))
    head, row, words = table.splitlines()
    assert head.split()[:2] == ["milestone", "breaches"]
    assert row.split() == ["Case", "resolution", "1", "0", "0", "1", "0", "0", "0", "0", "100.0%"]
    assert words.startswith("Case resolution: of 1 breaches 1 were foreseen; of 1 runs acted on in time 0 would not")


def test_figures_are_plain_json() -> None:
    found = foresight(play([created("09:00")], policy_of(after("3h")), "17:00"))
    raw = msgspec.json.decode(msgspec.json.encode(found))
    assert raw["milestones"][0]["by_lead"]["1-4 h"] == 1


def test_a_deleted_record_breaches_nothing_after_its_deletion() -> None:
    """The deadline is 13:00; what other records play later does not move the end of this one."""
    kept = found_with(after("3h"), created("09:00"), line("12:30", "deleted"))
    late = found_with(after("3h"), created("09:00"), line("13:30", "deleted"))
    assert ((kept.breaches, kept.needless), late.breaches) == ((0, 1), 1)
