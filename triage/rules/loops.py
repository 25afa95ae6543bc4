"""Owners that ping-pong: rules that hand a record on to where another rule, or the same one, hands it on again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from triage.domain.schema import FieldSpec
from triage.rules.cells import Cells
from triage.rules.conditions import leaves, normal
from triage.rules.document import PolicyDocument
from triage.rules.findings import Finding, actions_of, readable, specs_of
from triage.rules.language import ActionSpec, AllOf, AnyOf, Change, ClockLeaf, Condition, Leaf, Rule, Target
from triage.rules.leaves import leaf_holds
from triage.rules.witness import ALWAYS, Both, Either, Formula, Literal, Undecided, search

_RESTARTED = ("assigned", "queued")
"""The clocks that a change of owner starts anew."""

_SHARED = ("team", "pool", "role")
"""Targets behind which stand several people, so that reassigning to them again can change the owner again."""

_NEVER = Either(())


class _Mover(Struct, frozen=True):
    """A rule that changes owners and can do so again after somebody else has."""

    rule: Rule
    when: Condition
    moves: tuple[ActionSpec, ...]
    by_clock: bool


def find_loops(name: str, document: PolicyDocument) -> Iterator[Finding]:
    """
    Yield one finding for each loop of re-assignments among the rules of one object, with a record that starts it.

    An error where nothing slows the loop down, a warning where a repeat, cool-down or exclusion of previous owners
    bounds it. The hop limit of the safety section stops either in the end, at the terminal pool.
    """
    movers = list(_movers(name, document))
    specs = specs_of(document, name)
    follows = _followers(movers, specs)
    # Those without any bound by themselves first: a shorter way round by way of a bounded rule must not hide them.
    free = {number for number, mover in enumerate(movers) if not _bounded(mover)}
    seen: set[int] = set()
    for among in (free, set(range(len(movers)))):
        for start in sorted(among):
            path = None if start in seen else _shortest_loop(start, follows, among)
            if path is not None:
                seen.update(path)
                yield _finding([movers[index] for index in path], follows[path[0]][(path + path)[1]], specs)


def _followers(movers: list[_Mover], specs: dict[str, FieldSpec]) -> dict[int, dict[int, dict[str, Any]]]:
    """Return for each mover those that can fire after it, each with a record on which they do."""
    cells = Cells([mover.when for mover in movers], specs)
    follows: dict[int, dict[int, dict[str, Any]]] = {}
    for first, mover in enumerate(movers):
        for second, other in enumerate(movers):
            record = _hands_over(mover, other, cells, specs)
            if record is not None:
                follows.setdefault(first, {})[second] = record
    return follows


def _movers(name: str, document: PolicyDocument) -> Iterator[_Mover]:
    """Yield the rules that re-assign and can fire again, by clocks that restart or by the owner they look at."""
    for rule_set in document.rule_sets:
        for rule in rule_set.rules if rule_set.object == name else ():
            moves = tuple(action for action in actions_of(rule) if action.kind in ("reassign", "move"))
            when = normal(rule.when)
            clocks = _clocks(rule, when)
            by_clock = not clocks.isdisjoint(_RESTARTED)
            if moves and _fires_again(rule, clocks, by_clock) and (by_clock or _looks_at_owner(when)):
                yield _Mover(rule, when, moves, by_clock)


def _clocks(rule: Rule, when: Condition) -> set[str]:
    """Return the clocks of a rule's condition and of its steps."""
    return {leaf.clock for leaf in leaves(when) if isinstance(leaf, ClockLeaf)} | {step.clock for step in rule.steps}


def _fires_again(rule: Rule, clocks: set[str], by_clock: bool) -> bool:
    """Return whether a rule can fire again on the same record after an update: not once for ever, nor once a clock."""
    if rule.on and "updated" not in rule.on:
        return False
    if rule.once == "per_clock":
        return by_clock or not clocks
    return rule.once == "per_episode"


def _looks_at_owner(when: Condition) -> bool:
    """Return whether a condition asks for the owner."""
    return any(isinstance(leaf, Leaf) and _of_owner(leaf.field) for leaf in leaves(when))


