"""
A punctual worker does what a replay with --apply says: the same rules, steps, actions, due instants and keys.

The same random log goes through both. The worker's sink is done at once, and its clock stands at every instant at which
anything is due; what an effect of an effect plans comes one ms later, as in a replay.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import pytest

from triage.config import load_policy, read_folder
from triage.domain.instant import HOUR, MINUTE, format_instant
from triage.domain.work import Event
from triage.intake.event import parse_event
from triage.policy import compile_policy
from triage.ports import EffectFilter
from triage.replay.engine import run_replay
from triage.replay.lines import ActionLine
from triage.replay.source import Entry, History
from triage.routing.holding import returns
from triage.sending import Pace
from triage.sla.clocks import NEVER
from triage.testing import START, Sandbox
from triage.worker import Worker

TEXTS = read_folder(Path(__file__).with_name("company"))
POLICY = compile_policy(load_policy(TEXTS), virtual=True)
OWNERS, PRIORITIES = ("ann", "bob", "cat"), ("Low", "Medium", "High", "Urgent")
FIELDS = (
    ("Status", ("New", "Working", "Waiting", "Closed")), ("Priority", PRIORITIES), ("OwnerId", (*OWNERS, "Tier1")),
    ("Subject", ("x",)), ("AccountId", ("a1", "a2")),
)  # fmt: skip
KINDS = ("updated", "updated", "updated", "message", "message", "comment", "related", "agent", "override")

Told = tuple[str, str, str, str, str, str, str]
"""(record, rule, step, action, due, key, target): to whom it went in the end, "" where it waits for somebody."""


def log(random: Random, length: int) -> list[Event]:
    """Return a log in order, on a grid of five minutes, so that instants coincide with each other and with timers."""
    now, cases, lines = START, list[str](), list[Event]()
    for number in range(length):
        now += random.choice((0, 0, 0, 5, 10, 15, 30, 60, 240)) * MINUTE
        if len(cases) < 2 or (len(cases) < 6 and random.random() < 0.15):
            cases.append(f"c{len(cases)}")
            line: dict[str, Any] = {"type": "created", "object": "Case", "id": cases[-1], "changes": creation(random)}
        else:
            line = happening(random, random.choice(cases))
        lines.append(parse_event({"at": format_instant(now), "event_id": f"e{number}"} | line))
    return lines


def creation(random: Random) -> dict[str, Any]:
    """Return the first values of a case."""
    return {
        "Status": "New", "Priority": random.choice(PRIORITIES[:3]), "OwnerId": random.choice(OWNERS),
        "AccountId": random.choice(("a1", "a2")), "ContactEmail": "customer@example.com",
    }  # fmt: skip


def happening(random: Random, case: str) -> dict[str, Any]:
    """Return one event of *case*, or of what it refers to."""
    record = {"object": "Case", "id": case}
    kind = random.choice(KINDS)
    if kind == "updated":
        field, values = random.choice(FIELDS)
        return record | {"type": kind, "changes": {field: random.choice(values)}, "actor": "boss"}
    if kind == "message":
        said = {"direction": random.choice(("in", "out")), "channel": "email", "auto": random.random() < 0.1}
        return record | {"type": kind} | said
    if kind == "related":
        tier = {"Tier": random.choice(("Standard", "Gold"))}
        return {"type": kind, "object": "Account", "id": random.choice(("a1", "a2")), "changes": tier}
    if kind == "agent":
        return {
            "type": kind,
            "id": random.choice(("ann", "bob", "dan", "eve", "fay")),
            "changes": {"presence": random.choice(("online", "away"))},
        }
    if kind == "override":
        action = random.choice(("hold", "release", "release", "pull_back", "reroute"))
        more = {"to": "cat"} if action == "reroute" else {}
        return record | {"type": kind, "action": action, "actor": "boss", "reason": "so"} | more
    return record | {"type": kind, "actor": "boss"}


def by_replay(events: list[Event], until: int) -> set[Told]:
    """Return what a replay that applies its actions plans."""
    history = History(entries=tuple(Entry(event, "log", number) for number, event in enumerate(events, 1)))
    lines = run_replay(history, POLICY, until=until, apply=True, org="acme")
    last = {one.key: one for one in lines if isinstance(one, ActionLine)}
    return {(one.id, one.rule, one.step, one.action, one.due, one.key, one.target) for one in last.values()}


def by_worker(events: list[Event], until: int) -> set[Told]:
    """Return what a punctual worker plans, its effects done as soon as they are planned."""
    sandbox = Sandbox(TEXTS, pace=Pace(act_batch=10_000, fire_batch=10_000, ingest_batch=10_000))
    for at, group in groupby(events, lambda event: event.at):
        play_until(sandbox, at - 1)
        opened = opens_at(sandbox) <= at
        sandbox.clock.set(at)
        sandbox.worker.ingest(list(group), at, source="log", live_from=0)
        instant(sandbox.worker, at, opened=opened)
    play_until(sandbox, until)
    sandbox.worker.close()
    found = [one.action for one in sandbox.effects()]
    return {(one.id, one.rule, one.step, one.kind, format_instant(one.due), one.key, one.target) for one in found}


def play_until(sandbox: Sandbox, until: int) -> None:
    """Let the worker wake at every instant at which anything is due, up to *until*."""
    while True:
        opens, due = opens_at(sandbox), sandbox.worker.next_due()
        now = max(min(opens, NEVER if due is None else due), sandbox.clock.now() + 1)
        if now > until:
            return
        sandbox.worker.act(sandbox.clock.set(now))
        instant(sandbox.worker, now, opened=opens <= now)


def opens_at(sandbox: Sandbox) -> int:
    """Return when somebody may take what waits in the hold queue without any event: a shift, an hour, a day is over."""
    now = sandbox.clock.now()
    with sandbox.store.read() as unit:
        held = unit.outbox.find(EffectFilter(states=("held",), target=""))
        records = unit.records.get([one.record for one in held])
        change = sandbox.engine.next_change(unit.related.agents(), sandbox.worker.policy(unit), now)
    found = [change, *(returns(one.facts, now) for one in records.values())] if held else []
    return min((instant for instant in found if instant is not None), default=NEVER)


def instant(worker: Worker, now: int, *, opened: bool) -> None:
    """Place what waits, fire what is due and send it; what those effects plan waits for the next ms."""
    if opened:
        worker.place_held(now)
    while worker.fire(now).records:
        pass
    worker.act(now)


def compare(seed: int) -> None:
    """Compare both on one log, and half a day after its end."""
    random = Random(seed)
    events = log(random, random.randint(5, 60))
    until = events[-1].at + 12 * HOUR
    replayed, worked = by_replay(events, until), by_worker(events, until)
    assert sorted(worked - replayed) == sorted(replayed - worked) == []


@pytest.mark.parametrize("seed", [*range(40), 1188])
def test_a_punctual_worker_does_what_a_replay_says(seed: int) -> None:
    compare(seed)


@pytest.mark.laws
@pytest.mark.parametrize("seed", range(1000, 2000, 50))
def test_a_punctual_worker_does_what_a_replay_says_on_many_logs(seed: int) -> None:
    for number in range(seed, seed + 50):
        compare(number)
