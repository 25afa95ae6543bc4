"""The sink that writes to Salesforce: once, in the log, in the vendor's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.org import BOB, Place, place
from tests.unit.sinks.letters import action, message
from triage.domain.decision import Action, Evidence, Reason
from triage.domain.instant import DAY, HOUR
from triage.domain.message import Message
from triage.errors import SinkLimit, SinkRefused, SinkSilent
from triage.ports import Receipt
from triage.salesforce.deployment import SEEN_EVERY, Deployment
from triage.salesforce.package import (
    DEPLOYMENT,
    DEPLOYMENT_NAME,
    DONE,
    LOG_ACTION,
    LOG_DUE,
    LOG_KEY,
    LOG_MODEL,
    LOG_OUTCOME,
    LOG_RECORD,
    LOG_RULE,
    LOG_SCORES,
    LOG_STATUS,
    LOG_TEAM,
    LOG_TRIGGER,
    LOG_TRIGGER_NAME,
    REFUSED,
    SCORE,
    SCORE_LEAD,
    SCORE_NEXT,
    SCORE_RECORD,
    SCORE_URGENCY,
    UNDONE,
)
from triage.salesforce.sandbox.values import Caller, Refused
from triage.salesforce.writer import SalesforceSink
from triage.testing import START, RecordingSink


@pytest.fixture
def here() -> Iterator[Place]:
    """An organisation without change events."""
    with place(events=False) as found:
        yield found


def sink(
    here: Place, deployment: str = "one", *, others: RecordingSink | None = None, **settings: str
) -> SalesforceSink:
    """Return a sink of its own."""
    client = here.make_client(**settings)
    return SalesforceSink(client, Deployment(client, deployment), here.clock.now, others=others)


def raised(case: str, key: str = "a" * 64, **given: Any) -> tuple[Action, Message]:
    """Return an action that raises *case* to High, and its message."""
    named = {"id": case, "kind": "reprioritise", "target": "field:priority", "params": {"to": "High"}} | given
    return action(key, **named), message(changes={"Priority": "High"}, values={"urgency.score": 0.87, "status": "New"})


def test_the_log_row_says_what_why_and_when(here: Place) -> None:
    """Key, record, rule, trigger values, scores, due instant; the case refers to it."""
    case = here.case()
    one, words = raised(case, rule="late", due=START)
    why = Reason(evidence=(Evidence("age >= 1h", START, True),))
    assert sink(here).send(replace(one, reason=why), words) == Receipt()
    (row,) = here.log()
    assert (row[LOG_KEY], row[LOG_RECORD], row["Case__c"]) == ("a" * 64, case, case)
    assert (row[LOG_RULE], row[LOG_ACTION], row[LOG_STATUS], row[LOG_DUE]) == ("late", "reprioritise", "Done", START)
    assert json.loads(row[LOG_TRIGGER])["evidence"][0]["leaf"] == "age >= 1h"
    assert row["Trigger_Name__c"] == "age >= 1h"
    assert json.loads(row[LOG_SCORES]) == {"urgency.score": 0.87}


def test_the_log_row_fills_what_reports_group_by(here: Place) -> None:
    """Trigger, team, outcome, the models of the scores, and the look-up of the record's own object."""
    lead = here.org.create("Lead", {"LastName": "Z", "Company": "Co"}, Caller(BOB))
    one = action(object="Lead", id=lead, kind="set", target="field:status", reason=Reason(clock="since_assigned"))
    words = message(
        changes={"Status": "Working"}, team="sales-emea", values={"lead.probability": 0.4},
        model_versions={"urgency": "u1", "lead": "l2"},
    )  # fmt: skip
    sink(here).send(one, words)
    (row,) = here.log()
    assert (row["Lead__c"], row["Case__c"], row["Opportunity__c"]) == (lead, None, None)
    assert (row[LOG_TRIGGER_NAME], row[LOG_TEAM], row[LOG_OUTCOME]) == ("since_assigned", "sales-emea", DONE)
    assert row[LOG_MODEL] == "lead=l2, urgency=u1"
    (scores,) = here.org.rows[SCORE].values()
    assert (scores[SCORE_LEAD], scores["Lead__c"]) == (0.4, lead)


