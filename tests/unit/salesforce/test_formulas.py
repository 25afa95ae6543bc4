"""Formulas that have an exact counterpart, and the refusal of all others."""

from __future__ import annotations

import pytest

from triage.salesforce.criteria import ALWAYS, NEVER, All, Any, Leaf, Not, Tree, Untranslatable
from triage.salesforce.formulas import formula_tree

HIGH = Leaf("Case.Priority", "in", ("High",))
NEW = Leaf("Case.Status", "in", ("New",))


def read(text: str, *, at_creation: bool = False) -> Tree:
    return formula_tree(text, object_name="Case", at_creation=at_creation)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("TRUE", ALWAYS),
        ("false", NEVER),
        ("ISPICKVAL(Priority, 'High')", HIGH),
        ('ISPICKVAL( Priority , "High" )', HIGH),
        ("ISPICKVAL(Priority, '')", Leaf("Case.Priority", "missing")),
        ("AND(ISPICKVAL(Priority, 'High'), ISPICKVAL(Status, 'New'))", All((HIGH, NEW))),
        ("ISPICKVAL(Priority, 'High') && ISPICKVAL(Status, 'New')", All((HIGH, NEW))),
        ("ISPICKVAL(Priority, 'High') || ISPICKVAL(Status, 'New')", Any((HIGH, NEW))),
        ("NOT(ISPICKVAL(Priority, 'High'))", Not(HIGH)),
        ("!ISPICKVAL(Priority, 'High')", Not(HIGH)),
        ("TEXT(Priority) = 'High'", HIGH),
        ("'High' = TEXT(Priority)", HIGH),
        ("Subject <> 'x'", Not(Leaf("Case.Subject", "in", ("x",)))),
        ("Subject = ''", Leaf("Case.Subject", "missing")),
        ("ISBLANK(Subject)", Leaf("Case.Subject", "missing")),
        ("Level__c >= 2.5", Leaf("Case.Level__c", ">=", ("2.5",))),
        ("-3 < Level__c", Leaf("Case.Level__c", ">", ("-3",))),
        ("Account.SLA__c = 'Gold'", Leaf("Account.SLA__c", "in", ("Gold",))),
        ("Vip__c", Leaf("Case.Vip__c", "ticked", ("true",))),
        ("Vip__c = FALSE", Leaf("Case.Vip__c", "ticked", ("false",))),
        ("BEGINS(Subject, 'URGENT')", Leaf("Case.Subject", "starts_with", ("URGENT",))),
        ("CONTAINS(Subject, 'down')", Leaf("Case.Subject", "contains", ("down",))),
        ("INCLUDES(Tags__c, 'legal')", Leaf("Case.Tags__c", "includes", ("legal",))),
        ("/* why */ ISPICKVAL(Priority, 'High') /* so */", HIGH),
        ("(((ISPICKVAL(Priority, 'High'))))", HIGH),
    ],
)
def test_a_formula_with_a_counterpart_is_translated(text: str, tree: Tree) -> None:
    assert read(text) == tree


def test_if_is_both_of_its_ways() -> None:
    assert read("IF(Vip__c, ISPICKVAL(Priority, 'High'), ISPICKVAL(Status, 'New'))") == Any(
        (
            All((Leaf("Case.Vip__c", "ticked", ("true",)), HIGH)),
            All((Not(Leaf("Case.Vip__c", "ticked", ("true",))), NEW)),
        )
    )


def test_and_binds_closer_than_or() -> None:
    assert read("Vip__c || ISPICKVAL(Priority, 'High') && ISPICKVAL(Status, 'New')") == Any(
        (Leaf("Case.Vip__c", "ticked", ("true",)), All((HIGH, NEW)))
    )


def test_changes_mean_something_at_creation_only() -> None:
    assert read("ISNEW()", at_creation=True) == ALWAYS
    assert read("AND(ISCHANGED(OwnerId), Vip__c)", at_creation=True) == NEVER
    with pytest.raises(Untranslatable, match="ISNEW looks at a change"):
        read("ISNEW()")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("NOW() - CreatedDate > 1", "NOW has no counterpart"),
        ("Level__c + 1 > 2", "works values out"),
        ("Level__c > Other__c", "other than a field and a constant"),
        ("REGEX(Subject, 'a')", "REGEX has no counterpart"),
        ("AND(Vip__c", "lacks '\\)'"),
        ("Vip__c Vip__c", "goes on after its end"),
        ("'High'", "where a condition is asked for"),
        ("$User.Id = 'x'", "is not of the record"),
        ("Subject > 'a'", "and a text"),
        ("CONTAINS('a:b', Subject)", "other than a field and a text"),
        ("BEGINS(Subject, '')", "an empty text"),
        ("Vip__c ~ 1", "cannot be read"),
        ("(" * 200 + "Vip__c" + ")" * 200, "nested deeper"),
        ("Vip__c ||" * 2000 + "Vip__c", "characters"),
    ],
)
def test_a_formula_without_a_counterpart_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(Untranslatable, match=why):
        read(text)
