"""
Retention: what closed records no longer need is forgotten after a while; the records themselves and the audit stay.

A record keeps its fields, clocks and what it fired, so that one reopened after years goes on where it stood. Its
events, decisions and ended effects go, and what language models were asked and said until then. An old log that is
read again changes nothing on a closed record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import Struct, field

from triage.again import again, stored
from triage.domain.decision import AuditEntry
from triage.domain.instant import DAY
from triage.errors import ConfigError
from triage.ports import Store, Unit
from triage.store.upkeep import BUCKETS_FOR, PRUNED

AT_ONCE = 200
"""How many records one transaction prunes: workers wait no longer than that."""

LEAST = 7 * DAY
"""The shortest retention there is."""

RECORDS = "records"


class Pruned(Struct, frozen=True, kw_only=True):
    """What was forgotten (or would be): records that lost their history, and rows by kind."""

    records: int = 0
    rows: dict[str, int] = field(default_factory=dict)


class _Undone(Exception):
    """Leaves a transaction so that nothing of it stays."""


def prune(
    store: Store,
    now: int,
    *,
    older_than: int,
    actor: str,
    reason: str = "",
    erase_audit: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Pruned:
    """
    Forget the history of records that are closed and have had no event for *older_than* ms; return what went.

    Args:
        erase_audit: Empty the bodies of their audit lines too; the chain still verifies.
        dry_run: Change nothing; return what would go. It takes the write lock as the real run does.

    Raises:
        ConfigError: *older_than* is less than a week.
    """
    if older_than < LEAST:
        raise ConfigError("a retention of less than 7 days forgets what is still needed: write --older-than 7d or more")
    cutoff = now - older_than
    records, rows, after = 0, dict[str, int](), ""
    while True:
        with store.read() as unit:
            keys = unit.upkeep.closed_before(cutoff, after=after, limit=AT_ONCE)
        if not keys:
            break
        records += _transact(store, rows, dry_run, _batch(keys, after, cutoff, erase_audit))
        after = keys[-1]
        if progress is not None:
            progress(records)
    _transact(store, rows, dry_run, lambda unit: unit.upkeep.prune_old(cutoff, now - BUCKETS_FOR))
    _transact(store, rows, dry_run, lambda unit: unit.llm.prune(cutoff))
    if not dry_run:
        body = {"reason": reason, "before": cutoff, "records": records, **rows}
        entry = AuditEntry(
            at=now, org=store.org, object="org", id=store.org, event="pruned", actor=actor, body=body
        )  # fmt: skip
        stored(store, lambda unit: unit.audit.append([entry]))
    return Pruned(records=records, rows=rows)


def _batch(keys: Sequence[str], after: str, cutoff: int, erase_audit: bool) -> Callable[[Unit], dict[str, int]]:
    def change(unit: Unit) -> dict[str, int]:
        # First of all, and with the rows: from now on older events of closed records count as taken in.
        unit.upkeep.mark(PRUNED, max(cutoff, unit.upkeep.marks(PRUNED).get(PRUNED, 0)))
        # One that was opened again since it was listed has something to do by now: looked at once more, under its lock.
        unit.records.get(keys, lock=True)
        still = sorted({*unit.upkeep.closed_before(cutoff, after=after, limit=2 * AT_ONCE)} & set(keys))
        gone = unit.upkeep.prune(still) | {RECORDS: len(still)}
        if erase_audit:
            lines = [line.seq for key in still for line in unit.audit.lines(record=key) if not line.erased]
            unit.audit.erase(lines)
            gone["audit bodies"] = len(lines)
        return gone

    return change


def _transact(store: Store, rows: dict[str, int], dry_run: bool, change: Callable[[Unit], dict[str, int]]) -> int:
    """Add to *rows* what *change* did, and return how many records it was; where *dry_run*, it is undone."""

    def transact(_attempt: int) -> dict[str, int]:
        gone: dict[str, int] = {}
        with suppress(_Undone), store.write() as unit:
            gone = change(unit)
            if dry_run:
                raise _Undone
        return gone

    gone = again(transact)
    records = gone.pop(RECORDS, 0)
    for name, count in gone.items():
        rows[name] = rows.get(name, 0) + count
    return records
