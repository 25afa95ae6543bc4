"""A rules file into a rule set: every rule typed against what the policy declares, every fault kept."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct, structs

from triage.errors import Fault
from triage.rules.check import Known, Wrong, check_hours
from triage.rules.deeds import plain, read_actions
from triage.rules.document import PolicyDocument
from triage.rules.grammar import FILE
from triage.rules.language import ActionSpec, AllOf, Boost, Condition, Repeat, Rule, RuleSet, Step
from triage.rules.parse import ANYTHING, Allowed, checked_amount, checked_clock, checked_hours, read_condition
from triage.rules.positions import Node, Page, read_tree
from triage.rules.shapes import Entry, read, unknown

_IN_FIRST_MATCH = Allowed(clocks=False, changes=False, place="first_match entries")
_IN_BOOST = Allowed(changes=False, place="boost")


class _Place(Struct, frozen=True):
    """What reading one rule needs: the names it may use, the page for its faults, the kind of set it stands in."""

    known: Known
    page: Page
    match: str


def load_rules(file: str, text: str, document: PolicyDocument) -> tuple[RuleSet | None, tuple[Fault, ...]]:
    """
    Return the rule set that *text* holds and every fault in it, in the order of its lines.

    Names are checked against *document*. The set is None where the text holds no rules that could be read.
    """
    node, page = read_tree(file, text)
    entry = read(FILE, node, page) if node is not None else None
    if entry is None and not page.faults:
        page.fault_at(1, 1, "the file is empty: rules are asked for")
    found = read_rule_set(entry, page, document) if entry is not None else None
    return found, tuple(sorted(page.faults, key=lambda fault: (fault.line, fault.column)))


def read_rule_set(entry: Entry, page: Page, document: PolicyDocument) -> RuleSet | None:
    """Return the rule set of a file that was read by its shape; None where it has no `rules`."""
    if "rules" not in entry.keys:
        for key in ("object", "rule_set", "match", "reevaluate_on"):
            if key in entry.keys:
                page.fault(entry.keys[key], f"{key!r} speaks of rules, but the file has no 'rules'", len(key))
        return None
    name = entry.get("object", "Case")
    if name not in document.objects:
        page.fault(
            entry.nodes.get("object", entry.keys["rules"]),
            f"{unknown('object', name, document.objects)}; declare it under objects",
            len(name),
        )
    match = entry.get("match", "all_matches")
    place = _Place(Known.of(document, name), page, match)
    written = entry.get("rules", ())
    # Rules kept in Salesforce are put in place of `{source: salesforce}` before a policy is published.
    rules = (_rule(rule, place) for rule in (written if isinstance(written, tuple) else ()) if not page.full)
    return RuleSet(
        id=entry.get("rule_set", PurePosixPath(page.file).stem),
        object=name,
        match=match,
        reevaluate_on=entry.get("reevaluate_on", "related"),
        rules=tuple(rule for rule in rules if rule is not None),
        at=page.at(entry.keys["rules"]),
    )


def _rule(entry: Entry, place: _Place) -> Rule | None:
    """Return one rule; None where it has no id that could be read (its parts are checked all the same)."""
    known, page = place.known, place.page
    first = place.match == "first_match"
    _check_keys(entry, first, page)
    allowed = _IN_FIRST_MATCH if first else ANYTHING
    when = read_condition(entry.nodes["when"], known, page, allowed) if "when" in entry.nodes else None
    otherwise = read_actions(entry.get("else", ()), known, page)
    hours = _hours(entry, place)
    rule = Rule(
        id=entry.get("id", ""),
        when=when or AllOf(()),
        do=read_actions(entry.get("do", ()), known, page, otherwise),
        steps=_steps(entry.get("steps", ()), place, otherwise, hours),
        boosts=_boosts(entry.get("boost", ()), place),
        repeat=_repeat(entry.get("repeat"), place, otherwise),
        hours=hours,
        digest=_digest(entry.node),
        at=page.at(entry.nodes.get("id", entry.node), entry.get("id", "")),
    )
    return structs.replace(rule, **_settings(entry)) if rule.id else None


def _settings(entry: Entry) -> dict[str, Any]:
    """Return the settings of a rule that are plain values."""
    names = ("on", "once", "cool_down", "deliver", "mode", "while_closed", "pre_breach", "description")
    return {name: entry.values[name] for name in names if name in entry.values}


def _check_keys(entry: Entry, first: bool, page: Page) -> None:
    """Report keys that the kind of set does not take, and an all-matches rule that does nothing."""
    if first:
        for key in ("do", "repeat", "on"):
            if key in entry.keys:
                page.fault(
                    entry.keys[key], f"{key!r} in a first_match entry: write its actions under 'steps'", len(key)
                )
    elif "steps" in entry.keys:
        fix = "write 'match: first_match' for the file, or a clock under 'when' and 'do' here"
        page.fault(entry.keys["steps"], f"'steps' belong to first_match entries: {fix}", len("steps"))
    elif not entry.get("do") and not ("do" in entry.nodes and entry.get("do") is None):
        page.fault(entry.keys.get("do", entry.node), "the rule does nothing: give it at least one action under 'do'", 2)


def _hours(entry: Entry, place: _Place) -> str:
    """Return the hours of a rule; `none` after the fault of an unknown calendar."""
    hours: str = entry.get("hours", "none")
    try:
        return check_hours(hours, place.known)
    except Wrong as cause:
        place.page.fault(entry.nodes["hours"], str(cause), len(hours))
        return "none"


def _steps(
    entries: tuple[Entry, ...], place: _Place, otherwise: tuple[ActionSpec, ...], hours: str
) -> tuple[Step, ...]:
    """Return the steps of an entry, in the entry's *hours* unless they name their own; an id twice is a fault."""
    steps: list[Step] = []
    for position, entry in enumerate(entries, start=1):
        step = _step(entry, str(position), place, otherwise, hours)
        if step is not None and any(step.id == other.id for other in steps):
            place.page.fault(entry.nodes.get("id", entry.node), f"the step id {step.id!r} stands twice in this rule")
        elif step is not None:
            steps.append(step)
    return tuple(steps)


