"""The actions of a rule: what is to be done, to whom, and what where nobody is there to do it."""

from __future__ import annotations

import re
from typing import Any

from triage.domain.schema import BUILTIN_FIELDS, FieldSpec
from triage.rules.check import RANKED_TYPES, Known, Wrong, coerce
from triage.rules.grammar import DEFINITIONS
from triage.rules.language import ActionSpec, Target
from triage.rules.positions import Broken, Mapping, Node, Page, Scalar, Sequence
from triage.rules.shapes import Entry, read, unknown
from triage.rules.standard import replaced

_DERIVED = frozenset(spec.name for spec in BUILTIN_FIELDS if not spec.source)
_DEPTH = 4


def read_actions(
    nodes: tuple[Node, ...], known: Known, page: Page, otherwise: tuple[ActionSpec, ...] = (), depth: int = 1
) -> tuple[ActionSpec, ...]:
    """
    Return the actions in *nodes* in their order; several recipients become several actions.

    *otherwise* serves actions that say nothing themselves about a target that is nobody.
    """
    specs: list[ActionSpec] = []
    for node in nodes:
        entry = read(DEFINITIONS["action"], node, page)
        if entry is not None:
            specs.extend(_action(entry, known, page, otherwise, depth))
    return tuple(specs)


def _action(
    entry: Entry, known: Known, page: Page, otherwise: tuple[ActionSpec, ...], depth: int
) -> tuple[ActionSpec, ...]:
    """Return the action of one entry, or several where it has several recipients."""
    kind = entry.only()
    body: Entry = entry.values[kind]
    spare = _else(body, known, page, otherwise, depth)
    match kind:
        case "reassign" | "move":
            return _ownership(kind, body, known, page, spare)
        case "notify":
            return _notify(body, known, page, spare)
        case "acknowledge":
            return _with_template(kind, body, known, page, (Target(kind="customer", at=page.at(entry.node)),), spare)
        case "reprioritise":
            return _reprioritise(body, known, page, spare)
        case "set":
            return _set(body, known, page, spare)
    return _custom(body, known, page, spare)


def _else(
    body: Entry, known: Known, page: Page, otherwise: tuple[ActionSpec, ...], depth: int
) -> tuple[ActionSpec, ...]:
    """Return what stands in for a target that is nobody: the action's own, else the rule's."""
    if "else" not in body.keys:
        return otherwise
    if depth >= _DEPTH:
        page.fault(body.keys["else"], f"'else' inside 'else' goes {_DEPTH} levels deep at most", len("else"))
        return ()
    return read_actions(body.get("else", ()), known, page, depth=depth + 1)


def _declared(kind: str, known: Known) -> frozenset[str] | None:
    """Return the declared names of a kind of target; None where names are not declared in files."""
    return {"queue": known.queues, "pool": known.pools, "team": known.teams, "webhook": known.webhooks}.get(kind)


def _target(kind: str, name: str, node: Node, known: Known, page: Page, shift: int = 0) -> Target | None:
    """Return the target, or None after a fault: a queue, pool, team or webhook that is not declared."""
    declared = _declared(kind, known)
    if declared is not None and name not in declared:
        page.fault(node, f"{unknown(kind, name, declared)}; declare it under directory", len(name), shift)
        return None
    return Target(kind=kind, name=name, at=page.at(node, name))


def _ownership(
    kind: str, body: Entry, known: Known, page: Page, spare: tuple[ActionSpec, ...]
) -> tuple[ActionSpec, ...]:
    """Return a reassign or move; nothing where its target is not declared."""
    to: Entry | None = body.get("to")
    target = _target(to.only(), to.values[to.only()], to.nodes[to.only()], known, page) if to else None
    if target is None:
        return ()
    params = {name: body.get(name) for name in ("respect_capacity", "if_none") if body.get(name) is not None}
    return (
        ActionSpec(
            kind=kind,
            target=target,
            params=params,
            match=body.get("match", ""),
            exclude=body.get("exclude", ()),
            require=body.get("require", ()),
            if_none=spare,
            at=page.at(body.node),
        ),
    )


def _notify(body: Entry, known: Known, page: Page, spare: tuple[ActionSpec, ...]) -> tuple[ActionSpec, ...]:
    """Return one notification for each recipient."""
    node = body.nodes.get("who")
    if node is None or body.get("who") is None:
        return _with_template("notify", body, known, page, (), spare)
    nodes = node.items if isinstance(node, Sequence) else (node,)
    found = (_recipient(item, known, page) for item in nodes if isinstance(item, Scalar))
    return _with_template("notify", body, known, page, tuple(target for target in found if target), spare)


def _recipient(node: Scalar, known: Known, page: Page) -> Target | None:
    """Return whom *node* names: a bare name is the owner, the manager, the customer, or a field that holds somebody."""
    text = node.text
    if text in ("owner", "customer"):
        return Target(kind=text, at=page.at(node, text))
    if text == "manager":
        return Target(kind="role", name="manager", at=page.at(node, text))
    kind, colon, name = text.partition(":")
    if not colon:
        return _field_recipient(node, known, page)
    if kind == "address" and not re.fullmatch(r"[^@\s:]+@[^@\s:]+\.[^@\s:]+", name):
        page.fault(node, f"{name!r} is not a mail address: write address:a@b.example", len(text))
        return None
    return _target(kind, name, node, known, page, len(kind) + 1)


