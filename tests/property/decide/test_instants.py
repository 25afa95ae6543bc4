"""Next instants, matches and firings against an oracle that judges every second: no difference."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest

from tests.property.decide.case import Case, shrunk
from tests.property.decide.generate import RELATED, random_cases
from tests.property.decide.oracle import Fired, Held, Stretch, Timeline
from tests.property.decide.record import BeyondSightError
from tests.property.decide.walk import punctual
from triage.domain.decision import Decision
from triage.domain.facts import Facts
from triage.pipeline import decide
from triage.policy import Policy, compile_policy

NEAR = 90
"""A probed state lies at most this many seconds before a crossing."""

BLOCKS, STATES, HISTORIES = 8, 250, 3


@pytest.mark.parametrize("block", range(BLOCKS))
def test_zero_differences_near_two_thousand_crossings(block: int) -> None:
    """States within 90 s of a crossing: what holds, since when, the next instant and every firing, to the second."""
    _prove(block * 10_000, STATES)


def test_zero_differences_over_days() -> None:
    """Histories of four days, over nights, holidays and changes of the clocks."""
    _prove(900_000, 40, long=True)


@pytest.mark.laws
@pytest.mark.parametrize("block", range(80))
def test_zero_differences_near_twenty_thousand_crossings(block: int) -> None:
    """The same over twenty thousand other states."""
    _prove(1_000_000 + block * 10_000, STATES)


@pytest.mark.laws
@pytest.mark.parametrize("block", range(10))
def test_zero_differences_over_many_days(block: int) -> None:
    """The same over histories of four days."""
    _prove(9_000_000 + block * 10_000, 50, long=True)


def _prove(seed: int, states: int, long: bool = False) -> None:
    """Probe cases from *seed* on until *states* states near a crossing have been compared."""
    done = 0
    while done < states:
        cases = random_cases(seed, HISTORIES, long)
        policy = compile_policy(cases[0].document, virtual=True)
        for case in cases:
            found = differences(case, policy)
            if found.wrong:
                small = shrunk(case, lambda one: bool(differences(one).wrong))
                pytest.fail(f"{small}\n\n" + "\n".join(differences(small).wrong[:5]))
            done += found.probed
        seed += 1


class Compared(NamedTuple):
    """How many states near a crossing were compared, and what differed."""

    probed: int
    wrong: list[str]


def differences(case: Case, policy: Policy | None = None) -> Compared:
    """Return where core and oracle differ on *case*; a case whose answer lies beyond the painted seconds has none."""
    policy = policy or compile_policy(case.document, virtual=True)
    try:
        timeline = Timeline(case.document, list(case.events), case.end, RELATED)
    except BeyondSightError:
        return Compared(0, [])
    states, decisions = punctual(case.events, policy, case.end * 1000)
    wrong = firings(timeline, decisions)
    probed = 0
    rng = Random(case.seed)
    for number, stretch in enumerate(timeline.stretches):
        if number + 1 < len(timeline.stretches) and timeline.stretches[number + 1].begin == stretch.begin:
            continue  # two events in one second: its states are the later event's
        for second in _near(rng, stretch):
            probed += 1
            wrong += _probe(stretch, second, _known(states, second), policy, every=rng.random() < 0.03)
    return Compared(probed, wrong)


def _near(rng: Random, stretch: Stretch) -> list[int]:
    """Return seconds of *stretch* before each crossing in it or just beyond it: one close by, one anywhere near."""
    found = []
    for start, _ in stretch.changes[1:]:
        for before in (rng.choice((1, 1, 2)), rng.randrange(2, NEAR + 1)):
            second = max(stretch.begin, start - before)
            if second < stretch.end or second == stretch.begin:
                found.append(second)
    return found


def _known(states: list[Facts], second: int) -> Facts:
    """Return the facts as the latest decision up to *second* left them."""
    return [facts for facts in states if facts.last_decided_at is not None and facts.last_decided_at // 1000 <= second][
        -1
    ]


def _probe(stretch: Stretch, second: int, facts: Facts, policy: Policy, every: bool) -> list[str]:
    """Return what differs at *second*, at the crossing that comes next and just before it."""
    wrong = _compared(stretch, second, second * 1000, facts, policy)
    coming = stretch.next_change(second)
    named = decide(facts, policy, second * 1000).next_at
    horizon = second + NEAR
    if coming is not None and coming <= horizon:
        if named != coming * 1000:
            wrong.append(f"at {second}: next_at {named}, but something changes at {coming}000")
        wrong += _compared(stretch, coming, coming * 1000, facts, policy)
        wrong += _compared(stretch, coming - 1, coming * 1000 - 1, facts, policy)
    elif named is not None and named <= horizon * 1000:
        wrong.append(f"at {second}: next_at {named}, but nothing changes by {horizon}")
    if every:
        for other in range(second + 1, min(horizon, stretch.end + 100)):
            wrong += _compared(stretch, other, other * 1000, facts, policy)
    return wrong


def _compared(stretch: Stretch, second: int, now: int, facts: Facts, policy: Policy) -> list[str]:
    expected = stretch.held(second)
    found = _held(decide(facts, policy, now))
    if found == expected:
        return []
    only, missing = found - expected, expected - found
    return [f"at {now} (events until {stretch.begin}): held {sorted(only)}, should hold {sorted(missing)}"]


def _held(decision: Decision) -> frozenset[Held]:
    return frozenset(
        Held(match.rule, match.step, match.subject, match.since // 1000, match.due // 1000, match.episode)
        for match in decision.matches
    )


def firings(timeline: Timeline, decisions: list[Decision]) -> list[str]:
    found = sorted(
        Fired(action.rule, action.step, action.position, action.due // 1000, action.at // 1000, action.key)
        for decision in decisions
        for action in decision.actions
        if action.status == "planned" and action.rule != "override"
    )
    expected = sorted(timeline.fired)
    if found == expected:
        return []
    only = [one[:5] for one in found if one not in expected]
    missing = [one[:5] for one in expected if one not in found]
    return [f"fired {only}, should have fired {missing}" if only or missing else "fired something twice"]
