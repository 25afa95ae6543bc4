"""
Retention: what closed records no longer need is forgotten after a while; the records themselves and the audit stay.

A record keeps its fields, clocks and what it fired, so that one reopened after years goes on where it stood. Its
events, decisions and ended effects go. An old log that is read again changes nothing on a closed record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, field

from triage.domain.decision import AuditEntry
from triage.domain.instant import DAY
from triage.errors import ConfigError
from triage.ports import Store, Unit
from triage.store.upkeep import PRUNED

AT_ONCE = 200
"""How many records one transaction prunes: workers wait no longer than that."""

LEAST = 7 * DAY
"""The shortest retention there is."""

BUCKETS_FOR = 2 * DAY
"""How long rate buckets are kept: none counts longer than a day."""


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
        _transact(store, rows, dry_run, _batch(keys, cutoff, erase_audit))
        records, after = records + len(keys), keys[-1]
        if progress is not None:
            progress(records)
    _transact(store, rows, dry_run, lambda unit: unit.upkeep.prune_old(cutoff, now - BUCKETS_FOR))
    if not dry_run:
        with store.write() as unit:
            body = {"reason": reason, "before": cutoff, "records": records, **rows}
            unit.audit.append(
                [AuditEntry(at=now, org=unit.org, object="org", id=unit.org, event="pruned", actor=actor, body=body)]
            )
    return Pruned(records=records, rows=rows)


def _batch(keys: Sequence[str], cutoff: int, erase_audit: bool) -> Callable[[Unit], dict[str, int]]:
    def change(unit: Unit) -> dict[str, int]:
        # First of all, and with the rows: from now on older events of closed records count as taken in.
        unit.upkeep.mark(PRUNED, max(cutoff, unit.upkeep.marks(PRUNED).get(PRUNED, 0)))
        gone = unit.upkeep.prune(keys)
        if erase_audit:
            lines = [line.seq for key in keys for line in unit.audit.lines(record=key) if not line.erased]
            unit.audit.erase(lines)
            gone["audit bodies"] = len(lines)
        return gone

    return change


def _transact(store: Store, rows: dict[str, int], dry_run: bool, change: Callable[[Unit], dict[str, int]]) -> None:
    """Add to *rows* what *change* did; where *dry_run*, it is undone."""
    try:
        with store.write() as unit:
            gone = change(unit)
            if dry_run:
                raise _Undone
    except _Undone:
        pass
    for name, count in gone.items():
        rows[name] = rows.get(name, 0) + count
