"""Effects from planned to done: leases without a reaper, order per record and lane, and what the caps count."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import CTE, Connection, Row, Select, func, select, update

from triage.errors import StaleRecord
from triage.ports import UNSENT, Effect, EffectFilter, Finish, State
from triage.safety import Bucket
from triage.store.codec import decode_action, decode_object, encode
from triage.store.dialect import WRITING, is_postgres, numbers, tell
from triage.store.tables import PENDING, action, rate_bucket
from triage.store.upsert import Insert, among, insert_all, insert_new, parts, update_all

LANES = {"reassign": "owner", "move": "owner", "reprioritise": "priority"}
"""Kinds that overtake each other: the newest owner is the one that counts. Any other kind is a lane of its own."""

COUNTED = ("org_id", "scope", "name", "span", "start_ms")
"""What tells one count of the caps from another."""

_OLDER = action.alias("older")


class SqlOutbox:
    """See `triage.ports.Outbox`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org

    def plan(self, effects: Sequence[Effect]) -> list[Effect]:
        """Store those whose key is new, or that `replaces` lets take its place; return them, with their `seq`."""
        known = self._states([effect.action.key for effect in effects])
        new = dict(known)
        chosen: list[Effect] = []
        for effect in effects:
            before = new.get(effect.action.key)
            if before is None or replaces(before, effect.state):
                new[effect.action.key] = effect.state
                chosen.append(effect)
        if not chosen:
            return []
        seqs = numbers(self._connection, action, self._org, len(chosen))
        stored = [_numbered(effect, seq) for seq, effect in zip(seqs, chosen, strict=True)]
        self._insert([one for one in stored if one.action.key not in known])
        self._replace([one for one in stored if one.action.key in known])
        if any(one.state == "ready" for one in stored):
            tell(self._connection)
        return stored

    def supersede(self, effects: Sequence[Effect]) -> list[Effect]:
        """Overtake older unsent owner and priority effects of the same records; return those overtaken."""
        newest = {
            (one.record, LANES[one.action.kind]): one.seq
            for one in sorted(effects, key=lambda one: one.seq)
            if one.action.kind in LANES and one.state == "ready"
        }
        overtaken: list[Effect] = []
        for part in parts(sorted({record for record, _ in newest})):
            query = self._all().where(
                among(self._connection, action.c.record_id, part), action.c.lane.in_(sorted(set(LANES.values())))
            )
            unsent = query.where(action.c.state.in_(UNSENT)).order_by(action.c.seq).with_for_update()
            for row in self._connection.execute(unsent):
                if row.seq < newest.get((row.record_id, row.lane), 0):
                    overtaken.append(_effect(row))
        self.change([one.action.key for one in overtaken], "superseded", run_at=0)
        return overtaken

    def claim(
        self,
        now: int,
        *,
        owner: str,
        lease: str,
        until: int,
        limit: int,
        stopped: Sequence[str],
        kinds: Collection[str] = (),
        without: Collection[str] = (),
    ) -> list[Effect]:
        """Lease at most *limit* effects that are due, highest priority first, in order per record and lane."""
        found: list[Row[Any]] = []
        barred = [action.c.rule.not_in(stopped)] if stopped else []
        barred += [action.c.kind.not_in(sorted(without))] if without else []
        barred += [action.c.kind.in_(sorted(kinds))] if kinds else []
        for priority in self._connection.execute(select(self._classes())).scalars().all():
            if priority is None or len(found) >= limit:
                break
            query = self._due(now, priority).where(*barred).limit(limit - len(found))
            found += self._connection.execute(query.with_for_update(skip_locked=True)).all()
        taken = {"state": "leased", "run_at_ms": until, "owner": owner, "lease_token": lease}
        for part in parts([row.idem_key for row in found]):
            self._connection.execute(self._these(part).values(**taken))
        return [_effect(row, state="leased", run_at=until, owner=owner, lease=lease) for row in found]

    def leased(self, leases: Mapping[str, str]) -> set[str]:
        """Return the keys in *leases* whose lease still is the one given, locked."""
        found: set[str] = set()
        for part in parts(sorted(leases)):
            query = select(action.c.idem_key, action.c.lease_token).where(
                action.c.org_id == self._org,
                among(self._connection, action.c.idem_key, part),
                action.c.state == "leased",
            )
            rows = self._connection.execute(query.order_by(action.c.idem_key).with_for_update())
            found.update(row.idem_key for row in rows if row.lease_token == leases[row.idem_key])
        return found

    def renew(self, leases: Mapping[str, str], until: int) -> set[str]:
        """Let *leases*, by key, last until *until*; return the keys whose lease still held."""
        held = self.leased(leases)
        for part in parts(sorted(held)):
            self._connection.execute(self._these(part).values(run_at_ms=until))
        return held

    def finish(self, finishes: Sequence[Finish]) -> None:
        """Store how effects ended."""
        update_all(self._connection, action, self._org, [_ended(one) for one in finishes], {"idem_key": "key"})

    def next_run(self) -> int | None:
        """Return the earliest instant at which something is to be sent, None where nothing is pending."""
        classes = self._classes()
        first = select(action.c.run_at_ms).where(action.c.org_id == self._org, PENDING)
        first = first.where(action.c.priority == classes.c.priority).order_by(action.c.run_at_ms).limit(1)
        earliest = select(func.min(first.correlate(classes).scalar_subquery())).select_from(classes)
        return self._connection.execute(earliest).scalar()

    def change(self, keys: Sequence[str], state: State, *, run_at: int, error: str = "") -> None:
        """Put *keys* into *state* by hand; a lease on them ends, and attempts of what is ready again begin anew."""
        values: dict[str, Any] = {"state": state, "run_at_ms": run_at, "last_error": error}
        values |= {"lease_token": "", "owner": ""} | ({"attempt": 0} if state == "ready" else {})
        for part in parts(keys):
            self._connection.execute(self._these(part).values(**values))
        if state == "ready" and keys:
            tell(self._connection)

    def rewrite(self, effect: Effect) -> None:
        """Store *effect*, which is there and not being sent, as it is to be now: what is to be done, state, instant."""
        self._replace([effect])
        self.change([effect.action.key], effect.state, run_at=effect.run_at)

    def find(self, wanted: EffectFilter) -> list[Effect]:
        """Return the effects that *wanted* asks for, oldest first unless it says otherwise."""
        query = self._all()
        if wanted.states:
            query = query.where(action.c.state.in_(wanted.states))
        for column, value in (
            (action.c.rule, wanted.rule),
            (action.c.record_id, wanted.record),
        ):
            if value:
                query = query.where(column == value)
        if wanted.key:
            query = query.where(action.c.idem_key.startswith(wanted.key, autoescape=True))
        if wanted.target is not None:
            query = query.where(action.c.target == wanted.target)
        if wanted.since is not None:
            query = query.where(action.c.at_ms >= wanted.since)
        if wanted.until is not None:
            query = query.where(action.c.at_ms <= wanted.until)
        if wanted.after:
            query = query.where(action.c.seq > wanted.after)
        query = query.order_by(action.c.seq.desc() if wanted.newest_first else action.c.seq).limit(wanted.limit)
        return [_effect(row) for row in self._connection.execute(query.with_for_update() if wanted.lock else query)]

    def counts(self) -> dict[str, int]:
        """Return how many effects stand in each state."""
        query = (
            select(action.c.state, func.count().label("total"))
            .where(action.c.org_id == self._org)
            .group_by(action.c.state)
        )
        return {row.state: row.total for row in self._connection.execute(query.order_by(action.c.state))}

    def usage(self, buckets: Collection[Bucket]) -> dict[Bucket, int]:
        """Return those of *buckets* that count anything; on PostgreSQL they are this transaction's from here on."""
        locking = is_postgres(self._connection) and self._connection.info.get(WRITING, False)
        if locking:
            self._begin_counts(buckets)
        found: dict[Bucket, int] = {}
        for part in parts(sorted({bucket.name for bucket in buckets})):
            query = select(rate_bucket).where(
                rate_bucket.c.org_id == self._org,
                rate_bucket.c.scope.in_(sorted({bucket.scope for bucket in buckets})),
                among(self._connection, rate_bucket.c.name, part),
                rate_bucket.c.start_ms >= min(bucket.start for bucket in buckets),
            )
            query = query.order_by(*rate_bucket.primary_key.columns)
            for row in self._connection.execute(query.with_for_update() if locking else query):
                bucket = Bucket(row.scope, row.name, row.span, row.start_ms)
                if bucket in buckets and row.used:
                    found[bucket] = row.used
        return found

    def add_usage(self, added: Mapping[Bucket, int]) -> None:
        """Let counters grow."""
        if not added:
            return
        rows = [self._count(bucket, added[bucket]) for bucket in sorted(added)]

        def growing(statement: Any) -> Insert:
            grown = {"used": rate_bucket.c.used + statement.excluded.used}
            return statement.on_conflict_do_update(index_elements=COUNTED, set_=grown)  # type: ignore[no-any-return]

        insert_all(self._connection, rate_bucket, rows, growing)

    def _begin_counts(self, buckets: Collection[Bucket]) -> None:
        """Let every count be there, so that it can be locked: of two that see none, both would fill it."""
        rows = [self._count(bucket, 0) for bucket in sorted(buckets) if not bucket.scope.startswith("held ")]
        insert_new(self._connection, rate_bucket, rows)

    def _count(self, bucket: Bucket, used: int) -> dict[str, Any]:
        return dict(zip(COUNTED, (self._org, *bucket), strict=True)) | {"used": used}

    def _insert(self, effects: Sequence[Effect]) -> None:
        if insert_new(self._connection, action, [_columns(self._org, one) for one in effects]) != len(effects):
            raise StaleRecord("an action of the same key was planned by somebody else in between")

    def _replace(self, effects: Sequence[Effect]) -> None:
        rows = [_columns(self._org, one) for one in effects]
        kept = ("seq", "payload", "target", "state", "run_at_ms")
        new = [{name: row[name] for name in kept} | {"known": row["idem_key"]} for row in rows]
        update_all(self._connection, action, self._org, new, {"idem_key": "known"})

    def _all(self) -> Select[Any]:
        return select(action).where(action.c.org_id == self._org)

    def _these(self, keys: Sequence[str]) -> Any:
        return update(action).where(action.c.org_id == self._org, among(self._connection, action.c.idem_key, keys))

    def _states(self, keys: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in parts(sorted(keys)):
            query = select(action.c.idem_key, action.c.state).where(
                action.c.org_id == self._org, among(self._connection, action.c.idem_key, part)
            )
            rows = self._connection.execute(query.order_by(action.c.idem_key).with_for_update())
            found.update({row.idem_key: row.state for row in rows})
        return found

    def _classes(self) -> CTE:
        """Return the priorities of all that is pending, the highest first: classes are queried apart."""
        highest = select(func.max(action.c.priority)).where(action.c.org_id == self._org, PENDING)
        found = select(highest.scalar_subquery().label("priority")).cte("class", recursive=True)
        lower = highest.where(action.c.priority < found.c.priority).correlate(found).scalar_subquery()
        return found.union_all(select(lower).where(found.c.priority.is_not(None)))

    def _due(self, now: int, priority: int) -> Select[Any]:
        earlier = (
            select(_OLDER.c.seq)
            .where(_OLDER.c.org_id == action.c.org_id, _OLDER.c.record_id == action.c.record_id)
            .where(_OLDER.c.lane == action.c.lane, _OLDER.c.seq < action.c.seq)
            # Not the words of the partial index: one record's actions are few, all that is pending may be many.
            .where((_OLDER.c.state + "").in_(("ready", "leased")))
        )
        query = self._all().where(PENDING, action.c.priority == priority, action.c.run_at_ms <= now)
        return query.where(~earlier.exists()).order_by(action.c.run_at_ms, action.c.seq)


def replaces(stored: str, planned: State) -> bool:
    """Tell whether an effect planned again counts: what was held may go now, what was only noted may be more now."""
    return (stored == "held" and planned == "ready") or (stored == "would_have" and planned != "would_have")


def _columns(org: str, effect: Effect) -> dict[str, Any]:
    planned = effect.action
    return {
        "org_id": org,
        "idem_key": planned.key,
        "seq": effect.seq,
        "record_id": effect.record,
        "kind": planned.kind,
        "lane": LANES.get(planned.kind, planned.kind),
        "target": planned.target,
        "rule": planned.rule,
        "payload": encode(planned),
        "state": effect.state,
        "priority": planned.priority,
        "at_ms": planned.at,
        "run_at_ms": effect.run_at,
    }


def _ended(one: Finish) -> dict[str, Any]:
    return {
        "key": one.key,
        "state": one.state,
        "run_at_ms": one.run_at,
        "attempt": one.attempt,
        "last_error": one.error,
        "before": encode(one.before),
        "done_ms": one.at if one.state == "done" else None,
        "lease_token": "",
        "owner": "",
    }


def _numbered(effect: Effect, seq: int) -> Effect:
    return Effect(action=effect.action, state=effect.state, seq=seq, run_at=effect.run_at)


def _effect(row: Row[Any], **changed: Any) -> Effect:
    stored: dict[str, Any] = {
        "action": decode_action(row.payload),
        "state": row.state,
        "seq": row.seq,
        "run_at": row.run_at_ms,
        "attempt": row.attempt,
        "owner": row.owner,
        "lease": row.lease_token,
        "error": row.last_error,
        "before": decode_object(row.before),
        "done_at": row.done_ms,
    }
    return Effect(**(stored | changed))
