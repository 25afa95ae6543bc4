"""
What keeps this worker from mailing every customer: caps, digests, and the clean-up after an outage.

All pure: actions and counts in, the same actions with their status decided out. The firing transaction keeps the
counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from triage.domain.decision import Action
from triage.domain.instant import DAY, MINUTE
from triage.policy import Policy
from triage.rules.document import Caps

WINDOWS = {"5 minutes": 5 * MINUTE, "day": DAY}


class Bucket(NamedTuple):
    """One count: effects of one rule, recipient, organisation or customer in one window (its start in ms UTC)."""

    scope: str
    name: str
    window: str
    start: int


class Capped(NamedTuple):
    """Actions after the caps, what they add to each count, and one alert for each cap newly met."""

    actions: tuple[Action, ...]
    added: dict[Bucket, int]
    alerts: tuple[str, ...]


def apply_caps(actions: Sequence[Action], usage: Mapping[Bucket, int], policy: Policy, now: int, org: str) -> Capped:
    """
    Return *actions* with those beyond a cap `held`, counted in windows of 5 minutes and of a day, from the epoch.

    Only planned ones count. A cap newly met alerts once in its window. Nobody is acknowledged twice in a day.
    """
    added: dict[Bucket, int] = {}
    alerts: list[str] = []
    result = []
    for action in actions:
        if action.status == "planned":
            action = _capped(action, usage, added, alerts, policy, now, org)
        result.append(action)
    return Capped(tuple(result), added, tuple(alerts))


def _capped(
    action: Action,
    usage: Mapping[Bucket, int],
    added: dict[Bucket, int],
    alerts: list[str],
    policy: Policy,
    now: int,
    org: str,
) -> Action:
    limits = _limits(action, policy, now, org)
    full = next((b for b, limit in limits.items() if usage.get(b, 0) + added.get(b, 0) >= limit), None)
    if full is None:
        for bucket in limits:
            added[bucket] = added.get(bucket, 0) + 1
        return action
    note = f"cap: {limits[full]} for {full.scope} {full.name} per {full.window}"
    marker = full._replace(scope=f"held {full.scope}")
    if usage.get(marker, 0) + added.get(marker, 0) == 0:
        alerts.append(f"{note} reached; the rest is held until somebody releases it")
    added[marker] = added.get(marker, 0) + 1
    return replace(action, status="held", note=note)


def buckets_of(action: Action, policy: Policy, now: int, org: str) -> tuple[Bucket, ...]:
    """Return every count that *action* may touch, markers of held ones included: what `apply_caps` has to be told."""
    limits = _limits(action, policy, now, org)
    return (*limits, *(bucket._replace(scope=f"held {bucket.scope}") for bucket in limits))


def _limits(action: Action, policy: Policy, now: int, org: str) -> dict[Bucket, int]:
    safety = policy.safety
    found = _of("rule", action.rule, safety.rule, now) | _of("organisation", org, safety.organisation, now)
    recipient = _recipient(action)
    if action.kind in ("notify", "acknowledge"):
        found |= _of("recipient", recipient, safety.recipient, now)
    if action.kind == "acknowledge":
        found[Bucket("acknowledgement to", recipient, "day", now - now % DAY)] = 1
    return found


def _recipient(action: Action) -> str:
    """Return whom *action* reaches; the customer of a record that does not say who it is counts by the record."""
    return f"customer of {action.object} {action.id}" if action.target == "customer" else action.target.casefold()


def _of(scope: str, name: str, caps: Caps, now: int) -> dict[Bucket, int]:
    found = {}
    for window, limit in (("5 minutes", caps.per_5_minutes), ("day", caps.per_day)):
        if limit > 0:
            found[Bucket(scope, name, window, now - now % WINDOWS[window])] = limit
    return found


def catch_up(actions: Sequence[Action], now: int, policy: Policy) -> tuple[Action, ...]:
    """
    Return *actions* as they should leave after an outage: late ones thinned out, the others as they are.

    Of a record's late changes of owner only the last is kept; late notices to one recipient become one digest. A notice
    about a breach that has happened by now is stopped at delivery (`pipeline.still_holds`).
    """
    late = {n for n, a in enumerate(actions) if a.status == "planned" and now - a.due > policy.safety.late_after}
    result = list(actions)
    last: dict[tuple[str, str], int] = {}
    for number in sorted(late):
        action = result[number]
        if action.kind not in ("reassign", "move"):
            continue
        record = (action.object, action.id)
        if record in last:
            earlier = last[record]
            result[earlier] = replace(result[earlier], status="superseded", note=f"late; overtaken by {action.rule}")
        last[record] = number
    return _digested(result, late, 1)


def digest(actions: Sequence[Action], policy: Policy) -> tuple[Action, ...]:
    """Return *actions* with the notices of one go to one recipient, where they are more than `digest_over`, in one."""
    return _digested(list(actions), set(range(len(actions))), policy.safety.digest_over)


def _digested(actions: list[Action], among: set[int], over: int) -> tuple[Action, ...]:
    groups: dict[str, list[int]] = {}
    for number in sorted(among):
        action = actions[number]
        if action.status == "planned" and action.kind == "notify":
            groups.setdefault(action.target, []).append(number)
    for numbers in groups.values():
        if len(numbers) <= over:
            continue
        first = actions[numbers[0]]
        lines = [line for a in map(actions.__getitem__, numbers) for line in a.params.get("digest") or [_line(a)]]
        actions[numbers[0]] = replace(first, params=first.params | {"digest": lines})
        for number in numbers[1:]:
            note = f"in the digest {first.key[:12]}"
            actions[number] = replace(actions[number], status="superseded", note=note)
    return tuple(actions)


def _line(action: Action) -> dict[str, object]:
    return {"object": action.object, "id": action.id, "rule": action.rule, "due": action.due, "key": action.key}
