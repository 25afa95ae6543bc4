"""
What is wrong with a rule set although every rule is well formed: rules that can never hold, entries that an earlier one
always takes, warnings that come after the breach, fields that nothing fills. `loops.py` finds owners that ping-pong.

A verdict of "never" is proved over the cells of `cells.py`; a verdict of "can hold" has a concrete record as proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from triage.domain.instant import format_duration
from triage.rules.cells import Cells
from triage.rules.conditions import conjuncts, leaves, normal
from triage.rules.document import MilestoneSpec, PolicyDocument
from triage.rules.findings import Finding, actions_of, specs_of
from triage.rules.language import ActionSpec, At, ClockLeaf, Condition, Leaf, Rule, RuleSet
from triage.rules.loops import find_loops
from triage.rules.sections import placeholders
from triage.rules.witness import Formula, Literal, Undecided, fails, holds, search


def analyse(document: PolicyDocument) -> tuple[Finding, ...]:
    """Return every finding in *document*, by file and line; nothing where all is well."""
    found: list[Finding] = []
    for rule_set in document.rule_sets:
        found += _dead_rules(rule_set, document)
        for rule in rule_set.rules:
            found += _late(rule, rule_set, document)
            found += _unfilled(rule, rule_set, document)
            found += _unsendable(rule, rule_set, document)
    for name in document.objects:
        found += find_loops(name, document)
    return tuple(sorted(found, key=lambda f: (f.at.file, f.at.line, f.at.column, f.code, f.text)))


def witnesses(rule_set: RuleSet, document: PolicyDocument) -> dict[str, dict[str, Any]]:
    """
    Return, by rule id, one record that the rule takes: in a first_match set one that no earlier entry takes.

    Rules that nothing can reach, and those the search gave up on, are absent.
    """
    return {rule.id: record for rule, record in _reach(rule_set, document) if isinstance(record, dict)}


def _dead_rules(rule_set: RuleSet, document: PolicyDocument) -> Iterator[Finding]:
    """Yield rules that can never hold and entries that earlier ones always take."""
    for rule, answer in _reach(rule_set, document):
        if isinstance(answer, str):
            code = {"never": "never", "undecided": "undecided"}.get(answer.split()[0], "shadowed")
            yield Finding(level="warning", code=code, text=f"rule {rule.id!r} {answer}", rule=rule.id, at=rule.at)


def _reach(rule_set: RuleSet, document: PolicyDocument) -> Iterator[tuple[Rule, dict[str, Any] | str]]:
    """Yield each rule with a record that it takes, or with the reason why there is none."""
    conditions = [normal(rule.when) for rule in rule_set.rules]
    cells = Cells(conditions, specs_of(document, rule_set.object))
    earlier: list[tuple[Rule, Formula]] = []
    for rule, condition in zip(rule_set.rules, conditions, strict=True):
        wanted = holds(condition, cells)
        yield rule, _answer(rule, condition, wanted, earlier, cells)
        if rule_set.match == "first_match":
            earlier.append((rule, fails(condition, cells)))


def _answer(
    rule: Rule, condition: Condition, wanted: Formula, earlier: list[tuple[Rule, Formula]], cells: Cells
) -> dict[str, Any] | str:
    try:
        if search([wanted], cells) is None:
            return f"never holds: {_contradiction(condition, cells)}"
        found = _quick(condition, wanted, earlier, cells) or search([wanted, *(no for _, no in earlier)], cells)
        return _shadow(wanted, earlier, cells) if found is None else cells.record(found)
    except Undecided as cause:
        return f"undecided whether it can hold: {cause}"


def _quick(
    condition: Condition, wanted: Formula, earlier: list[tuple[Rule, Formula]], cells: Cells
) -> dict[str, int] | None:
    """Return a state in which all that the rule does not speak of is missing, if there is one: most often there is."""
    spoken = {cells.mask(leaf)[0] for leaf in leaves(condition) if isinstance(leaf, Leaf | ClockLeaf)}
    silent = [Literal(variable, 1) for variable in cells.values if variable not in spoken]
    return search([*silent, wanted, *(no for _, no in earlier)], cells)


def _shadow(wanted: Formula, earlier: list[tuple[Rule, Formula]], cells: Cells) -> str:
    """Return which earlier entry takes every record, or that several do so together."""
    for rule, no in earlier:
        if search([wanted, no], cells) is None:
            return f"is never reached: {rule.id!r} (line {rule.at.line}) takes every record that it would"
    return "is never reached: the entries before it together take every record that it would"


def _contradiction(condition: Condition, cells: Cells) -> str:
    """Return the leaves that exclude one another, in words."""
    parts = [part for part in conjuncts(condition) if isinstance(part, Leaf | ClockLeaf)]
    masks = [cells.mask(part) for part in parts]
    for part, (_, mask) in zip(parts, masks, strict=True):
        if not mask:
            return f"no record satisfies {_said(part)}"
    for index, part in enumerate(parts):
        for other in range(index):
            if masks[other][0] == masks[index][0] and not masks[other][1] & masks[index][1]:
                return f"{_said(parts[other])} and {_said(part)} exclude each other"
    return "its conditions exclude one another"


def _said(leaf: Leaf | ClockLeaf) -> str:
    return f"'{'not ' if isinstance(leaf, Leaf) and leaf.negate else ''}{leaf.text}'"


def _late(rule: Rule, rule_set: RuleSet, document: PolicyDocument) -> Iterator[Finding]:
    """Yield crossings that can never precede the breach of the milestone they speak of."""
    milestones = [spec for spec in document.milestones if spec.object == rule_set.object]
    warns = rule.pre_breach or any(_warns(action, document) for action in rule.do)
    for leaf in conjuncts(normal(rule.when)):
        if isinstance(leaf, ClockLeaf) and not leaf.until:
            yield from _late_at(leaf.clock, leaf.amount, leaf.of_remaining, leaf.at, rule, milestones, warns)
    for step in rule.steps:
        warned = rule.pre_breach or any(_warns(action, document) for action in step.do)
        yield from _late_at(step.clock, step.over, step.of_remaining, step.at, rule, milestones, warned)


def _warns(action: ActionSpec, document: PolicyDocument) -> bool:
    template = document.templates.get(str(action.params.get("template", "")))
    return template is not None and template.pre_breach


def _late_at(
    clock: str,
    amount: int | Fraction,
    remaining: bool,
    at: At,
    rule: Rule,
    milestones: list[MilestoneSpec],
    warns: bool,
) -> Iterator[Finding]:
    """Yield what is wrong with one crossing of a milestone's clock."""
    if clock != "sla" and not clock.startswith("milestone:"):
        return
    name = clock.removeprefix("milestone:")
    spoken = [spec for spec in milestones if clock == "sla" or spec.name == name]
    targets = [target.allowed for spec in spoken for target in spec.targets if target.allowed]
    if not targets:
        text = f"rule {rule.id!r} speaks of {clock!r}, but no milestone there has a target: it never fires"
        yield Finding(level="warning", code="no_target", text=text, rule=rule.id, at=at)
    elif not isinstance(amount, Fraction) and not remaining and amount >= max(targets):
        largest = f"the largest target is {format_duration(max(targets))}"
        text = f"rule {rule.id!r}: {format_duration(amount)} is never before the breach: {largest}"
        yield Finding(level="warning", code="after_breach", text=text, rule=rule.id, at=at)
    elif warns and ((remaining and amount == 0) or (not remaining and isinstance(amount, Fraction) and amount >= 1)):
        text = f"rule {rule.id!r} warns of a breach to come (pre_breach), but only once 100% of the target is used"
        yield Finding(level="warning", code="after_breach", text=text, rule=rule.id, at=at)


