"""
`decide(facts, policy, now) -> Decision`: the whole product in one pure call.

The live worker, the dry run, the replay, the what-if and the tests all come through here; only *now* and the source of
the facts differ. No clock, no I/O, no randomness: the same arguments give the same Decision, byte for byte.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from msgspec.structs import replace

from triage.actions.admit import Ledger, admit, dropped, held_by
from triage.actions.matches import Found, delivered, due_steps, holding, triggered, unchanged
from triage.actions.plan import APART, astray, forbidden, ordered_by_people, plan, useless
from triage.actions.view import View
from triage.domain.decision import Action, Decision, Match
from triage.domain.facts import Facts, Memory
from triage.domain.work import Agent
from triage.observe import ORDERED, follow_milestones, latch
from triage.policy import Policy
from triage.routing.assign import assign
from triage.routing.holding import drain
from triage.rules.language import ActionSpec
from triage.sla.clocks import NEVER


def decide(facts: Facts, policy: Policy, now: int, at: int | None = None) -> Decision:
    """
    Return what holds for the record at *now*, what to do about it, what to remember, and when to look again.

    A late *now* is no different but for `at`, agent and target: rule, step, due and key come from the facts alone.
    Where a worker catches up, *at* is the instant at which its actions really happen; it is *now* otherwise.
    """
    memory = _latched(facts, policy, now)
    view = View(facts, memory, policy, now, at)
    ledger = Ledger(view)
    found = [*holding(view), *due_steps(view)]
    ledger.end_runs(view, found)
    firings = [firing for one in [*found, *triggered(view)] if (firing := admit(one, view, ledger)) is not None]
    actions = [action for firing in firings for action in plan(firing, view)]
    actions += _deliver(view, ledger)
    actions += [action for event, _ in facts.fresh for action in ordered_by_people(event, view)]
    return Decision(
        org=facts.org,
        object=facts.item.object,
        id=facts.item.id,
        at=now,
        matches=tuple(_match(one) for one in found),
        actions=tuple(actions),
        memory=_remembered(memory, found, ledger, now),
        next_at=None if view.wake >= NEVER else view.wake,
        next_why=view.why,
        warnings=facts.item.warnings,
    )


def advance(facts: Facts, policy: Policy, upto: int, at: int | None = None) -> tuple[Facts, tuple[Decision, ...]]:
    """
    Return the facts after deciding at every crossing up to and including *upto*, in order, and those decisions.

    Fresh events are decided first, at their own instant. A worker that comes late walks the same crossings as one that
    was punctual; it gives its own clock as *at*. Facts whose policy was replaced are decided once, at *upto*.
    """
    return _collect(facts, advancing(facts, policy, upto, at))


def advancing(facts: Facts, policy: Policy, upto: int, at: int | None = None) -> Iterator[tuple[Facts, Decision]]:
    """Yield each crossing's facts and decision up to *upto*: `advance`, one at a time."""
    instant = _first_instant(facts, policy, upto)
    while instant is not None and instant <= upto:
        decision = decide(facts, policy, instant, at)
        facts = after(facts, decision)
        yield facts, decision
        instant = None if decision.next_at is None else max(decision.next_at, instant)


def after(facts: Facts, decision: Decision) -> Facts:
    """Return *facts* as they stand once *decision* has been taken."""
    return replace(facts, memory=decision.memory, fresh=(), last_decided_at=decision.at, next_at=decision.next_at)


def still_holds(facts: Facts, policy: Policy, action: Action, now: int) -> str:
    """
    Return why *action* must no longer be done at *now*, or an empty string: what every delivery and retry asks first.

    A closed or deleted record, a completed milestone, an override, a condition that ceased, a message about a breach
    that has happened since, a recipient that is not allowed, and a hop too many all cancel.
    """
    if action.rule == ORDERED:
        return "the record is gone" if facts.item.deleted else ""
    rule = policy.rules.get(action.rule)
    if rule is None:
        return "the rule is no longer in the policy"
    # A source whose clock is ahead of ours has moved the record's own time ahead.
    now = max(now, facts.item.marks.get("event", now))
    view = View(replace(facts, fresh=()), _latched(facts, policy, now), policy, now)
    if view.closed and not rule.while_closed:
        return "the record is closed"
    override = held_by(view, action.rule)
    if override is not None:
        return f"{override.action} by {override.actor or 'somebody'}: {override.reason}"
    return (
        _ceased(view, action)
        or useless(action, _subject(action), view)
        or forbidden(action, view)
        or astray(action, view)
    )


def place(
    action: Action, facts: Facts, policy: Policy, now: int, among: Collection[str] | None = None
) -> Action | None:
    """
    Return *action*, held because nobody could take it, with whoever can at *now*; None for still nobody.

    Args:
        among: Ids of those who are known to be free; nobody else of a group is asked.
    """
    specs = written_as(action, policy)
    if not specs or still_holds(facts, policy, action, now):
        return None
    found = next((one for spec in specs if (one := assign(spec, facts, policy, now, among)).target), None)
    if found is None:
        return None
    reason = replace(action.reason, note=found.note, passed_over=found.passed_over)
    return replace(
        action, target=found.target, at=now, status="planned", note="", reason=reason,
        params=action.params | found.counts,
    )  # fmt: skip


