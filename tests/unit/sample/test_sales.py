"""Tales of leads and deals."""

from __future__ import annotations

import itertools
import random

import pytest

from triage.domain.instant import HOUR, MINUTE
from triage.sample.people import SALES_INBOX, SEATS, START, Account
from triage.sample.sales import STAGES, deal_tale, lead_tale

ACCOUNT = Account("00100002", "Birch Rail", "Enterprise", "apac", "005CS02", "birch-rail")
AT = START + 4 * HOUR
TOLD = [lead_tale(random.Random(seed), seed, AT, "apac", "Birch Rail Group") for seed in range(1, 80)]
LEADS = [told.events for told in TOLD]
DEALS = [deal_tale(random.Random(seed), seed, AT, ACCOUNT).events for seed in range(1, 80)]


@pytest.mark.parametrize("tale", [*LEADS[:10], *DEALS[:10]])
def test_a_tale_begins_with_its_creation_and_runs_forward(tale):
    """First `created`, then strictly later events with ids of their own."""
    assert tale[0].type == "created"
    assert [event.at for event in tale] == sorted({event.at for event in tale})
    assert len({event.event_id for event in tale}) == len(tale)


def test_some_leads_wait_in_the_queue_until_a_seller_takes_them():
    """Whoever takes a lead sells, and works in its region."""
    queued = [tale for tale in LEADS if tale[0].changes["OwnerId"] == SALES_INBOX]
    assert 10 < len(queued) < 60
    for tale in queued:
        taken = next(event for event in tale if event.type == "updated")
        seat = SEATS[taken.changes["OwnerId"]]
        assert seat.sells
        assert seat.region == "apac"


def test_leads_are_called_sooner_or_much_later():
    """Both the prompt and the neglected occur; a call is an outward activity."""
    waits = []
    for tale in LEADS:
        call = next(event for event in tale if event.type == "activity")
        assert call.direction == "out"
        waits.append(call.at - AT)
    assert min(waits) < 20 * MINUTE
    assert max(waits) > 5 * HOUR


def test_some_leads_are_worth_much_more_than_most():
    """Three in ten are hot; no event tells which."""
    worths = sorted(told.worth for told in TOLD)
    assert worths[0] > 0
    assert sum(worths[-24:]) > sum(worths[:-24])
    assert all("scored" not in {event.type for event in tale} for tale in LEADS)


def test_deals_move_through_the_stages_in_order_to_their_end():
    """No stage is skipped, and the last one closes."""
    order = (*STAGES, "end")
    for tale in DEALS:
        stages = [event.changes["StageName"] for event in tale if "StageName" in event.changes]
        assert stages[-1] in ("Closed Won", "Closed Lost")
        places = [order.index(stage) if stage in STAGES else 4 for stage in stages]
        assert places == list(range(places[0], 5))


def test_some_deals_stand_still():
    """A stuck stage lasts longer than a whole working week of eight hours a day would need for two moves."""
    longest = [max(b.at - a.at for a, b in itertools.pairwise(tale)) for tale in DEALS]
    assert max(longest) > 48 * HOUR
    assert min(longest) < 30 * HOUR
