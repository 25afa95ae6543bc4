"""Queries answered from the sandbox organisation's records."""

from __future__ import annotations

from typing import Any

import pytest

from triage.domain.instant import DAY
from triage.salesforce.sandbox.answer import answer, flat, records
from triage.salesforce.sandbox.organisation import Organisation
from triage.salesforce.sandbox.soql import SoqlError, parse_soql
from triage.salesforce.sandbox.values import Caller
from triage.testing import START, ManualClock

ANN, BOB, QUEUE = "005ANN00", "005BOB00", "00GTIER2"


@pytest.fixture(scope="module")
def org() -> Organisation:
    """Four cases over three days, two people, a queue, an account."""
    clock = ManualClock(START - 2 * DAY)
    found = Organisation(clock.now)
    for user, name in ((ANN, "Ann"), (BOB, "Bob")):
        found.seed("User", Id=user, Name=name, Username=name)
    found.seed("Group", Id=QUEUE, Name="Tier2", Type="Queue")
    account = found.seed("Account", Name="Acme", OwnerId=BOB)
    rows = (("one", "Low", ANN), ("two", "High", BOB), ("Three", None, QUEUE), ("four", "High", ANN))
    for number, (subject, priority, owner) in enumerate(rows):
        values = {"Subject": subject, "Priority": priority, "OwnerId": owner, "AccountId": account if number else None}
        found.create("Case", values, Caller(ANN))
        clock.move(DAY if number < 2 else 0)
    found.delete("Case", ask(found, "SELECT Id FROM Case WHERE Subject = 'four'")[0]["Id"], Caller(ANN))
    return found


def ask(org: Organisation, text: str, *, deleted: bool = False) -> list[dict[str, Any]]:
    """Return what *text* finds, without attributes."""
    rows = records(answer(parse_soql(text), org, deleted=deleted), org)
    return [{key: value for key, value in row.items() if key != "attributes"} for row in rows]


def subjects(org: Organisation, condition: str) -> str:
    """Return the subjects of cases that meet *condition*, in the order of their numbers."""
    found = ask(org, f"SELECT Subject FROM Case WHERE {condition} ORDER BY CaseNumber")
    return " ".join(str(row["Subject"]) for row in found)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("Subject = 'ONE'", "one"),
        ("Subject LIKE 'T%'", "two Three"),
        ("Subject LIKE '_ne'", "one"),
        ("Priority != 'High'", "one Three"),
        ("Priority = null", "Three"),
        ("Priority IN ('low', 'high')", "one two"),
        ("Priority NOT IN ('low')", "two Three"),
        ("NOT (Priority = 'High' OR Subject = 'one')", "Three"),
        ("Owner.Name = 'Tier2'", "Three"),
        ("Account.Owner.Name = 'bob'", "two Three"),
        ("Owner.Type = 'User'", "one two"),
        ("AccountId IN (SELECT Id FROM Account WHERE Name = 'acme')", "two Three"),
        ("CreatedDate = TODAY", "Three"),
        ("CreatedDate < TODAY", "one two"),
        ("CreatedDate = YESTERDAY", "two"),
        ("CreatedDate > YESTERDAY", "Three"),
        ("CreatedDate = LAST_N_DAYS:1", "two Three"),
        ("CreatedDate = THIS_WEEK", "two Three"),
        ("CreatedDate = LAST_WEEK", "one"),
        ("CreatedDate = LAST_MONTH", "one"),
        ("CreatedDate = THIS_YEAR", "one two Three"),
        ("CreatedDate >= 2026-03-01T09:00:00Z AND CreatedDate < 2026-03-01T10:00:00+00:00", "two"),
        ("IsClosed = false", "one two Three"),
    ],
)
def test_conditions(org: Organisation, condition: str, found: str) -> None:
    """Text ignores case, nothing differs from anything, dates are spans."""
    assert subjects(org, condition) == found


def test_deleted_records_are_found_only_where_they_are_asked_for(org: Organisation) -> None:
    """queryAll and ALL ROWS look into the recycle bin."""
    text = "SELECT Id FROM Case"
    assert len(ask(org, text)) == 3
    assert len(ask(org, text, deleted=True)) == len(ask(org, f"{text} ALL ROWS")) == 4


