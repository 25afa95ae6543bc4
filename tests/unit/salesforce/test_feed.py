"""What is read from an organisation, by change events and by polling: the same records either way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.org import ANN, BOB, Place, place
from triage.domain.instant import DAY, HOUR, MINUTE, SECOND, format_instant
from triage.errors import ConfigError
from triage.rules.document import ItemWeight
from triage.salesforce import reading
from triage.salesforce.feed import SOURCE
from triage.salesforce.package import HOLD_REASON, HOLD_UNTIL
from triage.salesforce.sandbox.values import Caller
from triage.testing import SMALL_POLICY, START

FIELDS = """
objects:
  Case:
    closed_when: [status == Closed]
    fields:
      status: {from: Status, values: [New, Working, Waiting on Customer, Escalated, Closed]}
      priority: {from: Priority, values: [Low, Medium, High, Critical], ordered: true}
      subject: Subject
      owner: OwnerId
    related:
      account:
        object: Account
        by: AccountId
        fields:
          tier: {from: Tier__c, values: [Standard, Gold, Enterprise], ordered: true}
  Lead:
    closed_when: [status == Qualified]
    fields: {status: Status, last: LastName, first: FirstName, owner: OwnerId}
  Opportunity:
    closed_when: [stage == "Closed Won"]
    fields: {stage: StageName, amount: {from: Amount, type: money, unit: USD}, owner: OwnerId}
  Shipment__c:
    closed_when: [status == Delivered]
    fields: {status: Status__c, weight: {from: Weight__c, type: number}, owner: OwnerId}
"""
TEXTS = {**SMALL_POLICY, "fields.yaml": FIELDS}


@pytest.fixture(params=["events", "polling"])
def here(request: pytest.FixtureRequest) -> Iterator[Place]:
    """An organisation read in one way or the other."""
    with place(TEXTS, events=request.param == "events") as found:
        yield found.open()


@pytest.fixture
def live() -> Iterator[Place]:
    """An organisation read by change events."""
    with place(TEXTS) as found:
        yield found.open()


def tick(here: Place) -> None:
    """Let a moment pass, so that what is polled has another stamp, and read."""
    here.clock.move(MINUTE)
    here.read()


def fields(here: Place, identity: str, table: str = "Case") -> dict[str, Any]:
    """Return the fields of a record as our store knows them."""
    found: dict[str, Any] = here.facts(identity, table).item.fields
    return found


def test_records_of_any_object_are_read_with_their_changes(here: Place) -> None:
    """Case, Lead, Opportunity and a custom object."""
    made = {
        "Case": ({"Subject": "help"}, {"Priority": "High"}),
        "Lead": ({"LastName": "Z", "FirstName": "A", "Company": "Co"}, {"LastName": "Y"}),
        "Opportunity": ({"Name": "n", "StageName": "Proposal", "CloseDate": "2026-03-02"}, {"Amount": 10}),
        "Shipment__c": ({"Name": "s"}, {"Weight__c": 2.5}),
    }
    ids = {name: here.org.create(name, first, Caller(ANN)) for name, (first, _) in made.items()}
    tick(here)
    for name, (_, second) in made.items():
        here.org.update(name, ids[name], second, Caller(BOB))
    tick(here)
    assert fields(here, ids["Case"])["priority"] == "High"
    lead = fields(here, ids["Lead"], "Lead")
    assert (lead["first"], lead["last"]) == ("A", "Y")
    assert fields(here, ids["Opportunity"], "Opportunity")["amount"] == 10
    assert fields(here, ids["Shipment__c"], "Shipment__c")["weight"] == 2.5
    for name, identity in ids.items():
        assert [(event.type, event.actor) for event in here.events(identity, name)] == [
            ("created", ANN),
            ("updated", BOB),
        ]


def test_a_value_that_is_taken_away_is_missing(here: Place) -> None:
    """Nulled fields are named in the event; a row says null."""
    case = here.case(Subject="x")
    tick(here)
    here.change(case, Subject=None)
    tick(here)
    assert "subject" not in fields(here, case)


def test_a_change_of_an_unmapped_field_is_a_modification(here: Place) -> None:
    """Last-modified clocks restart with every save."""
    case = here.case()
    tick(here)
    here.change(case, Origin="Web")
    tick(here)
    assert here.facts(case).item.marks["last_modified"] == START + MINUTE


def test_mail_comments_and_calls_are_contact_and_no_modification(here: Place) -> None:
    """EmailMessage, CaseComment and completed Task rows belong to their record."""
    case = here.case()
    lead = here.org.create("Lead", {"LastName": "Z", "Company": "Co"}, Caller(ANN))
    tick(here)
    mail = {"ParentId": case, "TextBody": "hello", "FromAddress": "c@acme.example", "Incoming": True}
    here.org.create("EmailMessage", mail, Caller(BOB))
    here.org.create("EmailMessage", mail | {"Headers": "Auto-Submitted: auto-replied"}, Caller(BOB))
    here.clock.move(SECOND)
    here.org.create("CaseComment", {"ParentId": case, "CommentBody": "seen"}, Caller(ANN))
    task = here.org.create("Task", {"WhoId": lead, "TaskSubtype": "Call", "OwnerId": ANN}, Caller(ANN))
    tick(here)
    here.org.update("Task", task, {"Status": "Completed"}, Caller(ANN))
    tick(here)
    assert (fields(here, case)["inbound_count"], here.facts(case).item.marks["last_modified"]) == (1, START)
    assert [(event.type, event.auto) for event in here.events(case)[1:3]] == [("message", False), ("message", True)]
    assert here.events(case)[3].type == "comment"
    assert [event.type for event in here.events(lead, "Lead")] == ["created", "activity"]
    assert fields(here, lead, "Lead")["is_contacted"]


def test_an_account_reaches_the_cases_that_refer_to_it(here: Place) -> None:
    """Related records are read first, and followed."""
    account = here.org.create("Account", {"Name": "Acme", "Tier__c": "Gold"}, Caller(ANN))
    case = here.case(AccountId=account)
    tick(here)
    assert fields(here, case)["account.tier"] == "Gold"
    here.org.update("Account", account, {"Tier__c": "Standard"}, Caller(ANN))
    tick(here)
    assert fields(here, case)["account.tier"] == "Standard"


def test_deleted_merged_and_undeleted(live: Place) -> None:
    """The recycle bin says which it was."""
    gone, winner, loser = live.case(), live.case(), live.case()
    tick(live)
    live.org.delete("Case", gone, Caller(ANN))
    live.org.merge("Case", winner, loser, Caller(ANN))
    tick(live)
    assert live.facts(gone).item.deleted
    assert live.events(loser)[-1].type == "merged"
    assert live.events(loser)[-1].reason == f"merged into {winner}"
    live.org.undelete("Case", gone, Caller(ANN))
    tick(live)
    assert not live.facts(gone).item.deleted


def test_polling_sees_deletions(here: Place) -> None:
    """queryAll finds what lies in the bin."""
    gone = here.case()
    tick(here)
    here.org.delete("Case", gone, Caller(ANN))
    tick(here)
    assert here.facts(gone).item.deleted


def test_our_own_write_comes_back_as_ours(here: Place) -> None:
    """With the rule and the key of the log; it is no modification, and no person's override."""
    case = here.case()
    here.after(HOUR)
    (effect,) = here.effects("done")
    tick(here)
    own = [event for event in here.events(case) if event.origin == "triage" and event.type == "updated"]
    assert {(event.rule, event.key) for event in own} == {("age-1h", effect.action.key)}
    facts = here.facts(case)
    assert facts.item.marks["last_modified"] == START
    assert facts.memory.overrides == ()


