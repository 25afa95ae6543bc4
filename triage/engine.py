"""The pure core behind the `Engine` seam: nothing is decided here, every call goes to the room that decides."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Any

import msgspec

from triage import pipeline, safety
from triage.actions.effects import effect_event
from triage.actions.message import compose, limits
from triage.config import load_policy
from triage.domain.decision import Action, Decision
from triage.domain.facts import Facts
from triage.domain.message import Message
from triage.domain.work import Agent, Event
from triage.observe import contact_of, observe
from triage.policy import Policy, RuleMode, compile_policy
from triage.ports import Outline
from triage.routing.holding import anyone
from triage.routing.standing import next_change, restated, tracked
from triage.routing.wanted import Burden, burden_of
from triage.safety import Bucket, Capped


class PureEngine:
    """See `triage.ports.Engine`."""

    def compile(self, texts: Mapping[str, str], modes: Mapping[str, RuleMode], *, virtual: bool) -> Policy:
        """Return the policy that *texts* and *modes* make; raise ConfigError with every fault."""
        return compile_policy(load_policy(texts), modes, virtual=virtual)

    def outlines(self, texts: Mapping[str, str]) -> Mapping[str, Outline]:
        """
        Return every rule in short.

        All change with a calendar, a milestone, a list of words or the field map, and the entries of a first-match set
        with any of them: what is true, or who holds the record, may move without a word of the rule itself.
        """
        policy = compile_policy(load_policy(texts))
        document = policy.document
        hours = {name: calendar.digest for name, calendar in sorted(policy.calendars.items())}
        shared = [hours, *map(_meaning, (document.objects, document.milestones, document.words))]
        found: dict[str, Outline] = {}
        for rule_set in document.rule_sets:
            entries = [rule.digest for rule in rule_set.rules] if rule_set.match == "first_match" else []
            around = [rule_set.object, rule_set.match, rule_set.reevaluate_on, entries, shared]
            for rule in rule_set.rules:
                text = msgspec.json.encode([rule.digest, around], order="sorted")
                found[rule.id] = Outline(hashlib.sha256(text).hexdigest(), rule.mode)
        return found

    def observe(
        self, facts: Facts | None, event: Event, policy: Policy, related: Mapping[tuple[str, str], Any], org: str
    ) -> Facts:
        """Return *facts* with *event* folded in."""
        return observe(facts, event, policy, related, org)

    def decide(self, facts: Facts, policy: Policy, now: int, at: int) -> Decision:
        """Return what holds at *now* and what to do."""
        return pipeline.decide(facts, policy, now, at)

    def advance(self, facts: Facts, policy: Policy, upto: int, at: int) -> tuple[Facts, tuple[Decision, ...]]:
        """Return the facts after every crossing up to and including *upto*, and the decision at each."""
        return pipeline.advance(facts, policy, upto, at)

    def still_holds(self, facts: Facts, policy: Policy, action: Action, now: int) -> str:
        """Return "" if *action* may go, else why it is cancelled: its rule may have been taken back since, too."""
        return pipeline.still_holds(facts, policy, action, now) or _taken_back(action, policy)

    def effect_event(self, action: Action, policy: Policy, at: int) -> Event | None:
        """Return what the done *action* did to its record."""
        return effect_event(action, policy, at)

    def catch_up(self, actions: Sequence[Action], now: int, policy: Policy) -> tuple[Action, ...]:
        """Return *actions* with the stale ones of an outage superseded, cancelled or gathered."""
        return safety.digest(safety.catch_up(actions, now, policy), policy)

    def buckets(self, actions: Sequence[Action], policy: Policy, now: int, org: str) -> set[Bucket]:
        """Return every counter that `apply_caps` has to know for *actions*."""
        return {bucket for action in actions for bucket in safety.buckets_of(action, policy, now, org)}

    def apply_caps(
        self, actions: Sequence[Action], usage: Mapping[Bucket, int], policy: Policy, now: int, org: str
    ) -> Capped:
        """Return *actions* with what exceeds a cap held."""
        return safety.apply_caps(actions, usage, policy, now, org)

    def message(self, action: Action, facts: Facts, policy: Policy, now: int) -> Message:
        """Return what *action* says to people at *now*."""
        return compose(action, facts, policy, now)

    def reach(self, policy: Policy, org: str) -> Message:
        """Return a message without words: the addresses and limits that *policy* knows."""
        return Message(org=org, webhooks=policy.directory.webhooks, limits=limits(policy.safety))

    def is_open(self, facts: Facts, policy: Policy) -> bool:
        """Tell whether the record is neither closed nor deleted."""
        return not facts.item.deleted and facts.item.fields.get("is_closed") is not True

    def place(
        self, action: Action, facts: Facts, policy: Policy, now: int, among: Collection[str] | None = None
    ) -> Action | None:
        """Return *action*, held because nobody could take it, with whoever can now; None for still nobody."""
        return pipeline.place(action, facts, policy, now, among)

    def judged(self, action: Action, facts: Facts, policy: Policy, now: int) -> Action:
        """Return *action*, planned earlier, for whoever can take it at *now*: held, for nobody, where none can."""
        return pipeline.judged(action, facts, policy, now)

    def place_all(
        self, waiting: Sequence[tuple[Action, Facts]], agents: Sequence[Agent], policy: Policy, now: int
    ) -> list[Action]:
        """Return those of the held actions that somebody can take now, the highest in rank first."""
        return pipeline.place_all(waiting, agents, policy, now)

    def anyone(self, agents: Sequence[Agent], policy: Policy, now: int) -> bool:
        """Tell whether anybody is there and has room; true where nobody is known at all."""
        return anyone(agents, policy, now)

    def next_change(self, agents: Sequence[Agent], policy: Policy, now: int) -> int | None:
        """Return when somebody may next take work without any event."""
        return next_change(agents, policy, now)

    def contact(self, facts: Facts, event: Event, policy: Policy) -> tuple[tuple[str, str], dict[str, Any]] | None:
        """Return who wrote to which customer, to be kept as another object's values; None for nobody."""
        return contact_of(facts, event, policy)

    def tracks(self, policy: Policy) -> bool:
        """Tell whether more than their load has to be known of agents."""
        return tracked(policy)

    def burden(self, facts: Facts, policy: Policy) -> Burden:
        """Return what an open record counts for with its owner."""
        return burden_of(facts, policy)

    def restate(self, agent: Agent, policy: Policy) -> Agent:
        """Return *agent* overloaded or not, as the policy's limits have it."""
        return restated(agent, policy.routing.overloaded)

    def references(self, facts: Facts, policy: Policy) -> tuple[tuple[str, str], ...]:
        """Return the (object, id) pairs of other records that this one's rules may read."""
        part = policy.objects.get(facts.item.object)
        if part is None:
            return ()
        found = ((spec.object, facts.item.fields.get(f"{spec.alias}.id")) for spec in part.spec.related)
        return tuple((object_name, str(identity)) for object_name, identity in found if identity)

    def families(self, policy: Policy, object_name: str) -> tuple[str, ...]:
        """Return the score families that any rule for *object_name* reads, sorted."""
        part = policy.objects.get(object_name)
        return () if part is None else part.families

    def watches_owners(self, policy: Policy) -> bool:
        """Tell whether any rule of any object looks at a record's owner."""
        return any(part.uses_owner for part in policy.objects.values())

    def agents(self, policy: Policy) -> tuple[Agent, ...]:
        """Return the agents that the policy's own directory names."""
        return policy.directory.agents


def _meaning(value: Any) -> Any:
    """Return *value* as plain data without the places in files that it was read from: a comment changes nothing."""
    if isinstance(value, msgspec.Struct):
        return {name: _meaning(part) for name, part in msgspec.structs.asdict(value).items() if name != "at"}
    if isinstance(value, Mapping):
        return {str(name): _meaning(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [_meaning(part) for part in value]
    return str(value) if isinstance(value, Fraction) else value


def _taken_back(action: Action, policy: Policy) -> str:
    """Return why the mode of the action's rule does not allow it any more; what people ordered has no rule."""
    if action.rule not in policy.rules:
        return ""
    mode = policy.mode_of(action.rule).mode
    allowed = mode == "act" or (mode == "notify" and action.kind == "notify")
    return "" if allowed else f"the rule is in mode {mode}"
