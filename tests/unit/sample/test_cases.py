"""Tales of cases: what each of them must hold, whatever the dice say."""

from __future__ import annotations

import itertools
import random

import pytest

from triage.domain.instant import DAY, HOUR
from triage.sample.cases import PRIORITIES, Plot, case_tale
from triage.sample.people import SEATS, START, Account

EMEA = Account("00100001", "Amber Labs", "Gold", "emea", "005CS01", "amber-labs")
AT = START + 12 * HOUR


def told(count: int = 60, **plot):
    return [
        case_tale(random.Random(seed), Plot(number=seed, at=AT, account=EMEA, **plot)) for seed in range(1, count + 1)
    ]


def tales(count: int = 60, **plot):
    return [one.events for one in told(count, **plot)]


def statuses(tale):
    return [event.changes["Status"] for event in tale if "Status" in event.changes]


@pytest.mark.parametrize("tale", tales(20))
def test_a_tale_begins_with_its_creation_and_runs_forward(tale):
    """First `created`, all else later, each event once."""
    assert tale[0].type == "created"
    assert [event.type for event in tale].count("created") == 1
    assert [event.at for event in tale] == sorted({event.at for event in tale})
    assert len({event.event_id for event in tale}) == len(tale)


@pytest.mark.parametrize("tale", tales(20))
def test_a_tale_ends_closed(tale):
    """Left to itself, every case is solved some day."""
    assert statuses(tale)[-1] == "Closed"


def test_a_case_belongs_to_its_account_and_its_hours():
    """Reference, hours and customer follow from the account."""
    created = tales(1)[0][0]
    assert created.changes["AccountId"] == EMEA.id
    assert created.changes["Support_Hours__c"] == "emea"
    assert created.changes["ContactId"] == "00300001"
    assert created.changes["ContactEmail"].endswith(f"@{EMEA.slug}.example")


def test_some_lie_in_the_queue_and_are_picked_up_by_their_desk():
    """A case from the queue gets an owner of its own region before it is answered."""
    queued = [tale for tale in tales() if tale[0].changes["OwnerId"].startswith("00G")]
    assert 5 < len(queued) < 55
    for tale in queued:
        taken = next(event for event in tale if event.type == "updated" and "OwnerId" in event.changes)
        answered = next(event for event in tale if event.direction == "out")
        assert SEATS[taken.changes["OwnerId"]].region == "emea"
        assert taken.at < answered.at


def test_customers_write_again_only_while_they_wait():
    """What comes in before the first answer comes after the creation and before that answer."""
    waited = 0
    for tale in tales():
        answered = next(event.at for event in tale if event.direction == "out")
        chases = [event for event in tale if event.direction == "in" and event.at < answered and event.at > AT + HOUR]
        waited += bool(chases)
    assert waited > 5


def test_an_outage_names_its_product_and_is_urgent():
    """Cases of the outage are incidents, and whoever reports them is in a hurry."""
    for one in told(10, product="Platform"):
        created = one.events[0].changes
        assert (created["Product__c"], created["Type"]) == ("Platform", "Incident")
        assert one.moods[0].mood == "urgent"


@pytest.mark.parametrize("tale", tales(10, reopens=3))
def test_a_case_that_is_to_come_back_three_times_does(tale):
    """Closed four times, reopened three times, and each time the customer wrote first."""
    assert statuses(tale).count("Closed") == 4
    closed = [event.at for event in tale if event.changes.get("Status") == "Closed"]
    for begun, ended in itertools.pairwise(closed):
        kinds = [event.type for event in tale if begun < event.at < ended]
        assert kinds[:2] == ["message", "updated"]


def test_a_held_case_carries_a_managers_word():
    """The hold names everything, its end and its reason."""
    tale = tales(1, hold=True)[0]
    override = next(event for event in tale if event.type == "override")
    assert (override.action, override.rules) == ("hold", ("*",))
    assert override.until is not None
    assert override.at < override.until < AT + 2 * DAY
    assert override.reason


def test_priorities_are_only_ever_raised():
    """People who change a priority in these tales raise it by one step."""
    raised = 0
    for tale in tales():
        change = next((e.changes["Priority"] for e in tale if e.type == "updated" and "Priority" in e.changes), None)
        if change is not None:
            raised += 1
            before = PRIORITIES.index(tale[0].changes["Priority"])
            assert PRIORITIES.index(change) == min(3, before + 1)
    assert raised


def test_machines_reply_now_and_then():
    """Automatic replies and bounces occur, always marked as such."""
    automatic = [event for tale in tales(120) for event in tale if event.auto]
    assert {event.sender.split("@")[0] == "mailer-daemon" for event in automatic} == {True, False}
    assert all(event.direction == "in" for event in automatic)


def test_the_same_dice_tell_the_same_tale():
    """A tale depends on its generator and its plot alone."""
    assert told(3) == told(3)
