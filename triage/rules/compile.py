"""Rules ready to be judged: guards for the index, clocks with exact flip instants, and everything else as closures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from triage.rules.conditions import (
    Judge,
    Moment,
    Specs,
    Terms,
    ask_of,
    conjuncts,
    judge,
    leaves,
    normal,
    static_test,
    witnesses,
)
from triage.rules.index import Index, indexable
from triage.rules.language import AllOf, AnyOf, Change, ClockLeaf, Condition, Leaf, Rule, RuleSet
from triage.rules.leaves import Holds, Values
from triage.sla.clocks import NEVER, Ask


class Truth:
    """
    What one rule comes to at one instant: whether it holds, since when, and when that changes by itself.

    `since` is the first instant from which it has held without a break, under the values of the latest event;
    `flips_at` is the next instant at which it starts or ceases to hold, NEVER where only an event can do that.
    """

    __slots__ = ("flips_at", "holds", "since")

    def __init__(self, holds: bool, since: int, flips_at: int) -> None:
        self.holds = holds
        self.since = since
        self.flips_at = flips_at


class CompiledRule:
    """
    One all-matches rule. `by_milestone` says that it is judged once for each open milestone.

    A `constant` one holds whenever its guards do; `alone` is its key in memory where no milestone is looked at.
    """

    def __init__(self, rule: Rule, terms: Terms) -> None:
        self.rule = rule
        self.terms = terms
        self.condition: Condition = normal(rule.when)
        parts = conjuncts(self.condition)
        self.guards = tuple(part for part in parts if isinstance(part, Leaf) and indexable(part))
        rest = tuple(part for part in parts if not (isinstance(part, Leaf) and indexable(part)))
        nested = tuple(part for part in rest if not isinstance(part, ClockLeaf))
        every = tuple(leaves(self.condition))
        self.clock_leaves = tuple(leaf for leaf in every if isinstance(leaf, ClockLeaf))
        self.clocks = tuple((ask_of(part, terms), part.until) for part in rest if isinstance(part, ClockLeaf))
        self.by_milestone = any(leaf.clock == "sla" for leaf in self.clock_leaves)
        self.on_event = bool(rule.on) or any(isinstance(leaf, Change) for leaf in every)
        self.plain = all(is_clockless(part) for part in nested)
        self.tests: tuple[Judge, ...] = tuple(judge(part, terms) for part in nested)
        self.witnesses = witnesses(self.condition, terms)
        self.constant = not self.clocks and not nested
        self.alone = f"{rule.id}/"
        self.boosts: tuple[tuple[Judge, int], ...] = tuple(
            (judge(normal(boost.when), terms), boost.add) for boost in rule.boosts
        )

    @cached_property
    def whole(self) -> Judge:
        """The complete condition as one closure."""
        return judge(self.condition, self.terms)

    @cached_property
    def leaf_judges(self) -> tuple[tuple[str, Judge], ...]:
        """Every leaf's text and its own closure: what a nearest miss is told by."""
        return tuple((leaf.text or str(leaf), judge(leaf, self.terms)) for leaf in leaves(self.condition))

    @cached_property
    def unchanged(self) -> Judge:
        """The condition after its changes: what became true still is. A delayed delivery is checked against it."""
        return judge(standing(self.condition), self.terms)

    def truth(self, moment: Moment, lower: int) -> Truth:
        """
        Return what the rule comes to at *moment*, its guards taken as holding.

        *lower* is the instant of the record's latest event: values have stood since then, so it holds no earlier.
        """
        if self.constant:
            return Truth(True, lower, NEVER)
        return self._window(moment, lower) if self.plain else self._scan(moment, lower)

    def _window(self, moment: Moment, lower: int) -> Truth:
        """A conjunction holds from its last clock to run out, until the first that must not have."""
        low, high = lower, NEVER
        for ask, until in self.clocks:
            deadline = moment.clocks.deadline(ask)
            if deadline is None:
                return _NOT
            if until:
                high = min(high, deadline)
            elif deadline > low:
                low = deadline
        if low >= high:
            return _NOT
        for test in self.tests:
            if not test(moment):
                return _NOT
        now = moment.now
        if now < low:
            return Truth(False, low, low)
        return Truth(True, low, high) if now < high else _NOT

    def _scan(self, moment: Moment, lower: int) -> Truth:
        """Any condition is constant between the instants at which its clocks flip: look at each."""
        found = (moment.clocks.deadline(ask_of(leaf, self.terms)) for leaf in self.clock_leaves)
        flips = sorted({instant for instant in found if instant is not None and instant < NEVER})
        now = moment.now
        holds = self._at(moment, now)
        flips_at = next((t for t in flips if t > now and self._at(moment, t) != holds), NEVER)
        since = now
        if holds:
            for instant in [*reversed([t for t in flips if lower < t <= now]), lower]:
                if not self._at(moment, instant):
                    break
                since = instant
        moment.now = now
        return Truth(holds, since, flips_at)

    def _at(self, moment: Moment, instant: int) -> bool:
        moment.now = instant
        return self.whole(moment)