def test_a_person_who_changes_it_back_overrides_the_rule(here: Place) -> None:
    """Managers work in Salesforce: the rule that caused our change is held."""
    case = here.case(Priority="High")
    here.after(3 * HOUR)
    assert here.row(case)["OwnerId"] == "00GTIER2"
    assert fields(here, case)["owner"] == "queue:Tier2"
    tick(here)
    here.change(case, by=BOB, OwnerId=BOB)
    tick(here)
    (override,) = here.facts(case).memory.overrides
    assert (override.rules, override.actor) == (("high-3h",), BOB)


def test_a_hold_set_in_salesforce_keeps_every_rule_off(here: Place) -> None:
    """By the package's fields; nothing fires until it ends."""
    case = here.case()
    tick(here)
    until = START + 5 * HOUR
    here.change(case, by=BOB, **{HOLD_UNTIL: format_instant(until), HOLD_REASON: "agreed with them"})
    here.after(HOUR)
    (override,) = here.facts(case).memory.overrides
    assert (override.until, override.reason, override.actor) == (until, "agreed with them", BOB)
    assert here.log() == []


def test_a_hold_that_is_taken_off_is_released(live: Place) -> None:
    """Emptying the field lets the rules act."""
    case = live.case()
    live.change(case, by=BOB, **{HOLD_UNTIL: format_instant(START + 5 * HOUR)})
    live.after(HOUR)
    assert live.log() == []
    live.change(case, by=BOB, **{HOLD_UNTIL: None})
    live.after(MINUTE)
    assert len(live.log()) == 1


