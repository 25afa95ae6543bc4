"""What a done action changed on the record, as the event of origin triage that comes back."""

from __future__ import annotations

from typing import Any

from triage.domain.decision import Action
from triage.domain.work import Event
from triage.policy import Policy


def effect_event(action: Action, policy: Policy, at: int) -> Event | None:
    """Return the `updated` event that doing *action* at *at* amounts to; None where no field changes."""
    changes = field_changes(action, policy)
    if not changes:
        return None
    return Event(
        at=at, type="updated", event_id=f"effect:{action.key}", object=action.object, id=action.id, changes=changes,
        actor="triage", origin="triage", rule=action.rule, key=action.key,
    )  # fmt: skip


def field_changes(action: Action, policy: Policy) -> dict[str, Any]:
    """Return the CRM fields that *action* sets, by CRM name, with their new values."""
    if action.kind in ("reassign", "move"):
        return {_source(action, policy, "owner"): action.target.removeprefix("user:")}
    if action.kind == "reprioritise":
        return {_source(action, policy, "priority"): action.params.get("to")}
    if action.kind == "set":
        return {_source(action, policy, action.target.removeprefix("field:")): action.params.get("value")}
    return {}


def _source(action: Action, policy: Policy, name: str) -> str:
    spec = policy.objects[action.object].spec.by_name.get(name)
    return spec.source if spec is not None and spec.source else name
