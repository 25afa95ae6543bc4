"""What is still to happen: the organisation's events, less what people's reactions have made superfluous."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable

from triage.domain.decision import Action
from triage.domain.work import Event
from triage.sample.organisation import Organisation
from triage.sample.reactions import react

_CLOSED = {
    "Status": frozenset({"Closed", "Qualified", "Unqualified"}),
    "StageName": frozenset({"Closed Won", "Closed Lost"}),
}


class Script:
    """
    The events of an organisation as they come due, with reactions woven in.

    Once somebody has begun to work on a record because of an escalation, the record's own story is over: what it still
    held does not happen. A record has one such reaction at a time. Fed with nothing, the script is the plain story.
    """

    def __init__(self, organisation: Organisation) -> None:
        self._seed = organisation.seed
        self._end = organisation.end
        self._queue: list[tuple[int, int, Event, bool]] = [
            (event.at, number, event, False) for number, event in enumerate(organisation.events)
        ]
        self._count = len(self._queue)
        self._expected: dict[str, int] = {}
        self._helped: set[str] = set()
        self._closed: set[str] = set()

    @property
    def next_at(self) -> int | None:
        """The instant of the next event, None where the script has ended."""
        return self._queue[0][0] if self._queue else None

    def take(self, upto: int) -> tuple[Event, ...]:
        """Return the events up to and including *upto*, in order, and forget them."""
        taken = []
        while self._queue and self._queue[0][0] <= upto:
            _, _, event, reaction = heapq.heappop(self._queue)
            if self._happens(event, reaction):
                taken.append(event)
        return tuple(taken)

    def feed(self, actions: Iterable[Action], at: int) -> int:
        """Let people react to *actions*, done at *at*; return how many events that adds. Order does not matter."""
        added = 0
        for action in sorted(actions, key=lambda one: (one.due, one.key)):
            if action.id in self._expected or action.id in self._closed:
                continue
            events = react(action, at, random.Random(f"{self._seed}/{action.key}"))
            if events:
                self._expected[action.id] = len(events)
            for event in events:
                if event.at < self._end:
                    self._count += 1
                    heapq.heappush(self._queue, (event.at, self._count, event, True))
                    added += 1
        return added

    def _happens(self, event: Event, reaction: bool) -> bool:
        """Decide whether *event* still happens, and remember what follows from it."""
        if not event.object or event.type == "related":
            return True
        if reaction:
            return self._reaction_happens(event)
        if event.id in self._helped:
            return False
        self._note_closing(event)
        return True

    def _reaction_happens(self, event: Event) -> bool:
        self._expected[event.id] -= 1
        if self._expected[event.id] == 0:
            del self._expected[event.id]
        if event.id in self._closed:
            return event.type == "message"
        if event.type in ("message", "activity"):
            self._helped.add(event.id)
        self._note_closing(event)
        return True

    def _note_closing(self, event: Event) -> None:
        for name, closed in _CLOSED.items():
            if name in event.changes:
                (self._closed.add if event.changes[name] in closed else self._closed.discard)(event.id)
