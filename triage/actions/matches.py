"""What holds at an instant, and until when: rules, event triggers, steps of entries in force, waiting deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from triage.actions.view import View
from triage.domain.facts import MilestoneState, Pending
from triage.domain.work import Event
from triage.observe import is_automatic
from triage.rules.compile import CompiledRule, rules_of
from triage.rules.language import ActionSpec, Rule, Step
from triage.sla.clocks import NEVER, Ask


class Found(Struct, frozen=True, kw_only=True, gc=False):
    """
    One rule that holds now, for one milestone or step of it.

    `since` is the instant from which it may fire (what decides backlog), `due` the instant its clock ran out; they
    differ only where an entry came into force late. `waited`: its delivery window has already been waited for.
    """

    rule: Rule
    step: str = ""
    subject: str = ""
    since: int
    due: int
    episode: str
    do: tuple[ActionSpec, ...]
    compiled: CompiledRule | None = None
    clock: str = ""
    clock_start: int | None = None
    over: int | None = None
    before: dict[str, Any] | None = None
    on_event: bool = False
    waited: bool = False

    @property
    def slot(self) -> str:
        """What repeats in one run: rule, step and milestone."""
        return f"{self.rule.id}/{self.step}/{self.subject}"

    @property
    def mark(self) -> str:
        """What fires once, as in the keys of its actions: milestones that share an episode share one firing."""
        return f"{self.rule.id}/{self.step}#{self.episode}"


def holding(view: View) -> Iterator[Found]:
    """Yield the all-matches rules that hold at the view's instant, and wake it where one starts or ceases to."""
    book = view.part.book
    mask = book.index.candidates(view.moment.values) & book.open_mask
    if view.closed:
        mask &= book.closed_mask
    known = view.memory.true_since
    for compiled in rules_of(mask, book.rules):
        if compiled.constant:
            yield _constant(compiled, view, known.get(compiled.alone, view.lower))
        else:
            yield from _holding(compiled, view)


def _constant(compiled: CompiledRule, view: View, since: int) -> Found:
    """What `_found` returns for a rule without any clock, of which there are many."""
    rule = compiled.rule
    episode = f"clock:created:{view.item.created_at}" if rule.once == "per_record" else f"state:{since}"
    return Found(rule=rule, since=since, due=since, episode=episode, do=rule.do, compiled=compiled)


def _holding(compiled: CompiledRule, view: View) -> Iterator[Found]:
    moment, rule = view.moment, compiled.rule
    for milestone in _subjects(compiled, view):
        moment.clocks.subject = milestone
        truth = compiled.truth(moment, view.lower)
        if truth.flips_at < NEVER:
            view.wake_at(truth.flips_at, rule.id)
        if truth.holds:
            key = compiled.alone if milestone is None else f"{rule.id}/{milestone.name}"
            yield _found(compiled, view, milestone, view.memory.true_since.get(key, truth.since))


def triggered(view: View) -> Iterator[Found]:
    """Yield the event rules that one of the fresh events makes true."""
    book = view.part.book
    if not view.facts.fresh or not book.event_mask:
        return
    mask = book.index.candidates(view.moment.values) & book.event_mask
    if view.closed:
        mask &= book.closed_mask
    for compiled in rules_of(mask, book.rules):
        for event, before in view.facts.fresh:
            if compiled.rule.on and event.type not in compiled.rule.on:
                continue
            # Two machines that acknowledge each other's mail never stop.
            if is_automatic(event, view.policy) and any(spec.kind == "acknowledge" for spec in compiled.rule.do):
                continue
            yield from _on_event(compiled, view, event, before)


def _on_event(compiled: CompiledRule, view: View, event: Event, before: dict[str, Any]) -> Iterator[Found]:
    moment = view.moment
    moment.before = before
    for milestone in _subjects(compiled, view):
        moment.clocks.subject = milestone
        if compiled.truth(moment, view.lower).holds:
            episode = f"event:{event.event_id}"
            if compiled.rule.once in ("per_record", "per_milestone"):
                episode = _episode(compiled, view, *_clock(compiled, view, milestone), event.at)
            subject = "" if milestone is None else milestone.name
            yield Found(
                rule=compiled.rule, subject=subject, since=event.at, due=event.at, episode=episode,
                do=compiled.rule.do, compiled=compiled, before=before, on_event=True,
            )  # fmt: skip
    moment.before = None