def _step(entry: Entry, position: str, place: _Place, otherwise: tuple[ActionSpec, ...], default: str) -> Step | None:
    """Return one step, called by its *position* unless it has an id; None after a fault of its clock."""
    known, page = place.known, place.page
    do = read_actions(entry.get("do", ()), known, page, otherwise)
    if "do" in entry.values and not entry.get("do"):
        page.fault(entry.keys["do"], "the step does nothing: give it at least one action", len("do"))
    after: Entry | None = entry.get("after")
    if after is None:
        return None
    clock = checked_clock(after, known, page)
    hours = checked_hours(after, clock, known, page, default=default)
    over = _over(after, clock, page)
    if not clock or over is None:
        return None
    remaining = "remaining" in after.keys
    at = page.at(entry.node)
    step_id = entry.get("id", position)
    return Step(id=step_id, clock=clock, over=over, hours=hours, of_remaining=remaining, do=do, at=at)


def _over(after: Entry, clock: str, page: Page) -> int | Fraction | None:
    """Return the amount after which a step is due: from `over`, or counted back from the target by `remaining`."""
    if ("over" in after.keys) == ("remaining" in after.keys):
        page.fault(after.node, "a step has either 'over' or 'remaining'")
        return None
    if "over" in after.keys:
        return checked_amount(after, "over", clock, page)
    if clock and clock != "sla" and not clock.startswith("milestone:"):
        page.fault(after.keys["remaining"], f"{clock!r} has no target of which something could remain: write 'over'", 9)
        return None
    amount = checked_amount(after, "remaining", clock, page)
    if isinstance(amount, Fraction) and amount > 1:
        page.fault(after.nodes["remaining"], "never more than 100% of a target remains")
        return None
    return amount


def _boosts(entries: tuple[Entry, ...], place: _Place) -> tuple[Boost, ...]:
    """Return the secondary signals of a rule."""
    boosts = []
    for entry in entries:
        node = entry.nodes.get("when")
        when: Condition | None = read_condition(node, place.known, place.page, _IN_BOOST) if node else None
        if when is not None and "add" in entry.values:
            boosts.append(Boost(when=when, add=entry.values["add"]))
    return tuple(boosts)


def _repeat(entry: Entry | None, place: _Place, otherwise: tuple[ActionSpec, ...]) -> Repeat | None:
    """Return how often a rule repeats; None without `repeat` or after its fault."""
    if entry is None:
        return None
    then = read_actions(entry.get("then", ()), place.known, place.page, otherwise)
    if "every" not in entry.values or "at_most" not in entry.values:
        return None
    return Repeat(every=entry.values["every"], at_most=entry.values["at_most"], then=then)


def _digest(node: Node) -> str:
    """Return the sha256 of a rule as data: comments, positions, quotes and the order of keys do not enter."""
    data = json.dumps(plain(node), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(data.encode()).hexdigest()
