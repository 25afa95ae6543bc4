"""The upkeep of the store in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from msgspec.structs import replace

from triage.domain.instant import DAY
from triage.domain.work import Event
from triage.ports import MOST_COUNTED, Effect, Figures, record_key
from triage.store.codec import encode, roster_digest
from triage.store.dialect import holds
from triage.store.memory_tables import Tables
from triage.store.upkeep import OPEN_STATES, PRUNED


class MemoryUpkeep:
    """See `triage.ports.Upkeep`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def mark(self, name: str, at: int) -> None:
        """Remember when *name* last was."""
        kind, colon, _ = name.partition(":")
        kept = {
            other: then
            for other, then in self._tables.marks.items()
            if not (colon and other.startswith(kind + colon) and then < at - DAY)
        }
        self._tables.marks = kept | {name: at}

    def marks(self, prefix: str = "") -> dict[str, int]:
        """Return when everything whose name begins with *prefix* last was."""
        return {name: at for name, at in sorted(self._tables.marks.items()) if name.startswith(prefix)}

    def figures(self, now: int) -> Figures:
        """Return what a dashboard shows."""
        due = [one.due for one in self._tables.records.values() if one.due is not None and one.due <= now]
        states = [one.state for one in self._tables.effects.values()]
        live = next((one for one in self._tables.policies.values() if one.live), None)
        return Figures(
            due=min(len(due), MOST_COUNTED),
            overdue=now - min(due) if due else 0,
            effects={state: min(states.count(state), MOST_COUNTED) for state in OPEN_STATES},
            refused=sum(one.refused for one in self._tables.sources.values() if not one.cursor),
            last_round=max(self.marks("round:").values(), default=0),
            policy=live.digest if live else "",
            rules=tuple(sorted(live.outlines)) if live else (),
        )

    def tally(self, after: int | None, upto: int | None = None) -> tuple[int, dict[tuple[str, str], int]]:
        """Return the last audit seq, and how many lines above *after*, to *upto*, there are by (rule, event)."""
        found: dict[tuple[str, str], int] = {}
        for line in self._tables.audit[len(self._tables.audit) if after is None else after : upto]:
            if line.entry.rule:
                name = (line.entry.rule, line.entry.event)
                found[name] = found.get(name, 0) + 1
        return len(self._tables.audit), found

    def oldest_event(self) -> int | None:
        """Return the instant of the event taken in first of those that are kept."""
        return next((event.at for _, event in self._tables.events.values()), None)

    def refused_since(self, instant: int) -> int:
        """Return how many lines were refused at or after *instant*."""
        return sum(one.at >= instant for one in self._tables.refusals.values())

    def closed_before(self, instant: int, *, after: str, limit: int) -> list[str]:
        """Return closed records above *after* without an event since *instant*, nothing pending, and some history."""
        closed = sorted(key for key, one in self._tables.records.items() if key > after and not one.open)
        return [key for key in closed if self._prunable(key, instant)][:limit]

    def prune(self, records: Sequence[str]) -> dict[str, int]:
        """Forget the events, decisions and ended effects of *records*."""
        tables, gone = self._tables, set(records)
        events = {name: kept for name, kept in tables.events.items() if kept[0] not in gone}
        decisions = {name: one for name, one in tables.decisions.items() if one.record not in gone}
        effects = {name: one for name, one in tables.effects.items() if one.record not in gone}
        counts = {
            "events": len(tables.events) - len(events),
            "decisions": len(tables.decisions) - len(decisions),
            "effects": len(tables.effects) - len(effects),
        }
        tables.events, tables.decisions, tables.effects = events, decisions, effects
        return counts

    def prune_old(self, instant: int, buckets_before: int) -> dict[str, int]:
        """Forget refusals and policies before *instant* that nothing names, unused rosters, and old rate buckets."""
        tables = self._tables
        decided = tables.decisions.values()
        latest = [name for name, one in tables.policies.items() if one.live] + list(tables.policies)[-10:]
        policies = {one.policy for one in decided} | set(latest)
        rosters = {one.agents for one in decided} | {
            roster_digest(tables.agents[name] for name in sorted(tables.agents))
        }
        kept: dict[str, dict[Any, Any]] = {
            "refusals": {name: one for name, one in tables.refusals.items() if one.at >= instant},
            "rate buckets": {name: used for name, used in tables.usage.items() if name.start >= buckets_before},
            "policies": {
                name: one for name, one in tables.policies.items() if name in policies or one.at >= instant
            },
            "rosters": {name: who for name, who in tables.rosters.items() if name in rosters},
        }  # fmt: skip
        before: tuple[dict[Any, Any], ...] = (tables.refusals, tables.usage, tables.policies, tables.rosters)
        counts = {name: len(was) - len(now) for was, (name, now) in zip(before, kept.items(), strict=True)}
        tables.refusals, tables.usage, tables.policies, tables.rosters = kept.values()
        return counts

    def prune_counts(self, before: int) -> int:
        """Forget rate buckets that began before *before*; return how many."""
        kept = {name: used for name, used in self._tables.usage.items() if name.start >= before}
        gone = len(self._tables.usage) - len(kept)
        self._tables.usage = kept
        return gone

    def forgotten(self, keys: Collection[str], events: Sequence[Event]) -> set[str]:
        """Return the ids of those *events*, of records *keys*, that were pruned."""
        horizon = self._tables.marks.get(PRUNED, 0)
        closed = {key for key in keys if key in self._tables.records and not self._tables.records[key].open}
        return {one.event_id for one in events if one.at < horizon and record_key(one.object, one.id) in closed}

    def concerning(self, text: str) -> list[str]:
        """Return the records whose state, references or events name *text* as a whole value."""
        value = encode(text)
        found = {key for key, event in self._tables.events.values() if holds(encode(event), value)}
        found |= {
            key
            for key, one in self._tables.records.items()
            if holds(encode(one.facts), value) or any(name.endswith(f"/{text}") for name in one.references)
        }
        return sorted(found & self._tables.records.keys())

    def rewrite_events(self, record: str, rewrite: Callable[[Event], Event]) -> int:
        """Put what *rewrite* returns in place of every event of *record*."""
        mine = {name: kept[1] for name, kept in self._tables.events.items() if kept[0] == record}
        self._tables.events.update({name: (record, rewrite(event)) for name, event in mine.items()})
        return len(mine)

    def rewrite_effects(self, record: str, rewrite: Callable[[Effect], Effect]) -> int:
        """Put the action, error and `before` that *rewrite* returns in place of those stored."""
        mine = {name: one for name, one in self._tables.effects.items() if one.record == record}
        for name, one in mine.items():
            after = rewrite(one)
            self._tables.effects[name] = replace(one, action=after.action, error=after.error, before=after.before)
        return len(mine)

    def forget_facts(self, record: str) -> int:
        """Empty the facts of every decision about *record*."""
        mine = {name: one for name, one in self._tables.decisions.items() if one.record == record}
        self._tables.decisions.update({name: replace(one, facts="") for name, one in mine.items()})
        return len(mine)

    def forget_refusals(self, texts: Sequence[str]) -> int:
        """Forget refused lines of the records *texts*, or that hold one of *texts*."""
        kept = {
            name: one
            for name, one in self._tables.refusals.items()
            if not any(text == one.record or holds(one.text, text) or holds(one.reason, text) for text in texts)
        }
        gone = len(self._tables.refusals) - len(kept)
        self._tables.refusals = kept
        return gone

    def rewrite_related(self, identity: str, rewrite: Callable[[str, dict[str, Any]], dict[str, Any]]) -> list[str]:
        """Put what *rewrite* makes of (object, values) in place for every object *identity*."""
        mine = {target: values for target, values in self._tables.related.items() if target[1] == identity}
        self._tables.related.update({target: rewrite(target[0], values) for target, values in mine.items()})
        return sorted(record_key(*target) for target in mine)

    def _prunable(self, key: str, instant: int) -> bool:
        events = [event.at for owner, event in self._tables.events.values() if owner == key]
        effects = [one for one in self._tables.effects.values() if one.record == key]
        decided = any(one.record == key for one in self._tables.decisions.values())
        newer = any(at >= instant for at in events)
        newer = newer or any(one.state in OPEN_STATES for one in effects)
        return not newer and bool(events or effects or decided)