def test_what_was_refused_is_logged_as_refused_and_done_once_it_may_be(here: Place) -> None:
    """Somebody mends the organisation and sends the dead letter again: the same row, now done."""
    case, out = here.case(), sink(here)
    here.org.rules["Case"].append(lambda before, after: "Not now" if before else "")
    for _ in range(2):
        with pytest.raises(SinkRefused, match="Not now"):
            out.send(*raised(case))
    (row,) = here.log()
    assert (row[LOG_STATUS], row[LOG_OUTCOME], here.row(case)["Priority"]) == ("Refused", REFUSED, "Low")
    here.org.rules["Case"].clear()
    assert not out.send(*raised(case)).already
    assert out.send(*raised(case)).already
    (row,) = here.log()
    assert (row[LOG_STATUS], row[LOG_OUTCOME], here.row(case)["Priority"]) == ("Done", DONE, "High")


def test_a_flow_that_refuses_closes_its_row_as_refused(here: Place) -> None:
    """It had been begun."""

    def flow(inputs: Any) -> dict[str, Any]:
        raise Refused("FLOW_EXCEPTION", "out of order")

    here.sandbox.site.resources.actions["custom/flow/Page"] = flow
    with pytest.raises(SinkRefused):
        sink(here).send(action(id=here.case(), kind="custom", target="flow:Page"), message())
    assert [(row[LOG_STATUS], row[LOG_OUTCOME]) for row in here.log()] == [("Refused", REFUSED)]


def test_an_undo_marks_the_row_of_what_it_takes_back(here: Place) -> None:
    """In the same request; the row of the undo itself is done."""
    case, out = here.case(), sink(here)
    out.send(*raised(case))
    back = {"rule": "override", "step": "undo", "episode": f"event:{'a' * 64}", "params": {"to": "Low"}}
    one, words = raised(case, "b" * 64, **back)
    out.send(one, replace(words, changes={"Priority": "Low"}))
    assert {row[LOG_KEY][0]: row[LOG_OUTCOME] for row in here.log()} == {"a": UNDONE, "b": DONE}


def test_scores_live_on_a_child_so_that_the_record_is_not_modified_by_them(here: Place) -> None:
    """One row a record, kept up to date in the same request."""
    case = here.case()
    one, words = raised(case)
    out = sink(here)
    out.send(one, replace(words, next_at=START + HOUR))
    out.send(*raised(case, "b" * 64))
    (row,) = here.org.rows[SCORE].values()
    assert (row[SCORE_RECORD], row[SCORE_URGENCY], row[SCORE_NEXT]) == (case, 0.87, None)


def test_scores_may_be_left_out(here: Place) -> None:
    """Where nobody wants them in Salesforce."""
    sink(here, scores="none").send(*raised(here.case()))
    assert here.org.rows[SCORE] == {}


def test_a_key_is_done_once(here: Place) -> None:
    """The second time it is read back."""
    case, out = here.case(), sink(here)
    out.send(*raised(case))
    here.change(case, Priority="Low")
    assert out.send(*raised(case)).already
    assert here.row(case)["Priority"] == "Low"
    assert len(here.log()) == 1


def test_a_key_that_stands_on_another_record_is_refused(here: Place) -> None:
    """That would be no repeat."""
    out = sink(here)
    out.send(*raised(here.case()))
    with pytest.raises(SinkRefused, match="stands on another record"):
        out.send(*raised(here.case()))


@pytest.mark.parametrize("target", ["queue:Tier2", "pool:seniors", "queue:00GTIER2x"])
def test_queues_and_pools_are_queues_there(here: Place, target: str) -> None:
    """By name or API name; one that there is not is refused with its fix."""
    case = here.case()
    one = action(id=case, kind="reassign", target=target)
    out, words = sink(here), message(changes={"OwnerId": target})
    if target.endswith("x"):
        with pytest.raises(SinkRefused, match="make a queue called"):
            out.send(one, words)
        return
    out.send(one, words)
    assert here.row(case)["OwnerId"] == {"queue:Tier2": "00GTIER2", "pool:seniors": "00GSENIORS"}[target]


def test_a_notice_is_a_custom_notification_and_logged(here: Place) -> None:
    """Begun before, closed after; title and body are cut to what fits."""
    case = here.case()
    out = sink(here)
    notice = action(id=case, kind="notify", target=f"user:{BOB}")
    words = message(subject="s" * 300, text="t" * 900)
    assert not out.remembers(notice)
    out.send(notice, words)
    assert out.send(notice, words).already
    ((name, inputs),) = here.sandbox.site.resources.invoked
    assert name == "standard/customNotificationAction"
    assert (inputs["recipientIds"], inputs["targetId"]) == ([BOB], case)
    assert (len(inputs["title"]), len(inputs["body"])) == (250, 750)
    assert [row[LOG_STATUS] for row in here.log()] == ["Done"]


