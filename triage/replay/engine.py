"""
The clock of a replay: events in order, each record's crossings between them, and what was decided, as lines.

The same `observe` and `decide` as the worker, and nothing else: no store, no clock, no I/O once the history is read.
At one instant all events come first, in file order, then a record is decided once, then the timers of that instant.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from triage.actions.effects import effect_event
from triage.domain.decision import Action
from triage.domain.instant import format_instant
from triage.domain.work import Event
from triage.errors import IntakeError, TriageError
from triage.pipeline import after, decide
from triage.policy import Policy
from triage.replay.lines import ActionLine, Line, MilestoneLine, action_line, milestone_lines
from triage.replay.source import Entry, History, kind_of, open_history
from triage.replay.table import FileCount, Refusal
from triage.replay.waiting import Waiting
from triage.replay.world import Kept, World
from triage.routing.wanted import Burden, reserved
from triage.store.outbox import LANES

Progress = Callable[[int, int], None]
"""Hears how many events have been replayed, of how many."""

LONGEST_CHAIN = 10
"""Rounds of effects that follow from effects, one ms apart, after which a loop of rules is cut and counted."""
_STEP = 1000


class Failure(Struct, frozen=True):
    """A record that could not be decided at a timer: it is left as it was, and no timer of it runs any more."""

    object: str
    id: str
    at: str
    reason: str


class EventCount(Struct, frozen=True, kw_only=True):
    """Events read = replayed + refused + after_until."""

    read: int
    replayed: int
    refused: int
    after_until: int


class Summary(Struct, frozen=True, kw_only=True):
    """
    The account of a replay.

    `files`: lines of each file, rows = used + refused. `events`: what came of them. `refused` counts both kinds by
    reason. `actions` counts lines by status, `effects` those fed back, `cut` the effects of rules that ran in a circle.
    """

    policy: str
    begin: str | None
    until: str | None
    files: dict[str, FileCount]
    events: EventCount
    refused: dict[str, int]
    records: int
    decisions: int
    actions: dict[str, int]
    rules: dict[str, int]
    effects: int
    cut: int
    late: int
    inconsistencies: int
    compared: dict[str, int]
    skipped: dict[str, str]
    failed: tuple[Failure, ...]


def run_replay(
    source: History | Path | str,
    policy: Policy,
    *,
    until: int | None = None,
    apply: bool = False,
    milestones: bool = False,
    on_progress: Progress | None = None,
    org: str = "default",
) -> Replayed:
    """
    Return the replay of *source* under *policy*: iterate over it for its lines, then ask for its summary.

    Args:
        until: Last instant that is played (ms UTC); default the last event that can be used.
        apply: Feed the effects of planned actions back as events of origin triage; else history alone moves records.
        milestones: Let a line for each run of a milestone follow the actions.
        org: Enters the actions' keys.

    Raises:
        IntakeError: *source* cannot be opened.
    """
    history = source if isinstance(source, History) else open_history(source, policy)
    return Replayed(history, policy, until, apply=apply, milestones=milestones, on_progress=on_progress, org=org)


class Replayed:
    """
    A replay under way. Iterating plays it once and yields its lines; all else finishes it first where need be.

    Lines come by `at`; those of one instant by file order of the events, then by creation of the records.
    """

    def __init__(
        self,
        history: History,
        policy: Policy,
        until: int | None,
        *,
        apply: bool,
        milestones: bool,
        on_progress: Progress | None,
        org: str,
    ) -> None:
        self.policy = policy
        self.refused: list[Refusal] = list(history.refused)
        self._history = history
        self._apply = apply
        self._milestones = milestones
        self._progress = on_progress
        self._world = World(policy, org)
        self._waiting = Waiting(policy)
        self._timers: list[tuple[int, int, Kept]] = []
        self._effects: list[tuple[int, int, int, Event, tuple[str, Burden]]] = []
        self._keys: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._rules: Counter[str] = Counter()
        self._failed: list[Failure] = []
        self._entries = self._usable(until)
        self.until = until if until is not None or not self._entries else self._entries[-1].event.at
        self._play = self._lines()

    def __iter__(self) -> Iterator[Line]:
        return self._play

    def summary(self) -> Summary:
        """Return the account of the whole replay."""
        self._finish()
        history = self._history
        refused = len(self.refused) - len(history.refused)
        read, beyond = len(history.entries), self._counts["after_until"]
        events = EventCount(read=read, replayed=self._counts["replayed"], refused=refused, after_until=beyond)
        first = self._entries[0].event.at if self._entries else None
        return Summary(
            policy=self.policy.digest,
            begin=None if first is None else format_instant(first),
            until=None if self.until is None else format_instant(self.until),
            files=history.files,
            events=events,
            refused=dict(sorted(Counter(map(kind_of, self.refused)).items())),
            records=len(self._world.records),
            decisions=self._counts["decisions"],
            actions=dict(sorted(self._statuses.items())),
            rules=dict(sorted(self._rules.items())),
            effects=self._counts["effects"],
            cut=self._counts["cut"],
            late=history.late,
            inconsistencies=history.inconsistencies,
            compared=history.compared,
            skipped=history.skipped,
            failed=tuple(self._failed),
        )

    def milestone_lines(self) -> Iterator[MilestoneLine]:
        """Yield each run of each milestone as it stands at the end, by creation of the records."""
        for kept in self.records():
            yield from milestone_lines(kept.facts, self.policy, self.until or 0)

    def records(self) -> Iterator[Kept]:
        """Yield the records as they stand at the end, in the order of their creation."""
        self._finish()
        return iter(self._world)

    def _finish(self) -> None:
        for _ in self._play:
            pass

    def _usable(self, until: int | None) -> list[Entry]:
        """Return the entries to play; whatever could be of no use is refused, before it can move the clock."""
        usable = []
        created: set[tuple[str, str]] = set()
        for entry in self._history.entries:
            event = entry.event
            if until is not None and event.at > until:
                self._counts["after_until"] += 1
                continue
            reason = self._world.takes(event)
            if not reason and event.type not in ("agent", "related"):
                record = (event.object, event.id)
                if event.type == "created":
                    reason = "created a second time" if record in created else ""
                    created.add(record)
                elif record not in created:
                    reason = f"{event.type} event of a record that was never created"
            if reason:
                self._refuse(entry, reason)
            else:
                usable.append(entry)
        return usable

    def _lines(self) -> Iterator[Line]:
        """Play every instant that matters, in order."""
        position = 0
        while (now := self._next_instant(position)) is not None:
            begin = position
            while position < len(self._entries) and self._entries[position].event.at == now:
                position += 1
            yield from self._instant(now, self._entries[begin:position])
            if self._progress is not None and position // _STEP != begin // _STEP:
                self._progress(position, len(self._entries))
        if self._progress is not None:
            self._progress(len(self._entries), len(self._entries))
        if self._milestones:
            for kept in self._world:
                yield from milestone_lines(kept.facts, self.policy, self.until or 0)

    def _next_instant(self, position: int) -> int | None:
        """Return the next instant of an event, an effect or a timer; None after the last one to be played."""
        timers = self._timers
        while timers and timers[0][2].due != timers[0][0]:
            heapq.heappop(timers)
        instants = [heap[0][0] for heap in (timers, self._effects) if heap]
        if position < len(self._entries):
            instants.append(self._entries[position].event.at)
        if self._waiting.opens_at is not None:
            instants.append(self._waiting.opens_at)
        now = min(instants, default=None)
        return None if now is None or self.until is None or now > self.until else now

    def _instant(self, now: int, entries: list[Entry]) -> list[ActionLine]:
        """Return the lines of one instant: events, decisions, timers; then effects, and whom they reached once more."""
        lines: list[ActionLine] = []
        touched: dict[int, Kept] = {}
        own: dict[int, list[Entry]] = {}
        for entry in entries:
            self._fold(entry, touched, own)
        depths = self._fold_effects(now, touched)
        planned: list[tuple[Action, int]] = []
        for kept in touched.values():
            lines += self._decide(kept, now, own.get(kept.place, ()), planned, depths.get(kept.place, 0))
        lines += self._place(now, planned)
        while self._timers and self._timers[0][0] == now:
            kept = heapq.heappop(self._timers)[2]
            if kept.due == now:
                lines += self._decide(kept, now, (), planned, 0)
        lines += self._place(now, planned)
        if not self._apply or not planned:
            return lines
        self._queue(planned, now)
        again: dict[int, Kept] = {}
        depths = self._fold_effects(now, again)
        planned = []
        for kept in again.values():
            lines += self._decide(kept, now, (), planned, depths.get(kept.place, 0))
        lines += self._place(now, planned)
        self._queue(planned, now + 1)
        return lines

    def _fold(self, entry: Entry, touched: dict[int, Kept], own: dict[int, list[Entry]]) -> None:
        try:
            records = self._world.fold(entry.event)
        except TriageError as fault:
            self._refuse(entry, fault.reason if isinstance(fault, IntakeError) else str(fault))
            return
        self._counts["replayed"] += 1
        if entry.event.type == "agent":
            self._waiting.moved(entry.event.id)
        touched |= {kept.place: kept for kept in records}
        if records and entry.event.type not in ("agent", "related"):
            own.setdefault(records[0].place, []).append(entry)

    def _decide(
        self, kept: Kept, now: int, entries: Sequence[Entry], planned: list[tuple[Action, int]], depth: int
    ) -> list[ActionLine]:
        """Decide one record; where that cannot be done its events of this instant are refused and taken back."""
        agents = self._world.agents.snapshot()
        try:
            decision = decide(replace(kept.facts, agents=agents) if agents else kept.facts, self.policy, now)
        except TriageError as fault:
            self._give_up(kept, now, entries, str(fault))
            return []
        self._counts["decisions"] += 1
        kept.facts = kept.settled = after(kept.facts, decision)
        kept.due = None if decision.next_at is None else max(decision.next_at, now + 1)
        if kept.due is not None:
            heapq.heappush(self._timers, (kept.due, kept.place, kept))
        return [self._noted(action, kept, planned, depth) for action in decision.actions if self._is_new(action)]

    def _place(self, now: int, planned: list[tuple[Action, int]]) -> list[ActionLine]:
        """Return the lines of what nobody could take so far and somebody can now: each its key's second line."""
        placed = self._waiting.place(self._world.agents.snapshot(), now)
        return [self._noted(action, kept, planned, 0) for action, kept in placed]

    def _is_new(self, action: Action) -> bool:
        """A key happens once, as in the store: the first word about it stands."""
        if action.key in self._keys:
            return False
        self._keys.add(action.key)
        return True

    def _noted(self, action: Action, kept: Kept, planned: list[tuple[Action, int]], depth: int) -> ActionLine:
        self._statuses[action.status] += 1
        self._waiting.noted(action, kept, self._world.agents.snapshot())
        if action.status == "planned":
            self._rules[action.rule] += 1
            kept.acted.append(action.at)
            planned.append((action, depth))
            if self._apply:
                self._world.agents.reserve(*_taker(action), action.at)
        return action_line(action)

    def _give_up(self, kept: Kept, now: int, entries: Sequence[Entry], reason: str) -> None:
        self._world.take_back(kept)
        if kept.settled is None or not entries:
            kept.due = None
        self._counts["replayed"] -= len(entries)
        for entry in entries:
            self._refuse(entry, reason)
        if not entries:
            item = kept.facts.item
            self._failed.append(Failure(item.object, item.id, format_instant(now), reason))

    def _queue(self, planned: list[tuple[Action, int]], at: int) -> None:
        """Put what *planned* change among the events to come at *at*; the last in a lane counts."""
        last = {_lane(action): action.key for action, _ in planned}
        for action, depth in planned:
            event = effect_event(action, self.policy, at)
            overtaken = last[_lane(action)] != action.key
            if event is None or overtaken or depth >= LONGEST_CHAIN:
                self._world.agents.free(*_taker(action))
                self._counts["cut"] += event is not None and not overtaken
                continue
            heapq.heappush(self._effects, (at, self._counts["queued"], depth + 1, event, _taker(action)))
            self._counts["queued"] += 1

    def _fold_effects(self, now: int, touched: dict[int, Kept]) -> dict[int, int]:
        """Apply the effects that come at *now*; return how long a chain of effects each record stands in."""
        depths: dict[int, int] = {}
        while self._effects and self._effects[0][0] <= now:
            _, _, depth, event, taker = heapq.heappop(self._effects)
            self._world.agents.free(*taker)
            records = self._world.fold(event)
            self._counts["effects"] += 1
            touched |= {kept.place: kept for kept in records}
            depths[records[0].place] = depth
        return depths

    def _refuse(self, entry: Entry, reason: str) -> None:
        event = entry.event
        named = reason if entry.line else f"{reason} (row {event.event_id})"
        self.refused.append(Refusal(entry.file, entry.line, event.id, named))


def _lane(action: Action) -> tuple[str, str, str]:
    """Return what an action overtakes others in: one record's owner, its priority, or nothing but itself."""
    return action.object, action.id, LANES.get(action.kind, action.key)


def _taker(action: Action) -> tuple[str, Burden]:
    """Return who will hold the record once *action* is done, "" for nobody new, and what it counts for."""
    name = action.target.removeprefix("user:") if action.kind == "reassign" else ""
    return name, reserved(action.params)
