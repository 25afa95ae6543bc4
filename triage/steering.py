"""
People's hands on the outbox: halt and resume, backlog and held effects, retries, cancellations, rederived decisions.

Each function is one transaction, audited with who did it and why. Released effects go through the worker like any
other: it asks again whether they still hold.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct
from msgspec.structs import replace

from triage.again import stored
from triage.domain.decision import AuditEntry
from triage.domain.facts import Facts
from triage.errors import StoreError
from triage.ports import (
    Compiled,
    Effect,
    EffectFilter,
    Engine,
    State,
    Stop,
    Store,
    StoredDecision,
    Unit,
    standing_again,
)
from triage.sending import EVERYTHING
from triage.store.codec import decode_facts, digest, encode_result
from triage.turn import Turn, entry_of
from triage.worker import compiled_policy


class Waiting(Struct, frozen=True):
    """How many effects of one rule wait for one recipient, and the oldest due instant among them."""

    rule: str
    target: str
    count: int
    oldest: int


class Released(Struct, frozen=True):
    """
    What a release did: keys let go, and keys cancelled with the reason why they no longer hold.

    `waiting` are reassignments that nobody can take any more: they wait in the hold queue.
    """

    released: tuple[str, ...] = ()
    cancelled: dict[str, str] = {}
    waiting: tuple[str, ...] = ()


def stop(store: Store, now: int, *, rule: str = EVERYTHING, actor: str, reason: str = "") -> None:
    """Halt the effects of *rule* (`*`: all): none starts more than a second later. Clocks and audit go on."""
    stored(store, lambda unit: halt(unit, Stop(rule=rule, at=now, actor=actor, reason=reason)))


def halt(unit: Unit, stop: Stop) -> None:
    """Store *stop* with its audit line."""
    unit.control.stop(stop)
    unit.audit.append([_entry(unit, stop.at, "stopped", stop.actor, rule=stop.rule, reason=stop.reason)])


def start(store: Store, now: int, *, rule: str = EVERYTHING, actor: str, reason: str = "") -> bool:
    """Let the effects of *rule* go again; False where they were not halted."""

    def started(unit: Unit) -> bool:
        if not unit.control.start(rule):
            return False
        unit.audit.append([_entry(unit, now, "started", actor, rule=rule, reason=reason)])
        return True

    return stored(store, started)


def stops(store: Store) -> list[Stop]:
    """Return what is halted."""
    with store.read() as unit:
        return list(unit.control.stops().values())


def waiting(store: Store, state: State = "backlog", *, rule: str = "") -> list[Waiting]:
    """Return what stands in *state* (`backlog` or `held`), by rule and recipient, most first."""
    found: dict[tuple[str, str], list[int]] = {}
    with store.read() as unit:
        for effect in unit.outbox.find(EffectFilter(states=(state,), rule=rule)):
            found.setdefault((effect.action.rule, effect.action.target), []).append(effect.action.due)
    rows = [Waiting(name, target, len(due), min(due)) for (name, target), due in found.items()]
    return sorted(rows, key=lambda row: (-row.count, row.rule, row.target))


def release(
    store: Store,
    engine: Engine,
    now: int,
    *,
    rule: str,
    limit: int,
    actor: str,
    reason: str = "",
    state: State = "backlog",
) -> Released:
    """
    Let at most *limit* effects of *rule* in *state* (`backlog`, `held`) go, the longest due first; cancel what ceased.

    Who takes a reassignment is judged now, as in firing: whoever it was planned for may be away or full by now. What
    one firing planned goes together, unless it alone is more than *limit*.
    """

    def let_go(unit: Unit) -> Released:
        found = unit.outbox.find(EffectFilter(states=(state,), rule=rule, lock=True))
        # What nobody could take waits for somebody, not for a person's word.
        found = [effect for effect in found if effect.action.target]
        return _release(unit, engine, _longest_due(found, limit), now, actor, reason)

    return stored(store, let_go)


def _longest_due(found: Sequence[Effect], limit: int) -> list[Effect]:
    firings: dict[tuple[str, str, str], list[Effect]] = {}
    for effect in sorted(found, key=lambda one: (one.action.due, one.seq)):
        firings.setdefault((effect.record, effect.action.step, effect.action.episode), []).append(effect)
    chosen: list[Effect] = []
    for effects in firings.values():
        if len(chosen) + len(effects) > limit and chosen:
            break
        chosen += effects
    return chosen[:limit]


def release_keys(
    store: Store, engine: Engine, now: int, *, keys: Sequence[str], actor: str, reason: str = ""
) -> Released:
    """Let the held or backlog effects *keys* go."""

    def let_go(unit: Unit) -> Released:
        found = [_one(unit, key, ("held", "backlog")) for key in keys]
        return _release(unit, engine, found, now, actor, reason)

    return stored(store, let_go)


def retry(store: Store, engine: Engine, now: int, *, keys: Sequence[str], actor: str, reason: str = "") -> int:
    """Send the dead effects *keys* again, from their first attempt; raise StoreError where one is not dead."""

    def revive(unit: Unit) -> int:
        found = [_one(unit, key, ("dead",)) for key in keys]
        turn = open_turn(unit, engine, now)
        for effect in found:
            turn.reserve(effect)
        turn.settle()
        _move(unit, found, "ready", now, "retried_by_hand", actor, reason)
        return len(found)

    return stored(store, revive)


def cancel(store: Store, engine: Engine, now: int, *, keys: Sequence[str], actor: str, reason: str = "") -> int:
    """
    Cancel the effects *keys*, which are not done yet; raise StoreError where one is.

    A digest goes on without its first message: the next one carries it, in the same state.
    """

    def drop(unit: Unit) -> int:
        found = [_one(unit, key, ("ready", "held", "backlog", "dead", "would_have")) for key in keys]
        turn = open_turn(unit, engine, now)
        for effect in found:
            if effect.state == "ready":
                turn.free(effect)
        # First: what becomes free is given to what waits, and these no longer do.
        _move(unit, found, "cancelled", now, "cancelled", actor, reason)
        turn.settle()
        for effect in found:
            _hand_on(unit, effect, now, actor)
        return len(found)

    return stored(store, drop)


def seen_done(store: Store, engine: Engine, now: int, *, keys: Collection[str], actor: str) -> int:
    """
    Mark effects as done that the other side says it has done, though its answer was lost; return how many.

    Without it the change that comes back as an event would make the effect look pointless, and it would be cancelled.
    One that is being sent is left alone: its own answer will come, or its lease end.
    """
    with store.write() as unit:
        wanted: tuple[State, ...] = ("ready", "dead", "cancelled")
        found = [
            effect
            for key in sorted(keys)
            for effect in unit.outbox.find(EffectFilter(key=key, states=wanted, lock=True))
        ]
        if found:
            turn = open_turn(unit, engine, now)
            for effect in found:
                if effect.state == "ready":
                    turn.free(effect)
            turn.settle()
            _move(unit, found, "done", now, "done", actor, "its answer was lost; the other side has it")
        return len(found)


def rederive(store: Store, engine: Engine, decision_id: str) -> tuple[StoredDecision, bool, str]:
    """Return the stored decision, whether deriving it again gives the same bytes, and those bytes as JSON."""
    with store.read() as unit:
        stored = unit.policies.decision(decision_id)
        if stored is None:
            raise StoreError(f"there is no decision {decision_id}")
        if not stored.facts:
            raise StoreError(f"the facts of decision {decision_id} were erased: its digest is {stored.result}")
        policy = compiled_policy(unit, engine, stored.policy)
        roster = unit.policies.roster(stored.agents)
    facts = replace(decode_facts(stored.facts), agents=standing_again(roster, stored.loads))
    if stored.call == "decide":
        text = encode_result((engine.decide(facts, policy, stored.now, stored.at),))
    else:
        text = encode_result(engine.advance(facts, policy, stored.now, stored.at)[1])
    return stored, digest(text) == stored.result, text


def policy_in_force(unit: Unit, engine: Engine) -> Compiled:
    """Return the policy in force, compiled; raise StoreError where none is."""
    live = unit.policies.live_digest()
    if not live:
        raise StoreError("no policy is in force: publish one with `triage policy publish`")
    return compiled_policy(unit, engine, live)


def open_turn(unit: Unit, engine: Engine, now: int) -> Turn:
    """Return a turn under the policy in force; raise StoreError where none is."""
    return Turn(unit, engine, policy_in_force(unit, engine), now)


def _release(unit: Unit, engine: Engine, found: Sequence[Effect], now: int, actor: str, reason: str) -> Released:
    turn = open_turn(unit, engine, now)
    turn.load(sorted({effect.record for effect in found}))
    policy = turn.policy
    let_go: list[Effect] = []
    cancelled: dict[str, str] = {}
    waiting: list[str] = []
    for effect in found:
        facts = turn.known(effect.record)
        why = "the record is not in the store" if facts is None else _against(engine, facts, policy, effect, now)
        if not effect.action.target:
            # Nobody could take it: `Turn.place_held` finds somebody, a release cannot.
            continue
        why = why or _acknowledged(unit, engine, policy, effect, now)
        if why:
            cancelled[effect.action.key] = why
            turn.note(entry_of(effect.action, unit.org, "cancelled", now, actor=actor, why=why))
            continue
        assert facts is not None
        judged = engine.judged(effect.action, facts, policy, now)
        if judged != effect.action:
            effect = replace(effect, action=judged, state="held")
            unit.outbox.rewrite(effect)
        if not judged.target:
            waiting.append(judged.key)
            turn.note(entry_of(judged, unit.org, "held", now, actor=actor, why=judged.note))
            continue
        let_go.append(effect)
        turn.reserve(effect)
    for key, why in cancelled.items():
        unit.outbox.change([key], "cancelled", run_at=0, error=why)
    turn.settle()
    _move(unit, let_go, "ready", now, "released", actor, reason)
    return Released(tuple(effect.action.key for effect in let_go), cancelled, tuple(waiting))


def _against(engine: Engine, facts: Facts, policy: Compiled, effect: Effect, now: int) -> str:
    """Return why *effect* may not go; a digest tells of many records, and each line is judged when it leaves."""
    return "" if "digest" in effect.action.params else engine.still_holds(facts, policy, effect.action, now)


def _acknowledged(unit: Unit, engine: Engine, policy: Compiled, effect: Effect, now: int) -> str:
    """Return why no acknowledgement may go: one a customer and day, whoever lets it go. One that may is counted."""
    if effect.action.kind != "acknowledge":
        return ""
    daily = [one for one in engine.buckets([effect.action], policy, now, unit.org) if one.scope == "acknowledgement to"]
    if unit.outbox.usage(daily):
        return "the customer has been acknowledged today"
    unit.outbox.add_usage(dict.fromkeys(daily, 1))
    return ""


def _one(unit: Unit, key: str, states: tuple[State, ...]) -> Effect:
    """Return the effect whose key begins with *key*; raise StoreError where it is none, several, or not in *states*."""
    found = unit.outbox.find(EffectFilter(key=key, limit=2, lock=True))
    if len(found) != 1:
        raise StoreError(f"{'no effect has' if not found else 'several effects have'} a key that begins with {key!r}")
    if found[0].state not in states:
        raise StoreError(f"effect {key[:12]} is {found[0].state}; this needs one that is {' or '.join(states)}")
    return found[0]


def _move(unit: Unit, effects: Sequence[Effect], state: State, now: int, event: str, actor: str, reason: str) -> None:
    unit.outbox.change([effect.action.key for effect in effects], state, run_at=now)
    lines = [(one, {"target": one.action.target} if event == "released" else {}) for one in effects]
    unit.audit.append(
        [entry_of(one.action, unit.org, event, now, actor=actor, reason=reason, **more) for one, more in lines]
    )


def _hand_on(unit: Unit, carrier: Effect, now: int, actor: str) -> None:
    """Let the next message of a digest carry it whose first was cancelled: the others were not."""
    left: list[tuple[Effect, dict[str, object]]] = []
    for line in carrier.action.params.get("digest", ()):
        wanted = EffectFilter(key=str(line.get("key", "")), states=("superseded",), lock=True)
        if line.get("key", carrier.action.key) != carrier.action.key:
            left += [(one, line) for one in unit.outbox.find(wanted)]
    if not left:
        return
    first = left[0][0]
    params = first.action.params | ({"digest": [line for _, line in left]} if len(left) > 1 else {})
    action = replace(first.action, params=params, status="planned", note="")
    unit.outbox.rewrite(replace(first, action=action, state=carrier.state, run_at=carrier.run_at))
    why = f"carries the digest of {carrier.action.key[:12]}, which was cancelled"
    unit.audit.append([entry_of(action, unit.org, "planned", now, actor=actor, why=why)])


def _entry(unit: Unit, now: int, event: str, actor: str, **body: str) -> AuditEntry:
    return AuditEntry(at=now, org=unit.org, object="org", id=unit.org, event=event, actor=actor, body=dict(body))
