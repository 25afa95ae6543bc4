"""fields_page, rules_page: YAML that says what was found, and rules that use no more than that."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from triage.config import load_policy
from triage.init import draft
from triage.init.columns import Column
from triage.init.pages import fields_page, rules_page
from triage.init.parts import Mapped, Part


def _mapped(header: str, name: str, **settings: object) -> Mapped:
    column = Column(header=header, samples=("x",), filled=1, rows=2)
    base = Mapped(column=column, name=name, suggestion=header.casefold(), confidence=0.95, type="text")
    return structs.replace(base, **settings)


PART = Part(object="Case", file="Case.csv", rows=2, columns=(_mapped("Subject", "subject"),), created="Made", id="Id")


def test_a_field_shows_confidence_fill_and_sample() -> None:
    """As a comment over it."""
    page = fields_page([PART], "", "")
    assert (
        "      # 0.95, filled in 1 of 2: 'x'\n      subject:\n        from: \"Subject\"\n        type: text\n" in page
    )


def test_the_day_of_the_draft_is_told_where_given() -> None:
    """The clock is the caller's."""
    assert " on 2026-01-31." in fields_page([PART], "", "2026-01-31").splitlines()[0]
    assert " on " not in fields_page([PART], "", "").splitlines()[0]


def test_closed_values_are_taken_from_the_status() -> None:
    """In quotes, whatever they hold; without any, an example stands there."""
    status = _mapped("Status", "status", type="picklist", values=("Closed - won't fix", "New", "closed"))
    page = fields_page([structs.replace(PART, columns=(status,))], "", "")
    assert "status in" in page
    assert "# closed_when: no column says what is closed" in fields_page([PART], "", "")


def test_a_table_without_mapped_columns_has_no_fields() -> None:
    """An empty map is valid, an empty key is not."""
    assert "    fields: {}" in fields_page([structs.replace(PART, columns=(_mapped("Odd", ""),))], "", "")


def test_the_calendar_is_an_example_in_the_zone_of_the_answers() -> None:
    """Opening hours are in no export, so it stays a comment."""
    assert "#     tz: Asia/Tokyo" in fields_page([PART], "Asia/Tokyo", "")


def test_rules_follow_the_fields_there_are() -> None:
    """No owner: the manager hears; an ordered priority: its top has a rule and a target of its own."""
    assert "who: owner" not in rules_page(PART, "")
    priority = _mapped("Priority", "priority", type="picklist", values=("Low", "Very High"), ordered=True)
    owner = _mapped("Owner", "owner", type="reference")
    page = rules_page(structs.replace(PART, columns=(priority, owner)), "")
    assert "who: owner" in page
    assert "      - 'priority == \"Very High\"'\n" in page
    assert "target: 2h" in page


def test_every_rule_observes() -> None:
    """Whatever the object."""
    for name in ("Case", "Lead", "Opportunity", "Parcel__c"):
        page = rules_page(structs.replace(PART, object=name), "")
        assert page.count("mode: observe") == page.count("- id: ") > 1


def test_a_value_that_cannot_be_printed_is_escaped_as_yaml_reads_it(tmp_path: Path) -> None:
    """A character beyond the first plane has no pair of escapes in YAML, as it has in JSON."""
    export = tmp_path / "Case.csv"
    rows = ["Case ID,Created Date,Billing Country"] + [
        f"500{n},2026-01-{n + 10}T09:00:00Z,\U00012544" for n in range(4)
    ]
    export.write_text("\n".join(rows), encoding="utf-8")
    drafted = draft(export, answers={"id": "Case ID", "created": "Created Date"})
    spec = load_policy(drafted.files).objects["Case"].spec
    assert spec.by_source["billing country"].values == ("\U00012544",)
