"""No ping-pong and nothing lost: rules that hand records on at random, with every effect applied at once."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from tests.unit.build import ORG, agent, at, created, make_policy
from triage.actions.effects import effect_event
from triage.domain.facts import Facts
from triage.domain.instant import DAY, MINUTE
from triage.domain.work import Event
from triage.observe import observe
from triage.pipeline import advancing
from triage.rules.grammar import MATCHES

PEOPLE = tuple(f"p{number}" for number in range(9))
RULES = (
    "\n".join(
        f"""
- id: hand-on-{match}
  when: [priority == {priority}, since_assignment >= {minutes}m]
  do: [{{reassign: {{to: {{team: desk}}, match: {match}, exclude: owner}}}}]
  once: per_episode
  repeat: {{every: {minutes}m, at_most: 50}}
"""
        for match, priority, minutes in zip(
            MATCHES, ("Low", "Medium", "High", "Urgent") * 2, (3, 5, 7, 9, 11, 4, 6), strict=False
        )
    )
    + """
- id: back-to-queue
  when: [vip, since_assignment >= 2m]
  do: [{move: {to: {queue: Tier1}}}]
  once: per_episode
- id: from-queue
  when: [owner_is_queue, since_queued >= 1m]
  do: [{reassign: {to: {pool: senior}, match: sticky}}]
  once: per_episode
"""
)
POLICY = make_policy(RULES, "safety: {terminal_pool: last, hop_limit: 4, manager: max}")


class Walk:
    """One record, handed on; every automatic change of owner is noted."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.facts = self._with_people(observe(None, created(Priority="Low", OwnerId="p0"), POLICY, {}, ORG))
        self.now = at("09:00")
        self.hops: list[tuple[int, str, str]] = []
        self.steps = 0

    def step(self) -> None:
        """Let time pass, and now and then a person or the customer do something; then decide, and apply it all."""
        self.now += self.rng.randrange(1, 40) * MINUTE
        if self.rng.random() < 0.3:
            kind = self.rng.choice(("Priority", "Vip", "OwnerId"))
            value = {"Priority": self.rng.choice(("Low", "Medium", "High", "Urgent")), "Vip": self.rng.random() < 0.5,
                     "OwnerId": self.rng.choice((*PEOPLE, "queue:Tier1"))}[kind]  # fmt: skip
            told = Event(
                at=self.now, type="updated", event_id=f"e{self.steps}", object="Case", id="1", changes={kind: value},
                actor="somebody",
            )  # fmt: skip
            self.facts = observe(self.facts, told, POLICY, {}, ORG)
        self.facts = self._with_people(self.facts)
        self._decide()

    def _decide(self) -> None:
        while (step := next(advancing(self.facts, POLICY, self.now), None)) is not None:
            self.facts, decision = step
            self.steps += 1
            for action in decision.actions:
                effect = effect_event(action, POLICY, action.at) if action.status == "planned" else None
                if effect is not None:
                    self._apply(effect)

    def _apply(self, effect: Event) -> None:
        before = str(self.facts.item.fields.get("owner", ""))
        self.facts = observe(self.facts, effect, POLICY, {}, ORG)
        after = str(self.facts.item.fields.get("owner", ""))
        if after == before:
            return
        assert after, "the record has been lost between owners"
        if after != "pool:last":
            recent = [hop for hop in self.hops if hop[0] > effect.at - DAY]
            assert len(recent) < POLICY.safety.hop_limit
            if after in PEOPLE:
                assert after not in {was for _, was, _ in recent}
            self.hops = [*recent, (effect.at, before, after)]

    def _with_people(self, facts: Facts) -> Facts:
        people = []
        for name in PEOPLE:
            presence = self.rng.choice(("online", "online", "offline"))
            people.append(
                agent(name, presence=presence, capacity=self.rng.choice((1, 5, None)), load=self.rng.randrange(3))
            )
        return replace(facts, agents=tuple(people))


def walk(steps: int, seed: int) -> int:
    """Return how many owner changes were made in *steps* decisions over as many records as it takes."""
    done = hops = 0
    while done < steps:
        one = Walk(seed + done)
        while one.steps < 400 and done + one.steps < steps:
            one.step()
        done += max(1, one.steps)
        hops += len(one.hops)
        assert one.facts.item.fields.get("owner")
    return hops


def test_no_record_exceeds_its_hops_and_none_is_lost() -> None:
    assert walk(3_000, 1) > 10


@pytest.mark.laws
def test_no_record_exceeds_its_hops_in_a_million_steps() -> None:
    assert walk(1_000_000, 7) > 1_000
