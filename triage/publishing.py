"""
Policies made live: published, promoted rule by rule, rolled back; every open record is looked at again.

A rule that is new or changed goes live at its publication: what is true by then is backlog. With a live sink it also
starts in `observe`; an unchanged rule keeps the mode that people gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from triage.again import again
from triage.domain.decision import AuditEntry
from triage.domain.work import Agent
from triage.errors import ConfigError, StoreError
from triage.policy import RuleMode
from triage.ports import Compiled, Engine, Outline, Store, StoredPolicy, Unit, record_key
from triage.rules.language import Mode

WAKE_BATCH = 1_000
"""How many timers one transaction moves."""


class Published(Struct, frozen=True, kw_only=True):
    """What a publication changed: rules by what happened to them, and how many open records will be looked at."""

    digest: str
    previous: str = ""
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    modes: dict[str, RuleMode] = {}
    woken: int = 0


def publish(
    store: Store,
    engine: Engine,
    texts: Mapping[str, str],
    now: int,
    *,
    actor: str,
    reason: str = "",
    virtual: bool = False,
    earlier: Mapping[str, RuleMode] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Published:
    """
    Make *texts* the policy in force at *now*. Publishing what is in force already changes nothing.

    Args:
        virtual: Nothing outside is touched (demo, sandbox): every rule acts.
        earlier: Modes for rules that the live policy does not have, of a policy that comes back.
        progress: Called with the number of records woken so far.

    Raises:
        ConfigError: every fault of *texts*.
    """
    outlines = dict(engine.outlines(texts))
    with store.write() as unit:
        live = unit.policies.live()
        modes = next_modes(live, outlines, now, earlier)
        published = _make_live(unit, engine, dict(texts), modes, outlines, now, actor, reason, virtual)
    return _with_woken(published, store, now, progress)


def promote(store: Store, engine: Engine, rule: str, mode: Mode, now: int, *, actor: str, reason: str) -> Published:
    """
    Let *rule* go as far as *mode* from *now* on; what is true by then is backlog.

    Raises:
        ConfigError: the policy in force has no such rule.
        StoreError: no policy is in force.
    """
    with store.write() as unit:
        live = _in_force(unit)
        if rule not in live.outlines:
            raise ConfigError(f"the policy in force has no rule {rule}: it has {', '.join(sorted(live.outlines))}")
        modes = {**live.modes, rule: RuleMode(mode, now)}
        published = _make_live(unit, engine, live.texts, modes, live.outlines, now, actor, reason, live.virtual)
    return _with_woken(published, store, now, None)


def rollback(store: Store, engine: Engine, digest: str, now: int, *, actor: str, reason: str = "") -> Published:
    """
    Publish the texts of the earlier policy whose digest begins with *digest*; "" is the one before the live one.

    Raises:
        StoreError: there is no such policy, or more than one.
    """
    with store.read() as unit:
        history = [one for one in unit.policies.history() if not one.live]
    found = [one for one in history if one.digest.startswith(digest)] if digest else history[:1]
    if len(found) != 1:
        raise StoreError(f"{len(found)} earlier policies begin with {digest!r}: `triage policy history` lists them")
    return publish(
        store, engine, found[0].texts, now, actor=actor, reason=reason or f"rollback to {found[0].digest[:12]}",
        virtual=found[0].virtual, earlier=found[0].modes,
    )  # fmt: skip


def next_modes(
    live: StoredPolicy | None,
    outlines: Mapping[str, Outline],
    now: int,
    earlier: Mapping[str, RuleMode] | None = None,
) -> dict[str, RuleMode]:
    """
    Return each rule's mode once *outlines* are in force: as people set it, live since *now* where it changed.

    A rule that the live policy does not have takes the mode it had *earlier*, else it observes.
    """
    modes: dict[str, RuleMode] = {}
    before = earlier or {}
    for rule, outline in outlines.items():
        held = None if live is None else live.modes.get(rule)
        if live is None or held is None:
            modes[rule] = RuleMode(before[rule].mode if rule in before else "observe", now)
        elif live.outlines.get(rule) == outline:
            modes[rule] = held
        else:
            modes[rule] = RuleMode(held.mode, now)
    return modes


def wake_open(store: Store, now: int, progress: Callable[[int], None] | None = None, *, after: str = "") -> int:
    """
    Move the timer of every open record with a key above *after* to *now*; return how many there are.

    A batch a transaction, and each says how far it came: a worker goes on where a publication was cut off.
    """
    woken = 0
    while True:
        keys = again(lambda _, after=after: _wake_some(store, now, after))  # type: ignore[misc]
        if not keys:
            return woken
        woken, after = woken + len(keys), keys[-1]
        if progress is not None:
            progress(woken)


def _wake_some(store: Store, now: int, after: str) -> list[str]:
    with store.write() as unit:
        keys = unit.records.keys(after=after, limit=WAKE_BATCH, only_open=True)
        unit.records.wake(keys, now, "policy")
        unit.control.set_waking(now, keys[-1] if keys else None)
    return keys


def resume_waking(store: Store) -> int:
    """Go on with a waking that was cut off; return how many records it still woke."""
    with store.read() as unit:
        left = unit.control.waking()
    return 0 if left is None else wake_open(store, left[0], after=left[1])


def _in_force(unit: Unit) -> StoredPolicy:
    live = unit.policies.live()
    if live is None:
        raise StoreError("no policy is in force: publish one with `triage policy publish`")
    return live


def _make_live(
    unit: Unit,
    engine: Engine,
    texts: dict[str, str],
    modes: dict[str, RuleMode],
    outlines: dict[str, Outline],
    now: int,
    actor: str,
    reason: str,
    virtual: bool,
) -> Published:
    compiled = engine.compile(texts, modes, virtual=virtual)
    before = unit.policies.live()
    old = before.outlines if before is not None else {}
    published = Published(
        digest=compiled.digest,
        previous=before.digest if before is not None else "",
        added=tuple(sorted(set(outlines) - set(old))),
        changed=tuple(sorted(name for name in set(outlines) & set(old) if outlines[name] != old[name])),
        removed=tuple(sorted(set(old) - set(outlines))),
        modes=modes,
    )
    if before is not None and before.digest == compiled.digest:
        return published
    stored = StoredPolicy(
        digest=compiled.digest, texts=texts, modes=modes, outlines=outlines, at=now, actor=actor, reason=reason,
        virtual=virtual,
    )  # fmt: skip
    unit.policies.publish(stored)
    unit.control.set_waking(now, "")
    unit.related.save_agents(_declared_anew(unit, engine, compiled, before))
    body = {"digest": published.digest, "previous": published.previous, "reason": reason, "virtual": virtual}
    body |= {"added": published.added, "changed": published.changed, "removed": published.removed}
    body["modes"] = {name: mode.mode for name, mode in modes.items()}
    unit.audit.append(
        [AuditEntry(at=now, org=unit.org, object="org", id=unit.org, event="policy_published", actor=actor, body=body)]
    )
    return published


def _declared_anew(unit: Unit, engine: Engine, compiled: Compiled, before: StoredPolicy | None) -> list[Agent]:
    """Return the agents whose declaration is new or changed; presence and load stay as events told them."""
    known = {agent.id: agent for agent in unit.related.agents()}
    declared = engine.agents(compiled)
    held = {one.id: len(unit.records.dependents([record_key("agent", one.id)])) for one in declared}
    declared = tuple(replace(one, load=held[one.id]) if one.id not in known else one for one in declared)
    if before is None or not declared:
        return [agent for agent in declared if agent.id not in known]
    earlier = {agent.id: agent for agent in engine.agents(engine.compile(before.texts, before.modes, virtual=True))}
    changed = [agent for agent in declared if agent.id not in known or agent != earlier.get(agent.id)]
    return [
        replace(agent, presence=known[agent.id].presence, load=known[agent.id].load) if agent.id in known else agent
        for agent in changed
    ]


def _with_woken(published: Published, store: Store, now: int, progress: Callable[[int], None] | None) -> Published:
    if published.digest == published.previous:
        return published
    return Published(
        digest=published.digest, previous=published.previous, added=published.added, changed=published.changed,
        removed=published.removed, modes=published.modes, woken=wake_open(store, now, progress),
    )  # fmt: skip
