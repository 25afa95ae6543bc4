"""draft: what an export says is mapped with its confidence, what it leaves open is asked and refused until answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.config import load_policy
from triage.errors import ConfigError, IntakeError
from triage.init import draft
from triage.rules.document import PolicyDocument

SHARED = Path(__file__).parents[4] / "shared/data/sf_export"
HEADER = "Case ID;Date/Time Opened;Case Owner;Account Name: SLA;Priority;Status;Subject;Age (Hours);Favourite colour"
LEVELS = ("Low", "Medium", "High", "Critical")


def _report(day: int = 0) -> str:
    rows = [
        f"{number:08d};{day or 13 + number % 15}.12.2025 {8 + number % 9:02d}:05;M\u00fcller {number % 5}"
        f";{('Gold', 'Silver')[number % 2]};{LEVELS[number % 4]};{('New', 'Closed')[number % 2]}"
        f";Drucker {number} geht nicht;{number % 90};{'green' if number % 9 else ''}"
        for number in range(60)
    ]
    return "\r\n".join([HEADER, *rows, ""])


def _file(folder: Path, text: str, encoding: str = "cp1252", name: str = "report.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def _loaded(files: dict[str, str]) -> PolicyDocument:
    return load_policy(files)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_report_in_any_encoding_is_drafted_alike(tmp_path: Path, encoding: str) -> None:
    """Semicolons, odd headers and local dates; umlauts come through."""
    drafted = draft(_file(tmp_path, _report(), encoding), answers={"zone": "Europe/Berlin"})
    assert drafted.questions == ()
    spec = _loaded(drafted.files).objects["Case"].spec
    assert (spec.created_field, spec.by_name["opened_at"].source) == ("Date/Time Opened", "Date/Time Opened")
    assert (spec.by_name["opened_at"].zone, spec.by_name["opened_at"].date_order) == ("Europe/Berlin", "DMY")
    assert spec.by_name["owner"].source == "Case Owner"
    assert spec.by_name["id"].source == "Case ID"
    assert spec.by_name["account.sla"].values == ("Silver", "Gold")
    assert spec.by_name["priority"].values == LEVELS
    assert spec.by_name["priority"].ordered
    assert "M\u00fcller 0" in drafted.files["fields.yaml"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_delimiter_will_do(tmp_path: Path, delimiter: str) -> None:
    """Whichever splits the header into most columns."""
    path = _file(tmp_path, _report().replace(";", delimiter))
    assert len(draft(path, answers={"zone": "UTC"}).parts[0].columns) == 9


def test_an_instant_without_a_zone_is_asked_for_and_does_not_load(tmp_path: Path) -> None:
    """The draft holds a TODO; the loader names its line; the answer settles it."""
    path = _file(tmp_path, _report())
    drafted = draft(path)
    assert [question.key for question in drafted.questions] == ["zone"]
    assert drafted.questions[0].about == ("Date/Time Opened",)
    assert "zone: TODO" in drafted.files["fields.yaml"]
    with pytest.raises(ConfigError, match="zone 'TODO'"):
        _loaded(drafted.files)
    _loaded(draft(path, answers={"zone.Date/Time Opened": "Europe/Berlin"}).files)


def test_days_up_to_twelve_only_are_asked_about(tmp_path: Path) -> None:
    """5.12.2025 is in May or in December: nobody knows but they."""
    path = _file(tmp_path, _report(day=5))
    drafted = draft(path, answers={"zone": "UTC"})
    assert [(question.key, question.options) for question in drafted.questions] == [("date_order", ("DMY", "MDY"))]
    with pytest.raises(ConfigError, match="not 'TODO'"):
        _loaded(drafted.files)
    answered = draft(path, answers={"zone": "UTC", "date_order": "MDY"})
    assert _loaded(answered.files).objects["Case"].spec.by_name["opened_at"].date_order == "MDY"


def test_a_unit_that_nothing_states_is_asked_for(tmp_path: Path) -> None:
    """A probability of 0.2 may be a fifth or a fifth of a percent."""
    rows = "006A,2026-01-01T00:00:00Z,0.2\n006B,2026-01-01T00:00:00Z,0.9\n"
    path = _file(tmp_path, f"Id,CreatedDate,Probability\n{rows}", name="Opportunity.csv")
    drafted = draft(path)
    assert [(question.key, question.options) for question in drafted.questions] == [
        ("unit.Probability", ("percent", "share"))
    ]
    with pytest.raises(ConfigError, match="unit"):
        _loaded(drafted.files)
    spec = _loaded(draft(path, answers={"unit.Probability": "share"}).files).objects["Opportunity"].spec
    assert spec.by_name["probability"].unit == "share"
    with pytest.raises(IntakeError, match="not one of percent, share"):
        draft(path, answers={"unit.Probability": "m"})


def test_a_custom_object_is_known_by_its_file(tmp_path: Path) -> None:
    """Its API name ends in __c."""
    path = _file(tmp_path, "Id,CreatedDate\n1,2026-01-01T00:00:00Z\n", name="Parcel__c.csv")
    assert set(_loaded(draft(path).files).objects) == {"Parcel__c"}


def test_a_date_order_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """YMD cannot be the order of 5.12.2025."""
    with pytest.raises(IntakeError, match="DMY or MDY would"):
        draft(_file(tmp_path, _report(day=5)), answers={"zone": "UTC", "date_order": "YMD"})


def test_two_candidates_for_the_creation_are_asked_about(tmp_path: Path) -> None:
    """Two columns that both sound like it: the options name them."""
    path = _file(tmp_path, "Case ID,Opened,Created Date\n" + "1,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z\n" * 3)
    drafted = draft(path)
    assert [(question.key, question.options) for question in drafted.questions] == [
        ("created", ("Opened", "Created Date"))
    ]
    with pytest.raises(ConfigError, match="created"):
        _loaded(drafted.files)
    spec = _loaded(draft(path, answers={"created": "Created Date"}).files).objects["Case"].spec
    assert (spec.created_field, spec.by_name["opened_at"].source) == ("Created Date", "Created Date")


def test_a_table_without_any_instant_says_what_to_export(tmp_path: Path) -> None:
    """No creation date, no clock."""
    drafted = draft(_file(tmp_path, "Id,Lead Owner,Company\n1,Ada,Acme\n", name="Lead.csv"))
    assert "export the creation date too" in drafted.questions[0].text
    with pytest.raises(ConfigError):
        _loaded(drafted.files)


def test_the_object_is_asked_for_where_nothing_tells(tmp_path: Path) -> None:
    """Neither the file's name nor its headers speak of any object."""
    path = _file(tmp_path, "Id,Created Date,Colour\n1,2026-01-01T00:00:00Z,red\n", name="data.csv")
    drafted = draft(path)
    assert [question.key for question in drafted.questions] == ["object"]
    with pytest.raises(ConfigError):
        _loaded(drafted.files)
    assert set(_loaded(draft(path, answers={"object": "Parcel__c"}).files).objects) == {"Parcel__c"}