def delivered(view: View) -> Iterator[tuple[Pending, Found | None]]:
    """Yield each waiting delivery whose window has opened, with what to fire, or None where it no longer holds."""
    for pending in view.memory.pending:
        if pending.deliver_at > view.now:
            view.wake_at(pending.deliver_at, pending.rule)
            continue
        compiled = view.part.book.by_id.get(pending.rule)
        closed = view.closed and compiled is not None and not compiled.rule.while_closed
        if compiled is None or closed or not unchanged(compiled, view, pending.subject):
            yield pending, None
            continue
        yield pending, Found(
            rule=compiled.rule, subject=pending.subject, since=pending.due, due=pending.due, episode=pending.episode,
            do=compiled.rule.do, compiled=compiled, on_event=True, waited=True,
        )  # fmt: skip


def unchanged(compiled: CompiledRule, view: View, subject: str) -> bool:
    """Return whether an event rule still holds, its change taken as given, for *subject* or, unnamed, any milestone."""
    open_ones = view.moment.clocks.milestones
    subjects = (open_ones.get(subject),) if subject or not compiled.by_milestone else tuple(open_ones.values())
    for milestone in subjects:
        view.moment.clocks.subject = milestone
        if compiled.unchanged(view.moment):
            return True
    return False


def due_steps(view: View) -> Iterator[Found]:
    """Yield the steps, of the entries in force, whose clocks have run out; wake the view at the next one."""
    for rule_set in view.part.book.sets:
        held = view.memory.in_force.get(rule_set.id)
        rule = None if held is None else rule_set.by_id.get(held.rule)
        if held is None or rule is None or (view.closed and not rule.while_closed):
            continue
        for step, milestone in _steps_of(rule, view):
            view.moment.clocks.subject = milestone
            found = _step(view, rule, step, held.since)
            if found is None:
                continue
            if view.now >= found.since:
                yield found
            else:
                view.wake_at(found.since, f"{rule.id}/{step.id}")


def _steps_of(rule: Rule, view: View) -> Iterator[tuple[Step, MilestoneState | None]]:
    """Yield each step of *rule*, a step on `sla` once for every open milestone."""
    for step in rule.steps:
        for milestone in view.moment.clocks.milestones.values() if step.clock == "sla" else _NO_SUBJECT:
            yield step, milestone


def _step(view: View, rule: Rule, step: Step, in_force_since: int) -> Found | None:
    """A step due before its entry came into force fires at once, inside the entry's hours; others when due."""
    clocks = view.moment.clocks
    start = clocks.start(step.clock)
    due = clocks.deadline(Ask(step.clock, step.over, step.hours, step.of_remaining))
    if start is None or due is None or due >= NEVER:
        return None
    since = due
    if due < in_force_since:
        since = in_force_since if step.hours == "none" else clocks.hours(step.hours).next_open(in_force_since)
    subject = clocks.subject.name if clocks.subject is not None else ""
    name = subject or step.clock.removeprefix("milestone:")
    return Found(
        rule=rule, step=step.id, subject=subject, since=since, due=due, episode=f"clock:{name}:{start}", do=step.do,
        clock=name, clock_start=start, over=due - start,
    )  # fmt: skip


def _subjects(compiled: CompiledRule, view: View) -> tuple[MilestoneState | None, ...]:
    if compiled.by_milestone:
        return tuple(view.moment.clocks.milestones.values())
    return _NO_SUBJECT


_NO_SUBJECT: tuple[MilestoneState | None, ...] = (None,)


def _found(compiled: CompiledRule, view: View, milestone: MilestoneState | None, since: int) -> Found:
    clock, start = _clock(compiled, view, milestone)
    return Found(
        rule=compiled.rule,
        subject="" if milestone is None else milestone.name,
        since=since,
        due=since,
        do=compiled.rule.do,
        compiled=compiled,
        clock=clock,
        clock_start=start,
        episode=_episode(compiled, view, clock, start, since),
    )


def _clock(compiled: CompiledRule, view: View, milestone: MilestoneState | None) -> tuple[str, int | None]:
    """The clock an episode is named by: the milestone looked at, else the first running clock in the order written."""
    if milestone is not None:
        return milestone.name, milestone.start
    for leaf in compiled.clock_leaves:
        start = view.moment.clocks.start(leaf.clock)
        if start is not None:
            return leaf.clock.removeprefix("milestone:"), start
    return "", None


def _episode(compiled: CompiledRule, view: View, clock: str, start: int | None, since: int) -> str:
    once = compiled.rule.once
    if once == "per_record":
        return f"clock:created:{view.item.created_at}"
    if start is None or once == "per_episode":
        return f"state:{since}"
    return f"clock:{clock}:{start}"
