"""What keeps an installation healthy: signs of life, figures, retention, and erasure of a customer's words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Delete, Select, and_, delete, exists, func, literal, or_, select, text, update

from triage.domain.instant import DAY
from triage.domain.work import Event
from triage.ports import MOST_COUNTED, Effect, Figures, State, record_key
from triage.store.codec import (
    decode_action,
    decode_agent,
    decode_event,
    decode_object,
    decode_outlines,
    encode,
    roster_digest,
)
from triage.store.dialect import holding, is_postgres, lock_name
from triage.store.tables import (
    TIMER_SET,
    action,
    agent,
    audit,
    control,
    decision,
    event,
    policy,
    rate_bucket,
    record,
    refusal,
    related,
    roster,
    source,
    timer,
)
from triage.store.triggers import begin_upkeep
from triage.store.upsert import among, parts, upsert

MARK = "mark:"
PRUNED = "pruned"
"""The mark that keeps the instant before which events of closed records have been forgotten."""

BUCKETS_FOR = 2 * DAY
"""How long rate buckets are kept: none counts longer than a day."""

_REFUSED = (refusal.c.body, refusal.c.reason)

OPEN_STATES: tuple[State, ...] = ("ready", "leased", "dead", "held", "backlog")
"""The states in which something is still to happen, or has gone wrong: what a dashboard counts."""


class SqlUpkeep:
    """See `triage.ports.Upkeep`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org

    def mark(self, name: str, at: int) -> None:
        """Remember when *name* last was."""
        row = {"org_id": self._org, "name": MARK + name, "at_ms": at, "actor": "", "reason": ""}
        upsert(self._connection, control, [row])
        kind, colon, _ = name.partition(":")
        if colon:
            alike = control.c.name.startswith(MARK + kind + colon, autoescape=True)
            old = delete(control).where(control.c.org_id == self._org, alike, control.c.at_ms < at - DAY)
            self._connection.execute(old)

    def marks(self, prefix: str = "") -> dict[str, int]:
        """Return when everything whose name begins with *prefix* last was."""
        mine = (control.c.org_id == self._org) & control.c.name.startswith(MARK + prefix, autoescape=True)
        rows = self._connection.execute(select(control.c.name, control.c.at_ms).where(mine).order_by(control.c.name))
        return {row.name[len(MARK) :]: row.at_ms for row in rows}

    def figures(self, now: int) -> Figures:
        """Return what a dashboard shows: each count reads one range of one index, and stops at `MOST_COUNTED`."""
        oldest = select(func.min(timer.c.due_ms)).where(timer.c.org_id == self._org, TIMER_SET)
        first = self._connection.execute(oldest).scalar()
        due = select(literal(1)).where(timer.c.org_id == self._org, TIMER_SET, timer.c.due_ms <= now)
        refused = select(func.coalesce(func.sum(source.c.refused), 0)).where(
            source.c.org_id == self._org, source.c.cursor == ""
        )
        live = self._connection.execute(
            select(policy.c.digest, policy.c.outlines).where(policy.c.org_id == self._org, policy.c.live == 1)
        ).one_or_none()
        return Figures(
            due=self._count(due),
            overdue=0 if first is None else max(0, now - first),
            effects={state: self._count(self._in_state(state)) for state in OPEN_STATES},
            refused=int(self._connection.execute(refused).scalar_one()),
            last_round=max(self.marks("round:").values(), default=0),
            policy="" if live is None else live.digest,
            rules=() if live is None else tuple(sorted(decode_outlines(live.outlines))),
        )

    def tally(self, after: int | None, upto: int | None = None) -> tuple[int, dict[tuple[str, str], int]]:
        """Return the last audit seq, and how many lines above *after*, to *upto*, there are by (rule, event)."""
        mine = audit.c.org_id == self._org
        last = self._connection.execute(select(func.coalesce(func.max(audit.c.seq), 0)).where(mine)).scalar_one()
        most = last if upto is None else min(last, upto)
        if after is None or after >= most:
            return last, {}
        new = mine & (audit.c.seq > after) & (audit.c.seq <= most) & (audit.c.rule != "")
        query = select(audit.c.rule, audit.c.event, func.count().label("lines")).where(new)
        rows = self._connection.execute(query.group_by(audit.c.rule, audit.c.event))
        return last, {(row.rule, row.event): row.lines for row in rows}

    def oldest_event(self) -> int | None:
        """Return the instant of the event taken in first of those that are kept."""
        query = select(event.c.at_ms).where(event.c.org_id == self._org).order_by(event.c.seq).limit(1)
        return self._connection.execute(query).scalar()

    def refused_since(self, instant: int) -> int:
        """Return how many lines were refused at or after *instant*."""
        return self._count(select(literal(1)).where(refusal.c.org_id == self._org, refusal.c.at_ms >= instant))

    def closed_before(self, instant: int, *, after: str, limit: int) -> list[str]:
        """Return closed records above *after* without an event since *instant*, nothing pending, and some history."""
        events, decisions, effects = (self._of_record(table) for table in (event, decision, action))
        newer = or_(
            exists(events.where(event.c.at_ms >= instant)),
            exists(effects.where(action.c.state.in_(OPEN_STATES))),
        )
        query = (
            select(record.c.record_id)
            .where(record.c.org_id == self._org, record.c.record_id > after, record.c.is_open == 0)
            .where(or_(exists(events), exists(decisions), exists(effects)), ~newer)
        )
        return list(self._connection.execute(query.order_by(record.c.record_id).limit(limit)).scalars())

    def prune(self, records: Sequence[str]) -> dict[str, int]:
        """Forget the events, decisions and ended effects of *records*; return how many rows of each."""
        gone = {"events": 0, "decisions": 0, "effects": 0}
        with self._unlocked("event"):
            for part in parts(records):
                for name, table in (("events", event), ("decisions", decision), ("effects", action)):
                    mine = and_(table.c.org_id == self._org, among(self._connection, table.c.record_id, part))
                    gone[name] += self._gone(delete(table).where(mine))
        return gone

    def prune_old(self, instant: int, buckets_before: int) -> dict[str, int]:
        """Forget refusals and policies before *instant* that nothing names, unused rosters, and old rate buckets."""
        named = self._connection.execute(
            select(decision.c.policy, decision.c.agents).where(decision.c.org_id == self._org).distinct()
        ).all()
        policies = {row.policy for row in named} | {row.digest for row in self._latest_policies()}
        old = policy.c.at_ms < instant
        return {
            "refusals": self._gone(delete(refusal).where(refusal.c.org_id == self._org, refusal.c.at_ms < instant)),
            "rate buckets": self.prune_counts(buckets_before),
            "policies": self._unnamed(policy, policies, old),
            "rosters": self._unnamed(roster, {self._present_roster(), *(row.agents for row in named)}),
        }

    def prune_counts(self, before: int) -> int:
        """Forget rate buckets that began before *before*; return how many."""
        old = (rate_bucket.c.org_id == self._org) & (rate_bucket.c.start_ms < before)
        return self._gone(delete(rate_bucket).where(old))

    def forgotten(self, keys: Collection[str], events: Sequence[Event]) -> set[str]:
        """Return the ids of those *events*, of records *keys*, that were pruned."""
        horizon = self.marks(PRUNED).get(PRUNED, 0)
        old = {record_key(one.object, one.id): one for one in events if one.at < horizon}
        closed: set[str] = set()
        for part in parts(sorted(set(keys) & old.keys())):
            query = select(record.c.record_id).where(
                record.c.org_id == self._org, among(self._connection, record.c.record_id, part)
            )
            closed.update(self._connection.execute(query.where(record.c.is_open == 0)).scalars())
        return {one.event_id for one in events if one.at < horizon and record_key(one.object, one.id) in closed}

    def concerning(self, text: str) -> list[str]:
        """
        Return the records whose state, references or events name *text* as a whole value.

        An address is the same in any letters; an id is not, for two that differ in nothing else are two customers.
        """
        value = encode(text)
        found: set[str] = set()
        for table, column, wanted in (
            (record, record.c.state, value),
            (record, record.c.refs, f"/{value[1:]}"),
            (event, event.c.body, value),
        ):
            query = select(table.c.record_id).where(
                table.c.org_id == self._org, holding(self._connection, column, wanted)
            )
            found.update(self._connection.execute(query.distinct()).scalars())
        known = select(record.c.record_id).where(record.c.org_id == self._org)
        return sorted(
            key
            for part in parts(sorted(found))
            for key in self._connection.execute(
                known.where(among(self._connection, record.c.record_id, part))
            ).scalars()
        )

    def rewrite_events(self, record: str, rewrite: Callable[[Event], Event]) -> int:
        """Put what *rewrite* returns in place of every event of *record*; return how many."""
        mine = (event.c.org_id == self._org) & (event.c.record_id == record)
        rows = self._connection.execute(select(event.c.seq, event.c.body).where(mine)).all()
        with self._unlocked("event"):
            for row in rows:
                body = encode(rewrite(decode_event(row.body)))
                self._connection.execute(update(event).where(mine, event.c.seq == row.seq).values(body=body))
        return len(rows)

    def rewrite_effects(self, record: str, rewrite: Callable[[Effect], Effect]) -> int:
        """Put the action, error and `before` that *rewrite* returns in place of those stored; return how many."""
        mine = (action.c.org_id == self._org) & (action.c.record_id == record)
        rows = self._connection.execute(select(action).where(mine)).all()
        for row in rows:
            stored = Effect(
                action=decode_action(row.payload), state=row.state, error=row.last_error,
                before=decode_object(row.before),
            )  # fmt: skip
            after = rewrite(stored)
            values = {"payload": encode(after.action), "last_error": after.error, "before": encode(after.before)}
            self._connection.execute(update(action).where(mine, action.c.idem_key == row.idem_key).values(values))
        return len(rows)

    def forget_facts(self, record: str) -> int:
        """Empty the facts of every decision about *record*; digests stay."""
        mine = (decision.c.org_id == self._org) & (decision.c.record_id == record)
        return self._connection.execute(update(decision).where(mine).values(facts="")).rowcount

    def forget_refusals(self, texts: Sequence[str]) -> int:
        """Forget refused lines of the records *texts*, or that hold one of *texts*."""
        holds = [
            or_(refusal.c.record_id == one, *(holding(self._connection, column, one) for column in _REFUSED))
            for one in texts
        ]
        return self._gone(delete(refusal).where(refusal.c.org_id == self._org, or_(*holds))) if holds else 0

    def rewrite_related(self, identity: str, rewrite: Callable[[str, dict[str, Any]], dict[str, Any]]) -> list[str]:
        """Put what *rewrite* makes of (object, values) in place for every object *identity*."""
        mine = (related.c.org_id == self._org) & (related.c.id == identity)
        named = select(related.c.object).where(mine).order_by(related.c.object)
        for object_name in self._connection.execute(named).scalars():
            lock_name(self._connection, self._org, "related", object_name, identity)
        rows = self._connection.execute(select(related.c.object, related.c.changes).where(mine)).all()
        for row in rows:
            values = encode(rewrite(row.object, decode_object(row.changes)))
            self._connection.execute(update(related).where(mine, related.c.object == row.object).values(changes=values))
        return [record_key(row.object, identity) for row in rows]

    def _in_state(self, state: State) -> Select[Any]:
        return select(literal(1)).where(action.c.org_id == self._org, action.c.state == state)

    def _count(self, rows: Select[Any]) -> int:
        counted = select(func.count()).select_from(rows.limit(MOST_COUNTED).subquery())
        return int(self._connection.execute(counted).scalar_one())

    def _of_record(self, table: Any) -> Select[Any]:
        match = (table.c.org_id == record.c.org_id) & (table.c.record_id == record.c.record_id)
        return select(literal(1)).select_from(table).where(match).correlate(record)

    def _latest_policies(self) -> Sequence[Any]:
        """Return the policy in force and the ten published last: a rollback needs one to go back to."""
        query = select(policy.c.digest).where(policy.c.org_id == self._org)
        return self._connection.execute(query.order_by(policy.c.live.desc(), policy.c.seq.desc()).limit(11)).all()

    def _present_roster(self) -> str:
        """Return the roster that a worker may be about to name, so that it is not taken away under its hands."""
        query = select(agent.c.body).where(agent.c.org_id == self._org).order_by(agent.c.id)
        return roster_digest(map(decode_agent, self._connection.execute(query).scalars()))

    def _unnamed(self, table: Any, named: Collection[str], *conditions: Any) -> int:
        query = select(table.c.digest).where(table.c.org_id == self._org, *conditions)
        unused = sorted(set(self._connection.execute(query).scalars()) - set(named))
        for part in parts(unused):
            self._connection.execute(
                delete(table).where(table.c.org_id == self._org, among(self._connection, table.c.digest, part))
            )
        return len(unused)

    def _gone(self, statement: Delete) -> int:
        return self._connection.execute(statement).rowcount

    @contextmanager
    def _unlocked(self, table: str) -> Iterator[None]:
        """
        Let this transaction change the append-only *table*. Nobody else may meanwhile.

        PostgreSQL's triggers know upkeep. On SQLite they are taken off and put back, which is part of the transaction.
        """
        if is_postgres(self._connection):
            begin_upkeep(self._connection)
            yield
            return
        names = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table")
        triggers: Mapping[str, str] = {row.name: row.sql for row in self._connection.execute(names, {"table": table})}
        for name in triggers:
            self._connection.exec_driver_sql(f"DROP TRIGGER {name}")
        yield
        for sql in triggers.values():
            self._connection.exec_driver_sql(sql)
