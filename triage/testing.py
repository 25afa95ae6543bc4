"""
Seams that live in memory, for your tests and ours: a clock moved by hand, a sink that remembers, a store of dicts.

`Sandbox` puts them together around the real engine. `SMALL_POLICY` is a policy of a few lines to begin with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from triage.domain.decision import Action, AuditEntry
from triage.domain.facts import Facts
from triage.domain.message import UNWRITTEN, Message
from triage.domain.work import Event, Scores, Value, WorkItem
from triage.engine import PureEngine
from triage.errors import TriageError
from triage.ports import Effect, EffectFilter, Receipt, Scorer, State, Store
from triage.publishing import Published, publish
from triage.sending import Pace
from triage.store.memory import MemoryStore
from triage.taken import Ingested
from triage.worker import Worker

__all__ = ["SMALL_POLICY", "FixedScorer", "ManualClock", "MemoryStore", "RecordingSink", "Sandbox"]

START = 1_772_442_000_000
"""2026-03-02T09:00:00Z, a Monday: where a sandbox begins."""

SMALL_POLICY = {
    "fields.yaml": """
objects:
  Case:
    closed_when:
      - status == Closed
    fields:
      status: {from: Status, values: [New, Working, Closed]}
      priority: {from: Priority, values: [Low, Medium, High], ordered: true}
      owner: OwnerId
    related:
      account:
        object: Account
        by: AccountId
        fields:
          tier: {from: Tier__c, values: [Standard, Gold], ordered: true}
""",
    "people.yaml": """
directory:
  queues: [Tier2]
  pools: [seniors]
templates:
  late: {subject: "late", body: "it is late"}
safety:
  recipient_domains: [example.com]
  caps:
    rule: {per_5_minutes: 0, per_day: 0}
    recipient: {per_5_minutes: 0, per_day: 0}
    organisation: {per_5_minutes: 0, per_day: 0}
""",
    "rules.yaml": """
object: Case
match: all_matches
rules:
  - id: age-1h
    when:
      - age >= 1h
    do:
      - reprioritise: {raise: 1}
  - id: high-3h
    when:
      - priority == High
      - age >= 3h
    do:
      - reassign: {to: {queue: Tier2}}
      - notify: {who: "address:boss@example.com", template: late}
  - id: gold-2h
    when:
      - account.tier == Gold
      - age >= 2h
    do:
      - reassign: {to: {pool: seniors}, require: [present]}
""",
}
"""Cases rise at one hour, go to Tier2 at three where High, and a Gold account's to a senior at two."""


class FixedScorer:
    """
    A scorer that says the same of every record, or what *by_id* says of that one, of the families that are wanted.

    `asked` counts its items, `wanted` keeps the families of each call, `seen` the items; *fault* is raised while set.
    """

    def __init__(
        self, scores: Scores | None = None, by_id: Mapping[str, Scores] | None = None, **values: Value
    ) -> None:
        """Give *scores* as they are, or *values* by field name, with two underscores for the dot."""
        named = {name.replace("__", "."): value for name, value in values.items()}
        versions = {name.partition(".")[0]: "fixed" for name in named}
        self._scores = scores or Scores(values=named, model_versions=versions)
        self._by_id = dict(by_id or {})
        self.fault: TriageError | None = None
        self.asked = 0
        self.wanted: list[tuple[str, ...]] = []
        self.seen: list[tuple[WorkItem, Sequence[Event]]] = []

    def score(
        self, items: Sequence[tuple[WorkItem, Sequence[Event]]], now: int, wanted: Collection[str] = ()
    ) -> list[Scores]:
        """Return the fixed scores of each item."""
        if self.fault is not None:
            raise self.fault
        self.asked += len(items)
        self.wanted.append(tuple(sorted(wanted)))
        self.seen += items
        return [_of_families(self._by_id.get(item.id, self._scores), wanted) for item, _ in items]


def _of_families(scores: Scores, wanted: Collection[str]) -> Scores:
    if not wanted:
        return scores
    return Scores(
        values={name: value for name, value in scores.values.items() if name.partition(".")[0] in wanted},
        model_versions={name: one for name, one in scores.model_versions.items() if name in wanted},
        reasons={name: why for name, why in scores.reasons.items() if name in wanted},
    )


class ManualClock:
    """A clock that stands until it is moved; waiting moves it."""

    def __init__(self, now: int = 0) -> None:
        self._now = now
        self._lock = threading.Lock()

    def now(self) -> int:
        """Return the instant it was moved to."""
        return self._now

    def wait(self, millis: int) -> None:
        """Move on by *millis*."""
        self.move(millis)

    def wake(self) -> None:
        """Do nothing: nobody waits."""

    def move(self, millis: int) -> int:
        """Move on by *millis* ms and return the instant."""
        with self._lock:
            self._now += millis
            return self._now

    def set(self, instant: int) -> int:
        """Stand at *instant*."""
        self._now = instant
        return instant