def test_a_table_without_id_asks_which_column_tells_records_apart(tmp_path: Path) -> None:
    """The number is offered, not taken."""
    path = _file(tmp_path, "Case Number,Created Date\n00012,2026-01-01T00:00:00Z\n")
    drafted = draft(path)
    assert [(question.key, question.options) for question in drafted.questions] == [("id", ("Case Number",))]
    with pytest.raises(ConfigError):
        _loaded(drafted.files)
    spec = _loaded(draft(path, answers={"id": "Case Number"}).files).objects["Case"].spec
    assert (spec.by_name["id"].source, spec.by_name["id"].type) == ("Case Number", "text")


def test_unmapped_columns_are_listed_with_samples(tmp_path: Path) -> None:
    """Nothing of an export is passed over in silence."""
    text = draft(_file(tmp_path, _report()), answers={"zone": "UTC"}).files["fields.yaml"]
    assert "Not mapped: 2 columns" in text
    assert 'favourite_colour: {from: "Favourite colour", type: picklist, values: ["green"]}  # \'green\'' in text
    assert 'crm_age: {from: "Age (Hours)", type: duration, unit: h}' in text


def test_every_field_carries_its_confidence_and_samples(tmp_path: Path) -> None:
    """An exact header is surer than one of a related record."""
    drafted = draft(_file(tmp_path, _report()), answers={"zone": "UTC"})
    assert "# 0.95, filled in 60 of 60: 'Low', 'Medium', 'High'" in drafted.files["fields.yaml"]
    sla = drafted.parts[0].field("account.sla")
    assert sla is not None
    assert 0.5 <= sla.confidence < 0.95


