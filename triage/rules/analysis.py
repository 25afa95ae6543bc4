"""
What is wrong with a rule set although every rule is well formed: rules that can never hold, entries that an earlier one
always takes, warnings that come after the breach, fields that nothing fills. `loops.py` finds owners that ping-pong,
`mapping.py` field maps without an owner or an end.

A verdict of "never" is proved over the cells of `cells.py`; a verdict of "can hold" has a concrete record as proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

from triage.domain.instant import format_duration
from triage.domain.schema import BUILTIN_FIELDS, ObjectSpec
from triage.rules.cells import Cells
from triage.rules.conditions import conjuncts, leaves, normal
from triage.rules.document import MilestoneSpec, PolicyDocument
from triage.rules.findings import Finding, actions_of, specs_of
from triage.rules.language import ActionSpec, At, ClockLeaf, Condition, Leaf, Rule, RuleSet
from triage.rules.loops import find_loops
from triage.rules.mapping import unmapped_closing, unmapped_owner, without_rules
from triage.rules.sections import placeholders
from triage.rules.witness import Formula, Literal, Undecided, fails, holds, search


def analyse(document: PolicyDocument) -> tuple[Finding, ...]:
    """Return every finding in *document*, by file and line; nothing where all is well."""
    found: list[Finding] = [*without_rules(document), *unmapped_closing(document)]
    for rule_set in document.rule_sets:
        found += _dead_rules(rule_set, document)
        for rule in rule_set.rules:
            found += _late(rule, rule_set, document)
            found += _unfilled(rule, rule_set, document)
            found += unmapped_owner(rule, rule_set.object, document)
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
    """Return a record that the rule takes, or why there is none, or that the search gave up."""
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
    """Return a leaf as it was written."""
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
    """Return whether an action sends a text that speaks of a breach to come."""
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
    spoken = [spec for spec in milestones if clock in ("sla", f"milestone:{spec.name}")]
    targets = [target.allowed for spec in spoken for target in spec.targets if target.allowed]
    code, text = "", ""
    if not targets:
        code, text = "no_target", f"speaks of {clock!r}, but no milestone there has a target: it never fires"
    elif _beyond(amount, remaining, max(targets)):
        largest = format_duration(max(targets))
        code, text = "after_breach", f"{_amount(amount)} is never before the breach: the largest target is {largest}"
    elif warns and _at_breach(amount, remaining):
        code, text = "after_breach", "warns of a breach to come (pre_breach), but only once 100% of its target is used"
    if text:
        yield Finding(level="warning", code=code, text=f"rule {rule.id!r}: {text}", rule=rule.id, at=at)


def _beyond(amount: int | Fraction, remaining: bool, largest: int) -> bool:
    """Return whether an amount of time is no smaller than the largest target; a percentage is meant as written."""
    return not remaining and not isinstance(amount, Fraction) and amount >= largest


def _at_breach(amount: int | Fraction, remaining: bool) -> bool:
    """Return whether a share of the target is crossed only once all of it is used."""
    return amount == 0 if remaining else isinstance(amount, Fraction) and amount >= 1


def _amount(amount: int | Fraction) -> str:
    """Return an amount for people."""
    return f"{float(amount * 100):g}%" if isinstance(amount, Fraction) else format_duration(amount)


def _unfilled(rule: Rule, rule_set: RuleSet, document: PolicyDocument) -> Iterator[Finding]:
    """Yield leaves on fields that nothing ever fills."""
    config = document.objects.get(rule_set.object)
    if config is None:
        return
    empty = _empty_fields(config.spec)
    for leaf in leaves(rule.when):
        if isinstance(leaf, Leaf) and leaf.field in empty:
            text = f"rule {rule.id!r}: {leaf.field!r} is never filled: {empty[leaf.field]}"
            yield Finding(level="warning", code="unfilled", text=text, rule=rule.id, at=leaf.at)


def _empty_fields(spec: ObjectSpec) -> dict[str, str]:
    """Return the fields that nothing fills, each with the reason: an unmapped reference, or no owner to read from."""
    mapped = {field.name for field in spec.fields}
    sources = {field.source.casefold() for field in spec.fields}
    empty = {
        field.name: f"no field maps {relation.by!r}, through which it is read"
        for relation in spec.related
        if relation.by.casefold() not in sources
        for field in relation.fields
    }
    if "owner" not in mapped:
        of_owner = (field.name for field in BUILTIN_FIELDS if field.name.startswith("owner."))
        empty |= {name: "no field 'owner' is mapped" for name in of_owner if name not in mapped}
    return empty


def _unsendable(rule: Rule, rule_set: RuleSet, document: PolicyDocument) -> Iterator[Finding]:
    """Yield actions that the safety limits will refuse, and placeholders that nothing fills; each once."""
    known = {*specs_of(document, rule_set.object), *TEMPLATE_NAMES}
    said: set[str] = set()
    for action in actions_of(rule):
        for code, text in (*_refusals(action, document), *_blanks(action, document, known)):
            if text not in said:
                said.add(text)
                yield Finding(level="warning", code=code, text=f"rule {rule.id!r}: {text}", rule=rule.id, at=action.at)


TEMPLATE_NAMES = frozenset(
    [
        "id", "object", "rule", "step", "at", "due", "reason", "target", "milestone", "deadline", "remaining", "org",
        "link",
    ]
)  # fmt: skip
"""What a template may name beside the record's fields; `actions/message.py` fills them."""


def _refusals(action: ActionSpec, document: PolicyDocument) -> Iterator[tuple[str, str]]:
    """Yield why the safety limits will refuse an action."""
    safety, target = document.safety, action.target
    if target.kind == "customer" and not safety.allow_customer_contact:
        yield "refused", "messages to customers need 'allow_customer_contact: true' under safety"
    domain = target.name.rpartition("@")[2].casefold()
    if target.kind == "address" and domain not in safety.recipient_domains:
        yield "refused", f"{domain!r} is not among safety's recipient_domains"
    host = urlsplit(document.directory.webhooks.get(target.name, "")).netloc.casefold()
    if target.kind == "webhook" and not {host, host.partition(":")[0]} & set(safety.webhook_hosts):
        yield "refused", f"{host!r} is not among safety's webhook_hosts"


def _blanks(action: ActionSpec, document: PolicyDocument, known: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the placeholders of an action's template that nothing fills."""
    template = document.templates.get(str(action.params.get("template", "")))
    if template is not None:
        for name in placeholders(template):
            if name not in known:
                yield "placeholder", f"nothing fills {{{name}}} of the template {template.name!r}"