@pytest.mark.parametrize("kind", ["flow", "apex"])
def test_a_custom_action_starts_a_flow_or_apex(here: Place, kind: str) -> None:
    """It is told the record, the key and the rule, so that it can know a repeat itself."""
    here.sandbox.site.resources.actions[f"custom/{kind}/Page"] = lambda inputs: {}
    case = here.case()
    one = action("c" * 64, id=case, kind="custom", target=f"{kind}:Page", params={"with": {"who": "boss"}})
    sink(here).send(one, message())
    ((_, inputs),) = here.sandbox.site.resources.invoked
    assert inputs == {"recordId": case, "triageKey": "c" * 64, "triageRule": "late", "who": "boss"}


def test_a_flow_whose_answer_is_lost_is_started_again_under_the_same_key(here: Place) -> None:
    """At least once: the log row that was begun is the one that is closed."""
    here.sandbox.site.resources.actions["custom/flow/Page"] = lambda inputs: {}
    one = action(id=here.case(), kind="custom", target="flow:Page")
    out = sink(here)
    here.sandbox.faults.add("lost_answer", "custom/flow")
    with pytest.raises(SinkSilent):
        out.send(one, message())
    assert [row[LOG_STATUS] for row in here.log()] == ["Started"]
    out.send(one, message())
    assert [row[LOG_STATUS] for row in here.log()] == ["Done"]
    assert {inputs["triageKey"] for _, inputs in here.sandbox.site.resources.invoked} == {"k" * 64}


def test_what_salesforce_cannot_do_goes_to_others_and_is_logged_all_the_same(here: Place) -> None:
    """Letters to customers, webhooks; without others they are refused before anything is written."""
    letter = action(id=here.case(), kind="acknowledge", target="customer:003")
    with pytest.raises(SinkRefused, match="route it to another sink"):
        sink(here).send(letter, message())
    assert here.log() == []
    others = RecordingSink()
    sink(here, others=others).send(letter, message())
    assert list(others.done) == [letter.key]
    assert [row[LOG_ACTION] for row in here.log()] == ["acknowledge"]


def test_another_organisation_is_only_observed(here: Place) -> None:
    """Nothing is written, no attempt is burnt, and the reason says what to set."""
    case = here.case()
    with pytest.raises(SinkLimit, match="only observing: this is organisation"):
        sink(here, organization_id="00D000000000001").send(*raised(case))
    with pytest.raises(SinkLimit, match="only observing: no organisation is pinned"):
        sink(here, organization_id="").send(*raised(case))
    assert here.log() == []
    assert here.row(case)["Priority"] == "Low"


def test_a_second_deployment_is_refused_until_it_takes_over(here: Place) -> None:
    """One acts, the other observes; after a day of silence the place is free."""
    one, two = sink(here, "one"), sink(here, "two")
    one.send(*raised(here.case()))
    with pytest.raises(SinkLimit, match="deployment 'one' acts on this organisation"):
        two.send(*raised(here.case(), "b" * 64))
    Deployment(here.client, "two").take_over(here.clock.now())
    here.clock.move(SEEN_EVERY)
    two.send(*raised(here.case(), "b" * 64))
    with pytest.raises(SinkLimit, match="deployment 'two'"):
        one.send(*raised(here.case(), "c" * 64))
    here.clock.move(DAY)
    one.send(*raised(here.case(), "c" * 64))
    (row,) = here.org.rows[DEPLOYMENT].values()
    assert row[DEPLOYMENT_NAME] == "one"


def test_the_same_deployment_goes_on_after_a_restart(here: Place) -> None:
    """Its name is the same."""
    for key in ("a", "b"):
        sink(here).send(*raised(here.case(), key * 64))
    assert len(here.log()) == 2


def test_credentials_that_are_refused_pause_everything(here: Place) -> None:
    """Somebody has to mend them; nothing is lost meanwhile."""
    with pytest.raises(SinkLimit, match="the login was refused"):
        sink(here, password="wrong").send(*raised(here.case()))


def test_an_action_that_changes_nothing_is_refused(here: Place) -> None:
    """A message without changes has not been through the engine."""
    one, words = raised(here.case())
    with pytest.raises(SinkRefused, match="changes no field"):
        sink(here).send(one, replace(words, changes={}))