def test_a_robots_change_is_no_override(here: Place) -> None:
    """Automation of the organisation's own is of origin system."""
    case = here.case(Priority="High")
    here.after(3 * HOUR)
    here.change(case, by="005RB01", OwnerId=BOB)
    tick(here)
    assert here.facts(case).memory.overrides == ()


def test_what_was_there_before_is_read_first_and_once(live: Place) -> None:
    """The first sync; a second start goes on from the cursor."""
    with place(TEXTS) as here:
        account = here.org.seed("Account", Name="Acme", Tier__c="Gold")
        old = here.org.seed("Case", Subject="old", OwnerId=ANN, AccountId=account)
        here.org.rows["Case"][old]["LastModifiedDate"] += MINUTE
        here.clock.move(HOUR)
        here.open()
        assert fields(here, old)["account.tier"] == "Gold"
        assert here.facts(old).item.marks["last_modified"] == START + MINUTE
        read = here.feed.taken.read
        here.read()
        here.again()
        here.read()
        assert here.feed.taken.read == 0
        assert read == 3
        with here.worker.store.read() as unit:
            state = unit.intake.source(SOURCE)
        assert state is not None
        assert '"synced":["Account","Case",' in state.cursor


def test_much_comes_through_the_bulk_api(live: Place) -> None:
    """From 2,000 rows on, with progress."""
    with place(TEXTS, events=False) as here:
        for number in range(reading.BULK_FROM + 1):
            here.org.seed("Shipment__c", Name=f"s{number}", OwnerId=ANN)
        here.open()
        with here.worker.store.read() as unit:
            assert unit.records.count()["total"] == reading.BULK_FROM + 1


def test_a_crash_before_the_cursor_was_kept_repeats_nothing(here: Place) -> None:
    """Events are known by their ids."""
    case = here.case()
    tick(here)
    here.change(case, Priority="High")
    position = here.feed.position
    tick(here)
    here.feed._keep(position)
    here.again()
    tick(here)
    assert [event.type for event in here.events(case)] == ["created", "updated"]


def test_a_field_that_is_not_there_is_named_with_its_fix() -> None:
    """Before anything is read."""
    wrong = FIELDS.replace("Subject", "Subjct").replace("Tier__c", "Teer__c").replace("Shipment__c:", "Shipmet__c:")
    with place({**TEXTS, "fields.yaml": wrong}) as here, pytest.raises(ConfigError) as caught:
        here.open()
    words = "Case.Subjct (our 'subject') is not in the organisation, or triage may not see it: did you mean 'Subject'?"
    assert words in str(caught.value)
    assert "Account.Teer__c" in str(caught.value)
    assert "object Shipmet__c is not in the organisation" in str(caught.value)


def test_a_field_of_another_type_is_named() -> None:
    """A number cannot be read from text."""
    wrong = FIELDS.replace("subject: Subject", "subject: {from: Subject, type: number}")
    with (
        place({**TEXTS, "fields.yaml": wrong}) as here,
        pytest.raises(ConfigError, match=r"Case\.Subject is of type string"),
    ):
        here.open()


def test_instants_of_change_events_are_read_as_those_of_queries() -> None:
    """They come as milliseconds there, and as text in a query."""
    fields = FIELDS.replace("subject: Subject", "subject: Subject\n      born: {from: CreatedDate, type: datetime}")
    with place({**TEXTS, "fields.yaml": fields}) as here:
        here.open()
        case = here.case()
        here.read()
        item = here.facts(case).item
        assert item.fields["born"] == START
        assert item.warnings == ()


def test_presence_and_load_come_from_omni_channel(live: Place) -> None:
    """Away is no presence, a capacity of thousands is none, and load is what the work weighs."""
    by = Caller(ANN)
    for user, away, capacity in ((ANN, False, 6), (BOB, True, 5000)):
        values = {"UserId": user, "IsCurrentState": True, "IsAway": away, "ConfiguredCapacity": capacity}
        live.org.create("UserServicePresence", values, by)
    case = live.case()
    for weight, status in ((2, "Assigned"), (3, "Opened"), (9, "Closed")):
        values = {"UserId": ANN, "WorkItemId": case, "Status": status, "CapacityWeight": weight}
        live.org.create("AgentWork", values, by)
    live.clock.move(DAY)
    live.read()
    with live.worker.store.read() as unit:
        agents = {agent.id: agent for agent in unit.related.agents()}
    assert (agents[ANN].presence, agents[ANN].capacity, agents[ANN].load) == ("online", 6, 5)
    assert (agents[BOB].presence, agents[BOB].capacity) == ("away", None)
    live.org.rows["UserServicePresence"].clear()
    live.clock.move(MINUTE)
    live.read()
    with live.worker.store.read() as unit:
        assert {agent.presence for agent in unit.related.agents()} == {"offline"}


