"""read_export, read_log: an export becomes the events that led to it, and each row is used or refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from msgspec import structs

from triage.domain.instant import parse_instant
from triage.domain.schema import FieldSpec, ObjectSpec
from triage.domain.work import Event
from triage.errors import IntakeError
from triage.replay.history import Export, Refusal, in_order, read_export, read_log

SHARED = Path(__file__).parents[4] / "shared/data/sf_export"
CASES = """Id,CreatedDate,ClosedDate,IsClosed,Status,Priority,OwnerId,LastModifiedDate
500A,2026-01-01T00:00:00Z,2026-01-03T00:00:00Z,True,Closed,High,005B,2026-01-09T00:00:00Z
500B,2026-01-02T00:00:00Z,,False,New,Low,005A,2026-01-09T00:00:00Z
"""
HISTORY = """Id,CaseId,CreatedById,CreatedDate,Field,OldValue,NewValue
h1,500A,005A,2026-01-01T00:00:00Z,created,,
h2,500A,005A,2026-01-02T00:00:00Z,Status,New,Working
h3,500A,005A,2026-01-02T00:00:00Z,Owner,005A,005B
h4,500A,005B,2026-01-02T00:00:00Z,Priority,Low,High
h5,500A,005B,2026-01-03T00:00:00Z,Status,Working,Closed
"""


def _export(folder: Path, tables: dict[str, str | bytes], **settings: object) -> Export:
    for name, text in tables.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    export = read_export(folder, **settings)  # type: ignore[arg-type]
    assert all(count.rows == count.used + count.refused for count in export.counts.values())
    assert sum(count.refused for count in export.counts.values()) == len(export.refused)
    return export


def _of(export: Export, record_id: str) -> list[Event]:
    return [event for event in export.events() if event.id == record_id]


def _reasons(export: Export) -> list[str]:
    return [f"{refusal.file}:{refusal.line}: {refusal.reason}" for refusal in export.refused]


def test_a_case_is_rolled_back_to_its_opening_and_forward_again(tmp_path: Path) -> None:
    """The created event carries the opening, each instant and actor one updated event."""
    created, *updates = _of(_export(tmp_path, {"Case.csv": CASES, "CaseHistory.csv": HISTORY}), "500A")
    assert created.at == parse_instant("2026-01-01T00:00:00Z")
    assert created.changes == {
        "CreatedDate": "2026-01-01T00:00:00Z", "IsClosed": "False", "Status": "New",
        "Priority": "Low", "OwnerId": "005A",
    }  # fmt: skip
    assert [(event.actor, event.changes) for event in updates] == [
        ("005A", {"Status": "Working", "OwnerId": "005B"}),
        ("005B", {"Priority": "High"}),
        ("005B", {"Status": "Closed", "IsClosed": "True", "ClosedDate": "2026-01-03T00:00:00Z"}),
    ]
    assert {event.type for event in updates} == {"updated"}


def test_event_ids_come_from_file_and_row(tmp_path: Path) -> None:
    """So that a second reading is recognised."""
    export = _export(tmp_path, {"Case.csv": CASES, "CaseHistory.csv": HISTORY})
    assert [event.event_id for event in _of(export, "500A")] == [
        "Case:500A", "CaseHistory:h2", "CaseHistory:h4", "CaseHistory:h5",
    ]  # fmt: skip


def test_a_case_without_history_opens_without_its_outcome_and_closes_by_date(tmp_path: Path) -> None:
    """A final status may not be known at opening; the system closes it at its closing date."""
    created, closed = _of(_export(tmp_path, {"Case.csv": CASES}), "500A")
    assert created.changes["IsClosed"] == "False"
    assert "Status" not in created.changes
    assert "ClosedDate" not in created.changes
    assert (closed.at, closed.origin) == (parse_instant("2026-01-03T00:00:00Z"), "system")
    assert closed.changes == {"IsClosed": "True", "ClosedDate": "2026-01-03T00:00:00Z", "Status": "Closed"}


def test_a_reopened_case_opens_and_closes_again(tmp_path: Path) -> None:
    """Each status that means closed closes, each other one reopens."""
    history = HISTORY + (
        "h6,500A,005B,2026-01-04T00:00:00Z,Status,Closed,Working\nh7,500A,005B,2026-01-05T00:00:00Z,Status,Working,Closed\n"
    )
    export = _export(tmp_path, {"Case.csv": CASES.replace("2026-01-03", "2026-01-05"), "CaseHistory.csv": history})
    flags = [event.changes["IsClosed"] for event in _of(export, "500A") if "IsClosed" in event.changes]
    assert flags == ["False", "True", "False", "True"]
    assert _of(export, "500A")[-2].changes == {"Status": "Working", "IsClosed": "False", "ClosedDate": None}
    assert export.inconsistencies == ()


def test_a_field_that_changes_twice_at_once_is_two_events(tmp_path: Path) -> None:
    """Neither change is lost, in the order of the file."""
    history = HISTORY.replace("Owner,005A,005B", "Status,Working,Waiting").replace("Working,Closed", "Waiting,Closed")
    export = _export(tmp_path, {"Case.csv": CASES, "CaseHistory.csv": history})
    statuses = [event.changes["Status"] for event in _of(export, "500A") if "Status" in event.changes]
    assert statuses == ["New", "Working", "Waiting", "Closed"]


def test_a_history_sorted_newest_first_is_read_backwards(tmp_path: Path) -> None:
    """Changes of one instant, too."""
    head, *rows = HISTORY.replace("h4,500A,005B,2026-01-02T00:00:00Z,Priority,Low,High",
                                  "h4,500A,005A,2026-01-02T00:00:00Z,Status,Working,Waiting").replace(
        "Status,Working,Closed", "Status,Waiting,Closed").splitlines()  # fmt: skip
    export = _export(tmp_path, {"Case.csv": CASES, "CaseHistory.csv": "\n".join([head, *rows[::-1], ""])})
    statuses = [event.changes["Status"] for event in _of(export, "500A") if "Status" in event.changes]
    assert statuses == ["New", "Working", "Waiting", "Closed"]
    assert export.inconsistencies == ()


def test_an_owner_told_by_name_and_by_id_is_taken_by_id(tmp_path: Path) -> None:
    """Salesforce exports both rows."""
    ids = ("005000000000001AAA", "005000000000002AAA")
    history = HISTORY.replace("Owner,005A,005B", f"Owner,{ids[0]},{ids[1]}") + (
        "h6,500A,005A,2026-01-02T00:00:00Z,Owner,Ada,Bob\n"
    )
    export = _export(tmp_path, {"Case.csv": CASES.replace("005B,2026", f"{ids[1]},2026"), "CaseHistory.csv": history})
    owners = [event.changes["OwnerId"] for event in _of(export, "500A") if "OwnerId" in event.changes]
    assert owners == list(ids)
    assert export.counts["CaseHistory.csv"].used == 6


def test_history_that_ends_elsewhere_is_reported_and_mended_by_the_system(tmp_path: Path) -> None:
    """History stands; a last system step brings the final value."""
    export = _export(tmp_path, {"Case.csv": CASES, "CaseHistory.csv": HISTORY.replace("Low,High", "Low,Medium")})
    last = _of(export, "500A")[-1]
    assert (last.origin, last.changes, last.at) == (
        "system",
        {"Priority": "High"},
        parse_instant("2026-01-03T00:00:00Z"),
    )
    (found,) = export.inconsistencies
    assert (found.id, found.field, found.expected, found.found) == ("500A", "Priority", "Medium", "High")


def test_a_closing_date_that_history_contradicts_is_reported(tmp_path: Path) -> None:
    """The status says when it closed; the date stays as the CRM has it."""
    export = _export(tmp_path, {"Case.csv": CASES.replace("2026-01-03", "2026-01-04"), "CaseHistory.csv": HISTORY})
    assert [(found.field, found.reason) for found in export.inconsistencies] == [
        ("ClosedDate", "closed at another instant")
    ]
    assert _of(export, "500A")[-1].changes["ClosedDate"] == "2026-01-04T00:00:00Z"


def test_an_opportunity_closes_at_its_close_date_without_knowing_its_outcome_before(tmp_path: Path) -> None:
    """The planned date is known from the start, stage and outcome are not."""
    table = (
        "Id,CreatedDate,CloseDate,StageName,IsClosed,IsWon\n006A,2026-01-01T00:00:00Z,2026-02-01,Closed Won,True,True\n"
    )
    created, closed = _of(_export(tmp_path, {"Opportunity.csv": table}), "006A")
    assert created.changes["CloseDate"] == "2026-02-01"
    assert created.changes["IsWon"] == "False"
    assert "StageName" not in created.changes
    assert closed.at == parse_instant("2026-02-01T00:00:00Z")
    assert (closed.changes["StageName"], closed.changes["IsWon"]) == ("Closed Won", "True")


BAD_HISTORY = [
    ("h9,500A,x,2025-12-31T00:00:00Z,Status,Odd,New", "from before it was created"),
    ("h9,500Z,x,2026-01-02T00:00:00Z,Status,New,Old", "belongs to the unknown Case '500Z'"),
    ("h9,500A,x,soon,Status,New,Old", "CreatedDate: 'soon' is not an instant"),
    ("h9,500A,x,2026-01-02 10:00,Status,New,Old", "has no zone"),
    ("h9,500A,x,,Status,New,Old", "CreatedDate is empty"),
    ("h9,500A,x,2026-01-02T00:00:00Z,,New,Old", "names no field"),
    ("h9,500A,x,2026-01-02T00:00:00Z,Status,New", "7 cells expected, 6 found"),
    ("h9,500A,x,2026-01-02T00:00:00Z,Status,New,Old,more", "7 cells expected, 8 found"),
    ("h2,500A,x,2026-01-02T00:00:00Z,Status,New,Old", "Id stands already on line 3"),
    (",500A,x,2026-01-02T00:00:00Z,Status,New,Old", "Id is empty"),
    ("", "an empty line"),
    ('h9,500A,x,2026-01-02T00:00:00Z,Status,"New"x,Old', "broken quotes"),
    ('h9,500A,x,2026-01-02T00:00:00Z,Status,"New,Old', "broken quotes"),
]


@pytest.mark.parametrize(("row", "reason"), BAD_HISTORY)
def test_a_bad_history_row_is_refused_and_the_others_are_used(tmp_path: Path, row: str, reason: str) -> None:
    """With file, line and reason; the row after it is read."""
    after = "h8,500B,005A,2026-01-04T00:00:00Z,Priority,Medium,Low\n"
    export = _export(tmp_path, {"Case.csv": CASES, "CaseHistory.csv": f"{HISTORY}{row}\n{after}"})
    (refusal,) = export.refused
    assert (refusal.file, refusal.line) == ("CaseHistory.csv", 7)
    assert reason in refusal.reason
    assert [event.changes for event in _of(export, "500B")][-1] == {"Priority": "Low"}


def test_bytes_that_are_no_text_refuse_their_row_only(tmp_path: Path) -> None:
    """A file of two encodings: read as one that fits the bad byte, its good letters would be garbled."""
    data = CASES.replace("High", "H\u00f6ch").encode().replace(b"Low", b"L\xf6w")
    export = _export(tmp_path, {"Case.csv": data})
    assert _reasons(export) == ["Case.csv:3: not text in the file's encoding: save the file as UTF-8"]
    assert _of(_export(tmp_path, {"Case.csv": data}, encoding="cp1252"), "500B")[0].changes["Priority"] == "L\u00f6w"


def test_a_file_that_is_cp1252_throughout_is_read_and_said_to_be(tmp_path: Path) -> None:
    """As the draft of a policy reads it."""
    export = _export(tmp_path, {"Case.csv": CASES.replace("Low", "L\u00f6w").encode("cp1252")})
    assert _of(export, "500B")[0].changes["Priority"] == "L\u00f6w"
    assert export.notes == ("Case.csv is not UTF-8: read as cp1252",)


BERLIN = ObjectSpec.of(
    "Case",
    (FieldSpec(name="opened_at", source="CreatedDate", type="datetime", zone="Europe/Berlin", date_order="DMY"),),
)
LOCAL = {
    "Case.csv": "Id,CreatedDate,ClosedDate,IsClosed,Status\n500A,03.04.2026 10:00,05.04.2026 10:00,True,Closed\n",
    "CaseHistory.csv": "Id,CaseId,CreatedDate,Field,OldValue,NewValue\nh1,500A,04.04.2026 10:00,Status,New,Working\n",
    "EmailMessage.csv": "Id,ParentId,MessageDate,Incoming\nm1,500A,03.04.2026 11:00,true\n",
    "CaseMilestone.csv": "Id,CaseId,StartDate\ne1,500A,03.04.2026 10:00\n",
}


def test_the_created_column_lends_its_zone_and_date_order_to_the_object_s_other_files(tmp_path: Path) -> None:
    """What one file was told need not be told again; the notes say where it was lent."""
    export = _export(tmp_path, {**LOCAL}, specs={"Case": BERLIN})
    days = [parse_instant(f"2026-04-0{day}T0{hour}:00:00Z") for day, hour in ((3, 8), (3, 9), (4, 8), (5, 8))]
    assert sorted({event.at for event in _of(export, "500A")}) == days
    assert export.milestones[0].start == days[0]
    assert sorted(export.notes) == [
        f"instants of {name} are read as DMY Europe/Berlin, like CreatedDate of Case"
        for name in ("CaseHistory.csv", "CaseMilestone.csv", "EmailMessage.csv")
    ]


def test_a_file_whose_instants_say_their_zone_borrows_nothing(tmp_path: Path) -> None:
    """No note without need."""
    export = _export(tmp_path, {"Case.csv": CASES, "CaseHistory.csv": HISTORY}, specs={"Case": BERLIN})
    assert export.notes == ()
    assert not export.refused


@pytest.mark.parametrize(
    ("fields", "created", "key"),
    [
        ((), "03.04.2026 10:00", "objects.Case.fields.opened_at: {from: CreatedDate, type: datetime, date_order: ..}"),
        ((), "2026-04-03 10:00", "objects.Case.fields.opened_at: {from: CreatedDate, type: datetime, zone: ..}"),
        ((("born", ""),), "03.04.2026 10:00", "objects.Case.fields.born.date_order"),
        ((("born", "DMY"),), "03.04.2026 10:00", "objects.Case.fields.born.zone"),
    ],
)
def test_an_instant_that_could_be_read_in_several_ways_names_the_key_to_set(
    tmp_path: Path, fields: tuple[tuple[str, str], ...], created: str, key: str
) -> None:
    """In the words of the field map."""
    mapped = tuple(FieldSpec(name=n, source="CreatedDate", type="datetime", date_order=o) for n, o in fields)
    table = f"Id,CreatedDate\n500A,{created}\n"
    (refusal,) = _export(tmp_path, {"Case.csv": table}, specs={"Case": ObjectSpec.of("Case", mapped)}).refused
    assert key in refusal.reason


def test_a_case_without_flag_or_history_closes_at_its_closing_date(tmp_path: Path) -> None:
    """The date says that it is closed, and when: rules see it open until then."""
    table = "Id,CreatedDate,ClosedDate,Status\n500A,2026-01-01T00:00:00Z,2026-01-03T00:00:00Z,Closed\n"
    created, closed = _of(_export(tmp_path, {"Case.csv": table}), "500A")
    assert "Status" not in created.changes
    assert (closed.at, closed.changes["Status"]) == (parse_instant("2026-01-03T00:00:00Z"), "Closed")


def test_a_line_cut_off_is_told_so(tmp_path: Path) -> None:
    """The end of a download that broke."""
    export = _export(tmp_path, {"Case.csv": CASES[:-60]})
    assert _reasons(export) == ["Case.csv:3: 8 cells expected, 2 found: the last line is cut off"]


def test_a_gzip_file_cut_off_gives_what_is_whole(tmp_path: Path) -> None:
    """Rows before the break are used, the break itself is refused."""
    rows = "".join(f"500{n:05d},2026-01-02T00:00:00Z,,False,New,Low,{n * 7919 % 97},\n" for n in range(5000))
    packed = gzip.compress((CASES + rows).encode(), mtime=0)
    export = _export(tmp_path, {"Case.csv.gz": packed[: len(packed) // 2]})
    assert export.counts["Case.csv.gz"].used > 100
    assert "the gzip file is damaged or cut off" in export.refused[-1].reason


def test_a_lead_without_a_creation_column_is_refused_row_by_row_with_the_fix(tmp_path: Path) -> None:
    """Naming the column that could be declared."""
    export = _export(tmp_path, {"Lead.csv": "Id,Company\n00Q1,Acme\n00Q2,Beta\n"})
    assert [refusal.record_id for refusal in export.refused] == ["00Q1", "00Q2"]
    assert "declare the created column of Lead" in export.refused[0].reason


def test_declared_columns_of_creation_and_id_are_heeded(tmp_path: Path) -> None:
    """With the zone and date order of the field map."""
    fields = (
        FieldSpec(name="id", source="Lead ID"),
        FieldSpec(name="opened_at", source="Came in", type="datetime", zone="Europe/Berlin", date_order="DMY"),
    )
    spec = structs.replace(ObjectSpec.of("Lead", fields), created_field="Came in")
    table = "Lead ID;Came in;Company\n00Q1;31.12.2025 14:05;Acme\n"
    (event,) = _export(tmp_path, {"Lead.csv": table}, specs={"Lead": spec}).events()
    assert (event.id, event.at) == ("00Q1", parse_instant("2025-12-31T13:05:00Z"))


MAILS = """Id,ParentId,MessageDate,Incoming,FromAddress,Subject,TextBody,Headers
m1,500A,2026-01-02T10:00:00Z,True,kim@example.com,Help,It broke,
m2,500A,2026-01-02T11:00:00Z,false,us@example.com,Re: Help,We look,
m3,500A,2026-01-02T12:00:00Z,1,kim@example.com,Automatic reply: Re: Help,I am away,
m4,500A,2026-01-02T13:00:00Z,1,kim@example.com,Re: Help,Away,Auto-Submitted: auto-replied
m5,500A,2026-01-02T14:00:00Z,1,MAILER-DAEMON@example.com,Oops,,
m6,500Z,2026-01-02T10:00:00Z,True,,,,
m7,500A,2025-01-02T10:00:00Z,True,,,,
m8,500A,,True,,,,
m9,500A,2026-01-02T10:00:00Z,maybe,,,,
"""


def test_mails_become_messages_with_direction_and_automatic_ones_marked(tmp_path: Path) -> None:
    """By headers, sender or subject; what cannot be placed is refused with its reason."""
    export = _export(tmp_path, {"Case.csv": CASES, "EmailMessage.csv": MAILS})
    told = [(event.direction, event.auto, event.body) for event in export.events() if event.type == "message"]
    assert told == [
        ("in", False, "It broke"), ("out", False, "We look"), ("in", True, "I am away"), ("in", True, "Away"),
        ("in", True, "Oops"),
    ]  # fmt: skip
    assert [reason.partition(": ")[2] for reason in _reasons(export)] == [
        "belongs to the unknown record '500Z'",
        "from before its record 500A was created",
        "has no instant (MessageDate, CreatedDate)",
        "Incoming is 'maybe', neither true nor false: which way did it go?",
    ]


def test_comments_and_tasks_become_comments_and_activities(tmp_path: Path) -> None:
    """They count as activity, never as a modification."""
    comments = "Id,ParentId,CreatedDate,CreatedById,CommentBody\nc1,500A,2026-01-02T10:00:00Z,005A,note\n"
    tasks = "Id,WhatId,CreatedDate,OwnerId\nt1,500B,2026-01-02T10:00:00Z,005A\n"
    export = _export(tmp_path, {"Case.csv": CASES, "CaseComment.csv": comments, "Task.csv": tasks})
    told = {event.type: (event.id, event.actor) for event in export.events()}
    assert (told["comment"], told["activity"]) == (("500A", "005A"), ("500B", "005A"))


def test_users_and_accounts_come_first_at_the_first_instant(tmp_path: Path) -> None:
    """Nobody is present unless told otherwise: no export says who was."""
    tables = {
        "Case.csv": CASES,
        "User.csv": "Id,Name,ManagerName__c\n005A,Ada,Bob\n",
        "Account.csv": "Id,SLA__c\n001,Gold\n",
    }
    agent, related, *_ = _export(tmp_path, {**tables}).events()
    assert (agent.type, agent.id, agent.at) == ("agent", "005A", parse_instant("2026-01-01T00:00:00Z"))
    assert agent.changes == {"presence": "offline", "name": "Ada", "manager": "Bob"}
    assert (related.type, related.object, related.changes, related.at) == (
        "related",
        "Account",
        {"SLA__c": "Gold"},
        agent.at,
    )
    agent, *_ = _export(tmp_path, {**tables}, presence="online").events()
    assert agent.changes["presence"] == "online"


def test_milestones_are_given_back_to_compare_with(tmp_path: Path) -> None:
    """Counted, but no events."""
    table = (
        "Id,CaseId,MilestoneType,StartDate,TargetDate,CompletionDate,IsViolated\n"
        "x,500A,Resolution,2026-01-01T00:00:00Z,,2026-01-03T00:00:00Z,True\ny,500Z,Resolution,,,,\n"
    )
    export = _export(tmp_path, {"Case.csv": CASES, "CaseMilestone.csv": table})
    (row,) = export.milestones
    assert (row.id, row.name, row.target, row.violated) == ("500A", "Resolution", None, True)
    assert row.completed == parse_instant("2026-01-03T00:00:00Z")
    assert _reasons(export) == ["CaseMilestone.csv:3: belongs to the unknown Case '500Z'"]


def test_objects_not_asked_for_and_strange_files_are_named_as_skipped(tmp_path: Path) -> None:
    """Nothing in a folder is passed over in silence."""
    tables = {
        "Case.csv": CASES,
        "CaseHistory.csv": HISTORY,
        "Lead.csv": "Id\n1\n",
        "notes.pdf": "x",
        "Case.csv.gz": "x",
    }
    export = _export(tmp_path, {**tables}, objects=["Case"])
    assert export.skipped == {
        "Case.csv.gz": "Case.csv holds the same table", "Lead.csv": "not asked for",
        "notes.pdf": "not a csv, tsv or txt table",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("", "the file is empty: a header line was expected"),
        ("Name\nx\n", "the file has no column Id"),
        ("Id,Id,CreatedDate\na,a,2026-01-01T00:00:00Z\n", "the header names column 'Id' twice"),
        ("Id,CreatedDate\na,2026-01-01T00:00:00\n", "has no zone"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_row_by_row(tmp_path: Path, table: str, reason: str) -> None:
    """The counts still add up."""
    (refusal,) = _export(tmp_path, {"Case.csv": table}).refused
    assert reason in refusal.reason


def test_columns_without_a_name_are_passed_over(tmp_path: Path) -> None:
    """Spreadsheets leave blanks at the end of each line."""
    (event,) = _export(tmp_path, {"Case.csv": "Id,CreatedDate,,\na,2026-01-01T00:00:00Z,x,y\n"}).events()
    assert event.changes == {"CreatedDate": "2026-01-01T00:00:00Z"}


def test_a_folder_without_tables_is_an_error(tmp_path: Path) -> None:
    """As is no folder at all."""
    with pytest.raises(IntakeError, match="no table found"):
        read_export(tmp_path)
    with pytest.raises(IntakeError, match="there is no such file or folder"):
        read_export(tmp_path / "nowhere")


GOOD = '{"at":"2026-01-0%dT00:00:00Z","type":"updated","object":"Case","id":"500A"}\n'


def test_a_log_gives_events_and_refusals_by_line() -> None:
    """Duplicates name the line they repeat; an empty line, a fault and a cut are told apart."""
    lines = [GOOD % 1, "\n", GOOD % 1, '{"at":"2026-01-01","type":"updated","object":"Case","id":"500B"}\n', GOOD[:30]]
    event, *refusals = read_log(lines)
    assert isinstance(event, Event)
    assert [(one.line, one.record_id, one.reason[:30]) for one in refusals if isinstance(one, Refusal)] == [
        (2, "", "an empty line"),
        (3, "500A", "duplicate of line 1"),
        (4, "500B", "'at' '2026-01-01' has no zone:"),
        (5, "", "cut off at its end: not JSON: "),
    ]  # fmt: skip


def test_a_log_of_bytes_and_one_of_text_read_alike() -> None:
    """From a file or from standard input."""
    assert list(read_log([(GOOD % 1).encode()])) == list(read_log([GOOD % 1]))


def test_a_log_out_of_order_is_sorted_and_latecomers_counted() -> None:
    """Two lines came after a later one."""
    events = [event for event in read_log([GOOD % day for day in (1, 4, 2, 3, 5)]) if isinstance(event, Event)]
    ordered = in_order(events)
    assert [event.at for event in ordered.events] == sorted(event.at for event in events)
    assert ordered.late == 2


@pytest.mark.shared
def test_the_real_export_adds_up_and_opens_as_it_was() -> None:
    """Every row of 194,000 used or refused for one of four reasons, in time order, with unique event ids."""
    export = read_export(SHARED)
    used = {file: (count.rows, count.used) for file, count in export.counts.items()}
    assert used["Case.csv.gz"] == (19_934, 19_934)
    assert used["CaseHistory.csv.gz"] == (127_884, 127_879)
    assert used["Lead.csv.gz"] == (7_392, 0)
    assert all(count.rows == count.used + count.refused for count in export.counts.values())
    assert len(export.milestones) == 19_934
    assert {found.reason for found in export.inconsistencies} == {"closed at another instant"}
    assert len({event.event_id for event in export.events()}) == len(export.stream)
    opened = [event.changes for event in export.events() if event.type == "created" and event.object == "Case"]
    assert sum(json.dumps(changes).count('"IsClosed": "False"') for changes in opened) > 19_000
