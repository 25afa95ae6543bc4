"""
One organisation's events, handed on in order: the first sync in bulk, then change events, else polling.

What has been read is kept with the events themselves, as a cursor of the source: a crash goes on where it stopped, and
what is read twice changes nothing, since every event has an id of its own. Gaps are read again by SystemModstamp.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Protocol

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from triage.domain.instant import MINUTE, SECOND
from triage.domain.work import Event
from triage.errors import LoginRefused, ReplayLost, SalesforceError, SessionExpired, StoreError
from triage.ports import Clock, Journal, SourceState, Unit
from triage.salesforce import translate
from triage.salesforce.changes import Changed, Stream
from triage.salesforce.client import Client
from triage.salesforce.describe import MILESTONES
from triage.salesforce.presence import Presence
from triage.salesforce.reading import CHILDREN, OVERLAP, Reader
from triage.taken import Ingested

SOURCE = "salesforce"
POLL_EVERY = 30 * SECOND
WAIT = SECOND
LOST_AGAIN = 5 * SECOND
_DELETIONS = ("DELETE", "GAP_DELETE")


class Door(Protocol):
    """Where events go in: `triage.intaking.Door`."""

    def take(self, events: Iterable[Any], source: str, now: int, *, live_from: int | None = None) -> Ingested:
        """Return what became of *events*, all of which are stored or refused by now."""

    def state(self, name: str) -> SourceState | None:
        """Return how far a source has been read."""

    def write(self, change: Callable[[Unit], None]) -> None:
        """Store *change* in a transaction of its own."""


class Position(Struct, frozen=True, kw_only=True):
    """How far an organisation has been read: change events up to `replay`, rows of each object up to an instant."""

    replay: str = ""
    upto: dict[str, int] = field(default_factory=dict)
    synced: tuple[str, ...] = ()


class Feed:
    """Reads one organisation into one door. One thread runs it."""

    def __init__(
        self,
        client: Client,
        reader: Reader,
        door: Door,
        clock: Clock,
        *,
        events: bool = True,
        presence: Presence | None = None,
        journal: Journal | None = None,
        live_from: int | None = None,
        every: int = POLL_EVERY,
        seen: Callable[[Collection[str]], object] = len,
        besides: Callable[[int], object] | None = None,
    ) -> None:
        """
        Args:
            every: How often, in ms, what has no change events is read: comments, and who is there.
            events: Read change events; without, everything is polled.
            live_from: As in `Worker.ingest`: what was true before is backlog.
            besides: Called in each round with the instant: what else is looked after in the organisation.
            seen: Hears the keys of actions of ours that the organisation shows as done, before their change is told.
        """
        self._client = client
        self._reader = reader
        self._door = door
        self._clock = clock
        self._events = events
        self._presence = presence
        self._journal = journal
        self._live_from = live_from
        self._every = every
        self._seen = seen
        self._besides = besides
        self._latest: dict[str, frozenset[str]] = {}
        self._stream: Stream | None = None
        self._polled_at = self._present_at = 0
        self.taken = Ingested()
        state = door.state(SOURCE)
        self.position = msgspec.json.decode(state.cursor, type=Position) if state and state.cursor else Position()

    def run(self, stop: threading.Event) -> None:
        """Read until *stop* is set; an organisation or a store that cannot be reached is waited for."""
        with contextlib.closing(self):
            while not stop.is_set():
                try:
                    self.begin()
                    self.round(WAIT)
                except (SalesforceError, StoreError) as fault:
                    self._tell("salesforce_unread", "error", fault=str(fault))
                    self._drop_stream()
                    self._clock.wait(LOST_AGAIN)
                if not self._events:
                    self._clock.wait(WAIT)

    def begin(self, progress: Callable[[str, int], None] | None = None) -> None:
        """Subscribe, and read every object that has not been read yet; *progress* hears of each page."""
        self._subscribe()
        for name in self._reader.objects:
            if name not in self.position.synced:
                self._sync(name, progress)

    def round(self, wait: int = 0) -> int:
        """Take in what has changed, waiting at most *wait* ms for a change event; return how many events that were."""
        before = self.taken.read
        now = self._clock.now()
        if self._events:
            # First, as comments and loads may speak of records that are new here.
            self._pull(wait)
        if not self._events or not 0 <= now - self._polled_at < self._every:
            self._polled_at = now
            self.poll(self._unannounced() if self._events else self._reader.objects)
        if self._presence is not None and not 0 <= now - self._present_at < self._every:
            self._present_at = now
            self._take(self._presence.events(now))
        if self._besides is not None:
            self._besides(now)
        return self.taken.read - before

    def poll(self, names: Iterable[str]) -> None:
        """Read what has changed in *names* since the last row read, a little earlier for safety."""
        upto = dict(self.position.upto)
        for name in names:
            since = max(0, self.position.upto.get(name, 0) - OVERLAP)
            seen, found = self._latest.get(name, frozenset()), set()
            for page in self._reader.poll(name, since, fresh_after=since):
                refused = self._take(event for event in page.events if event.event_id not in seen)
                upto[name] = max(upto.get(name, 0), page.upto)
                # What was refused is told again within the overlap: its record may be on its way.
                found |= set() if refused else {event.event_id for event in page.events}
            self._latest[name] = frozenset(found)
        if upto != self.position.upto:
            self._keep(replace(self.position, upto=upto))

    def look_again(self) -> None:
        """Read in the next round, however soon, what has no change events."""
        self._polled_at = self._present_at = 0

    def close(self) -> None:
        """End the subscription."""
        self._drop_stream()

    def _unannounced(self) -> tuple[str, ...]:
        """Return the objects that have no change events."""
        return tuple(name for name in self._reader.objects if name in ("CaseComment", MILESTONES))

    def _subscribe(self) -> None:
        """Subscribe; where that is from now on, read what has happened before to the objects that are known."""
        if self._events and self._stream is None:
            self._stream = Stream(self._client, after=bytes.fromhex(self.position.replay))
            if not self.position.replay and self.position.synced:
                self.poll(self.position.synced)

    def _drop_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _sync(self, name: str, progress: Callable[[str, int], None] | None) -> None:
        """Read all of one object; a sync that was cut short begins anew, and what was taken in is known by its id."""
        count, upto = 0, self._clock.now()

        def came(rows: int) -> None:
            nonlocal count
            count += rows
            if progress is not None:
                progress(name, count)
            self._tell("salesforce_sync", object=name, rows=count)

        for page in self._reader.sync(name, came):
            self._take(page.events)
        position = replace(self.position, upto={**self.position.upto, name: upto}, synced=(*self.position.synced, name))
        self._keep(position)

    def _pull(self, wait: int) -> None:
        """Take in the change events that have come, until none has."""
        self._subscribe()
        while self._stream is not None:
            try:
                batch = self._stream.take(wait)
            except ReplayLost as fault:
                self._resync(str(fault))
                return
            except SessionExpired:
                self._renew()
                continue
            except LoginRefused as fault:
                self._tell("salesforce_polls", "warning", fault=str(fault))
                self._drop_stream()
                self._events = False
                return
            if batch is None:
                return
            first = not self.position.replay
            if batch.events:
                self._take_changes(batch.events)
            self._keep(replace(self.position, replay=batch.replay.hex(), upto=self._later(batch.events)))
            wait = 0
            if first:
                # Nobody said when a subscription from now on began: what changed since the first sync is read again.
                self.poll(self.position.synced)

    def _renew(self) -> None:
        """Go on with a new session; a stream that had not said yet where it was begins from now on."""
        if self._stream is not None and self.position.replay:
            self._stream.again()
            return
        token, _, _ = self._client.access()
        self._client.refresh(token)
        self._drop_stream()
        self._subscribe()

    def _later(self, events: list[Changed]) -> dict[str, int]:
        upto = dict(self.position.upto)
        for one in events:
            name = one.header["entityName"]
            if name in upto:
                upto[name] = max(upto[name], int(one.header["commitTimestamp"]))
        return upto

    def _take_changes(self, events: list[Changed]) -> None:
        """Take in *events* in order; records whose event does not say what happened are read again in its place."""
        own = [one for one in events if one.ours and one.header["entityName"] in self._reader.specs]
        logged = self._reader.own_writes({identity for one in own for identity in one.header["recordIds"]})
        events = self._labelled(events)
        found: list[Event] = []
        for one in events:
            name, kind = one.header["entityName"], one.header["changeType"]
            if kind == "GAP_OVERFLOW":
                self._take(found)
                found = []
                self._tell("salesforce_gap", "warning", object=name)
                self.poll([name] if name in self._reader.objects else self._reader.objects)
            elif name in self._reader.objects:
                found += self._told(one, name, kind, logged)
        self._take(found)

    def _labelled(self, events: list[Changed]) -> list[Changed]:
        """Return *events* with the labels of references that changed: they tell ids, and criteria compare labels."""
        wanted: dict[str, set[str]] = {}
        for one in events:
            name, told = one.header["entityName"], one.header["changeType"] in ("CREATE", "UPDATE")
            if told and self._reader.points(name, one.values):
                wanted.setdefault(name, set()).update(one.header["recordIds"])
        rows = {name: self._reader.labels(name, ids) for name, ids in wanted.items()}

        def labelled(one: Changed) -> Changed:
            name, ids = one.header["entityName"], one.header["recordIds"]
            if not ids or ids[0] not in wanted.get(name, ()):
                return one
            return one._replace(values=self._reader.labelled(name, one.values, rows[name].get(ids[0], {})))

        return list(map(labelled, events))

    def _told(self, one: Changed, name: str, kind: str, logged: dict[str, translate.Own]) -> Iterator[Event]:
        identities = one.header["recordIds"]
        if kind.startswith("GAP_") or kind in _DELETIONS or one.partial:
            yield from self._reader.reread(name, identities)
            return
        if name in self._reader.specs:
            last = logged.get(identities[0]) if one.ours and identities else None
            yield from translate.changed(one.header, one.values, self._reader.specs[name], self._reader.known, last)
        values = self._reader.related_values(name, one.values)
        for identity in identities if values else ():
            at, mark = int(one.header["commitTimestamp"]), f"{identity}/{one.header['transactionKey']}/related"
            yield translate.related(name, identity, values, at, mark)
        if name in CHILDREN:
            yield from self._child(name, kind, one)

    def _child(self, name: str, kind: str, one: Changed) -> Iterator[Event]:
        """Yield the mail or activity of a change event; a task is contact from the moment when it is completed."""
        if kind == "CREATE":
            rows = [{**one.values, "Id": identity} for identity in one.header["recordIds"]]
            found = [self._reader.child(name, row) for row in rows]
            yield from (event for event in found if event is not None)
        elif name == "Task" and kind == "UPDATE" and "Status" in one.values:
            yield from self._reader.reread(name, one.header["recordIds"])

    def _resync(self, why: str) -> None:
        """Subscribe from now on, then read by SystemModstamp what was missed."""
        self._tell("salesforce_gap", "warning", object="*", fault=why)
        self._drop_stream()
        self._keep(replace(self.position, replay=""))
        self._subscribe()

    def _take(self, events: Iterable[Event]) -> int:
        """Hand *events* on in the order of their instants; return how many were refused."""
        before = self.taken.refused
        given = sorted(events, key=lambda event: event.at)
        if given:
            ours = {event.key for event in given if event.origin == "triage" and event.key}
            if ours:
                self._seen(ours)
            done = self._door.take(given, SOURCE, self._clock.now(), live_from=self._live_from)
            self.taken = replace(
                self.taken, read=self.taken.read + done.read, accepted=self.taken.accepted + done.accepted,
                repeated=self.taken.repeated + done.repeated, refused=self.taken.refused + done.refused,
                planned=self.taken.planned + done.planned, refusals=(*self.taken.refusals, *done.refusals)[:100],
            )  # fmt: skip
        return self.taken.refused - before

    def _keep(self, position: Position) -> None:
        if position == self.position:
            return
        cursor, now = msgspec.json.encode(position).decode(), self._clock.now()

        def save(unit: Unit) -> None:
            state = unit.intake.source(SOURCE) or SourceState(name=SOURCE, live_from=now)
            unit.intake.save_source(replace(state, cursor=cursor))

        self._door.write(save)
        self.position = position

    def _tell(self, what: str, level: str = "info", **said: str | int) -> None:
        if self._journal is not None:
            self._journal.tell(what, level, **said)


STALE = 10 * MINUTE
"""An organisation from which nothing was heard for so long is looked at by `triage doctor`."""
