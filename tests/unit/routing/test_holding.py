"""Whether anybody could take what waits, and when somebody may have a record again."""

from __future__ import annotations

from msgspec.structs import replace

from tests.property.routing.people import NOW
from tests.unit.build import ORG, agent, created, make_policy
from triage.domain.facts import OwnerChange
from triage.domain.instant import DAY, HOUR
from triage.observe import observe
from triage.routing.holding import anyone, returns
from triage.routing.standing import eased

POLICY = make_policy("")


def test_somebody_is_free_who_is_there_and_has_room() -> None:
    there = agent("a", presence="online", capacity=2, load=1)
    assert anyone([there], POLICY, NOW)
    for other in (replace(there, load=2), replace(there, presence="break"), replace(there, capacity=0)):
        assert not anyone([other], POLICY, NOW)
    assert anyone([], POLICY, NOW), "of whom nothing is known cannot be said to be full"


def test_who_had_a_record_may_have_it_again_a_day_later() -> None:
    facts = observe(None, created(), POLICY, {}, ORG)
    assert returns(facts, NOW) is None
    changes = tuple(OwnerChange(at=NOW - hours * HOUR, before=name, after="x", automatic=True)
                    for hours, name in ((25, "old"), (5, "a"), (2, "b")))  # fmt: skip
    facts = replace(facts, memory=replace(facts.memory, owner_changes=changes))
    assert returns(facts, NOW) == NOW - 5 * HOUR + DAY


def test_whoever_holds_less_is_eased_and_a_newcomer_is_not() -> None:
    full, same = agent("a", load=3), agent("b", load=1)
    now = [replace(full, load=2), same, agent("new")]
    assert [one.id for one in eased({"a": full, "b": same}, now)] == ["a"]
    assert eased({"a": full}, [replace(full, load=4)]) == []