def test_drafted_rules_only_observe_and_use_only_fields_that_exist(tmp_path: Path) -> None:
    """A first policy may not send anything."""
    document = _loaded(draft(_file(tmp_path, _report()), answers={"zone": "UTC"}, now_text="2026-01-31").files)
    rules = [rule for rules in document.rule_sets for rule in rules.rules]
    assert {rule.mode for rule in rules} == {"observe"}
    assert "case-top-priority-unanswered" in [rule.id for rule in rules]
    assert document.objects["Case"].closed_when is not None


def test_the_same_export_gives_the_same_bytes(tmp_path: Path) -> None:
    """Drafts can be compared."""
    path = _file(tmp_path, _report())
    assert draft(path, answers={"zone": "UTC"}) == draft(path, answers={"zone": "UTC"})


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"zoen": "UTC"}, "'zoen' is not a question: did you mean 'zone'"),
        ({"zone": "Mars/Olympus"}, "not a time zone"),
        ({"zone.Opened": "UTC"}, "there is no column or table 'Opened'"),
        ({"unit": "m"}, "write unit.COLUMN=m"),
        ({"object": "Case: {}"}, "is no API name"),
        ({"created": "Nowhere"}, "created: there is no column 'Nowhere'"),
        ({"id": "Nowhere"}, "id: there is no column 'Nowhere'"),
    ],
)
def test_an_answer_that_cannot_be_one_is_refused(tmp_path: Path, answers: dict[str, str], reason: str) -> None:
    """With what was meant, where that is near."""
    with pytest.raises(IntakeError, match=reason):
        draft(_file(tmp_path, _report()), answers=answers)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the file is empty"), (None, "no such file"), ("Id,Status,STATUS\n1,2,3\n", "column 'Status' twice"),
        (",,\n1,2,3\n", "its header names no column"),
    ],
)  # fmt: skip
def test_nothing_to_read_is_refused(tmp_path: Path, content: str | None, reason: str) -> None:
    """Not a stack trace."""
    path = tmp_path / "report.csv" if content is None else _file(tmp_path, content)
    with pytest.raises(IntakeError, match=reason):
        draft(path)


def test_hostile_headers_and_values_stay_within_their_quotes(tmp_path: Path) -> None:
    """A header of YAML and a value with line ends and escapes: the draft loads, and says nothing new."""
    header = 'Id,Created Date,Status,"x: {y}\n# z: ""q""\x1b[31m"'
    path = _file(tmp_path, header + "\n" + '1,2026-01-01T00:00:00Z,"a\nrules: []",b\n' * 5, name="Case.csv")
    drafted = draft(path)
    document = _loaded(drafted.files)
    assert document.objects["Case"].spec.by_name["status"].values == ("a\nrules: []",)
    assert all(line.isprintable() for text in drafted.files.values() for line in text.split("\n"))


@pytest.mark.parametrize("odd", ["won't fix", 'a "b"', "a, b]", "back\\slash", "#1: x", "\u00fc", "tab\there", "{x}"])
def test_closed_values_and_priorities_of_any_spelling_load(tmp_path: Path, odd: str) -> None:
    """Quotes of YAML and of conditions, one within the other."""
    quoted = odd.replace('"', '""')
    rows = "".join(
        f'5{n},2026-01-01T00:00:00Z,"Closed {quoted}","P{n % 2 + 1} - {quoted}"\n5{n}x,2026-01-01T00:00:00Z,New,P3\n'
        for n in range(6)
    )
    path = _file(tmp_path, f"Id,CreatedDate,Status,Priority\n{rows}", "utf-8", name="Case.csv")
    document = _loaded(draft(path).files)
    closing = document.objects["Case"].closed_when
    assert (repr(f"Closed {odd}") in repr(closing)) == odd.isprintable()
    assert document.objects["Case"].spec.by_name["priority"].values[-1] == f"P1 - {odd}"