def test_relationships_are_nested_and_missing_ones_are_null(org: Organisation) -> None:
    """`Account.Owner.Name` is a record in a record."""
    first, second, _ = ask(org, "SELECT Account.Name, Account.Owner.Name, Owner.Name FROM Case ORDER BY CaseNumber")
    assert first["Account"] is None
    assert second["Account"]["Name"] == "Acme"
    assert second["Account"]["Owner"]["Name"] == "Bob"


def test_order_and_nulls(org: Organisation) -> None:
    """Nulls come first, or last where that is asked for."""
    up = [row["Priority"] for row in ask(org, "SELECT Priority FROM Case ORDER BY Priority")]
    down = [row["Priority"] for row in ask(org, "SELECT Priority FROM Case ORDER BY Priority DESC NULLS LAST LIMIT 2")]
    assert (up, down) == ([None, "High", "Low"], ["Low", "High"])


def test_groups(org: Organisation) -> None:
    """Counts and extremes, by their alias or `expr0`."""
    found = ask(org, "SELECT OwnerId, COUNT(Id) held, MIN(Subject) FROM Case GROUP BY OwnerId ORDER BY OwnerId")
    assert found[-1] == {"OwnerId": QUEUE, "held": 1, "expr2": "Three"}
    assert ask(org, "SELECT COUNT(Id) FROM Case") == [{"expr0": 3}]
    assert ask(org, "SELECT COUNT_DISTINCT(AccountId) n FROM Case") == [{"n": 1}]


def test_a_flat_answer_has_a_header(org: Organisation) -> None:
    """As bulk jobs want it."""
    header, rows = flat(answer(parse_soql("SELECT Subject, Owner.Name FROM Case WHERE Subject = 'one'"), org), org)
    assert header == ["Subject", "Owner.Name"]
    assert [value for value, _ in rows[0]] == ["one", "Ann"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT Nonsense FROM Case", "INVALID_FIELD"),
        ("SELECT Id FROM Nonsense", "INVALID_TYPE"),
        ("SELECT Nobody.Name FROM Case", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Nonsense = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Subject = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE CreatedDate = '2026'", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE CreatedDate = 2026-01-01", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE IsClosed = 'no'", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Subject = TODAY", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE OwnerId LIKE 'x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Case WHERE Priority INCLUDES ('x')", "MALFORMED_QUERY"),
        ("SELECT Subject, COUNT(Id) FROM Case GROUP BY OwnerId", "MALFORMED_QUERY"),
    ],
)
def test_what_there_is_not_is_refused(org: Organisation, text: str, code: str) -> None:
    """Unknown names and literals of another type, each with Salesforce's code."""
    with pytest.raises(SoqlError) as caught:
        ask(org, text)
    assert caught.value.code == code


def test_a_having_leaves_groups_out(org: Organisation) -> None:
    """One of the groups meets both conditions."""
    found = ask(
        org, "SELECT Priority p, COUNT(Id) n FROM Case GROUP BY Priority HAVING COUNT(Id) >= 1 AND Priority = 'Low'"
    )
    assert found == [{"p": "Low", "n": 1}]
    with pytest.raises(SoqlError, match="grouped"):
        ask(org, "SELECT Priority FROM Case GROUP BY Priority HAVING Subject = 'x'")


def test_children_come_with_their_parent(org: Organisation) -> None:
    """A parent without any says null."""
    rows = ask(org, "SELECT Name, (SELECT Subject FROM Cases ORDER BY CaseNumber LIMIT 1) FROM Account")
    (found,) = rows
    assert found["Cases"]["totalSize"] == 1
    assert [one["Subject"] for one in found["Cases"]["records"]] == ["two"]
    assert ask(org, "SELECT Id, (SELECT Id FROM Contacts) FROM Account")[0]["Contacts"] is None
    with pytest.raises(SoqlError, match="understand relationship"):
        ask(org, "SELECT Id, (SELECT Id FROM Nothings) FROM Account")
    with pytest.raises(SoqlError, match="Bulk"):
        flat(answer(parse_soql("SELECT Id, (SELECT Id FROM Cases) FROM Account"), org), org)