def _field_recipient(node: Scalar, known: Known, page: Page) -> Target | None:
    """Return the field that holds the recipient, or None after the fault of an unknown one."""
    if known.fields is not None and node.text not in known.fields:
        names = ["owner", "manager", "customer", *known.fields]
        page.fault(node, unknown("recipient", node.text, names), max(1, len(node.text)))
        return None
    return Target(kind="field", name=node.text, at=page.at(node, node.text))


def _with_template(
    kind: str, body: Entry, known: Known, page: Page, targets: tuple[Target, ...], spare: tuple[ActionSpec, ...]
) -> tuple[ActionSpec, ...]:
    """Return one message for each target; an undeclared template is a fault."""
    template = body.get("template")
    if template is None:
        return ()
    if template not in known.templates:
        page.fault(body.nodes["template"], unknown("template", template, known.templates), len(template))
    at = page.at(body.node)
    return tuple(
        ActionSpec(kind=kind, target=target, params={"template": template}, if_none=spare, at=at) for target in targets
    )


def _reprioritise(body: Entry, known: Known, page: Page, spare: tuple[ActionSpec, ...]) -> tuple[ActionSpec, ...]:
    """Return a change of priority, to a value or by some ranks."""
    word = body.only()
    value, node = body.values[word], body.nodes[word]
    spec = (known.fields or {}).get("priority")
    if known.fields is not None and spec is None:
        fix = replaced(known.object, "priority") or "declare it under objects, fields"
        page.fault(node, f"{known.object} has no field 'priority': {fix}", len(str(value)))
        return ()
    try:
        value = value if spec is None else _priority_value(word, value, spec)
    except Wrong as cause:
        page.fault(node, str(cause), len(str(value)))
        return ()
    target = Target(kind="field", name="priority", at=page.at(node))
    return (ActionSpec(kind="reprioritise", target=target, params={word: value}, if_none=spare, at=page.at(body.node)),)


def _priority_value(word: str, value: Any, spec: FieldSpec) -> Any:
    """Return the priority to set, typed, or by how many ranks to raise it; raise Wrong where it has no ranks."""
    if word == "to":
        return coerce(value, spec)
    if not spec.ordered and spec.type not in RANKED_TYPES:
        raise Wrong("'priority' has no order to be raised in: declare its values with 'ordered: true', or use 'to'")
    return value


def _set(body: Entry, known: Known, page: Page, spare: tuple[ActionSpec, ...]) -> tuple[ActionSpec, ...]:
    """Return the setting of a field, its value typed; nothing after a fault."""
    name, value = body.get("field"), body.get("value")
    if name is None or value is None:
        return ()
    spec = (known.fields or {}).get(name)
    try:
        _check_settable(name, known)
    except Wrong as cause:
        page.fault(body.nodes["field"], str(cause), len(name))
        return ()
    try:
        value = value if spec is None else coerce(value, spec)
    except Wrong as cause:
        page.fault(body.nodes["value"], str(cause), len(value))
        return ()
    target = Target(kind="field", name=name, at=page.at(body.nodes["field"], name))
    return (ActionSpec(kind="set", target=target, params={"value": value}, if_none=spare, at=page.at(body.node)),)


def _check_settable(name: str, known: Known) -> None:
    """Raise Wrong for a field that rules may not write: unknown, derived, immutable, related, or the owner."""
    if known.fields is None:
        return
    if name not in known.fields:
        standard = replaced(known.object, name)
        raise Wrong(f"unknown field {name!r}: {standard}" if standard else unknown("field", name, known.fields))
    if name in ("owner", "priority"):
        raise Wrong(f"{name!r} is set by {'reassign' if name == 'owner' else 'reprioritise'}, which keep its limits")
    if name in _DERIVED and not known.fields[name].source:
        raise Wrong(f"{name!r} is worked out from events and scores: it cannot be set")
    if known.fields[name].immutable:
        raise Wrong(f"{name!r} is declared immutable")
    if name in known.related:
        raise Wrong(f"{name!r} belongs to a related record: only fields of the {known.object} itself can be set")


def _custom(body: Entry, known: Known, page: Page, spare: tuple[ActionSpec, ...]) -> tuple[ActionSpec, ...]:
    """Return a call of a declared webhook, or of a flow or invocable Apex in Salesforce, with its data."""
    named = [kind for kind in ("webhook", "flow", "apex") if body.get(kind)]
    if len(named) != 1:
        page.fault(body.node, "a custom action calls one thing: webhook, flow or apex")
        return ()
    node = body.nodes[named[0]]
    if named[0] == "webhook":
        target = _target("webhook", body.get("webhook"), node, known, page)
    else:
        target = Target(kind=named[0], name=body.get(named[0]), at=page.at(node))
    if target is None:
        return ()
    data: Entry | None = body.get("with")
    params = {"with": {key: plain(node) for key, node in data.values.items()}} if data else {}
    return (ActionSpec(kind="custom", target=target, params=params, if_none=spare, at=page.at(body.node)),)


def plain(node: Node) -> Any:
    """Return *node* as JSON data: unquoted true, false and whole numbers are typed, all other scalars stay text."""
    match node:
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {key.text: plain(value) for key, value in node.entries}
        case Broken():
            return None
    if node.plain and node.text in ("true", "false"):
        return node.text == "true"
    if node.plain and re.fullmatch(r"0|-?[1-9]\d{0,14}", node.text):
        return int(node.text)
    return node.text