_NOT = Truth(False, 0, NEVER)


def is_clockless(condition: Condition) -> bool:
    """Return whether no clock stands anywhere in *condition*."""
    return not any(isinstance(leaf, ClockLeaf) for leaf in leaves(condition))


def standing(condition: Condition) -> Condition:
    """Return a normal *condition* with what its changes left behind: `became` as its leaf, `raised` as given."""
    if isinstance(condition, Change):
        return AllOf(()) if condition.became is None else normal(condition.became)
    if isinstance(condition, AllOf | AnyOf):
        return type(condition)(tuple(standing(part) for part in condition.parts))
    return condition


class CompiledSet:
    """A first-match set: its entries with their static tests, in order."""

    def __init__(self, rule_set: RuleSet, terms: Terms) -> None:
        self.id = rule_set.id
        self.reevaluate_on = rule_set.reevaluate_on
        conditions = {rule.id: normal(rule.when) for rule in rule_set.rules}
        self.entries: tuple[tuple[Rule, Holds], ...] = tuple(
            (rule, static_test(conditions[rule.id], terms.specs)) for rule in rule_set.rules
        )
        self.by_id = {rule.id: rule for rule in rule_set.rules}
        self.witnesses = {rule_id: witnesses(condition, terms) for rule_id, condition in conditions.items()}

    def select(self, values: Values, closed: bool) -> Rule | None:
        """Return the first entry that holds; a closed record is taken only by entries that say `while_closed`."""
        for rule, holds in self.entries:
            if (not closed or rule.while_closed) and holds(values):
                return rule
        return None


class RuleBook:
    """All rules for one object, compiled: all-matches rules behind one index, first-match sets apart."""

    def __init__(self, rule_sets: Sequence[RuleSet], specs: Specs) -> None:
        rules = [rule for rule_set in rule_sets if rule_set.match == "all_matches" for rule in rule_set.rules]
        asks: dict[tuple[object, ...], Ask] = {}
        self.rules = tuple(CompiledRule(rule, Terms(specs, rule.hours, asks)) for rule in rules)
        self.index = Index([rule.guards for rule in self.rules], specs)
        self.open_mask = _mask(self.rules, lambda compiled: not compiled.on_event)
        self.event_mask = _mask(self.rules, lambda compiled: compiled.on_event)
        self.closed_mask = _mask(self.rules, lambda compiled: compiled.rule.while_closed)
        terms = Terms(specs, "none", asks)
        self.sets = tuple(CompiledSet(rule_set, terms) for rule_set in rule_sets if rule_set.match == "first_match")
        self.by_id = {compiled.rule.id: compiled for compiled in self.rules}


def _mask(rules: Sequence[CompiledRule], chosen: Callable[[CompiledRule], bool]) -> int:
    mask = 0
    for number, rule in enumerate(rules):
        if chosen(rule):
            mask |= 1 << number
    return mask


def rules_of(mask: int, rules: Sequence[CompiledRule]) -> list[CompiledRule]:
    """Return the rules whose bits *mask* has, in their order."""
    found = []
    while mask:
        low = mask & -mask
        found.append(rules[low.bit_length() - 1])
        mask ^= low
    return found
