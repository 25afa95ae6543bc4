"""find_sources: which file of an export holds what, in the order to read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.replay.folder import find_sources, table_name


def _sources(folder: Path, *names: str, wanted: tuple[str, ...] | None = None) -> list[tuple[str, str]]:
    for name in names:
        (folder / name).touch()
    return [(source.kind, source.object) for source in find_sources(folder, wanted)[0]]


def test_records_come_first_and_related_last(tmp_path: Path) -> None:
    """All else is checked against the records."""
    names = ("Account.csv", "Case.csv.gz", "CaseHistory.csv", "CaseMilestone.csv", "EmailMessage.csv", "User.csv")
    assert _sources(tmp_path, *names) == [
        ("records", "Case"), ("history", "Case"), ("milestones", "Case"), ("touches", "EmailMessage"),
        ("agents", "User"), ("related", "Account"),
    ]  # fmt: skip


def test_an_object_with_a_history_is_work(tmp_path: Path) -> None:
    """Custom objects have files named after a pattern of their own."""
    names = ("Parcel__c.csv", "Parcel__History.csv", "Thing__c.csv", "OpportunityFieldHistory.csv")
    assert _sources(tmp_path, *names) == [
        ("records", "Parcel__c"), ("history", "Opportunity"), ("history", "Parcel__c"), ("related", "Thing__c"),
    ]  # fmt: skip


def test_an_object_asked_for_is_work(tmp_path: Path) -> None:
    """Others are left out."""
    assert _sources(tmp_path, "Thing__c.csv", "Case.csv", wanted=("Thing__c",)) == [("records", "Thing__c")]


def test_a_single_file_is_a_folder_of_one(tmp_path: Path) -> None:
    """Named for its object."""
    (tmp_path / "Lead.csv").touch()
    assert [source.object for source in find_sources(tmp_path / "Lead.csv", None)[0]] == ["Lead"]


@pytest.mark.parametrize(
    ("file", "name"), [("Case.csv.gz", "Case"), ("Case.TSV", "Case"), ("a.b.csv", "a.b"), ("Case.xlsx", "")]
)
def test_a_table_goes_by_its_name_without_endings(file: str, name: str) -> None:
    """An unknown ending is no table."""
    assert table_name(Path(file)) == name
