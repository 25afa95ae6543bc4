"""Undo: what a rule did to owners and priorities is put back, where nobody has touched the record since."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from triage.actions.plan import make_key
from triage.again import stored
from triage.domain.decision import Action, ActionKind, AuditEntry, Reason
from triage.domain.facts import Facts
from triage.ports import Effect, EffectFilter, Engine, Store, Unit
from triage.steering import open_turn
from triage.turn import entry_of, planned_entry

FIELDS = {"reassign": "owner", "move": "owner", "reprioritise": "priority"}
"""Which field each kind of action changes, of those that can be put back."""


class Restoration(Struct, frozen=True, kw_only=True):
    """One field of one record: what it is and would be again, or why it is left alone (`kept`)."""

    record: str
    field: str
    now: object = None
    again: object = None
    kept: str = ""
    action: Action | None = None


def preview(store: Store, rule: str, since: int, now: int) -> list[Restoration]:
    """Return what `undo` would do about the done effects of *rule* since the instant *since*; changes nothing."""
    with store.read() as unit:
        return _restorations(unit, rule, since, now)


def undo(
    store: Store, engine: Engine, rule: str, since: int, now: int, *, actor: str, reason: str = ""
) -> list[Restoration]:
    """
    Plan the effects that put back what *rule* did since *since*, and return the same list as `preview`.

    They leave through the outbox under keys of their own: undoing twice does nothing more.
    """

    def put_back(unit: Unit) -> list[Restoration]:
        found = _restorations(unit, rule, since, now)
        effects = [Effect(action=one.action, state="ready", run_at=now) for one in found if one.action is not None]
        planned = unit.outbox.plan(effects)
        turn = open_turn(unit, engine, now)
        for one in unit.outbox.supersede(planned):
            if one.state == "ready":
                turn.free(one)
            turn.note(entry_of(one.action, unit.org, "superseded", now, actor=actor, why=f"undo of {rule}"))
        for effect in planned:
            turn.reserve(effect)
            turn.note(_signed(planned_entry(effect, unit.org, now), actor, reason))
        turn.settle()
        return found

    return stored(store, put_back)


def _restorations(unit: Unit, rule: str, since: int, now: int) -> list[Restoration]:
    done = unit.outbox.find(EffectFilter(states=("done",), rule=rule))
    groups: dict[tuple[str, str], list[Effect]] = {}
    for effect in done:
        field = FIELDS.get(effect.action.kind)
        if field is not None and (effect.done_at or effect.action.at) >= since:
            groups.setdefault((effect.record, field), []).append(effect)
    records = unit.records.get(sorted({record for record, _ in groups}))
    found = [
        (records[record].facts, record, field, _that_changed(records[record].facts, field, effects))
        for (record, field), effects in sorted(groups.items())
        if record in records
    ]
    return [_restoration(unit, *one, now) for one in found if one[-1]]


def _that_changed(facts: Facts, field: str, effects: list[Effect]) -> list[Effect]:
    """
    Return those of *effects* that changed *field*, with what it was before.

    Where the answer to one was lost, its change came back as an event like anybody's: what the field was before then
    stands in the record's memory alone.
    """
    told = [effect for effect in effects if field in effect.before]
    ours = facts.memory.ours.get(field)
    if ours is None or any(effect.done_at == ours.at for effect in told):
        return told
    untold = [
        effect
        for effect in effects
        if field not in effect.before and effect.action.rule == ours.rule and effect.action.at <= ours.at
    ]
    if not untold:
        return told
    last = max(untold, key=lambda effect: (effect.action.at, effect.seq))
    change = {field: {"was": ours.before, "is": facts.item.fields.get(field)}}
    return [*told, replace(last, before=change, done_at=ours.at)]


def _restoration(unit: Unit, facts: Facts, record: str, field: str, effects: list[Effect], now: int) -> Restoration:
    """Put back the value from before the first of an unbroken run of the rule's effects."""
    effects = sorted(effects, key=lambda effect: (effect.done_at or 0, effect.seq))
    value = facts.item.fields.get(field)
    kept = _touched(facts, field, effects)
    first = effects[0]
    for later, earlier in zip(reversed(effects), [*reversed(effects[:-1]), None], strict=True):
        first = later
        if earlier is None or later.before[field]["was"] != earlier.before[field]["is"]:
            break
    again = first.before[field]["was"]
    action = _action(unit.org, first.action, field, str(again), now)
    kept = _undone(unit, action) or kept or ("it had no value before" if again is None else "")
    if kept:
        return Restoration(record=record, field=field, now=value, again=again, kept=kept)
    return Restoration(record=record, field=field, now=value, again=again, action=action)


def _undone(unit: Unit, action: Action) -> str:
    """Return what has become of the undo *action* where it was ordered before, "" where it was not."""
    earlier = next(iter(unit.outbox.find(EffectFilter(key=action.key, limit=1))), None)
    if earlier is None or earlier.state not in ("done", "ready", "leased"):
        return ""
    return "it was undone before" if earlier.state == "done" else "its undo is on its way"


def _touched(facts: Facts, field: str, effects: list[Effect]) -> str:
    last = effects[-1]
    ours = facts.memory.ours.get(field)
    if facts.item.deleted:
        return "the record is gone"
    if ours is None:
        return f"somebody has changed {field} since"
    if ours.rule != last.action.rule or ours.at != last.done_at:
        return f"{ours.rule} has changed {field} since"
    return ""


def _action(org: str, undone: Action, field: str, value: str, now: int) -> Action:
    kind: ActionKind = "reassign" if field == "owner" else "reprioritise"
    target = (value if ":" in value else f"user:{value}") if field == "owner" else "field:priority"
    episode = f"event:{undone.key}"
    return Action(
        object=undone.object,
        id=undone.id,
        rule="override",
        step="undo",
        position=0,
        kind=kind,
        target=target,
        params={} if field == "owner" else {"to": value},
        due=now,
        at=now,
        episode=episode,
        key=make_key(org, undone.object, undone.id, "override", "undo", 0, episode),
        reason=Reason(note=f"undo of {undone.rule}"),
    )


def _signed(entry: AuditEntry, actor: str, reason: str) -> AuditEntry:
    return replace(entry, actor=actor, body={**entry.body, "why": reason})
