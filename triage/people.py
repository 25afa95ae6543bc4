"""What a log of events says of how work was given out, picked and pushed about: fairness and signs, for `people`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from msgspec import Struct

from triage.domain.facts import Facts
from triage.domain.work import Event
from triage.errors import TriageError
from triage.observe import is_queue, observe
from triage.policy import Policy, at_work
from triage.routing.figures import Fairness, Given, Pick, fairness
from triage.routing.rank import rank
from triage.routing.wanted import is_urgent, weight_of
from triage.signs import Sign, signs

Key = tuple[str, str]


class Report(Struct, frozen=True, kw_only=True):
    """Fairness, and signs: counted by kind always, with record and person only where people may be shown."""

    fairness: Fairness
    signs: dict[str, int]
    shown: tuple[Sign, ...] = ()
    unread: int = 0


class _Watch:
    """Records as events fold in, and what was given to whom on the way."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.facts: dict[Key, Facts] = {}
        self.events: dict[Key, list[Event]] = {}
        self.queued: dict[str, set[Key]] = {}
        self.given: list[Given] = []
        self.picks: list[Pick] = []
        self.unread = 0

    def fold(self, event: Event) -> None:
        key = (event.object, event.id)
        before = self.facts.get(key)
        try:
            after = observe(before, event, self.policy, {}, "")
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
        agent = next((one for one in self.policy.directory.agents if one.id == owner), None)
        return Given(
            agent=owner, at=at, urgent=is_urgent(fields, self.policy, key[0]),
            weight=weight_of(key[0], fields, self.policy.routing),
            after_hours=agent is not None and not at_work(agent, self.policy.calendars, at),
        )  # fmt: skip


def report(events: Iterable[Event], policy: Policy, scopes: Collection[str]) -> Report:
    """Return what *events*, in time order, say of how work was spread, picked and pushed about."""
    watch = _Watch(policy)
    for event in events:
        if event.type not in ("agent", "related"):
            watch.fold(event)
    found = [sign for told in watch.events.values() for sign in signs(told, policy)]
    even = fairness(watch.given, watch.picks, {}, policy.directory.agents, policy.routing, scopes)
    named = {one.agent for one in even.people}
    return Report(
        fairness=even, signs=dict(sorted(Counter(sign.kind for sign in found).items())),
        shown=tuple(sign for sign in found if sign.actor in named), unread=watch.unread,
    )  # fmt: skip


def _owner(facts: Facts) -> str:
    return str(facts.item.fields.get("owner") or "")
