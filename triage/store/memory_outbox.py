"""The outbox of the store in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from triage.ports import UNSENT, Effect, EffectFilter, Finish, State
from triage.safety import Bucket
from triage.store.memory_tables import Tables
from triage.store.outbox import LANES, replaces

PENDING = ("ready", "leased")


class MemoryOutbox:
    """See `triage.ports.Outbox`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def plan(self, effects: Sequence[Effect]) -> list[Effect]:
        """Store those whose key is new, or stands where `replaces` lets them take its place."""
        stored = []
        seq = max((one.seq for one in self._tables.effects.values()), default=0)
        for effect in effects:
            before = self._tables.effects.get(effect.action.key)
            if before is None or replaces(before.state, effect.state):
                seq += 1
                kept = Effect(action=effect.action, state=effect.state, seq=seq, run_at=effect.run_at)
                self._tables.effects[effect.action.key] = kept
                stored.append(kept)
        return stored

    def supersede(self, effects: Sequence[Effect]) -> list[Effect]:
        """Overtake older unsent owner and priority effects of the same records."""
        newest: dict[tuple[str, str], int] = {}
        for one in effects:
            if one.action.kind in LANES and one.state == "ready":
                place = (one.record, LANES[one.action.kind])
                newest[place] = max(newest.get(place, 0), one.seq)
        older = [
            one
            for one in self._ordered()
            if one.state in UNSENT and one.seq < newest.get((one.record, LANES.get(one.action.kind, "")), 0)
        ]
        self.change([one.action.key for one in older], "superseded", run_at=0)
        return older

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
        """Lease at most *limit* effects that are due."""
        ordered = sorted(self._ordered(), key=lambda one: (-one.action.priority, one.run_at, one.seq))
        due = [
            one
            for one in ordered
            if one.state in PENDING and one.run_at <= now and not self._behind(one)
            if one.action.rule not in stopped and one.action.kind not in without
            if not kinds or one.action.kind in kinds
        ]
        taken = [replace(one, state="leased", run_at=until, owner=owner, lease=lease) for one in due[:limit]]
        self._tables.effects.update({one.action.key: one for one in taken})
        return taken

    def leased(self, leases: Mapping[str, str]) -> set[str]:
        """Return the keys in *leases* whose lease still is the one given."""
        found = {key: self._tables.effects.get(key) for key in leases}
        return {key for key, one in found.items() if one and one.state == "leased" and one.lease == leases[key]}

    def renew(self, leases: Mapping[str, str], until: int) -> set[str]:
        """Let *leases*, by key, last until *until*."""
        held = self.leased(leases)
        for key in held:
            self._tables.effects[key] = replace(self._tables.effects[key], run_at=until)
        return held

    def finish(self, finishes: Sequence[Finish]) -> None:
        """Store how effects ended."""
        for one in finishes:
            self._tables.effects[one.key] = replace(
                self._tables.effects[one.key], state=one.state, run_at=one.run_at, attempt=one.attempt, error=one.error,
                owner="", lease="", before=dict(one.before), done_at=one.at if one.state == "done" else None,
            )  # fmt: skip

    def next_run(self) -> int | None:
        """Return the earliest instant at which something is to be sent."""
        return min((one.run_at for one in self._tables.effects.values() if one.state in PENDING), default=None)

    def change(self, keys: Sequence[str], state: State, *, run_at: int, error: str = "") -> None:
        """Put *keys* into *state* by hand; what is ready again begins at its first attempt."""
        for key in keys:
            held = self._tables.effects[key]
            attempt = 0 if state == "ready" else held.attempt
            changed = replace(held, state=state, run_at=run_at, error=error, owner="", lease="", attempt=attempt)
            self._tables.effects[key] = changed

    def rewrite(self, effect: Effect) -> None:
        """Store *effect*, which is there, as it is to be now."""
        attempt = 0 if effect.state == "ready" else self._tables.effects[effect.action.key].attempt
        self._tables.effects[effect.action.key] = replace(effect, attempt=attempt, error="", owner="", lease="")

    def find(self, wanted: EffectFilter) -> list[Effect]:
        """Return the effects that *wanted* asks for."""
        found = [one for one in self._ordered() if _wanted(one, wanted)]
        return (found[::-1] if wanted.newest_first else found)[: wanted.limit]

    def counts(self) -> dict[str, int]:
        """Return how many effects stand in each state."""
        states = sorted(one.state for one in self._tables.effects.values())
        return {state: states.count(state) for state in states}

    def usage(self, buckets: Collection[Bucket]) -> dict[Bucket, int]:
        """Return those of *buckets* that count anything."""
        return {bucket: self._tables.usage[bucket] for bucket in buckets if bucket in self._tables.usage}

    def add_usage(self, added: Mapping[Bucket, int]) -> None:
        """Let counters grow."""
        for bucket, used in added.items():
            self._tables.usage[bucket] = self._tables.usage.get(bucket, 0) + used

    def _ordered(self) -> list[Effect]:
        return sorted(self._tables.effects.values(), key=lambda one: one.seq)

    def _behind(self, effect: Effect) -> bool:
        """Tell whether an earlier effect of the same record and lane is still pending."""
        lane = LANES.get(effect.action.kind, effect.action.kind)
        return any(
            one.record == effect.record
            and one.seq < effect.seq
            and one.state in PENDING
            and LANES.get(one.action.kind, one.action.kind) == lane
            for one in self._tables.effects.values()
        )


def _wanted(one: Effect, wanted: EffectFilter) -> bool:
    return (
        (not wanted.states or one.state in wanted.states)
        and wanted.rule in ("", one.action.rule)
        and wanted.record in ("", one.record)
        and one.action.key.startswith(wanted.key)
        and wanted.target in (None, one.action.target)
        and (wanted.since is None or one.action.at >= wanted.since)
        and (wanted.until is None or one.action.at <= wanted.until)
        and one.seq > wanted.after
    )
