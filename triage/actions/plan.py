"""A firing into actions: who each is for, whether it may go, and the key that makes it happen once."""

from __future__ import annotations

import hashlib
from typing import Any, cast
from urllib.parse import urlsplit

from msgspec.structs import replace

from triage.actions.admit import Firing
from triage.actions.matches import Found
from triage.actions.view import View
from triage.domain.decision import Action, ActionKind, Reason, Status
from triage.domain.facts import OwnerChange
from triage.domain.instant import DAY
from triage.domain.work import Event
from triage.observe import ORDERED
from triage.routing.assign import Assignment, assign
from triage.routing.wanted import had_it
from triage.rules.conditions import Witness, evidence
from triage.rules.language import ActionSpec
from triage.sla.milestones import due as milestone_due

OWNERSHIP = ("reassign", "move")
"""Action kinds that change the owner, and so count as hops."""

MESSAGES = ("notify", "acknowledge")

APART = 1000
"""What stands in an `else` list keeps its place in the list above as so many times its own."""


def key_of(view: View, rule: str, step: str, position: int, episode: str) -> str:
    """Return the sha256 of business facts that makes one effect happen once, whoever retries it."""
    return make_key(view.facts.org, view.item.object, view.item.id, rule, step, position, episode)


def make_key(org: str, object_: str, id_: str, rule: str, step: str, position: int, episode: str) -> str:
    """Return sha256(org | object | record | rule id | step id | action position | episode), hexadecimal."""
    text = f"{org}|{object_}|{id_}|{rule}|{step}|{position}|{episode}"
    return hashlib.sha256(text.encode()).hexdigest()


def plan(firing: Firing, view: View) -> tuple[Action, ...]:
    """Return the actions of *firing*, in the order written; each `else` stands in for a target that is nobody."""
    reason = _reason(firing, view)
    priority = _priority(firing, view)
    actions: list[Action] = []
    for position, spec in enumerate(firing.do):
        actions += _planned(spec, position, firing, view, reason, priority)
    return tuple(actions)


def _planned(
    spec: ActionSpec, position: int, firing: Firing, view: View, reason: Reason, priority: int, apart: int = APART
) -> list[Action]:
    """Plan *spec*, or its `else` where it is for nobody: the first in its place, others *apart* from it."""
    if spec.kind in OWNERSHIP and out_of_hops(view):
        return _terminal(position, firing, view, reason, priority)
    assignment = assign(spec, view.facts, view.policy, view.at)
    if not assignment.target and spec.if_none:
        places = [(other, position + apart * n) for n, other in enumerate(spec.if_none)]
        planned = (_planned(other, at, firing, view, reason, priority, apart * APART) for other, at in places)
        return [action for part in planned for action in part]
    return [_action(spec, position, firing, view, reason, priority, assignment)]


def _action(
    spec: ActionSpec, position: int, firing: Firing, view: View, reason: Reason, priority: int,
    assignment: Assignment | None = None,
) -> Action:  # fmt: skip
    found = assignment if assignment is not None else assign(spec, view.facts, view.policy, view.at)
    if found.note or found.passed_over:
        reason = replace(reason, note=found.note, passed_over=found.passed_over)
    rule = firing.found.rule
    action = Action(
        object=view.item.object, id=view.item.id, rule=rule.id, step=firing.step, position=position,
        kind=cast(ActionKind, spec.kind), target=found.target, params={**_params(spec, view), **found.counts},
        due=firing.due, at=view.at,
        episode=firing.episode, key=key_of(view, rule.id, firing.step, position, firing.episode), reason=reason,
        priority=priority, mode=view.policy.mode_of(rule.id).mode,
    )  # fmt: skip
    status, note = _status(action, firing, view)
    if status == "planned":
        view.moves += action.kind in OWNERSHIP
        return action
    return replace(action, status=status, note=note)


def _params(spec: ActionSpec, view: View) -> dict[str, Any]:
    if spec.kind != "reprioritise":
        return spec.params
    if "raise" not in spec.params:
        return spec.params
    ladder, by = _ladder(view), int(spec.params["raise"])
    now = view.item.fields.get("priority")
    if not ladder:
        return {"to": (now if isinstance(now, int | float) else 0) + by}
    place = ladder.index(now) if now in ladder else -1
    return {"to": ladder[min(len(ladder) - 1, place + by)]}


