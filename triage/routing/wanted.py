"""What a record asks of whoever takes it: requirements, worth, weight, and whom it cannot go to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from triage.domain.facts import Facts
from triage.domain.instant import DAY
from triage.policy import Policy
from triage.rules.document import Routing
from triage.rules.language import ActionSpec
from triage.sla.milestones import due as milestone_due

LEAST_WORTH = 0.05
"""What the least of records is worth: nothing at all would go to anybody, however unfit."""

UNKNOWN_WORTH = 0.5
"""What a record is worth of which neither money nor urgency is known."""


class Wanted(Struct, frozen=True, kw_only=True):
    """
    One record as routing looks at it.

    `worth` lies in 0..1, in hundredths; `weight` is what it takes of a capacity. `require` and `exclude` are as rules
    write them, `skills` are wished for only. `had` held it within 24 h. `about` names the track records that count,
    `sticky` the person who knows the customer. `rank` orders records that wait, `since` (ms UTC) those of one rank.
    """

    key: str
    object: str = ""
    worth: float = UNKNOWN_WORTH
    urgent: bool = False
    weight: int = 1
    require: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    owner: str = ""
    had: frozenset[str] = frozenset()
    language: str = ""
    region: str = ""
    skills: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    sticky: str = ""
    respect_capacity: bool = True
    rank: float = 0.0
    since: int = 0


def wanted_of(spec: ActionSpec, facts: Facts, policy: Policy, now: int) -> Wanted:
    """Return what the record of *facts* asks for at *now*, with what the action *spec* of a rule requires."""
    fields = facts.item.fields
    routing = policy.routing
    return Wanted(
        key=f"{facts.item.object}/{facts.item.id}",
        object=facts.item.object,
        worth=worth(fields, policy, facts.item.object),
        urgent=is_urgent(fields, policy, facts.item.object),
        weight=weight_of(facts.item.object, fields, routing),
        require=spec.require,
        exclude=spec.exclude,
        owner=str(fields.get("owner") or ""),
        had=frozenset(had_it(facts, now)),
        language=str(fields.get("language") or fields.get("language.code") or ""),
        region=str(fields.get("region") or ""),
        skills=(str(fields["product"]).casefold(),) if fields.get("product") else (),
        about=segments(facts.item.object, fields, routing),
        sticky=next((str(fields[name]) for name in routing.sticky if fields.get(name)), ""),
        respect_capacity=spec.params.get("respect_capacity") is not False,
        since=facts.item.marks.get("queued", facts.item.created_at),
    )


def had_it(facts: Facts, now: int) -> set[str]:
    """Return those whom the record left in the last 24 h: it never goes back to one of them."""
    return {change.before for change in facts.memory.owner_changes if change.at > now - DAY}


def worth(fields: Mapping[str, Any], policy: Policy, object_name: str) -> float:
    """
    Return what a record is worth, 0.05 to 1 in hundredths: high where the money or the urgency is.

    Money counts as m / (m + `worth_half`), urgency as its score, else as the place of the priority on its ladder.
    """
    amount = money(fields, policy.routing)
    urgency = urgency_of(fields, policy, object_name)
    return joint_worth(amount, urgency, policy.routing.worth_half)


def joint_worth(amount: float | None, urgency: float | None, half: int) -> float:
    """Return 1 - (1 - money) (1 - urgency), in hundredths; what is not known counts as nothing."""
    if amount is None and urgency is None:
        return UNKNOWN_WORTH
    dear = max(0.0, amount or 0.0)
    found = 1.0 - (1.0 - dear / (dear + half)) * (1.0 - min(1.0, max(0.0, urgency or 0.0)))
    return max(LEAST_WORTH, round(found, 2))


def money(fields: Mapping[str, Any], routing: Routing) -> float | None:
    """Return the first known of the fields that say what a record is worth in money."""
    found = (fields.get(name) for name in routing.worth)
    return next((float(one) for one in found if isinstance(one, int | float)), None)


def urgency_of(fields: Mapping[str, Any], policy: Policy, object_name: str) -> float | None:
    """Return 0..1: the urgency score, else the place of the priority among its ordered values; None: not known."""
    score = fields.get("urgency.score")
    if isinstance(score, int | float) and fields.get("urgency.abstained") is not True:
        return float(score)
    part = policy.objects.get(object_name)
    spec = None if part is None else part.specs.get("priority")
    if spec is None or not spec.ordered or fields.get("priority") not in spec.values:
        return None
    return spec.values.index(str(fields["priority"])) / max(1, len(spec.values) - 1)


def is_urgent(fields: Mapping[str, Any], policy: Policy, object_name: str) -> bool:
    """Return whether a record counts as urgent: by its score, or from the priority that the policy names."""
    routing = policy.routing
    score = fields.get("urgency.score")
    if isinstance(score, int | float) and score * 100 >= routing.urgent:
        return True
    part = policy.objects.get(object_name)
    spec = None if part is None else part.specs.get("priority")
    priority = fields.get("priority")
    if spec is None or routing.urgent_from not in spec.values or priority not in spec.values:
        return False
    return spec.values.index(str(priority)) >= spec.values.index(routing.urgent_from)


def weight_of(object_name: str, fields: Mapping[str, Any], routing: Routing) -> int:
    """Return how much of a capacity one record takes."""
    found = routing.weights.get(object_name)
    return 1 if found is None else found.by.get(str(fields.get("priority")), found.default)


def segments(object_name: str, fields: Mapping[str, Any], routing: Routing) -> tuple[str, ...]:
    """Return what the track records that count here are about, the broadest first."""
    found = [object_name]
    if fields.get("product"):
        found.append(f"{object_name}/product={fields['product']}")
    segment = fields.get("segment") or fields.get("account.tier")
    if segment:
        found.append(f"{object_name}/segment={segment}")
    amount = money(fields, routing)
    if amount is not None:
        found.append(f"{object_name}/size={size_of(amount, routing.worth_half)}")
    return tuple(found)


def size_of(amount: float, half: int) -> str:
    """Return `small`, `medium` or `large`, beside the money that makes a record worth half of the most."""
    return "small" if amount < half / 2 else "large" if amount >= 2 * half else "medium"


class Burden(Struct, frozen=True):
    """What one open record counts for with its owner: its weight, whether it is urgent, or a promise is missed."""

    weight: int = 1
    urgent: bool = False
    missed: bool = False


def reserved(params: Mapping[str, Any]) -> Burden:
    """Return what is kept free for an action on its way: what its *params* say that the record counts for."""
    return Burden(int(params.get("weight", 1)), params.get("urgent") is True)


def burden_of(facts: Facts, policy: Policy) -> Burden:
    """Return what the record counts for as of its last decision; urgent and missed only where somebody asks."""
    item = facts.item
    weight = weight_of(item.object, item.fields, policy.routing)
    limits = policy.routing.overloaded
    if limits is None and not policy.routing.costs.get("fairness"):
        return Burden(weight)
    urgent = is_urgent(item.fields, policy, item.object)
    missed = limits is not None and limits.missed > 0 and _missed(facts, policy)
    return Burden(weight, urgent, missed)


def _missed(facts: Facts, policy: Policy) -> bool:
    """Return whether an open promise of the record had been broken when it was last decided on."""
    now = facts.last_decided_at
    if now is None:
        return False
    for state in facts.memory.milestones:
        if state.completed is not None or state.stopped is not None:
            continue
        due = milestone_due(state, lambda name: _hours(name, facts, policy))
        if due is not None and due <= now:
            return True
    return False


def _hours(name: str, facts: Facts, policy: Policy) -> Any:
    return policy.hours_for(facts.item) if name == "record" else policy.calendars[name]
