"""What nobody could take in a replay is given out when presence, load, a shift or a limit changes."""

from __future__ import annotations

import pytest

from tests.unit.replay.scenes import BASE, created, line, play, policy_of, told, updated

RULES = """
  - {id: give, when: [age >= 10m], do: [{reassign: {to: {pool: seniors}, if_none: hold}}]}
"""
LATE = 'late: {tz: Europe/London, weekly: {mon-fri: ["11:00-12:00"]}}'
AWAY = "away: [{from: 2026-01-12T08:00:00Z, to: 2026-01-12T09:40:00Z}]"


def desk(ann: str = "capacity: 1") -> str:
    """Return the policy's base with Ann as *ann* says: offline, unless it is told there."""
    base = BASE.replace("pools: [last]", f"pools: [last, seniors], agents: {{ann: {{pools: [seniors], {ann}}}}}")
    return base.replace("calendars:\n", f"calendars:\n  {LATE}\n")


def comes(clock: str, **changes: object) -> str:
    return line(clock, "agent", "ann", changes={"presence": "online"} | changes)


def test_what_waits_goes_to_whoever_comes() -> None:
    lines = [created("09:00"), comes("09:30"), updated("10:00", Status="Closed")]
    replayed = play(lines, policy_of(RULES, desk()))
    assert told(replayed) == [
        "09:10:00Z 500A give reassign  held",
        "09:30:00Z 500A give reassign user:ann",
    ]
    assert replayed.summary().actions == {"held": 1, "planned": 1}


def test_history_alone_moves_a_record_unless_effects_are_applied() -> None:
    """One place: with effects applied the second waits until the first closes; the reports of a replay reserve none."""
    lines = [created("09:00"), created("09:01", "500B"), comes("09:30"), updated("10:00", Status="Closed")]
    lines.append(updated("11:00", "500B", Stage__c="x"))
    both = ["09:10:00Z 500A give reassign  held", "09:11:00Z 500B give reassign  held"]
    first = "09:30:00Z 500A give reassign user:ann"
    applied = told(play(lines, policy_of(RULES, desk()), apply=True))
    assert applied == [*both, first, "10:00:00Z 500B give reassign user:ann"]
    mechanical = told(play(lines, policy_of(RULES, desk())))
    assert mechanical[:3] == [*both, first]


@pytest.mark.parametrize(
    ("ann", "when"),
    [
        ("capacity: 1, presence: online, shift: late", "11:00"),
        (f"capacity: 1, presence: online, {AWAY}", "09:40"),
        ("presence: online, max_per_hour: 1", "10:10"),
    ],
)
def test_what_waits_goes_on_time_alone(ann: str, when: str) -> None:
    """A shift begins, an absence ends, an hour is over since the last record."""
    lines = [created("09:00"), created("09:00", "500B"), updated("13:00", Stage__c="x")]
    found = told(play(lines, policy_of(RULES, desk(ann)), apply=True))
    assert [one[:5] for one in found if "user:ann" in one][-1] == when
    assert any(one.endswith("held") for one in found)


def test_a_newer_move_overtakes_what_waits() -> None:
    """The desk's own move of the record came later: whoever comes then is given nothing."""
    rules = RULES + "  - {id: park, when: [age >= 20m], do: [{move: {to: {queue: tier2}}}]}\n"
    found = told(play([created("09:00"), comes("09:30"), updated("10:00", Stage__c="x")], policy_of(rules, desk())))
    assert found == ["09:10:00Z 500A give reassign  held", "09:20:00Z 500A park move queue:tier2"]


def test_what_ceased_to_hold_is_not_given_out() -> None:
    lines = [created("09:00"), updated("09:20", Status="Closed"), comes("09:30"), updated("10:00", Stage__c="x")]
    assert told(play(lines, policy_of(RULES, desk()))) == ["09:10:00Z 500A give reassign  held"]


def test_nothing_waits_for_ever_at_one_instant() -> None:
    """A shift that begins every day wakes the replay once a day, as long as anything waits."""
    lines = [created("09:00"), updated("2026-01-16T12:30:00Z", Stage__c="x")]
    assert told(play(lines, policy_of(RULES, desk("capacity: 1, shift: late")))) == [
        "09:10:00Z 500A give reassign  held"
    ]