def _of_owner(field: str) -> bool:
    """Return whether a field says something about the owner."""
    return field in ("owner", "owner_is_queue") or field.startswith("owner.")


def _hands_over(first: _Mover, second: _Mover, cells: Cells, specs: dict[str, FieldSpec]) -> dict[str, Any] | None:
    """Return a record on which *first* moves the owner to where *second* fires, or None."""
    same = first is second
    for action in first.moves:
        if same and not _again(second, action):
            continue
        after = _formula(second.when, action.target, cells, specs)
        try:
            found = search([_formula(first.when, None, cells, specs), after], cells)
        except Undecided:
            continue
        if found is not None:
            return cells.record(found)
    return None


def _again(mover: _Mover, action: ActionSpec) -> bool:
    """Return whether an action can follow itself: its clock restarts, and a team gives the record to somebody new."""
    own = (*mover.rule.do, *(deed for step in mover.rule.steps for deed in step.do))
    shared = action.target.kind in _SHARED and "previous_owners" not in action.exclude
    return mover.by_clock and shared and action in own


def _formula(condition: Condition, owner: Target | None, cells: Cells, specs: dict[str, FieldSpec]) -> Formula:
    """Return when *condition* can hold at some time; once *owner* has the record, if one is given."""
    if isinstance(condition, AllOf | AnyOf):
        parts = tuple(_formula(part, owner, cells, specs) for part in condition.parts)
        return Both(parts) if isinstance(condition, AllOf) else Either(parts)
    if not isinstance(condition, Leaf):
        return _NEVER if isinstance(condition, Change) and owner is not None and _unmoved(condition) else ALWAYS
    if not _of_owner(condition.field):
        return Literal(*cells.mask(condition))
    if owner is None:
        return ALWAYS
    return ALWAYS if _fits(condition, owner, specs) else _NEVER


def _unmoved(change: Change) -> bool:
    """Return whether a change of owner cannot be what *change* waits for."""
    if change.became is None:
        return not _of_owner(change.raised)
    return not any(isinstance(leaf, Leaf) and _of_owner(leaf.field) for leaf in leaves(normal(change.became)))


def _fits(leaf: Leaf, owner: Target, specs: dict[str, FieldSpec]) -> bool:
    """Return whether a leaf on the owner can hold once *owner* has the record; who is in a team is not known."""
    if leaf.field == "owner" and owner.kind in ("queue", "user"):
        return leaf_holds(leaf, specs.get("owner"))({"owner": owner.name})
    if leaf.field == "owner_is_queue" and owner.kind in ("queue", "user", "team", "role"):
        return leaf_holds(leaf, specs.get(leaf.field))({"owner_is_queue": owner.kind == "queue"})
    return True


def _bounded(mover: _Mover) -> bool:
    """Return whether a rule slows a loop down: it ends after so many times, rests, or takes nobody twice."""
    if mover.rule.repeat is not None or mover.rule.cool_down:
        return True
    # A queue has no previous owners to leave out.
    return all("previous_owners" in one.exclude and one.target.kind != "queue" for one in mover.moves)


def _shortest_loop(start: int, follows: dict[int, dict[int, dict[str, Any]]], among: set[int]) -> list[int] | None:
    """Return the shortest way from *start* back to itself by way of *among*, or None."""
    ways = deque([[start]])
    visited: set[int] = set()
    while ways:
        way = ways.popleft()
        for following in follows.get(way[-1], ()):
            if following == start:
                return way
            if following in among and following not in visited:
                visited.add(following)
                ways.append([*way, following])
    return None


def _finding(path: list[_Mover], record: dict[str, Any], specs: dict[str, FieldSpec]) -> Finding:
    """Return the finding for one loop, with the record that starts it."""
    bounded = any(map(_bounded, path))
    names = " -> ".join(mover.rule.id for mover in [*path, path[0]])
    fix = "only the hop limit ends it: write 'once: per_record', or exclude previous_owners"
    state = f" (for example {readable(record, specs)})" if record else ""
    text = f"re-assignment goes round: {names}{state}; {'a bound slows it down' if bounded else fix}"
    rule = path[0].rule
    return Finding(
        level="warning" if bounded else "error", code="loop", text=text, rule=rule.id, at=rule.at, witness=record
    )
