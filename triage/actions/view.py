"""One record at one instant, as rules look at it, and the earliest instant at which to look again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.domain.facts import Facts, Memory
from triage.observe import owner_of, values_of
from triage.policy import ObjectPolicy, Policy, work_changes
from triage.rules.conditions import Moment
from triage.sla.clocks import NEVER, Clocks


class View:
    """
    Facts, policy and an instant, with what follows from them. Lives for one decision; collects `wake`.

    `now` is the instant that conditions are judged at, `at` the one at which actions really happen: later, where a
    worker catches up. `moves` counts the changes of owner planned so far.
    """

    __slots__ = (
        "at",
        "closed",
        "facts",
        "hours",
        "item",
        "lower",
        "memory",
        "moment",
        "moves",
        "now",
        "part",
        "policy",
        "wake",
        "why",
    )

    def __init__(self, facts: Facts, memory: Memory, policy: Policy, now: int, at: int | None = None) -> None:
        self.facts = facts
        self.item = facts.item
        self.memory = memory
        self.policy = policy
        self.now = now
        self.at = now if at is None else at
        self.part: ObjectPolicy = policy.objects[facts.item.object]
        self.hours = policy.hours_for(facts.item)
        self.closed = facts.item.fields.get("is_closed") is True or facts.item.deleted
        self.lower = facts.item.marks.get("event", facts.item.created_at)
        clocks = Clocks(facts.item.marks, memory.milestones, policy.calendars, self.hours)
        self.moves = 0
        self.wake = NEVER
        self.why = ""
        self.moment = Moment(self._values(), clocks, now)

    def wake_at(self, instant: int, why: str) -> None:
        """Look again at *instant* because of *why*, unless something earlier is known."""
        if instant < self.wake:
            self.wake = instant
            self.why = why

    def _values(self) -> Mapping[str, Any]:
        if not self.part.uses_owner:
            return self.item.fields
        if self.part.uses_shift:
            owner = owner_of(self.item, self.policy, self.facts.agents)
            change = None if owner is None else work_changes(owner, self.policy.calendars, self.now)
            if change is not None and not self.closed:
                self.wake_at(change, "shift")
        return values_of(self.item, self.policy, self.facts.agents, self.now)
