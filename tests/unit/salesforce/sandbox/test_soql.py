"""SOQL read as strictly as the real parser reads it."""

from __future__ import annotations

import pytest

from triage.salesforce.sandbox.soql import (
    Comparison,
    DateWord,
    Instant,
    Joined,
    Negated,
    Order,
    Query,
    Selected,
    SoqlError,
    parse_soql,
)


def where(text: str) -> object:
    """Return the condition *text*."""
    return parse_soql(f"SELECT Id FROM Case WHERE {text}").where


def test_fields_object_order_limit_and_offset() -> None:
    """Every clause has its place."""
    found = parse_soql("select Id, Owner.Name from Case order by Priority desc nulls last, Id limit 5 offset 10")
    assert found == Query(
        object="Case", fields=(Selected("Id"), Selected("Owner.Name")),
        order_by=(Order("Priority", True, True), Order("Id")), limit=5, offset=10,
    )  # fmt: skip


def test_an_alias_of_the_object_is_left_out() -> None:
    """`c.Subject` of `Case c` is the field Subject."""
    assert parse_soql("SELECT c.Subject FROM Case c WHERE c.Id = 'x'").fields == (Selected("Subject"),)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Subject = 'it\\'s \\\\ here'", Comparison("Subject", "=", "it's \\ here")),
        ("Amount >= -1.5", Comparison("Amount", ">=", -1.5)),
        ("IsClosed = FALSE", Comparison("IsClosed", "=", False)),
        ("OwnerId <> null", Comparison("OwnerId", "!=", None)),
        ("CreatedDate > 2026-01-31T09:00:00Z", Comparison("CreatedDate", ">", Instant("2026-01-31T09:00:00Z"))),
        ("CloseDate = 2026-01-31", Comparison("CloseDate", "=", Instant("2026-01-31"))),
        ("CreatedDate = LAST_N_DAYS:7", Comparison("CreatedDate", "=", DateWord("LAST_N_DAYS", 7))),
        ("Subject LIKE 'a%'", Comparison("Subject", "LIKE", "a%")),
        ("Id IN ('a', 'b')", Comparison("Id", "IN", ("a", "b"))),
        ("Id NOT IN ('a')", Comparison("Id", "NOT IN", ("a",))),
        ("NOT Id = 'a'", Negated(Comparison("Id", "=", "a"))),
    ],
)
def test_a_condition(text: str, found: object) -> None:
    """Literals are typed, operators named."""
    assert where(text) == found


def test_parentheses_join_what_may_not_be_mixed() -> None:
    """AND and OR side by side are refused; in parentheses they are fine."""
    a, b, c = (Comparison(name, "=", 1) for name in ("A", "B", "C"))
    assert where("A = 1 AND (B = 1 OR C = 1)") == Joined("AND", (a, Joined("OR", (b, c))))
    with pytest.raises(SoqlError, match="unexpected token: 'OR'"):
        where("A = 1 AND B = 1 OR C = 1")


def test_a_semi_join_holds_a_query() -> None:
    """The inner query has an alias of its own."""
    found = where("AccountId IN (SELECT a.Id FROM Account a WHERE a.Name = 'x')")
    inner = Query(object="Account", fields=(Selected("Id"),), where=Comparison("Name", "=", "x"))
    assert found == Comparison("AccountId", "IN", inner)


def test_aggregates_and_groups() -> None:
    """COUNT() alone counts; other aggregates have names."""
    assert parse_soql("SELECT COUNT() FROM Case").count_only
    found = parse_soql("SELECT OwnerId, COUNT(Id) held, MAX(CreatedDate) FROM Case GROUP BY OwnerId")
    assert found.fields[1:] == (Selected("Id", "COUNT", "held"), Selected("CreatedDate", "MAX"))
    assert found.group_by == ("OwnerId",)


def test_a_having_compares_aggregates_of_groups() -> None:
    """It stands behind GROUP BY only."""
    found = parse_soql("SELECT OwnerId FROM Case GROUP BY OwnerId HAVING COUNT(Id) > 1 AND OwnerId != null")
    count = Comparison("Id", ">", 1, "COUNT")
    assert found.having == Joined("AND", (count, Comparison("OwnerId", "!=", None)))
    with pytest.raises(SoqlError, match="GROUP BY"):
        parse_soql("SELECT COUNT(Id) FROM Case HAVING COUNT(Id) > 1")


def test_a_child_query_stands_among_the_fields() -> None:
    """One level of them, beside a field at least."""
    found = parse_soql("SELECT Id, (SELECT Id FROM Cases WHERE IsClosed = false LIMIT 2) FROM Account")
    (child,) = found.children
    assert (child.object, child.limit, child.where) == ("Cases", 2, Comparison("IsClosed", "=", False))
    with pytest.raises(SoqlError, match="within"):
        parse_soql("SELECT Id, (SELECT Id, (SELECT Id FROM Histories) FROM Cases) FROM Account")


def test_fields_of_everything_need_a_limit() -> None:
    """FIELDS(ALL) is for at most 200 rows."""
    assert parse_soql("SELECT FIELDS(ALL) FROM Case LIMIT 200").everything == "all"
    assert parse_soql("SELECT FIELDS(STANDARD) FROM Case").everything == "standard"
    with pytest.raises(SoqlError, match="LIMIT of at most 200"):
        parse_soql("SELECT FIELDS(ALL) FROM Case")


def test_the_endings_of_a_query() -> None:
    """ALL ROWS, WITH and FOR are read."""
    assert parse_soql("SELECT Id FROM Case ALL ROWS").all_rows
    assert not parse_soql("SELECT Id FROM Case WITH SECURITY_ENFORCED FOR VIEW").all_rows


@pytest.mark.parametrize(
    "text",
    [
        "", "SELECT", "SELECT FROM Case", "SELECT Id", "SELECT Id FROM", "SELECT Id FROM Case WHERE",
        "SELECT Id FROM Case WHERE Id", "SELECT Id FROM Case WHERE Id = ", "SELECT Id FROM Case WHERE Id = 'x",
        'SELECT Id FROM Case WHERE Id = "x"', "SELECT Id FROM Case LIMIT x", "SELECT Id FROM Case LIMIT -1",
        "SELECT * FROM Case", "SELECT Id FROM Case; DELETE", "SELECT Id, FROM Case", "SELECT MAX() FROM Case",
        "SELECT Id FROM Case WHERE Id IN ()", "SELECT Id FROM Case WHERE Id === 'x'", "SELECT Id FROM Case OFFSET 2001",
        "SELECT (SELECT Id FROM Contacts) FROM Account", "SELECT TYPEOF Owner WHEN User THEN Id END FROM Case",
        "SELECT Id FROM Case WHERE A = 1 AND", "SELECT Id FROM Case GROUP Id", "SELECT Id FROM Case WHERE Id NOT 'x'",
        "SELECT Id FROM Case WITH DATA CATEGORY x", "SELECT FIELDS(MINE) FROM Case LIMIT 1",
        "SELECT Id FROM Case FOR EVER",
        f"SELECT Id FROM Case WHERE Id = '{'x' * 100_001}'",
    ],
)  # fmt: skip
def test_what_the_real_parser_refuses_is_refused(text: str) -> None:
    """No half-read query is answered."""
    with pytest.raises(SoqlError):
        parse_soql(text)
