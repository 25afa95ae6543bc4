"""What a field map of one's own leaves out that rules count on: the owner, and what says that a record is closed."""

from __future__ import annotations

from collections.abc import Iterator

from triage.rules.conditions import leaves
from triage.rules.document import PolicyDocument
from triage.rules.findings import Finding, actions_of
from triage.rules.language import At, ClockLeaf, Rule
from triage.rules.standard import STANDARD, line_for

_OWNER_CLOCKS = ("assigned", "queued")
_CLOSINGS = {"Lead": "is_converted"}
"""The standard field that ends a record, where it is not `is_closed`."""


def without_rules(document: PolicyDocument) -> Iterator[Finding]:
    """Yield that the policy has no rule, where it has no hours or promises either: an import may be of those alone."""
    if not document.rule_sets and not document.calendars and not document.milestones:
        text = "the policy has no rule, so that it never does anything: write one under 'rules' in a *.yaml file"
        file = next(iter(document.texts), "")
        yield Finding(level="warning", code="no_rules", text=text, at=At(file, 1, 1))


def unmapped_owner(rule: Rule, name: str, document: PolicyDocument) -> Iterator[Finding]:
    """Yield, once, what a rule wants of the owner of an object *name* that maps no owner."""
    config = document.objects.get(name)
    if config is None or "owner" in config.spec.by_name:
        return
    wish = next(_wishes(rule), None)
    if wish is not None:
        what, at = wish
        line = line_for(name, "owner") or "owner: OwnerId"
        text = f"rule {rule.id!r} {what}, but {name} maps no owner: add '{line}' under objects, {name}, fields"
        yield Finding(level="warning", code="no_owner", text=text, rule=rule.id, at=at)


def _wishes(rule: Rule) -> Iterator[tuple[str, At]]:
    """Yield what a rule does to its record's owner or asks of the owner's clocks, with its place."""
    for action in actions_of(rule):
        if action.target.kind == "owner":
            yield f"{action.kind} goes to 'owner'" if action.kind != "notify" else "notifies 'owner'", action.at
        elif action.kind in ("reassign", "move"):
            yield f"changes the owner ({action.kind})", action.at
    for leaf in leaves(rule.when):
        if isinstance(leaf, ClockLeaf) and leaf.clock in _OWNER_CLOCKS:
            yield f"reads the clock {leaf.clock!r}", leaf.at
    for step in rule.steps:
        if step.clock in _OWNER_CLOCKS:
            yield f"reads the clock {step.clock!r}", step.at


def unmapped_closing(document: PolicyDocument) -> Iterator[Finding]:
    """Yield each standard object with rules whose own field map does not say what is closed."""
    seen: set[str] = set()
    for rule_set in document.rule_sets:
        name = rule_set.object
        config = document.objects.get(name)
        if name in seen or name not in STANDARD or config is None:
            continue
        seen.add(name)
        if config.closed_when is None and "is_closed" not in config.spec.by_name:
            text = f"{name} has rules that act on closed records too, as nothing says what is closed: {_end(name)}"
            yield Finding(level="warning", code="no_closing", text=text, at=rule_set.at)


def _end(name: str) -> str:
    """Return the lines that say when a record of a standard object is closed."""
    field = _CLOSINGS.get(name, "is_closed")
    line = f"add '{line_for(name, field)}' under objects, {name}, fields"
    return line if field == "is_closed" else f"{line}, and 'closed_when: [{field}]' under objects, {name}"