def _ladder(view: View) -> tuple[str, ...]:
    spec = view.part.specs.get("priority")
    return spec.values if spec is not None and spec.ordered else ()


def _status(action: Action, firing: Firing, view: View) -> tuple[Status, str]:
    """The checks in the contract's order: mode, override, then whether it is backlog, pointless or forbidden."""
    mode = view.policy.mode_of(action.rule)
    if mode.mode == "observe" or (mode.mode == "notify" and action.kind != "notify"):
        return "would_have", f"the rule is in mode {mode.mode}"
    if firing.held_by is not None:
        held = firing.held_by
        return "suppressed", f"{held.action} by {held.actor or 'somebody'}: {held.reason}"
    if firing.found.since < max(mode.live_since, view.facts.live_from):
        return "backlog", "was already true when it went live"
    pointless = useless(action, firing.found.subject or firing.found.clock, view)
    if pointless:
        return "cancelled", pointless
    refused = forbidden(action, view)
    if refused:
        return "suppressed", refused
    return ("planned", "") if action.target else ("held", action.reason.note or "nobody to do it for")


def useless(action: Action, subject: str, view: View) -> str:
    """Return why *action* would change nothing or come too late, or an empty string."""
    fields = view.item.fields
    if action.kind == "reprioritise":
        ladder, wanted, now = _ladder(view), action.params.get("to"), fields.get("priority")
        if now == wanted or (now in ladder and wanted in ladder and ladder.index(now) > ladder.index(wanted)):
            return f"priority is {now} already"
    if action.kind in OWNERSHIP and action.target in (f"user:{fields.get('owner')}", str(fields.get("owner"))):
        return "it is there already"
    if action.kind in MESSAGES and _speaks_of_the_future(action, view) and _breached(subject, view):
        return "the breach it warns of has happened"
    return ""


def _speaks_of_the_future(action: Action, view: View) -> bool:
    template = view.policy.document.templates.get(str(action.params.get("template", "")))
    rule = view.policy.rules.get(action.rule)
    return (template is not None and template.pre_breach) or (rule is not None and rule.pre_breach)


def _breached(subject: str, view: View) -> bool:
    """Return whether the milestone *subject* is breached; any open one, where *subject* is no milestone's name."""
    named = any(milestone.name == subject for milestone in view.memory.milestones)
    for milestone in view.moment.clocks.milestones.values():
        if not named or milestone.name == subject:
            due = milestone_due(milestone, view.moment.clocks.hours)
            if due is not None and view.now >= due:
                return True
    return False


def forbidden(action: Action, view: View) -> str:
    """Return why the policy's allow-lists do not let *action* reach its target, or an empty string."""
    safety = view.policy.safety
    if _to_customer(action.target) and not safety.allow_customer_contact:
        return "messages to customers need allow_customer_contact: true"
    if action.target.startswith("webhook:") and (why := _host_refused(action.target[8:], view)):
        return why
    if action.target.startswith("address:") and not _allowed(action.target, safety.recipient_domains):
        return f"{action.target.rpartition('@')[2]} is not among safety.recipient_domains"
    return ""


def _to_customer(target: str) -> bool:
    return target == "customer" or target.startswith("customer:")


def _host_refused(name: str, view: View) -> str:
    host = urlsplit(view.policy.directory.webhooks.get(name, "")).netloc.rpartition("@")[2].casefold()
    if {host, host.split(":")[0]} & set(view.policy.safety.webhook_hosts):
        return ""
    return f"{host or name} is not among safety.webhook_hosts"


def _allowed(target: str, domains: tuple[str, ...]) -> bool:
    """Tell whether *target* is one address, of one of *domains*: two in one text would go to both."""
    if target.count("@") != 1 or any(c in ",;<>" or c.isspace() or not c.isprintable() for c in target):
        return False
    return target.rpartition("@")[2].casefold() in {domain.casefold() for domain in domains}


def astray(action: Action, view: View) -> str:
    """Return why *action*, planned earlier, would now be a hop too many or a return, or an empty string."""
    if action.kind not in OWNERSHIP or action.target == f"pool:{view.policy.safety.terminal_pool}":
        return ""
    if out_of_hops(view):
        return f"{len(_hops(view))} automatic changes of owner within 24 h"
    kind, _, name = action.target.partition(":")
    return f"{name} had it within 24 h" if kind == "user" and name in had_it(view.facts, view.now) else ""


