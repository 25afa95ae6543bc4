"""An imported policy at work in the organisation: labels, milestones and escalations, read as Salesforce has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.metadata import escalation_page, milestone_type, process_page
from tests.support.org import ANN, BOB, Place, place
from triage.config import load_policy
from triage.domain.instant import HOUR, MINUTE, format_instant
from triage.errors import ConfigError
from triage.salesforce import reading
from triage.salesforce.describe import missing_fields, shapes
from triage.salesforce.importing import import_sources
from triage.salesforce.metadata import Source
from triage.salesforce.sandbox.values import Caller
from triage.testing import START

SUPPORT = [
    {"field": "Case.RecordTypeId", "operation": "equals", "value": "Support"},
    {"field": "Case.OwnerId", "operation": "equals", "value": "Ann"},
]
ENTRIES = [
    {
        "criteriaItems": SUPPORT,
        "escalationActions": [{"minutesToEscalation": 60, "assignedTo": "Tier2", "assignedToType": "Queue"}],
    }
]


def imported(**more: str) -> dict[str, str]:
    """Return the policy files of a small import: an escalation rule, and whatever more there is."""
    files = {"a__escalationRules": escalation_page("Small", ENTRIES), **more}
    return import_sources([Source(name.replace("__", "."), text.encode()) for name, text in files.items()]).texts


def with_process() -> dict[str, str]:
    """Return an import with two entitlement processes of one milestone each."""
    one = [{"name": "First Response", "minutes": 120, "timeTriggers": [-30]}]
    return imported(
        b__entitlementProcess=process_page("Gold", one),
        c__entitlementProcess=process_page("Silver", one),
        d__milestoneType=milestone_type("none"),
    )


def settle(found: Place) -> Place:
    """Put record types there, and begin."""
    for name in ("Support", "Sales"):
        found.org.seed("RecordType", Id=f"012{name.upper()}", Name=name, SobjectType="Case")
    return found


@pytest.fixture(params=["events", "polling"])
def here(request: pytest.FixtureRequest) -> Iterator[Place]:
    """An organisation under the small import, read in one way or the other."""
    with place(imported(), events=request.param == "events") as found:
        yield settle(found).open()


def fields(here: Place, case: str) -> dict[str, Any]:
    """Return the fields of a case as our store knows them."""
    found: dict[str, Any] = here.facts(case).item.fields
    return found


def test_an_imported_escalation_fires_by_labels(here: Place) -> None:
    """Record type and owner are compared by name; the case goes to the queue, and the log says so."""
    case = here.case(RecordTypeId="012SUPPORT")
    other = here.case(RecordTypeId="012SALES")
    here.after(MINUTE)
    assert fields(here, case)["record_type"] == "Support"
    assert fields(here, case)["owner_name"] == "Ann"
    here.after(HOUR)
    assert here.row(case)["OwnerId"] == "00GTIER2"
    assert here.row(other)["OwnerId"] == ANN
    assert [row["Case__c"] for row in here.log()] == [case]
    assert fields(here, case)["owner_name"] == "Tier2"


def test_a_reference_that_changes_brings_its_label(here: Place) -> None:
    """The event tells an id only; an empty reference has no label, and others stay as they were."""
    case = here.case(RecordTypeId="012SALES")
    here.after(MINUTE)
    here.change(case, by=BOB, OwnerId=BOB, RecordTypeId="012SUPPORT")
    here.after(MINUTE)
    assert (fields(here, case)["owner_name"], fields(here, case)["record_type"]) == ("Bob", "Support")
    here.change(case, by=BOB, Subject="x")
    here.after(MINUTE)
    assert fields(here, case)["record_type"] == "Support"
    here.change(case, by=BOB, RecordTypeId=None)
    here.after(MINUTE)
    assert "record_type" not in fields(here, case)


def test_a_label_that_changed_again_meanwhile_is_left_to_its_own_event() -> None:
    """Two changes read at once: no event bears the label of a later reference."""
    with place(imported()) as here:
        settle(here).open()
        case = here.case(RecordTypeId="012SALES")
        here.change(case, RecordTypeId="012SUPPORT")
        here.read()
        told = [event.changes.get("RecordType.Name") for event in here.events(case)]
        assert told == [None, "Support"]


def test_labels_come_through_the_bulk_api_too() -> None:
    """The table of a bulk answer is flat, that of a query nested."""
    with place(imported(), events=False) as here:
        settle(here)
        ids = [
            here.org.seed("Case", OwnerId=ANN, Status="New", RecordTypeId="012SUPPORT")
            for _ in range(reading.BULK_FROM + 1)
        ]
        here.open()
        assert (fields(here, ids[-1])["record_type"], fields(here, ids[-1])["owner_name"]) == ("Support", "Ann")


def test_a_milestone_completed_there_is_complete_here() -> None:
    """CaseMilestone rows are read beside their cases; completing one is no save of the case."""
    with place(with_process()) as here:
        settle(here)
        kind = here.org.seed("MilestoneType", Name="First Response")
        process = here.org.seed("SlaProcess", Name="Gold")
        entitlement = here.org.seed("Entitlement", Name="Acme's", SlaProcessId=process)
        here.open()
        kept, late = (here.case(EntitlementId=entitlement, Priority="Low", RecordTypeId="012SALES") for _ in range(2))
        by = Caller(ANN)
        rows = {
            one: here.org.create("CaseMilestone", {"CaseId": one, "MilestoneTypeId": kind}, by) for one in (kept, late)
        }
        here.after(HOUR)
        assert fields(here, kept)["entitlement_process"] == "Gold"
        done = START + HOUR + MINUTE
        here.org.update("CaseMilestone", rows[kept], {"CompletionDate": format_instant(done)}, by)
        here.after(31 * MINUTE)
        assert fields(here, kept)["first_response_completed"] == done
        assert here.facts(kept).item.marks["last_modified"] == START
        warned = {effect.action.id for effect in here.effects() if effect.action.kind == "notify"}
        assert warned == {late}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("RecordTyp.Name", "Case.RecordTyp.Name (our 'x') is not in the organisation"),
        ("RecordType.Nam", "did you mean 'Name'?"),
        ("Entitlement.SlaProces.Name", "did you mean"),
        ("CaseMilestones.CompletionDate", "of milestones there is CaseMilestones.NAME.CompletionDate of Case"),
    ],
)
def test_a_label_that_cannot_be_read_is_named_with_its_fix(path: str, said: str) -> None:
    """As any other field."""
    text = f"objects:\n  Case:\n    fields: {{x: {{from: '{path}', type: text}}}}\n"
    with place(events=False) as here:
        objects = load_policy({"f.yaml": text}).objects
        (fault,) = missing_fields(objects, shapes(here.client, objects))
        assert said in fault


def test_labels_that_are_there_are_no_fault() -> None:
    """Everything an import of processes asks for is in an organisation with entitlements."""
    with place(with_process(), events=False) as here:
        objects = load_policy(here.texts).objects
        assert missing_fields(objects, shapes(here.client, objects)) == []
        del here.org.tables["CaseMilestone"]
        with pytest.raises(ConfigError, match="turn entitlements on"):
            here.open()
