"""What happens when a record is written in the sandbox organisation."""

from __future__ import annotations

import pytest

from triage.domain.instant import HOUR
from triage.salesforce.package import LOG, LOG_KEY
from triage.salesforce.sandbox.organisation import Organisation
from triage.salesforce.sandbox.values import Caller, Refused, long_id, make_id, say_instant
from triage.testing import START, ManualClock

ANN, BOB = "005ANN00", "005BOB00"
BY = Caller(ANN)


@pytest.fixture
def clock() -> ManualClock:
    """A clock at 09:00 on a Monday."""
    return ManualClock(START)


@pytest.fixture
def org(clock: ManualClock) -> Organisation:
    """An organisation of two people."""
    found = Organisation(clock.now)
    for user in (ANN, BOB):
        found.seed("User", Id=user, Name=user, Username=user)
    return found


def refused(code: str) -> pytest.RaisesExc[Refused]:
    """Expect a refusal with *code*."""
    return pytest.raises(Refused, match=f"^{code}")


def test_a_new_record_is_stamped_numbered_and_owned(org: Organisation) -> None:
    """What nobody gave has its default."""
    row = org.row("Case", org.create("Case", {"Subject": "help"}, BY))
    assert (row["CreatedDate"], row["SystemModstamp"], row["CreatedById"], row["OwnerId"]) == (START, START, ANN, ANN)
    assert (row["CaseNumber"], row["Status"], row["IsClosed"]) == ("00000001", "New", False)


def test_a_change_moves_the_stamps_and_is_tracked(org: Organisation, clock: ManualClock) -> None:
    """SystemModstamp is what polling goes by; the history is what people look at."""
    case = org.create("Case", {"Priority": "Low"}, BY)
    clock.move(HOUR)
    org.update("Case", case, {"Priority": "High", "OwnerId": BOB, "Subject": "x"}, Caller(BOB))
    row = org.row("Case", case)
    assert (row["SystemModstamp"], row["LastModifiedById"], row["CreatedDate"]) == (START + HOUR, BOB, START)
    history = [(one["Field"], one["OldValue"], one["NewValue"]) for one in org.rows["CaseHistory"].values()]
    assert history == [("created", None, None), ("Owner", ANN, BOB), ("Priority", "Low", "High")]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"Nonsense": 1}, "INVALID_FIELD"),
        ({"IsClosed": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Priority": "Huge"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Subject": "x" * 256}, "STRING_TOO_LONG"),
        ({"IsEscalated": None}, "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ({"IsEscalated": "maybe"}, "JSON_PARSER_ERROR"),
        ({"OwnerId": "x"}, "MALFORMED_ID"),
        ({"OwnerId": "005NOBODY"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"Triage_Hold_Until__c": "tomorrow"}, "JSON_PARSER_ERROR"),
    ],
)
def test_what_the_real_one_refuses(org: Organisation, values: dict[str, object], code: str) -> None:
    """Unknown and read-only fields, wrong values, references to nobody."""
    with refused(code):
        org.create("Case", values, BY)
    assert org.rows["Case"] == {}


def test_what_is_required(org: Organisation) -> None:
    """The missing field is named."""
    with refused("REQUIRED_FIELD_MISSING") as caught:
        org.create("Lead", {"Company": "Co"}, BY)
    assert caught.value.fields == ("LastName",)


def test_assignment_rules_run_unless_they_are_forbidden(org: Organisation) -> None:
    """On creation and on every change."""
    org.assignment["Case"] = BOB
    quiet = org.create("Case", {"OwnerId": ANN}, Caller(ANN, "", False))
    assert org.row("Case", quiet)["OwnerId"] == ANN
    assert org.row("Case", org.create("Case", {"OwnerId": ANN}, Caller(ANN, "", True)))["OwnerId"] == BOB
    org.update("Case", quiet, {"Subject": "x"}, Caller(ANN, "", True))
    assert org.row("Case", quiet)["OwnerId"] == BOB


def test_a_validation_rule_refuses_in_its_own_words(org: Organisation) -> None:
    """The rule sees the record before and after."""
    org.rules["Case"].append(lambda before, after: "Give a reason" if before and after["Status"] == "Closed" else "")
    case = org.create("Case", {"Status": "Closed"}, BY)
    with refused("FIELD_CUSTOM_VALIDATION_EXCEPTION: Give a reason"):
        org.update("Case", case, {"Subject": "x"}, BY)