def out_of_hops(view: View) -> bool:
    """Return whether the record has used up its automatic changes of owner of the last 24 h."""
    return len(_hops(view)) + view.moves >= view.policy.safety.hop_limit


def _hops(view: View) -> list[OwnerChange]:
    return [hop for hop in view.memory.owner_changes if hop.automatic and hop.at > view.now - DAY]


def _terminal(position: int, firing: Firing, view: View, reason: Reason, priority: int) -> list[Action]:
    """Instead of one hop too many: the terminal pool, and one notice to the manager for this run of hops."""
    hops = _hops(view)
    first = hops[0].at if hops else view.now
    pool = view.policy.safety.terminal_pool
    rule = firing.found.rule
    episode = f"state:{first}"
    note = f"{len(hops) + view.moves} automatic changes of owner within 24 h"
    shared: dict[str, Any] = {
        "object": view.item.object, "id": view.item.id, "due": firing.due, "at": view.at, "priority": priority,
        "mode": view.policy.mode_of(rule.id).mode, "reason": replace(reason, note=note), "rule": rule.id,
    }  # fmt: skip
    move = Action(
        **shared, step=firing.step, position=position, kind="move", target=f"pool:{pool}" if pool else "",
        episode=firing.episode, key=key_of(view, rule.id, firing.step, position, firing.episode),
    )  # fmt: skip
    manager = view.policy.safety.manager
    notice = Action(
        **shared, step="hops", position=0, kind="notify", episode=episode,
        target="" if not manager else f"address:{manager}" if "@" in manager else f"user:{manager}",
        key=key_of(view, "hop-bound", "hops", 0, episode),
    )  # fmt: skip
    checked = []
    for action in (move, notice):
        status, why = _status(action, firing, view)
        checked.append(action if status == "planned" else replace(action, status=status, note=why))
    return checked


def _priority(firing: Firing, view: View) -> int:
    compiled = firing.found.compiled
    if compiled is None or not compiled.boosts:
        return 0
    return sum(add for holds, add in compiled.boosts if holds(view.moment))


def _reason(firing: Firing, view: View) -> Reason:
    found = firing.found
    moment = view.moment
    moment.clocks.subject = moment.clocks.milestones.get(found.subject)
    moment.before = found.before
    leaves = evidence(_witnesses(found, view), moment)
    moment.before = None
    return Reason(evidence=leaves, clock=found.clock, clock_start=found.clock_start, over=found.over)


def _witnesses(found: Found, view: View) -> tuple[Witness, ...]:
    if found.compiled is not None:
        return found.compiled.witnesses
    rule_set = next((one for one in view.part.book.sets if found.rule.id in one.by_id), None)
    return () if rule_set is None else rule_set.witnesses[found.rule.id]


def ordered_by_people(event: Event, view: View) -> tuple[Action, ...]:
    """Return what a manager's own event asks for at once: a reroute, or the pull-back of our latest changes."""
    if event.type != "override":
        return ()
    if event.action == "reroute" and event.to:
        return (_by_order(event, view, 0, "reassign", event.to if ":" in event.to else f"user:{event.to}", {}),)
    if event.action == "pull_back":
        return tuple(_pulled_back(event, view))
    return ()


def _pulled_back(event: Event, view: View) -> list[Action]:
    """Owner and priority go back to what they were before our last change, where nobody has touched them since."""
    actions = []
    for position, name in enumerate(("owner", "priority")):
        ours = view.memory.ours.get(name)
        if ours is None or ours.before is None or not {"*", ours.rule} & set(event.rules or ("*",)):
            continue
        before = str(ours.before)
        if name == "owner":
            target = before if ":" in before else f"user:{before}"
            actions.append(_by_order(event, view, position, "reassign", target, {}))
        else:
            actions.append(_by_order(event, view, position, "reprioritise", "field:priority", {"to": before}))
    return actions


def _by_order(event: Event, view: View, position: int, kind: ActionKind, target: str, params: dict[str, Any]) -> Action:
    episode = f"event:{event.event_id}"
    note = f"{event.action} by {event.actor or 'somebody'}: {event.reason}"
    return Action(
        object=view.item.object, id=view.item.id, rule=ORDERED, step=event.action, position=position, kind=kind,
        target=target, params=params, due=event.at, at=view.at, episode=episode, mode="act",
        key=key_of(view, ORDERED, event.action, position, episode), reason=Reason(note=note),
    )  # fmt: skip
