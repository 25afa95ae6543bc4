"""
Decisions told outside as they are taken, apart from their effects: what a rule planned, only observed, or held.

It reads the audit and sends nothing else, so that whoever is told can look each line up there. At least once: how far
each listener was told is stored after it was, and a line is known by its hash. `triage stop` halts this too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from triage.domain.decision import AuditEntry
from triage.domain.instant import MINUTE, SECOND
from triage.errors import SinkBusy, SinkError, StoreError
from triage.ports import SETTLED, AuditRow, Clock, Compiled, Engine, Journal, Listener, Store, Unit
from triage.sending import EVERYTHING

LOOK_BACK = 5 * SECOND
"""How often lines younger than that are looked through for late ones."""

BATCH = 200
"""How many lines are read at once."""

ONE_TELLS = MINUTE
"""
For so many ms one worker tells a listener; the others let it.

It renews that when a quarter is used, and tells nothing more of a batch when half is: one slow post is no overlap.
"""

FIRST_WAIT, LONGEST_WAIT = SECOND, 5 * MINUTE
"""How long, in ms, a listener that does not answer is left alone, at first and later."""


class Announcer:
    """Tells every listener of one store's decisions. One thread calls it."""

    def __init__(
        self,
        store: Store,
        listeners: Sequence[Listener],
        engine: Engine,
        clock: Clock,
        policy: Callable[[Unit], Compiled],
        journal: Journal | None = None,
    ) -> None:
        self._store, self._engine, self._clock, self._policy = store, engine, clock, policy
        self._journal = journal
        self._places = [_Place(one) for one in listeners]

    def tell(self, now: int, stopped: Callable[[], bool] = lambda: False) -> int:
        """
        Tell whoever listens of what is new; return how many lines were passed, told or not: 0 where nothing is left.

        Args:
            stopped: Asked before each line; where it says so, the rest of the lines is left.
        """
        passed = 0
        for place in self._places:
            # Telling the one before may have taken most of a lease.
            at = max(now, self._clock.now())
            passed += self._tell(place, at, stopped) if place.until <= at else 0
        return passed

    def close(self) -> None:
        """Let another worker tell at once."""
        for place in self._places:
            if place.leased:
                with suppress(StoreError), self._store.write() as unit:
                    if unit.upkeep.marks(place.lease).get(place.lease) == place.leased:
                        unit.upkeep.mark(place.lease, 0)

    def _tell(self, place: _Place, now: int, stopped: Callable[[], bool]) -> int:
        passed, before = 0, place.settled
        for row in self._claimed(place, now):
            wanted = place.listener.wants(row.entry) and not row.erased
            ended = stopped() or self._clock.now() > place.leased - ONE_TELLS // 2
            if ended or (wanted and not self._told(place, row)):
                place.go_back(row)
                break
            place.passed(row)
            passed += 1
        place.settle(now)
        if place.settled != before:
            with self._store.write() as unit:
                unit.upkeep.mark(place.mark, place.settled)
        return passed

    def _claimed(self, place: _Place, now: int) -> list[AuditRow]:
        """Return the lines to look at next; none where all is halted, or where another worker tells this listener."""
        with self._store.read() as unit:
            marks = unit.upkeep.marks(place.mark)
            halted = EVERYTHING in unit.control.stops()
            lease = marks.get(place.lease, 0)
            if lease > now and lease != place.leased:
                return []
            # A new listener hears what is decided from now on, not all that ever was.
            told = marks[place.mark] if place.mark in marks else unit.upkeep.tally(None)[0]
        if lease != place.leased or place.settled < 0:
            place.begin(told)
        if place.mark not in marks or lease < now + ONE_TELLS * 3 // 4:
            with self._store.write() as unit:
                unit.upkeep.mark(place.mark, place.settled)
                unit.upkeep.mark(place.lease, place.renew(now))
        if halted:
            return []
        after, most = place.next(now)
        with self._store.read() as unit:
            return place.fresh(unit.audit.lines(after=after, limit=most))

    def _told(self, place: _Place, row: AuditRow) -> bool:
        """Tell one line; False where the listener has to be left alone for a while."""
        with self._store.read() as unit:
            if EVERYTHING in unit.control.stops():
                return False
            reach = self._engine.reach(self._policy(unit), unit.org)
        now = self._clock.now()
        try:
            place.listener.tell(row, reach)
        except SinkBusy as fault:
            place.wait(now, fault.after)
            self._say("listener_busy", place, row)
            return False
        except SinkError as fault:
            self._untold(place, row, now, "listener_refused", str(fault))
        except StoreError:
            raise
        except Exception as fault:  # a line that breaks a listener would break it after each restart too
            # Its words may be the record's or the other side's; its name is not.
            self._untold(place, row, now, "listener_failed", type(fault).__name__)
        place.failures = 0
        return True

    def _untold(self, place: _Place, row: AuditRow, now: int, what: str, why: str) -> None:
        self._say(what, place, row)
        with self._store.write() as unit:
            unit.audit.append([_untold(row.entry, now, place.listener.name, why)])

    def _say(self, what: str, place: _Place, row: AuditRow) -> None:
        if self._journal is not None:
            self._journal.tell(what, "warning", listener=place.listener.name, rule=row.entry.rule, line=row.seq)


