"""Who works in the sample organisation, and when."""

from __future__ import annotations

import random

import pytest

from triage.domain.instant import HOUR, MINUTE, parse_instant
from triage.sample.people import (
    AGENTS,
    DAYS,
    MANAGERS,
    REGIONS,
    SEATS,
    START,
    accounts,
    end_of,
    hours,
    later,
    profile,
    shift_of,
)


def test_sixteen_people_work_in_three_regions():
    """Sixteen agents with ids of their own, at least five in each region, each with somebody senior."""
    assert len(AGENTS) == len(SEATS) == 16
    for region in REGIONS:
        desk = [seat for seat in AGENTS if seat.region == region]
        assert len(desk) >= 5
        assert {"tier1", "tier2-senior", "sales-senior"} <= {pool for seat in desk for pool in seat.agent.pools}


def test_sellers_are_those_of_the_sales_desks():
    """Whoever sells is in no support pool."""
    for seat in AGENTS:
        assert seat.sells is all(pool.startswith("sales") for pool in seat.agent.pools)


@pytest.mark.parametrize("count", [1, 6, 60])
def test_accounts_are_as_many_as_asked_for_with_names_of_their_own(count):
    """No name, id or mail domain stands twice."""
    found = accounts(random.Random(1), count)
    assert len(found) == count
    for part in ("id", "name", "slug"):
        assert len({getattr(account, part) for account in found}) == count


def test_accounts_have_all_tiers_and_regions():
    """Every tier and every region has customers, standard ones most of all."""
    found = accounts(random.Random(7))
    assert {account.region for account in found} == set(REGIONS)
    tiers = [account.tier for account in found]
    assert tiers.count("Standard") > tiers.count("Gold") > tiers.count("Enterprise") > 0


def test_hours_leave_out_lunch_weekend_and_the_holiday():
    """Labour Day closes the Americas and nobody else."""
    for closed in ("2026-09-02T10:10:00Z", "2026-09-05T10:00:00Z"):
        assert not hours("emea").is_open(parse_instant(closed))
    noon_of_labour_day = parse_instant("2026-09-07T15:00:00Z")
    assert not hours("americas").is_open(noon_of_labour_day)
    assert hours("emea").is_open(noon_of_labour_day)


def test_the_summer_party_sends_emea_home_at_one():
    """An override of the date replaces the weekly hours."""
    assert hours("emea").is_open(parse_instant("2026-09-04T10:55:00Z"))
    assert not hours("emea").is_open(parse_instant("2026-09-04T11:05:00Z"))


def test_later_counts_only_the_hours_of_the_person():
    """Half an hour of work begun ten minutes before closing ends the next morning."""
    evening = parse_instant("2026-09-02T15:50:00Z")
    assert later("005EM01", evening, 30 * MINUTE) == parse_instant("2026-09-03T06:50:00Z")


def test_later_of_somebody_who_is_not_at_work_begins_at_their_opening():
    """Night work waits for the morning."""
    night = parse_instant("2026-09-02T02:00:00Z")
    assert later("005EM01", night, HOUR) == parse_instant("2026-09-02T07:30:00Z")


def test_managers_work_as_their_region_does():
    """A manager's shift is that of the region they lead; a stranger's that of EMEA."""
    for region, manager in MANAGERS.items():
        assert shift_of(manager) == hours(region)
    assert shift_of("005CS01") == hours("emea")


def test_days_end_in_order_and_skip_the_weekend():
    """Each business day ends after the one before; between the third and the fourth lies the weekend."""
    ends = [end_of(day) for day in range(1, DAYS + 1)]
    assert ends == sorted(ends)
    assert ends[0] > START
    assert ends[3] - ends[2] == 3 * (ends[1] - ends[0])


def test_profile_tells_everything_but_the_load():
    """What an agent event says at the start is enough to know the agent by."""
    seat = AGENTS[0]
    told = profile(seat)
    for name in ("name", "manager", "capacity", "tier", "shift"):
        assert told[name] == getattr(seat.agent, name)
    assert told["presence"] == "offline"
    assert told["pools"] == list(seat.agent.pools)