class RecordingSink:
    """A sink that remembers every call. *answer*, where given, may raise what the other side would."""

    def __init__(
        self, answer: Callable[[Action], None] | None = None, *, live: bool = True, name: str = "recording"
    ) -> None:
        self.name = name
        self.live = live
        self.calls: list[Action] = []
        self.messages: list[Message] = []
        self.done: dict[str, Action] = {}
        self._answer = answer
        self._lock = threading.Lock()

    def remembers(self, action: Action) -> bool:
        """Return True: a key is done once."""
        return True

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """Remember *action* and *message*; `already` where its key was done before."""
        with self._lock:
            self.calls.append(action)
            self.messages.append(message)
        if self._answer is not None:
            self._answer(action)
        with self._lock:
            already = action.key in self.done
            self.done.setdefault(action.key, action)
        return Receipt(already=already)

    def close(self) -> None:
        """Hold nothing, so let go of nothing."""


class Sandbox:
    """A whole worker in memory: the real engine, a store of dicts, a clock moved by hand, a sink that remembers."""

    def __init__(
        self,
        texts: Mapping[str, str] | None = None,
        *,
        virtual: bool = True,
        store: Store | None = None,
        answer: Callable[[Action], None] | None = None,
        pace: Pace | None = None,
        scorer: Scorer | None = None,
    ) -> None:
        """Publish *texts* (`SMALL_POLICY`) at the start; *virtual*: every rule acts."""
        self.clock = ManualClock(START)
        self.sink = RecordingSink(answer, live=not virtual)
        self.store = store or MemoryStore("acme")
        self.engine = PureEngine()
        self.worker = Worker(self.store, self.sink, self.engine, self.clock, name="w", pace=pace, scorer=scorer)
        self._numbers = 0
        self.publish(texts or SMALL_POLICY, virtual=virtual)

    def worker_of(self, name: str) -> Worker:
        """Return another worker, called *name*, on the same store, sink and clock."""
        return Worker(self.store, self.sink, self.engine, self.clock, name=name)

    def publish(self, texts: Mapping[str, str], *, virtual: bool = True) -> Published:
        """Make *texts* the policy in force now."""
        return publish(self.store, self.engine, texts, self.clock.now(), actor="tester", virtual=virtual)

    def event(self, kind: Any, identity: str, **given: Any) -> Event:
        """Return an event that happens now to case *identity*, under an id of its own."""
        self._numbers += 1
        named: dict[str, Any] = {"at": self.clock.now(), "object": "" if kind == "agent" else "Case"}
        return Event(**(named | {"type": kind, "event_id": f"e{self._numbers}", "id": identity} | given))

    def happen(self, kind: Any, identity: str, **given: Any) -> Ingested:
        """Take in one event that happens now."""
        return self.worker.ingest([self.event(kind, identity, **given)], self.clock.now(), source="test", live_from=0)

    def create(self, *identities: str, **changes: Any) -> Ingested:
        """Take in new cases, of low priority and with an owner where *changes* (by CRM name) do not say otherwise."""
        given = {"Status": "New", "Priority": "Low", "OwnerId": "005A"} | changes
        events = [self.event("created", identity, changes=given) for identity in identities]
        return self.worker.ingest(events, self.clock.now(), source="test", live_from=0)

    def after(self, millis: int) -> int:
        """Move on by *millis*, do all that is due, and return how many effects were done."""
        return self.worker.drain(self.clock.move(millis))

    def effects(self, *states: State, rule: str = "") -> list[Effect]:
        """Return the effects in *states* (none: all), in the order in which they were planned."""
        with self.store.read() as unit:
            return unit.outbox.find(EffectFilter(states=states, rule=rule))

    def audit(self, event: str = "") -> list[AuditEntry]:
        """Return the audit lines that say *event* ("": all)."""
        with self.store.read() as unit:
            return [line.entry for line in unit.audit.lines(event=event)]

    def facts(self, identity: str) -> Facts:
        """Return what is known of case *identity*."""
        with self.store.read() as unit:
            return unit.records.get([f"Case/{identity}"])[f"Case/{identity}"].facts

    def agent(self, identity: str, **changes: Any) -> Ingested:
        """Let agent *identity* change now."""
        return self.happen("agent", identity, changes=changes)

    def load(self, identity: str) -> int:
        """Return how much work agent *identity* holds."""
        with self.store.read() as unit:
            return next(agent.load for agent in unit.related.agents() if agent.id == identity)