def test_open_work_is_counted_across_objects_with_weights(live: Place) -> None:
    """Two cases and a deal of weight three."""
    from triage.salesforce.presence import Presence

    live.case(OwnerId=BOB)
    live.case(OwnerId=BOB)
    live.case(OwnerId=BOB, Status="Closed")
    live.case(OwnerId="00GTIER2")
    deal = {"Name": "d", "StageName": "Proposal", "CloseDate": "2026-03-02", "OwnerId": BOB}
    live.org.create("Opportunity", deal, Caller(ANN))
    assert Presence(live.client, weights={"Opportunity": ItemWeight(default=3)}).open_work() == {BOB: 5}
    urgent = {"Case": ItemWeight(by={"High": 4})}
    live.case(OwnerId=BOB, Priority="High")
    assert Presence(live.client, weights=urgent).open_work() == {BOB: 7}


def test_open_work_is_the_load_where_omni_channel_routes_nothing_and_the_policy_reads_cases_only(live: Place) -> None:
    """Deals count too; where the policy reads every object, what people hold is counted as it moves."""
    from triage.salesforce.presence import Presence

    values = {"UserId": BOB, "IsCurrentState": True, "IsAway": False, "ConfiguredCapacity": 8}
    live.org.create("UserServicePresence", values, Caller(ANN))
    live.case(OwnerId=BOB)
    deal = {"Name": "d", "StageName": "Proposal", "CloseDate": "2026-03-02", "OwnerId": BOB}
    live.org.create("Opportunity", deal, Caller(ANN))
    assert Presence(live.client, read=["Case"]).current()[BOB]["load"] == 2
    assert "load" not in Presence(live.client).current()[BOB]


def test_who_stays_online_is_said_again(live: Place) -> None:
    """Otherwise nobody would be heard of for hours, and routing would take them for gone."""
    from triage.salesforce.presence import SAID_AGAIN, Presence

    values = {"UserId": BOB, "IsCurrentState": True, "IsAway": False, "ConfiguredCapacity": 8}
    live.org.create("UserServicePresence", values, Caller(ANN))
    found = Presence(live.client)
    assert found.events(START)[0].changes["presence"] == "online"
    assert found.events(START + SAID_AGAIN - 1) == []
    assert [event.changes["presence"] for event in found.events(START + SAID_AGAIN)] == ["online"]
    live.org.rows["UserServicePresence"].clear()
    assert [event.changes for event in found.events(START + 2 * SAID_AGAIN)] == [{"presence": "offline"}]
    assert found.events(START + 4 * SAID_AGAIN) == []


class Told:
    """A journal that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, what: str, level: str = "info", **said: object) -> None:
        """Keep it."""
        self.lines.append(f"{what} {level}")


def test_work_that_salesforce_does_not_count_gives_no_load_and_is_told_once(live: Place) -> None:
    """Queues are not among those counted; with too many people there is presence without a load."""
    from triage.salesforce.presence import Presence

    values = {"UserId": BOB, "IsCurrentState": True, "IsAway": False, "ConfiguredCapacity": 8}
    live.org.create("UserServicePresence", values, Caller(ANN))
    live.case(OwnerId=BOB)
    told = Told()
    found = Presence(live.client, read=["Case"], journal=told)

    def owned(table: str) -> None:
        for number in range(2_000):
            owner = live.org.seed(table, Name=f"{number}")
            live.org.seed("Case", Status="New", OwnerId=owner)

    owned("Group")
    assert found.events(START)[0].changes == {"presence": "online", "capacity": 8, "load": 1}
    owned("User")
    assert found.events(START + MINUTE) == found.events(START + 2 * MINUTE) == []
    assert (found.omni, told.lines) == (True, ["salesforce_load_unread warning"])
    live.org.rows["Case"].clear()
    assert found.events(START + 3 * MINUTE)[0].changes == {"load": 0}


def test_an_object_that_cannot_be_seen_counts_nothing(live: Place) -> None:
    """Leads are not everybody's."""
    from triage.salesforce.presence import Presence

    live.case(OwnerId=BOB)
    live.org.tables.pop("Lead")
    assert Presence(live.client).open_work() == {BOB: 1}


def test_a_second_read_within_the_overlap_says_nothing_new() -> None:
    """Polling begins a little earlier each time, and drops what it has told."""
    with place(TEXTS, events=False) as here:
        here.open()
        case = here.case()
        here.clock.move(SECOND)
        here.read()
        taken = here.feed.taken
        here.clock.move(SECOND)
        here.read()
        assert here.feed.taken == taken
        assert len(here.events(case)) == 1