def test_a_folder_gives_every_object_related_tables_and_past_values(tmp_path: Path) -> None:
    """Picklists also hold what only history still shows; accounts are read through the reference."""
    _file(tmp_path, "Id,CreatedDate,IsClosed,Status,AccountId\n" + "".join(
        f"5{n},2026-01-01T00:00:00Z,True,Closed,001A000000{n:05d}\n" for n in range(9)), name="Case.csv")  # fmt: skip
    _file(tmp_path, "Id,CaseId,CreatedDate,Field,OldValue,NewValue\nh,51,2026-01-02T00:00:00Z,Status,New,Closed\n",
          name="CaseHistory.csv")  # fmt: skip
    _file(tmp_path, "Id,Name,SLA__c\n001A00000000001,Acme,Gold\n", name="Account.csv")
    _file(tmp_path, "Id,CreatedDate,StageName\n006,2026-01-01T00:00:00Z,Won\n", name="Opportunity.csv")
    drafted = draft(tmp_path)
    assert set(drafted.files) == {"fields.yaml", "case.yaml", "opportunity.yaml"}
    document = _loaded(drafted.files)
    spec = document.objects["Case"].spec
    assert spec.by_name["status"].values == ("Closed", "New")
    assert spec.by_name["account.sla"].source == "SLA__c"
    assert [relation.by for relation in spec.related] == ["account.id"]


@pytest.mark.shared
def test_the_real_export_is_drafted_and_loads_once_leads_are_answered() -> None:
    """20,000 incidents, leads without a creation date, opportunities and accounts."""
    drafted = draft(SHARED)
    assert [question.key for question in drafted.questions] == ["created"]
    assert drafted.questions[0].about == ("Lead",)
    document = _loaded(draft(SHARED, answers={"created.Lead": "LeadNumber"}).files)
    assert "Awaiting User Info" in document.objects["Case"].spec.by_name["status"].values


TABLES = {
    "Case.csv": "Case Number,Created Date,Status\nA-1,2026-01-05T09:00:00Z,New\nA-2,2026-01-06T09:00:00Z,New\n",
    "Lead.csv": "Reference,Created Date,Status\nL-1,2026-01-05T09:00:00Z,Open\nL-2,2026-01-06T09:00:00Z,Open\n",
}


def _folder(folder: Path) -> Path:
    for name, text in TABLES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_what_is_asked_of_two_tables_is_answered_for_each(tmp_path: Path) -> None:
    """Their columns differ, so one answer cannot do."""
    (question,) = draft(_folder(tmp_path), answers={}).questions
    assert question.keys == ("id.Case", "id.Lead")
    answers = dict(zip(question.keys, ("Case Number", "Reference"), strict=True))
    assert draft(tmp_path, answers=answers).questions == ()


def test_an_answer_for_all_tables_holds_where_the_column_is(tmp_path: Path) -> None:
    """The other table is still asked about, by a key of its own."""
    (question,) = draft(_folder(tmp_path), answers={"id": "Case Number"}).questions
    assert (question.about, question.keys) == (("Lead",), ("id.Lead",))
    assert draft(tmp_path, answers={"id": "Case Number", "id.Lead": "Reference"}).questions == ()


def test_an_answer_about_one_table_names_a_column_of_it(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="id: there is no column 'Reference': the file has 'Case Number'"):
        draft(_folder(tmp_path), answers={"id.Case": "Reference"})


def test_an_answer_that_no_table_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="id: there is no column 'Nowhere'"):
        draft(_folder(tmp_path), answers={"id": "Nowhere"})