def judged(action: Action, facts: Facts, policy: Policy, now: int) -> Action:
    """Return *action*, planned earlier, for whoever can take it at *now*: held, for nobody, where none can."""
    if action.kind != "reassign" or not written_as(action, policy):
        return action
    found = place(action, facts, policy, now)
    return found or replace(action, target="", status="held", note="nobody can take it any more")


def place_all(
    waiting: Sequence[tuple[Action, Facts]], agents: Sequence[Agent], policy: Policy, now: int
) -> list[Action]:
    """Return those of the held actions *waiting* that somebody of *agents* can take now, the highest in rank first."""
    return drain(waiting, agents, policy, now, place, written_as)


def written_as(action: Action, policy: Policy) -> tuple[ActionSpec, ...]:
    """Return *action* as its rule writes it, then what stands in for it; nothing where the rule has changed since."""
    rule = policy.rules.get(action.rule)
    if rule is None:
        return ()
    step = next((step for step in rule.steps if step.id == action.step), None)
    written = step.do if step is not None else rule.repeat.then if rule.repeat and action.step == "then" else rule.do
    deeper, place = divmod(action.position, APART)
    chain = list(written[place : place + 1])
    while deeper and chain:
        deeper, place = divmod(deeper, APART)
        chain = list(chain[0].if_none[place : place + 1])
    while chain and chain[-1].if_none:
        chain.append(chain[-1].if_none[0])
    return tuple(spec for spec in chain if spec.kind == action.kind)


def _ceased(view: View, action: Action) -> str:
    """A condition that the rule's own change of the record ended does not take back the rest of what it does."""
    by_itself = any(ours.rule == action.rule and ours.at >= action.at for ours in view.memory.ours.values())
    if by_itself and not _completed(view, action):
        return ""
    compiled = view.part.book.by_id.get(action.rule)
    if compiled is not None and compiled.on_event:
        return "" if unchanged(compiled, view, _subject(action)) else "its condition no longer holds"
    found: list[Found] = [*holding(view), *due_steps(view)]
    return "" if any(_same(one, action) for one in found) else "its condition no longer holds"


def _completed(view: View, action: Action) -> bool:
    """Return whether the run of a milestone that *action* speaks of has been completed or stopped."""
    run = {state.name: state for state in view.memory.milestones}.get(_subject(action))
    if run is None:
        return False
    return run.completed is not None or run.stopped is not None or f":{run.start}" not in action.episode


def _same(found: Found, action: Action) -> bool:
    """Return whether *found* is what *action* came from: the same rule and step, for the same milestone."""
    if found.rule.id != action.rule or (found.step != action.step and action.step not in ("then", "hops")):
        return False
    about = _subject(action)
    return not found.subject or about in ("", "created", found.subject) or action.step == "hops"


def _subject(action: Action) -> str:
    """The milestone an action speaks of, read off its episode `clock:NAME:start`."""
    parts = action.episode.split(":")
    return parts[1] if parts[0] == "clock" else ""


def _latched(facts: Facts, policy: Policy, now: int) -> Memory:
    """
    Return the memory under *policy*: a new one chooses entries again, and its milestones act from *now* on.

    The state of owners is no event of the record: entries that look at it are chosen again at each decision.
    """
    item, agents, part = facts.item, facts.agents, policy.objects[facts.item.object]
    if facts.memory.latched_by == policy.rules_digest:
        return (
            latch(facts.memory, item, policy, now, saved=False, agents=agents)
            if part.entries_use_owner
            else facts.memory
        )
    memory = follow_milestones(facts.memory, item, part, policy, now)
    return latch(memory, item, policy, item.marks.get("event", item.created_at), agents=agents)


def _deliver(view: View, ledger: Ledger) -> list[Action]:
    actions: list[Action] = []
    for pending, found in delivered(view):
        if found is not None:
            firing = admit(found, view, ledger)
            actions += plan(firing, view) if firing is not None else ()
            continue
        rule = view.policy.rules.get(pending.rule)
        if rule is not None:
            planned = plan(dropped(pending, rule), view)
            actions += [replace(a, status="cancelled", note="its condition no longer holds") for a in planned]
    return actions


def _match(found: Found) -> Match:
    return Match(
        rule=found.rule.id, step=found.step, subject=found.subject, since=found.since, due=found.due,
        episode=found.episode,
    )  # fmt: skip


def _remembered(memory: Memory, found: list[Found], ledger: Ledger, now: int) -> Memory:
    waiting = {(p.rule, p.subject, p.episode): p for p in memory.pending if p.deliver_at > now}
    waiting |= {(p.rule, p.subject, p.episode): p for p in ledger.pending}
    return replace(
        memory,
        true_since={
            f"{one.rule.id}/{one.subject}" if one.subject else one.compiled.alone: one.since
            for one in found
            if one.compiled is not None
        },
        fired=ledger.fired,
        last_fired=ledger.last_fired,
        runs=ledger.runs,
        pending=tuple(waiting.values()),
    )


def _collect(facts: Facts, walk: Iterator[tuple[Facts, Decision]]) -> tuple[Facts, tuple[Decision, ...]]:
    decisions = []
    for state, decision in walk:
        facts = state
        decisions.append(decision)
    return facts, tuple(decisions)


def _first_instant(facts: Facts, policy: Policy, upto: int) -> int | None:
    if facts.memory.latched_by != policy.rules_digest:
        return upto
    if facts.fresh:
        return max(facts.fresh[-1][0].at, facts.last_decided_at or facts.fresh[-1][0].at)
    return upto if facts.last_decided_at is None else facts.next_at