def test_a_unique_value_is_there_once_whatever_its_case(org: Organisation) -> None:
    """External ids are unique; a deleted row keeps its own."""
    org.create(LOG, {LOG_KEY: "abc"}, BY)
    with refused("DUPLICATE_VALUE"):
        org.create(LOG, {LOG_KEY: "ABC"}, BY)
    org.create(LOG, {LOG_KEY: "abd"}, BY)


def test_a_lock_refuses_so_many_times(org: Organisation) -> None:
    """UNABLE_TO_LOCK_ROW, then it works."""
    case = org.create("Case", {}, BY)
    org.locked[case] = 1
    with refused("UNABLE_TO_LOCK_ROW"):
        org.update("Case", case, {"Subject": "x"}, BY)
    org.update("Case", case, {"Subject": "x"}, BY)


def test_a_transaction_does_all_or_none(org: Organisation) -> None:
    """Rows, unique values, history and change events go back together."""
    case = org.create("Case", {"Priority": "Low"}, BY)
    before = len(org.log)
    with refused("INVALID_FIELD"), org.transaction():
        org.create(LOG, {LOG_KEY: "abc"}, BY)
        org.update("Case", case, {"Priority": "High"}, BY)
        org.update("Case", case, {"Nonsense": 1}, BY)
    assert org.row("Case", case)["Priority"] == "Low"
    assert org.rows[LOG] == {}
    assert len(org.log) == before
    org.create(LOG, {LOG_KEY: "abc"}, BY)


def test_the_events_of_a_transaction_have_one_key(org: Organisation) -> None:
    """Sequence numbers count inside it; the client's name stands in the origin."""
    by = Caller(ANN, "triage")
    with org.transaction():
        case = org.create("Case", {"Subject": "x"}, by)
        org.update("Case", case, {"Subject": "y"}, by)
    first, second = org.log
    assert first.key == second.key
    assert (first.number, second.number) == (1, 2)
    assert second.replay == first.replay + 1
    assert second.origin.endswith("client=triage")
    assert second.changed == ("Subject", "LastModifiedDate") or set(second.changed) == {"Subject", "LastModifiedDate"}


def test_deleting_merging_and_undeleting(org: Organisation) -> None:
    """The loser of a merge names its master."""
    winner, loser = org.create("Case", {}, BY), org.create("Case", {}, BY)
    org.merge("Case", winner, loser, BY)
    assert org.rows["Case"][loser]["MasterRecordId"] == winner
    with refused("ENTITY_IS_DELETED"):
        org.update("Case", loser, {"Subject": "x"}, BY)
    org.undelete("Case", loser, BY)
    assert org.row("Case", loser)["IsDeleted"] is False
    assert [change.kind for change in org.log[2:]] == ["UPDATE", "DELETE", "UNDELETE"]


def test_closing_is_worked_out(org: Organisation, clock: ManualClock) -> None:
    """IsClosed, IsWon and names follow from other fields."""
    case = org.create("Case", {}, BY)
    org.update("Case", case, {"Status": "Closed"}, BY)
    assert org.row("Case", case)["ClosedDate"] == START
    org.update("Case", case, {"Status": "New"}, BY)
    assert org.row("Case", case)["ClosedDate"] is None
    values = {"Name": "Deal", "StageName": "Closed Won", "CloseDate": "2026-03-02"}
    deal = org.row("Opportunity", org.create("Opportunity", values, BY))
    assert (deal["IsClosed"], deal["IsWon"]) == (True, True)
    lead = org.row("Lead", org.create("Lead", {"LastName": "Z", "FirstName": "A", "Company": "C"}, BY))
    assert lead["Name"] == "A Z"


def test_objects_that_only_the_organisation_writes(org: Organisation) -> None:
    """History is not written by hand; what there is not is not found."""
    with refused("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"):
        org.create("CaseHistory", {}, BY)
    with refused("NOT_FOUND"):
        org.create("Nonsense__c", {}, BY)
    with refused("NOT_FOUND"):
        org.update("Case", make_id("500", 99), {}, BY)


def test_ids_have_eighteen_characters_and_a_check() -> None:
    """The last three letters say which of the others are capitals."""
    assert make_id("500", 1) == "5005e0000000001AAA"
    assert long_id("500D000000IRDm5") == "500D000000IRDm5IAH"
    assert long_id("005ANN00") == "005ANN00"


def test_an_instant_as_the_api_says_it() -> None:
    """Milliseconds, and a zone without a colon."""
    assert say_instant(START + 7) == "2026-03-02T09:00:00.007+0000"