def _unfilled(rule: Rule, rule_set: RuleSet, document: PolicyDocument) -> Iterator[Finding]:
    """Yield leaves on fields that nothing ever fills."""
    config = document.objects.get(rule_set.object)
    if config is None:
        return
    mapped = {spec.name for spec in config.spec.fields}
    sources = {spec.source.casefold() for spec in config.spec.fields}
    unread = {
        spec.name: relation.by
        for relation in config.spec.related
        if relation.by.casefold() not in sources
        for spec in relation.fields
    }
    for leaf in leaves(rule.when):
        if not isinstance(leaf, Leaf):
            continue
        why = ""
        if leaf.field in unread:
            why = f"no field maps {unread[leaf.field]!r}, through which it is read"
        elif leaf.field.startswith("owner.") and "owner" not in mapped and leaf.field not in mapped:
            why = "no field 'owner' is mapped"
        if why:
            text = f"rule {rule.id!r}: {leaf.field!r} is never filled: {why}"
            yield Finding(level="warning", code="unfilled", text=text, rule=rule.id, at=leaf.at)


def _unsendable(rule: Rule, rule_set: RuleSet, document: PolicyDocument) -> Iterator[Finding]:
    """Yield actions that the safety limits will refuse, and placeholders that nothing fills."""
    known = {*specs_of(document, rule_set.object), *TEMPLATE_NAMES}
    said: set[tuple[str, str]] = set()
    for action in actions_of(rule):
        for code, text in _refusals(action, document, known):
            if (code, text) not in said:
                said.add((code, text))
                yield Finding(level="warning", code=code, text=f"rule {rule.id!r}: {text}", rule=rule.id, at=action.at)


TEMPLATE_NAMES = frozenset(
    ["id", "object", "rule", "step", "at", "due", "reason", "target", "milestone", "deadline", "remaining", "org"]
)
"""What a template may name beside the record's fields."""


def _refusals(action: ActionSpec, document: PolicyDocument, known: set[str]) -> Iterator[tuple[str, str]]:
    safety, target = document.safety, action.target
    if target.kind == "customer" and not safety.allow_customer_contact:
        yield "refused", "messages to customers need 'allow_customer_contact: true' under safety"
    domain = target.name.rpartition("@")[2].casefold()
    if target.kind == "address" and domain not in safety.recipient_domains:
        yield "refused", f"{domain!r} is not among safety's recipient_domains"
    host = document.directory.webhooks.get(target.name, "").split("//")[-1].split("/")[0].casefold()
    if target.kind == "webhook" and host and not {host, host.split(":")[0]} & set(safety.webhook_hosts):
        yield "refused", f"{host!r} is not among safety's webhook_hosts"
    template = document.templates.get(str(action.params.get("template", "")))
    for name in placeholders(template) if template else ():
        if name not in known:
            yield "placeholder", f"nothing fills {{{name}}} of the template {template.name!r}" if template else ""
