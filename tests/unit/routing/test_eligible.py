"""Why somebody may not take a record: each reason, and what passes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.property.routing.people import CALENDARS
from tests.unit.build import agent, at
from triage.domain.instant import MINUTE
from triage.domain.work import Standing
from triage.routing.eligible import Desk, open_for_work, spoken, why_not
from triage.routing.wanted import Wanted
from triage.rules.document import Routing

NOW = at("10:00")
DESK = Desk(Routing(stale_after=10 * MINUTE), CALENDARS, NOW)


@pytest.mark.parametrize(
    ("person", "wanted", "why"),
    [
        ({}, {}, ""),
        ({"presence": "break"}, {}, "break"),
        ({"standing": Standing(seen_at=NOW - 11 * MINUTE)}, {}, "presence not told for 11m"),
        ({"standing": Standing(seen_at=NOW - 9 * MINUTE)}, {}, ""),
        ({"away": ((NOW - 1, None),)}, {}, "out of office"),
        ({"away": ((NOW - 1, at("12:00")),)}, {}, "out of office until 2026-01-12T12:00:00Z"),
        ({"away": ((0, NOW),)}, {}, ""),
        ({"capacity": 5, "load": 4}, {"weight": 2}, "at capacity (4 of 5, needs 2)"),
        ({"capacity": 5, "load": 4}, {"weight": 2, "respect_capacity": False}, ""),
        ({"capacity": 0}, {}, "at capacity (0 of 0)"),
        ({"capacity": 5000, "load": 400}, {}, ""),
        ({"shift": "closed"}, {}, "off shift"), ({"shift": "open"}, {}, ""), ({"shift": "nowhere"}, {}, ""),
        ({"max_per_hour": 1, "standing": Standing(given=(NOW - 5,))}, {}, "took 1 in the last hour (at most 1)"),
        ({"max_per_hour": 2, "standing": Standing(given=(NOW - 5, NOW - 61 * MINUTE))}, {}, ""),
        ({"standing": Standing(overloaded="overloaded (3 urgent)")}, {}, "overloaded (3 urgent)"),
        ({"languages": {"de": 4}}, {"require": ("language:german:C1",)}, "lacks german C1"),
        ({"languages": {"de": 5}}, {"require": ("language:german:C1",)}, ""),
        ({"languages": {"fr": 3}}, {"require": ("language:B1",), "language": "fr"}, ""),
        ({"languages": {"fr": 2}}, {"require": ("language:B1",), "language": "fr"}, "lacks fr B1"),
        ({}, {"require": ("language:klingon",)}, "lacks klingon"),
        ({"regions": ("emea",)}, {"require": ("region",), "region": "apac"}, "lacks region apac"),
        ({"regions": ("emea",)}, {"require": ("region:emea", "region")}, ""),
        ({"months": 3}, {"require": ("experience:12",)}, "lacks 12 months of experience"),
        ({}, {"had": frozenset({"bob"})}, "had it within 24 h"), ({}, {"owner": "bob"}, "owns it"),
    ],
)  # fmt: skip
def test_somebody_may_take_it_or_the_reason_says_why_not(
    person: dict[str, Any], wanted: dict[str, Any], why: str
) -> None:
    assert why_not(agent("bob", **person), Wanted(key="1", **wanted), DESK) == why


def test_a_language_is_known_by_code_name_and_skill() -> None:
    assert spoken(agent("a", languages={"German": 5}), "de") == 5
    assert spoken(agent("a", skills={"german": 3}, languages={"de": 4}), "de-AT") == 4
    assert spoken(agent("a", languages={"de": 4}), "fr") == 0


@pytest.mark.parametrize(
    ("person", "is_open"),
    [
        ({}, True),
        ({"capacity": 5, "load": 4}, True),
        ({"capacity": 5, "load": 5}, False),
        ({"presence": "break"}, False),
        ({"away": ((NOW - 1, None),)}, False),
        ({"shift": "closed"}, False),
        ({"standing": Standing(seen_at=NOW - 11 * MINUTE)}, False),
        ({"max_per_hour": 1, "standing": Standing(given=(NOW - 5,))}, False),
        ({"standing": Standing(overloaded="overloaded (3 urgent)")}, False),
    ],
)
def test_whoever_routing_would_give_anything_to_is_open_for_work(person: dict[str, Any], is_open: bool) -> None:
    """The same reasons as for a record, but for those that are the record's."""
    assert open_for_work(agent("bob", **person), DESK) is is_open
