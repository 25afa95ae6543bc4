"""An action into words: its template filled from the record, its recipients' addresses, and what the policy allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace

from triage.actions.effects import field_changes
from triage.actions.plan import MESSAGES
from triage.domain.decision import Action
from triage.domain.facts import Facts, MilestoneState
from triage.domain.instant import format_duration, format_instant
from triage.domain.message import Limits, Message
from triage.domain.schema import BUILTIN_FIELDS, FieldSpec
from triage.observe import values_of
from triage.policy import Policy
from triage.rules.document import Safety, Template
from triage.sla.clocks import NEVER
from triage.sla.milestones import due as milestone_due
from triage.wording import reason_text, value_text

MISSING = "-"
"""What stands in a message for a value that the record does not have."""

VALUE_MOST, SUBJECT_MOST, TEXT_MOST, DIGEST_MOST = 1_000, 200, 10_000, 500
"""The longest value, subject and text in characters, and the most lines of a digest. What is left out is said."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w.]*)\}")
_PLAIN = Template(name="", subject="{object} {id}: {rule}", body="{object} {id} needs somebody.")
_PLAIN_TO_CUSTOMER = Template(name="", subject="About {object} {id}", body="There is news about {object} {id}.")
_BUILTIN = {spec.name: spec for spec in BUILTIN_FIELDS}


def compose(action: Action, facts: Facts, policy: Policy, now: int) -> Message:
    """
    Return what *action* says at *now*, and the addresses of whom it is for as far as the policy knows them.

    A value that is missing reads `-`. Values stand on one line without control characters, so that no customer's text
    can pass for ours; a placeholder inside a value stays as it is.
    """
    customer = _is_customer(action)
    reason = "" if customer else _short(reason_text(action.reason), VALUE_MOST)
    link = _link(action, policy)
    message = Message(
        org=facts.org,
        reason=reason,
        link=link,
        to=_addresses(action, facts, policy),
        customer=customer,
        values=facts.item.fields,
        webhooks=policy.directory.webhooks,
        changes=field_changes(action, policy),
        next_at=facts.next_at,
        team=_team(action, facts, policy),
        limits=limits(policy.safety),
    )
    if action.kind not in MESSAGES:
        return message
    subject, text = _filled(action, facts, policy, now, {"reason": reason, "link": link})
    footer = "" if customer else _footer(action, reason, link)
    return replace(message, subject=_short(value_text(subject), SUBJECT_MOST), text=text, footer=footer)


def limits(safety: Safety) -> Limits:
    """Return whom a policy with these *safety* limits lets us reach."""
    return Limits(
        recipient_domains=safety.recipient_domains,
        webhook_hosts=safety.webhook_hosts,
        private_hosts=safety.allow_private_hosts,
        customer_contact=safety.allow_customer_contact,
    )


def _is_customer(action: Action) -> bool:
    return action.target.partition(":")[0] == "customer"


def _filled(action: Action, facts: Facts, policy: Policy, now: int, said: Mapping[str, str]) -> tuple[str, str]:
    """Return the subject and text of one message; a digest has its own, whose lines are the records."""
    gathered = action.params.get("digest")
    if gathered:
        return _digest(gathered, customer=_is_customer(action))
    plain = _PLAIN_TO_CUSTOMER if _is_customer(action) else _PLAIN
    template = policy.document.templates.get(str(action.params.get("template", "")), plain)
    names = {**said, **names_of(action, facts, policy, now)}
    subject, text = (_PLACEHOLDER.sub(lambda found: names.get(found[1]) or MISSING, part) for part in _parts(template))
    return subject, _short(text, TEXT_MOST)


def _parts(template: Template) -> tuple[str, str]:
    return template.subject, "\n".join(map(value_text, template.body.splitlines()))


def _digest(gathered: list[dict[str, Any]], customer: bool) -> tuple[str, str]:
    """Return the subject and text of many notices in one; customers read no rules."""
    many = "1 record" if len(gathered) == 1 else f"{len(gathered)} records"
    lines = []
    for one in gathered[:DIGEST_MOST]:
        why = "" if customer else f": {one['rule']}, due {format_instant(one['due'])}"
        lines.append(value_text(f"{one['object']} {one['id']}{why}"))
    if len(gathered) > DIGEST_MOST:
        rest = len(gathered) - DIGEST_MOST
        lines.append(f"and {rest} more" + ("" if customer else ": see triage actions list --state superseded"))
    return f"News of {many}" if customer else f"{many} to look at", "\n".join(lines)


