"""The routing section and what the directory says of people."""

from __future__ import annotations

import pytest

from tests.unit.build import make_policy
from triage.domain.instant import MINUTE
from triage.domain.work import Track
from triage.errors import ConfigError
from triage.rules.document import ItemWeight, Overload, Routing


def test_what_is_not_written_stands_at_its_default() -> None:
    assert make_policy().routing == Routing()


def test_every_part_is_read() -> None:
    routing = make_policy(
        "",
        "routing: {match: best, groups: {desk: sticky}, weights: {Case: {default: 2, by: {Urgent: 3}}}}",
        "routing: {stale_after: 10m, sticky: account.csm, costs: {load: 5}}",
        "routing: {overloaded: {when: {load: 120, urgent: 3}, clears: {load: 90}}}",
    ).routing
    assert (routing.match, routing.groups, routing.costs) == ("best", {"desk": "sticky"}, {"load": 5})
    assert routing.weights == {"Case": ItemWeight(default=2, by={"Urgent": 3})}
    assert (routing.stale_after, routing.sticky) == (10 * MINUTE, ("account.csm",))
    assert routing.overloaded == Overload(load=120, urgent=3, clear_load=90, clear_urgent=2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("routing: {match: fastest}", "one of first_available, round_robin"),
        ("routing: {groups: {moon: best}}", "unknown team or pool 'moon'"),
        ("routing: {figures: true, least_cases: 5}", "a whole number from 20"),
        ("routing: {weights: {Case: {default: 0}}}", "a whole number from 1 to 1000"),
        ("directory: {agents: {a: {languages: {de: Z9}}}}", "a level from A1 to C2"),
        ("directory: {agents: {a: {away: [{from: soon}]}}}", "is not an instant"),
        ("directory: {agents: {a: {capacity: -1}}}", "a whole number from 0"),
    ],
)
def test_a_fault_says_what_is_asked_for(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make_policy("", text)


def test_people_are_read_with_levels_absences_and_track_records() -> None:
    (one,) = make_policy(
        "",
        "directory: {agents: {a: {languages: {de: C1}, regions: [emea], max_per_hour: 4, months: 9, "
        "away: [{from: 2026-01-12T09:00:00Z, to: 2026-01-13T09:00:00Z}, {from: 2026-02-01T00:00:00Z}], "
        "track: {Lead/size=large: {n: 20, won: 5, value: 1000}}}}}",
    ).directory.agents
    assert (one.languages, one.regions, one.max_per_hour, one.months) == ({"de": 5}, ("emea",), 4, 9)
    assert one.away[0][1] == one.away[0][0] + 24 * 60 * MINUTE
    assert one.away[1][1] is None
    assert one.track == {"Lead/size=large": Track(20, 5, 1000)}