class _Place:
    """How far one listener was told: `settled` is stored, lines in `heard` were told above it."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.mark = f"told {listener.name.replace(':', '_')}"
        self.lease = f"{self.mark} until"
        self.leased = 0
        self.until = 0
        self.failures = 0
        self.begin(-1)

    def begin(self, seq: int) -> None:
        """Go on after *seq*."""
        self.settled = self.highest = seq
        self.heard: dict[int, int] = {}
        self.looked_back = 0

    def renew(self, now: int) -> int:
        """Return until when this worker alone tells, from *now*."""
        self.leased = now + ONE_TELLS
        return self.leased

    def next(self, now: int) -> tuple[int, int]:
        """Return the seq to read on from and how many lines: now and then from where stragglers may still come."""
        if now - self.looked_back < LOOK_BACK:
            # Above it lie some where it went back to a straggler.
            return self.highest, BATCH + sum(seq > self.highest for seq in self.heard)
        self.looked_back = now
        return self.settled, BATCH + len(self.heard)

    def fresh(self, rows: Sequence[AuditRow]) -> list[AuditRow]:
        """Return those of *rows* that were not passed yet."""
        return [row for row in rows if row.seq not in self.heard]

    def passed(self, row: AuditRow) -> None:
        """Know that *row* was told, or is not to be."""
        self.heard[row.seq] = row.entry.at
        self.highest = max(self.highest, row.seq)

    def go_back(self, row: AuditRow) -> None:
        """Read *row* again next time: it was not told."""
        self.highest = row.seq - 1

    def settle(self, now: int) -> None:
        """Forget lines so old that nothing can come between them any longer; they count as told for good."""
        for seq in sorted(self.heard):
            if seq > self.highest or self.heard[seq] > now - SETTLED:
                break
            self.settled = seq
            del self.heard[seq]

    def wait(self, now: int, after: int) -> None:
        """Leave the listener alone for *after* ms, or for longer with each failure."""
        self.until = now + max(after, min(FIRST_WAIT << min(self.failures, 16), LONGEST_WAIT))
        self.failures += 1


def _untold(entry: AuditEntry, at: int, listener: str, why: str) -> AuditEntry:
    """Return the audit line that says that *listener* was not told of the decision in *entry*, and why."""
    return AuditEntry(
        at=at, org=entry.org, object=entry.object, id=entry.id, event="untold", key=entry.key, rule=entry.rule,
        body={"listener": listener, "of": entry.event, "why": why},
    )  # fmt: skip