def names_of(action: Action, facts: Facts, policy: Policy, now: int) -> dict[str, str]:
    """
    Return what placeholders stand for, but for `reason` and `link`.

    A field of the team's own goes before a name of ours.
    """
    names = {
        "id": action.id, "object": action.object, "rule": action.rule, "step": action.step, "org": facts.org,
        "at": format_instant(action.at), "due": format_instant(action.due), "target": action.target,
    }  # fmt: skip
    names = {name: _short(value_text(value), VALUE_MOST) for name, value in names.items()}
    names |= _clock(action, facts, policy, now)
    part = policy.objects.get(action.object)
    specs = _BUILTIN | (part.spec.by_name if part is not None else {})
    for name, value in values_of(facts.item, policy, facts.agents).items():
        names[name] = _short(_shown(value, specs.get(name)), VALUE_MOST)
    return names


def _shown(value: Any, spec: FieldSpec | None) -> str:
    """Return a field's value as people read it: instants and durations as text, shares in percent, money with unit."""
    kind = spec.type if spec is not None else "text"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if kind in ("datetime", "date"):
            text = format_instant(int(value))
            return text[:10] if kind == "date" else text
        if kind == "duration":
            return format_duration(int(value))
        if kind == "percent":
            return f"{value * 100:g}%"
        if spec is not None and spec.unit and kind == "money":
            return f"{value_text(value)} {spec.unit}"
    return value_text(value)


def _clock(action: Action, facts: Facts, policy: Policy, now: int) -> dict[str, str]:
    """Return the milestone that *action* speaks of, its deadline and the open time left; nothing for no milestone."""
    parts = action.episode.split(":")
    subject = parts[1] if parts[0] == "clock" and len(parts) > 1 else ""
    state = next((one for one in facts.memory.milestones if one.name == subject), None)
    if state is None or action.object not in policy.objects:
        return {}
    deadline = milestone_due(
        state, lambda name: policy.hours_for(facts.item) if name == "record" else policy.calendars[name]
    )
    if deadline is None or deadline >= NEVER:
        return {"milestone": state.name}
    left = _left(state, facts, policy, now, deadline)
    return {"milestone": state.name, "deadline": format_instant(deadline), "remaining": format_duration(left)}


def _left(state: MilestoneState, facts: Facts, policy: Policy, now: int, deadline: int) -> int:
    hours = policy.hours_for(facts.item) if state.hours == "record" else policy.calendars[state.hours]
    left = hours.elapsed(now, deadline, state.pauses) if now < deadline else 0
    return left - left % 1000


def _footer(action: Action, reason: str, link: str) -> str:
    """Return why it was sent, for our own people."""
    lines = [f"Why: {reason}", f"Rule {action.rule}, due {format_instant(action.due)}"]
    if not action.params.get("digest"):
        lines.append(link or f"{action.object} {action.id}")
    return "\n".join(map(value_text, lines))


def _link(action: Action, policy: Policy) -> str:
    config = policy.document.objects.get(action.object)
    if config is None or not config.link:
        return ""
    return config.link.replace("{id}", quote(action.id, safe="")).replace("{object}", quote(action.object, safe=""))


def _addresses(action: Action, facts: Facts, policy: Policy) -> tuple[str, ...]:
    """Return the mail addresses of the target; none for those that the sinks' own settings have to name."""
    kind, _, name = action.target.partition(":")
    agents = facts.agents or policy.directory.agents
    if kind == "address":
        return (name,)
    if kind == "user":
        return tuple(agent.email for agent in agents if agent.id == name and agent.email)
    if kind in ("team", "pool"):
        members = (agent for agent in agents if name in (*agent.teams, *agent.pools))
        return tuple(dict.fromkeys(agent.email for agent in members if agent.email))
    if kind == "customer":
        fields = facts.item.fields
        found = name if "@" in name else fields.get("customer.email") or fields.get("contact.email")
        return (str(found),) if found else ()
    return ()


def _team(action: Action, facts: Facts, policy: Policy) -> str:
    """Return the team, pool or queue of the target; of a person, or of whoever owns a changed record, the first one."""
    kind, _, name = action.target.partition(":")
    if kind in ("team", "pool", "queue"):
        return name
    who = name if kind == "user" else str(facts.item.fields.get("owner", ""))
    if kind not in ("user", "field", "owner"):
        return ""
    agents = facts.agents or policy.directory.agents
    groups = (group for agent in agents if agent.id == who for group in (*agent.teams, *agent.pools))
    return next(groups, "")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 2]} …"
