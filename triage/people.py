"""What a log of events says of how work was given out, picked and pushed about: fairness and signs, for `people`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from triage.domain.facts import Facts
from triage.domain.instant import DAY
from triage.domain.work import Agent, Event, Track
from triage.errors import TriageError
from triage.intake.agent import changed_agent
from triage.observe import is_queue, observe
from triage.policy import Policy, at_work
from triage.ports import Unit
from triage.routing.figures import Fairness, Given, Pick, fairness
from triage.routing.fit import added
from triage.routing.rank import rank
from triage.routing.wanted import is_urgent, money, segments, weight_of
from triage.signs import Sign, signs

Key = tuple[str, str]

_AT_ONCE, _MOST_SKIPS = 1_000, 100_000


class Report(Struct, frozen=True, kw_only=True):
    """Fairness, and signs: counted by kind always, with record and person only where people may be shown."""

    fairness: Fairness
    signs: dict[str, int]
    shown: tuple[Sign, ...] = ()
    unread: int = 0


class _Watch:
    """Records as events fold in, what was given to whom on the way, and what came of it."""

    def __init__(self, policy: Policy, agents: Iterable[Agent] = ()) -> None:
        self.policy = policy
        self.agents = {agent.id: agent for agent in (*policy.directory.agents, *agents)}
        self.tracks: dict[str, dict[str, Track]] = {}
        self.related: dict[Key, dict[str, Any]] = {}
        self.facts: dict[Key, Facts] = {}
        self.events: dict[Key, list[Event]] = {}
        self.queued: dict[str, set[Key]] = {}
        self.given: list[Given] = []
        self.picks: list[Pick] = []
        self.unread = 0

    def tell(self, event: Event) -> None:
        """Fold an `agent` event."""
        try:
            self.agents[event.id] = changed_agent(self.agents.get(event.id), event)
        except TriageError:
            self.unread += 1

    def fold(self, event: Event) -> None:
        """Fold any other event."""
        key = (event.object, event.id)
        before = self.facts.get(key)
        try:
            after = observe(before, event, self.policy, self.related, "")
        except TriageError:
            self.unread += 1
            return
        self.facts[key] = after
        self.events.setdefault(key, []).append(event)
        was = "" if before is None else _owner(before)
        now = _owner(after)
        if now != was:
            self._moved(key, was, now, event)
        if after.item.fields.get("is_closed") is True or after.item.deleted:
            self.queued.get(now, set()).discard(key)
        if after.item.fields.get("is_closed") is True and (before is None or not before.item.fields.get("is_closed")):
            self._ended(after, now, event.at)

    def _ended(self, facts: Facts, owner: str, at: int) -> None:
        """Note how a record ended under *owner*; what ends in a queue is nobody's."""
        if not owner or is_queue(owner, self.policy):
            return
        fields, routing = facts.item.fields, self.policy.routing
        won = bool({str(fields.get("status")), str(fields.get("stage"))} & set(routing.won))
        won = won or fields.get("is_won") is True or fields.get("is_converted") is True
        took = at - facts.item.marks.get("assigned", facts.item.created_at)
        self.tracks[owner] = added(
            self.tracks.get(owner, {}), segments(facts.item.object, fields, routing), won=won,
            value=money(fields, routing) or 0.0, seconds=max(0, took // 1000),
        )  # fmt: skip

    def _moved(self, key: Key, was: str, now: str, event: Event) -> None:
        waiting = self.queued.get(was, set())
        if now and not is_queue(now, self.policy):
            if key in waiting and event.origin == "user" and event.actor == now:
                self.picks.append(self._pick(key, waiting, now, event.at))
            self.given.append(self._given(key, now, event.at))
        waiting.discard(key)
        if now and is_queue(now, self.policy):
            self.queued.setdefault(now, set()).add(key)

    def _pick(self, key: Key, waiting: Collection[Key], agent: str, at: int) -> Pick:
        own = rank(self.facts[key], self.policy, at).score
        above = sum(rank(self.facts[other], self.policy, at).score > own for other in waiting if other != key)
        return Pick(agent=agent, place=above + 1, waiting=len(waiting))

    def _given(self, key: Key, owner: str, at: int) -> Given:
        fields = self.facts[key].item.fields
        agent = self.agents.get(owner)
        return Given(
            agent=owner, at=at, urgent=is_urgent(fields, self.policy, key[0]),
            weight=weight_of(key[0], fields, self.policy.routing),
            after_hours=agent is not None and not at_work(agent, self.policy.calendars, at),
        )  # fmt: skip


def report(
    events: Iterable[Event],
    policy: Policy,
    scopes: Collection[str],
    *,
    agents: Iterable[Agent] = (),
    skips: Mapping[str, int] | None = None,
) -> Report:
    """
    Return what *events*, in time order, say of how work was spread, picked and pushed about.

    Args:
        agents: Who is known besides the directory and the events.
        skips: How many records each of them skipped.
    """
    watch = _watched(events, policy, agents)
    found = [sign for told in watch.events.values() for sign in signs(told, policy)]
    everybody = sorted(watch.agents.values(), key=lambda one: one.id)
    even = fairness(watch.given, watch.picks, skips or {}, everybody, policy.routing, scopes)
    named = {one.agent for one in even.people}
    return Report(
        fairness=even, signs=dict(sorted(Counter(sign.kind for sign in found).items())),
        shown=tuple(sign for sign in found if sign.actor in named), unread=watch.unread,
    )  # fmt: skip


def learned(events: Iterable[Event], policy: Policy, at: int, agents: Iterable[Agent] = ()) -> list[Event]:
    """
    Return `agent` events of instant *at* that tell how everybody's ended records of *events* came out.

    For matching alone: nothing in them is shown to anybody. They replace what was known before, so that learning the
    same again changes nothing. Whoever is neither in the directory, nor among *agents* or the events, is nobody.
    """
    watch = _watched(events, policy, agents)
    return [
        Event(
            at=at, type="agent", event_id=f"track/{name}/{at}", id=name, origin="system",
            changes={"track": {about: _plain(one) for about, one in sorted(track.items())}},
        )
        for name, track in sorted(watch.tracks.items())
        if name in watch.agents
    ]  # fmt: skip


def kept_events(unit: Unit) -> list[Event]:
    """Return every event about a record that the store has kept, in time order."""
    found = [event for key in _keys(unit) for event in unit.intake.events(key)]
    return sorted(found, key=lambda event: event.at)


def skipped(unit: Unit, now: int) -> dict[str, int]:
    """Return how many records each person has skipped in the last 90 days."""
    lines = unit.audit.lines(event="skipped", last=True, limit=_MOST_SKIPS)
    return dict(Counter(line.entry.actor for line in lines if line.entry.at > now - 90 * DAY))


def _watched(events: Iterable[Event], policy: Policy, agents: Iterable[Agent]) -> _Watch:
    watch = _Watch(policy, agents)
    for event in events:
        if event.type == "agent":
            watch.tell(event)
        elif event.type == "related":
            target = (event.object, event.id)
            watch.related[target] = watch.related.get(target, {}) | event.changes
        else:
            watch.fold(event)
    return watch


def _keys(unit: Unit) -> Iterator[str]:
    after = ""
    while keys := unit.records.keys(after=after, limit=_AT_ONCE, only_open=False):
        yield from keys
        after = keys[-1]


def _plain(track: Track) -> dict[str, float]:
    return {"n": track.n, "won": track.won, "value": round(track.value, 2), "seconds": track.seconds}


def _owner(facts: Facts) -> str:
    return str(facts.item.fields.get("owner") or "")
