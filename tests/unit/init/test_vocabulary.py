"""What headers mean: words in several spellings and tongues, with how sure that is."""

from __future__ import annotations

import pytest

from triage.init.vocabulary import SURE, ladder_of, meaning_of, object_of, our_name, plain_words


@pytest.mark.parametrize(
    ("header", "kind", "name"),
    [
        ("CreatedDate", "datetime", "opened_at"),
        ("Date/Time Opened", "datetime", "opened_at"),
        ("er\u00f6ffnet am", "datetime", "opened_at"),
        ("Case Owner", "text", "owner"),
        ("OwnerId", "reference", "owner"),
        ("assigned_to", "text", "owner"),
        ("PRIORIT\u00c4T", "picklist", "priority"),
        ("Short description", "text", "subject"),
        ("IsClosed", "boolean", "is_closed"),
        ("Closed", "datetime", "closed_at"),
        ("Account Name: SLA", "picklist", "account.sla"),
    ],
)
def test_known_headers_have_a_meaning(header: str, kind: str, name: str) -> None:
    """Exact words are sure, whatever their spelling."""
    meaning = meaning_of(header, kind)
    assert meaning.name == name
    assert meaning.confidence >= (0.7 if "." in name else SURE)


def test_near_and_partial_words_are_less_sure() -> None:
    """Enough to map, not enough to rely on."""
    assert 0.5 <= meaning_of("Priorty", "picklist").confidence < SURE
    assert 0.5 <= meaning_of("Current Status", "picklist").confidence < SURE


def test_a_type_that_does_not_fit_halves_the_confidence() -> None:
    """A creation instant of numbers is none."""
    assert meaning_of("Created Date", "integer").confidence < 0.5


def test_words_that_nobody_knows_mean_nothing() -> None:
    """Unmapped is better than wrong."""
    assert meaning_of("Favourite colour", "picklist").name == ""


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Impact__c", "impact"), ("Gr\u00f6\u00dfe (cm)", "groesse"), ("2nd line", "field_2nd_line"),
        ("Account: Tier", "account.tier"),
        ("???", "field"),
    ],
)  # fmt: skip
def test_a_field_name_can_be_made_of_any_header(header: str, name: str) -> None:
    """Letters, digits and underscores, beginning with a letter."""
    assert our_name(header) == name


def test_headers_are_parted_into_words() -> None:
    """Camel case, underscores, punctuation."""
    assert plain_words("First_ResponseTime__c") == "first response time"


@pytest.mark.parametrize(
    ("values", "ladder"),
    [
        (("Critical", "High", "Low", "Medium"), ("Low", "Medium", "High", "Critical")),
        (("P1", "P2", "P3"), ("P3", "P2", "P1")),
        (("1 - Critical", "2 - High", "3 - Moderate"), ("3 - Moderate", "2 - High", "1 - Critical")),
        (("hoch", "niedrig"), ("niedrig", "hoch")),
        (("Gold", "Silver"), ("Silver", "Gold")),
        (("High", "Sometimes"), ()),
        (("Medium", "Normal"), ()),
        (("1", "2", "3"), ()),
        ((), ()),
    ],
)
def test_known_ladders_are_put_in_ascending_order(values: tuple[str, ...], ladder: tuple[str, ...]) -> None:
    """Anything unknown among them, two of one rank, or bare digits: no order."""
    assert ladder_of(values) == ladder


@pytest.mark.parametrize(
    ("file", "headers", "name"),
    [
        ("Case", (), "Case"), ("open tickets 2026", (), "Case"), ("x", ("Stage", "Close Date"), "Opportunity"),
        ("x", ("Case Number", "Case Owner"), "Case"), ("x", ("Colour",), ""), ("leads_export", (), "Lead"),
    ],
)  # fmt: skip
def test_the_object_is_told_by_the_file_then_by_its_headers(file: str, headers: tuple[str, ...], name: str) -> None:
    """Nothing, where neither speaks."""
    assert object_of(file, headers) == name
