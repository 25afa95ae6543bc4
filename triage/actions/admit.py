"""
Which of the rules that hold fire now: override, once, repeat, cool-down, delivery window, in that order.

The mode comes before all of these and caps after them; both are marked on the planned action, not here.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from triage.actions.matches import Found
from triage.actions.view import View
from triage.domain.facts import Override, Pending, Run
from triage.domain.work import Event
from triage.rules.language import ActionSpec, Rule
from triage.sla.clocks import Hours

EVENT = "#event:"
"""How the mark of a firing names the event that brought it."""


class Firing(Struct, frozen=True, kw_only=True, gc=False):
    """One rule let through: what to do, under which episode, and the override that suppresses it, if any."""

    found: Found
    do: tuple[ActionSpec, ...]
    episode: str
    due: int
    step: str
    held_by: Override | None = None


class Ledger:
    """What firing changes in memory, gathered over one decision."""

    def __init__(self, view: View) -> None:
        self.fired = _still_asked(view)
        self.last_fired = dict(view.memory.last_fired)
        self.runs = dict(view.memory.runs)
        self.pending: list[Pending] = []

    def end_runs(self, view: View, found: Sequence[Found]) -> None:
        """Forget runs of repeats whose rule a person or the customer made false; our own change of owner ends none."""
        if self.runs and any(_ends_runs(event) for event, _ in view.facts.fresh):
            holding = {one.slot for one in found}
            self.runs = {slot: run for slot, run in self.runs.items() if slot.partition("?")[0] in holding}


def _still_asked(view: View) -> dict[str, int]:
    """What has fired, less the firings of events before the fresh ones: an event happens once, so nobody asks again."""
    fired = view.memory.fired
    if not view.facts.fresh:
        return dict(fired)
    return {mark: at for mark, at in fired.items() if EVENT not in mark}


def _ends_runs(event: Event) -> bool:
    return event.origin != "triage" and event.type in ("updated", "message", "activity", "override")


_TOLD = {"act": ("",), "notify": ("", "?notify"), "observe": ("", "?notify", "?observe")}
"""What a firing is remembered by in each mode, its own last: what was only noted is listed once more when promoted."""


def admit(found: Found, view: View, ledger: Ledger) -> Firing | None:
    """Return what *found* fires now, None where it has fired, waits, or is not due to repeat; *ledger* remembers it."""
    rule = found.rule
    mark = found.mark
    if rule.repeat is None and mark in ledger.fired:
        return None
    told = _TOLD[view.policy.mode_of(rule.id).mode]
    run = ledger.runs.get(_run_slot(found, view)) if rule.repeat is not None else None
    if run is None and any(mark + how in ledger.fired for how in told):
        return None
    mark += told[-1]
    override = held_by(view, rule.id)
    if override is not None:
        return _suppress(found, override, view, ledger, mark)
    if run is not None:
        return _again(found, run, view, ledger, mark)
    if _waits(found, view, ledger):
        return None
    if rule.repeat is not None:
        run = ledger.runs[_run_slot(found, view)] = Run(1, max(found.due, view.now))
        _wake_repeat(found, rule, run, view)
    return _fire(found, found.do, found.episode, found.due, found.step, view, ledger, mark)


def _run_slot(found: Found, view: View) -> str:
    return found.slot + _TOLD[view.policy.mode_of(found.rule.id).mode][-1]


def held_by(view: View, rule_id: str) -> Override | None:
    """Return the override that keeps *rule_id* off the record now; wakes the view where it ends by itself."""
    for override in view.memory.overrides:
        if "*" not in override.rules and rule_id not in override.rules:
            continue
        if override.until is None:
            return override
        if view.now < override.until:
            view.wake_at(override.until, rule_id)
            return override
    return None


def _suppress(found: Found, override: Override, view: View, ledger: Ledger, mark: str) -> Firing | None:
    noted = f"{mark}~{override.since}"
    if noted in ledger.fired:
        return None
    ledger.fired[noted] = view.now
    episode = f"{found.episode}~{override.since}"
    return Firing(found=found, do=found.do, episode=episode, due=found.due, step=found.step, held_by=override)


def _again(found: Found, run: Run, view: View, ledger: Ledger, mark: str) -> Firing | None:
    """Fire the next repeat where its instant has come; after the last, once, what `then` says."""
    rule = found.rule
    repeat = rule.repeat
    if repeat is None or run.ended:
        return None
    due = max(_later(view, rule, run.due, repeat.every), found.since)
    if view.now < due:
        view.wake_at(due, rule.id)
        return None
    if _waits(found, view, ledger):
        return None
    last = run.count >= repeat.at_most
    # What a hold or a closed window kept back counts from now: its repeats would all come at once.
    since = max(due, view.now)
    run = ledger.runs[_run_slot(found, view)] = Run(run.count if last else run.count + 1, since, ended=last)
    if last and not repeat.then:
        return None
    _wake_repeat(found, rule, run, view)
    ledger.fired.setdefault(mark, view.now)
    do, step = (repeat.then, "then") if last else (found.do, found.step)
    return _fire(found, do, f"{found.episode}:{due}", due, step, view, ledger, f"{mark}:{due}")


def _wake_repeat(found: Found, rule: Rule, run: Run, view: View) -> None:
    if rule.repeat is not None and not run.ended:
        view.wake_at(max(_later(view, rule, run.due, rule.repeat.every), found.since), rule.id)


def _later(view: View, rule: Rule, start: int, amount: int) -> int:
    found = _rule_hours(view, rule).add(start, amount)
    return start + amount if found is None else found


def _rule_hours(view: View, rule: Rule) -> Hours:
    return view.moment.clocks.hours(rule.hours)


def _waits(found: Found, view: View, ledger: Ledger) -> bool:
    """Return whether a cool-down or a closed delivery window keeps *found* for later; wakes the view then."""
    rule = found.rule
    # The ledger's own are of this decision: several milestones and steps may fire together.
    last = view.memory.last_fired.get(rule.id)
    ready = view.now
    if rule.cool_down and last is not None:
        ready = max(ready, last + rule.cool_down)
    if rule.deliver == "in_hours":
        hours = view.hours if rule.hours == "none" else _rule_hours(view, rule)
        ready = hours.next_open(ready)
    if ready <= view.now:
        return False
    view.wake_at(ready, rule.id)
    if found.on_event:
        ledger.pending.append(
            Pending(
                rule=rule.id, step=found.step, subject=found.subject, episode=found.episode, due=found.due,
                deliver_at=ready,
            )
        )  # fmt: skip
    return True


def _fire(
    found: Found, do: tuple[ActionSpec, ...], episode: str, due: int, step: str, view: View, ledger: Ledger, mark: str
) -> Firing:
    ledger.fired[mark] = view.now
    ledger.last_fired[found.rule.id] = view.now
    return Firing(found=found, do=do, episode=episode, due=due, step=step)


def dropped(pending: Pending, rule: Rule) -> Firing:
    """Return the firing of a delivery that no longer holds: planned as cancelled, so that the audit shows it."""
    found = Found(rule=rule, since=pending.due, due=pending.due, episode=pending.episode, do=rule.do, on_event=True)
    found = replace(found, subject=pending.subject, step=pending.step)
    return Firing(found=found, do=rule.do, episode=pending.episode, due=pending.due, step=pending.step)
