"""A small desk, and logs about it, as the tests of the replay share them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from triage.config import load_policy
from triage.domain.instant import parse_instant
from triage.policy import Policy, compile_policy
from triage.replay.engine import Replayed, run_replay
from triage.replay.lines import ActionLine
from triage.replay.source import History, history_of_log

BASE = """
objects:
  Case:
    calendar: london
    closed_when: [status == Closed]
    fields:
      status: Status
      priority: {from: Priority, type: picklist, values: [Low, Medium, High], ordered: true}
      owner: OwnerId
      stage: Stage__c
    related:
      account: {object: Account, by: AccountId, fields: {tier: SLA__c}}
calendars:
  london: {tz: Europe/London, weekly: {mon-fri: ["09:00-17:00"]}}
milestones:
  resolution:
    object: Case
    target: {by: [{when: [priority == High], target: 2h}], default: 4h}
    complete: [is_closed]
    pause: [status == Waiting]
templates:
  news: {subject: "{status}", body: "{owner}"}
directory: {queues: [desk, tier2], pools: [last]}
safety: {terminal_pool: last}
object: Case
rules:
"""

DESK = """
  - id: at-risk
    when: ["sla.used >= 75%"]
    do: [{notify: {who: "queue:desk", template: news}}]
  - id: breached
    when: ["sla.used >= 100%"]
    do: [{reassign: {to: {queue: tier2}}}, {reprioritise: {raise: 1}}]
  - id: vip
    when: [account.tier == Platinum]
    do: [{notify: {who: "queue:desk", template: news}}]
    once: per_record
"""

DAY = "2026-01-12T"
"""A Monday; London keeps UTC in winter."""


def policy_of(rules: str = DESK, base: str = BASE) -> Policy:
    """Return the desk's policy with *rules*, all of them acting."""
    return compile_policy(load_policy({"desk.yaml": base + rules}), virtual=True)


def at(clock: str) -> str:
    """Return `HH:MM`, or `HH:MM:SS`, of that Monday; anything longer as it is."""
    return clock if len(clock) > 12 else f"{DAY}{clock}{':00' if len(clock) == 5 else ''}Z"


def instant(clock: str) -> int:
    """Return `at(clock)` in ms UTC."""
    return parse_instant(at(clock))


def line(clock: str, kind: str, record: str = "500A", object_name: str = "Case", /, **more: Any) -> str:
    """Return one line of a log; keyword arguments are its other keys."""
    raw = {"at": at(clock), "type": kind, "id": record, **more}
    return json.dumps(raw if kind == "agent" else raw | {"object": object_name})


def created(clock: str, record: str = "500A", /, **changes: Any) -> str:
    """Return the line that begins a record: new, of low priority, owned by 005A unless *changes* say otherwise."""
    opening = {"Status": "New", "Priority": "Low", "OwnerId": "005A"}
    return line(clock, "created", record, changes=opening | changes)


def updated(clock: str, record: str = "500A", /, **changes: Any) -> str:
    """Return the line of a change by a person."""
    return line(clock, "updated", record, changes=changes, actor="005B")


def history(lines: Iterable[str]) -> History:
    """Return *lines* as history."""
    return history_of_log([f"{one}\n" for one in lines])


def play(lines: Iterable[str], policy: Policy | None = None, until: str = "", **more: Any) -> Replayed:
    """Return the replay of *lines*, up to *until* where given."""
    return run_replay(history(lines), policy or policy_of(), until=instant(until) if until else None, **more)


def told(replayed: Replayed) -> list[str]:
    """Return the action lines in short: instant, record, rule, what is done, and its status where it is not."""
    return [
        f"{one.at.removeprefix(DAY)} {one.id} {one.rule} {one.action} {one.target}{f' {one.status}' * bool(one.status)}"
        for one in replayed
        if isinstance(one, ActionLine)
    ]
