"""The whole organisation: complete, in order, and the same from the same seed."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from triage.demo.main import line_of
from triage.domain.instant import DAY, MINUTE
from triage.intake.event import parse_event
from triage.sample import AGENTS, DAYS, START, invent
from triage.sample.organisation import CASES, DEALS, LEADS, OUTAGE, OUTAGE_CASES
from triage.sample.texts import MOODS

ORGANISATION = invent()
_DIGEST = """
import hashlib, msgspec
from triage.sample import invent
print(hashlib.sha256(msgspec.json.encode(invent(7, 3).events)).hexdigest())
"""


def created():
    return [event for event in ORGANISATION.events if event.type == "created"]


def test_events_come_in_order_with_ids_of_their_own():
    """Sorted by instant, no id twice, all within the play."""
    instants = [event.at for event in ORGANISATION.events]
    assert instants == sorted(instants)
    assert len({event.event_id for event in ORGANISATION.events}) == len(instants)
    assert instants[0] >= START
    assert instants[-1] < ORGANISATION.end


def test_records_are_as_many_as_planned():
    """About 250 cases, 120 leads and 50 deals; no record begins twice."""
    counts = Counter(event.object for event in created())
    assert counts["Case"] == CASES + OUTAGE_CASES + 4
    assert (counts["Lead"], counts["Opportunity"]) == (LEADS, DEALS)
    assert len({event.id for event in created()}) == len(created())


def test_nothing_happens_to_a_record_before_it_begins():
    """Every event of a record follows its creation."""
    begun = {event.id: event.at for event in created()}
    for event in ORGANISATION.events:
        if event.object in ("Case", "Lead", "Opportunity"):
            assert event.at >= begun[event.id]


def test_every_event_is_a_line_of_the_contract():
    """Written as a line and read again, each event is what it was."""
    for event in ORGANISATION.events:
        assert parse_event(line_of(event)) == event


def test_accounts_are_known_before_their_records():
    """What a case refers to has been told by then."""
    told = {event.id: event.at for event in reversed(ORGANISATION.events) if event.type == "related"}
    for event in created():
        if "AccountId" in event.changes:
            assert told[event.changes["AccountId"]] <= event.at


def test_one_account_is_upgraded_on_the_way():
    """A tier changes while cases are open, so that related fields are seen to move."""
    changes = [event for event in ORGANISATION.events if event.type == "related" and event.at > START]
    assert [event.changes for event in changes] == [{"Tier__c": "Gold"}]


def test_agents_come_and_go():
    """Everybody is told of at the start, and is online, on a break and offline in turn."""
    seen: dict[str, list[str]] = {}
    for event in ORGANISATION.events:
        if event.type == "agent":
            seen.setdefault(event.id, []).append(event.changes["presence"])
    assert seen.keys() == {seat.agent.id for seat in AGENTS}
    for states in seen.values():
        assert states[0] == "offline"
        assert {"online", "break", "offline"} <= set(states)
        assert all(before != after for before, after in itertools.pairwise(states))


def test_somebody_is_ill_for_a_day():
    """On the third day one agent of the Americas does not come."""
    ill = [
        e for e in ORGANISATION.events if e.type == "agent" and e.id == "005AM01" and e.changes["presence"] == "online"
    ]
    days = {(event.at - START) // DAY for event in ill}
    assert 2 not in days
    assert {0, 1} <= days


def test_the_outage_is_a_burst():
    """Thirty cases about one product within forty minutes."""
    burst = [event for event in created() if event.changes.get("Type") == "Incident"]
    assert len(burst) == OUTAGE_CASES
    assert all(OUTAGE <= event.at < OUTAGE + 40 * MINUTE for event in burst)
    assert {event.changes["Product__c"] for event in burst} == {"Platform"}


def test_customers_write_in_several_moods_that_no_event_tells():
    """Every mood is of a case and of its time; whoever wants scores has to ask a model."""
    begun = {event.id: event.at for event in created() if event.object == "Case"}
    assert {one.mood for one in ORGANISATION.moods} == set(MOODS)
    assert all(begun[one.record] <= one.at < ORGANISATION.end for one in ORGANISATION.moods)
    assert [one.at for one in ORGANISATION.moods] == sorted(one.at for one in ORGANISATION.moods)
    assert "scored" not in {event.type for event in ORGANISATION.events}


def test_every_lead_is_worth_something():
    """Known to the story alone."""
    assert len(ORGANISATION.worths) == LEADS
    assert min(ORGANISATION.worths.values()) > 0


def test_a_shorter_play_is_the_beginning_of_the_longer_one():
    """Fewer days cut the end off and change nothing before it."""
    short = invent(7, 2)
    assert short.events == ORGANISATION.events[: len(short.events)]


def test_another_seed_is_another_organisation():
    """Nothing is fixed but the frame."""
    assert invent(8, 1).events != invent(7, 1).events


@pytest.mark.parametrize("days", [0, DAYS + 1])
def test_days_out_of_range_are_refused(days):
    """The organisation lives through one to six days."""
    with pytest.raises(ValueError, match="1 to 6"):
        invent(7, days)


def test_neither_hash_seed_nor_zone_nor_locale_changes_anything():
    """Two processes with different surroundings invent the same bytes."""
    digests = set()
    for surroundings in (
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"},
        {"PYTHONHASHSEED": "77", "TZ": "America/Lima", "LC_ALL": "C"},
    ):
        run = subprocess.run(
            [sys.executable, "-c", _DIGEST], env=os.environ | surroundings, capture_output=True, text=True, check=True,
            cwd=Path(__file__).parents[3],
        )  # fmt: skip
        digests.add(run.stdout)
    assert len(digests) == 1
