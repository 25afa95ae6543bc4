"""Events replayed per second over a seeded year of incidents: ten rules, two milestones, pauses, reassignments."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from triage.config import load_policy
from triage.domain.instant import DAY, HOUR, MINUTE
from triage.domain.work import Event
from triage.policy import Policy, compile_policy
from triage.replay.engine import run_replay
from triage.replay.foresight import foresight
from triage.replay.lines import encode_line
from triage.replay.source import Entry, History

START = 1_767_600_000_000
RECORDS = 4_000
GROUPS = 40

POLICY = """
objects:
  Case:
    calendar: desk
    closed_when: ["status in [Resolved, Closed]"]
    fields:
      status: Status
      priority: {from: Priority, type: picklist, values: [Low, Moderate, High, Critical], ordered: true}
      impact: {from: Impact__c, type: picklist, values: [Low, Medium, High], ordered: true}
      urgency: {from: Urgency__c, type: picklist, values: [Low, Medium, High], ordered: true}
      group: AssignmentGroup__c
      owner: OwnerId
      reassignments: {from: ReassignmentCount__c, type: integer}
      reopens: {from: ReopenCount__c, type: integer}
calendars:
  desk: {tz: Europe/London, weekly: {mon-fri: ["08:00-18:00"]}}
milestones:
  response:
    object: Case
    target: {by: [{when: [priority == Critical], target: 30m}, {when: [priority == High], target: 1h}], default: 4h}
    complete: ["status != New"]
  resolution:
    object: Case
    target: {by: [{when: [priority == Critical], target: 4h}, {when: [priority == High], target: 8h}], default: 40h}
    complete: [is_closed]
    pause: [status == "Awaiting User Info"]
templates:
  at-risk: {subject: "{status}", body: "{group}", pre_breach: true}
  breached: {subject: "{status}", body: "{group}"}
directory: {queues: [duty, desk], pools: [desk]}
safety: {terminal_pool: desk, manager: 005duty}
rule_set: incidents
object: Case
rules:
  - id: response-at-risk
    when: ["milestone.response.used >= 80%"]
    do: [{notify: {who: "queue:desk", template: at-risk}}]
  - id: resolution-at-risk
    when: ["milestone.resolution.used >= 80%"]
    do: [{notify: {who: "queue:desk", template: at-risk}}, {reprioritise: {raise: 1}}]
  - id: resolution-breached
    when: ["milestone.resolution.used >= 100%"]
    do: [{notify: {who: manager, template: breached}}, {reassign: {to: {queue: duty}}}]
  - id: critical-untouched
    when: [priority == Critical, status == New, age >= 30m]
    do: [{reassign: {to: {queue: duty}}}]
  - id: sent-around
    when: ["reassignments >= 4"]
    do: [{notify: {who: manager, template: breached}}]
    once: per_record
  - id: reopened
    when: ["reopens >= 1", not is_closed]
    do: [{reprioritise: {raise: 1}}]
    once: per_record
  - id: neglected
    when: [status == Active, "since_modified >= 12h"]
    do: [{notify: {who: owner, template: breached}}]
    repeat: {every: 24h, at_most: 3, then: [{move: {to: {pool: desk}}}]}
  - id: grave
    when: [impact == High, urgency == High, "since_assignment >= 1h"]
    do: [{notify: {who: manager, template: breached}}]
  - id: network
    when: ["group in ['7', '8', '9']", priority >= High, "age >= 2h"]
    do: [{notify: {who: "queue:desk", template: breached}}]
  - id: waiting-long
    when: [status == "Awaiting User Info", "since_modified >= 3d"]
    do: [{notify: {who: owner, template: breached}}]
"""


def policy() -> Policy:
    """Return ten rules and two milestones over incidents."""
    return compile_policy(load_policy({"bench.yaml": POLICY}), virtual=True)


def events(seed: int, records: int = RECORDS) -> list[Event]:
    """Return the lives of *records* incidents over sixty days, by instant; the same for the same *seed*."""
    rng = random.Random(seed)
    lives = [event for number in range(records) for event in _life(rng, f"500{number:07d}")]
    return sorted(lives, key=lambda event: event.at)


def _life(rng: random.Random, record: str) -> Iterator[Event]:
    at = START + rng.randrange(60 * DAY // MINUTE) * MINUTE
    yield _event(
        at, "created", record, 0,
        Status="New", Priority=rng.choices(["Low", "Moderate", "High", "Critical"], [5, 80, 10, 5])[0],
        Impact__c=rng.choice(["Low", "Medium", "High"]), Urgency__c=rng.choice(["Low", "Medium", "High"]),
        AssignmentGroup__c=str(rng.randrange(GROUPS)), OwnerId=f"005{rng.randrange(200):04d}",
        ReassignmentCount__c="0", ReopenCount__c="0",
    )  # fmt: skip
    moves = reopens = 0
    for step in range(1, rng.randrange(3, 6)):
        at += round(rng.expovariate(1 / (9 * HOUR)) / MINUTE + 1) * MINUTE
        status = rng.choices(["Active", "Awaiting User Info", "Resolved"], [5, 2, 3])[0]
        changes = {"Status": status}
        if rng.random() < 0.35:
            moves += 1
            owner, group = f"005{rng.randrange(200):04d}", str(rng.randrange(GROUPS))
            changes |= {"OwnerId": owner, "AssignmentGroup__c": group, "ReassignmentCount__c": str(moves)}
        if rng.random() < 0.02:
            reopens += 1
            changes["ReopenCount__c"] = str(reopens)
        yield _event(at, "updated", record, step, **changes)
    yield _event(at + round(rng.expovariate(1 / (30 * HOUR))) + MINUTE, "updated", record, 99, Status="Closed")


def _event(at: int, kind: str, record: str, number: int, **changes: str) -> Event:
    return Event(at=at, type=kind, event_id=f"{record}:{number}", object="Case", id=record, changes=changes)  # type: ignore[arg-type]


def run(records: int = RECORDS) -> list[tuple[str, float, str]]:
    """Return the figures: events a second with all lines written as JSON, mechanical and applied, and foresight."""
    made = policy()
    entries = [Entry(event, "bench", number) for number, event in enumerate(events(7, records), 1)]
    history = History(entries=tuple(entries))
    rows = [("replay: events", float(len(entries)), "events")]
    for label, apply in (("mechanical", False), ("effects applied", True)):
        best = 0.0
        for _ in range(3):
            begin = time.process_time()
            replayed = run_replay(history, made, apply=apply)
            written = sum(len(encode_line(line)) > 0 for line in replayed)
            best = max(best, len(entries) / (time.process_time() - begin))
        rows.append((f"replay, 10 rules, 2 milestones, {label}", best, "events/s"))
        rows.append((f"replay, {label}: decisions an event", replayed.summary().decisions / len(entries), "decisions"))
        rows.append((f"replay, {label}: lines an event", written / len(entries), "lines"))
        begin = time.process_time()
        foresight(replayed)
        rows.append((f"foresight, {label}", len(entries) / (time.process_time() - begin), "events/s"))
    return rows


if __name__ == "__main__":
    for name, value, unit in run():
        print(f"{name:70} {value:14,.1f} {unit}")
