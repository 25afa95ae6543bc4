"""Entitlement processes into milestones, and their time triggers into rules on the milestones' clocks."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from triage.intake.text import show
from triage.salesforce.criteria import Leaf, Tree, Untranslatable, every, some
from triage.salesforce.criteria_fields import FieldMap
from triage.salesforce.criteria_text import conditions
from triage.salesforce.drafting import comment, duration_of, flow, listed, minutes, quoted
from triage.salesforce.metadata_model import Criteria, NativeMilestone, NativeProcess, Note, Spot

RECURRENCES = {"none": "none", "recursIndependently": "independent", "recursChained": "chained"}
TEMPLATE = "salesforce-milestone"
LONGEST_NAME = 100
QUEUE = "Milestone watch"
"""Hears of a time trigger where the record has no owner."""

TreeOf = Callable[[Criteria, str], Tree]
HoursOf = Callable[[str, Spot], str]


class Drafted(Struct, frozen=True, kw_only=True):
    """One milestone: its name with us, and the lines that declare it; `rules` are its time triggers."""

    name: str
    object: str
    lines: list[str]
    rules: list[str]


def in_use(processes: Iterable[NativeProcess], notes: list[Note]) -> list[NativeProcess]:
    """Return the processes that are in use: active ones, of several versions the default or newest."""
    best: dict[tuple[str, str], NativeProcess] = {}
    for one in processes:
        if not one.active:
            notes.append(Note("info", one.spot, f"the entitlement process {show(one.name)} is inactive: kept apart"))
            continue
        key = (one.object, one.master or f"{one.name} {one.spot.file}")
        rival = best.get(key)
        older = one if rival is None or _rank(rival) >= _rank(one) else rival
        if rival is not None:
            text = f"version {older.version} of the entitlement process {show(older.name)} is not the one in use"
            notes.append(Note("info", older.spot, text))
        if rival is None or _rank(one) > _rank(rival):
            best[key] = one
    return list(best.values())


def _rank(one: NativeProcess) -> tuple[bool, int]:
    return one.default_version, one.version


class Drafting:
    """Drafts the milestones of processes, under names that stand once."""

    def __init__(
        self, processes: Sequence[NativeProcess], recurrences: dict[str, str], tree_of: TreeOf, hours_of: HoursOf,
        notes: list[Note],
    ) -> None:  # fmt: skip
        self._processes = processes
        self._recurrences = recurrences
        self._tree_of = tree_of
        self._hours_of = hours_of
        self._notes = notes
        self._alone = {name for name, count in Counter(one.object for one in processes).items() if count == 1}
        self._names: set[str] = set()

    def draft(self, process: NativeProcess, fields: FieldMap) -> Iterator[tuple[NativeMilestone, Drafted | None]]:
        """Yield each milestone of *process* with its draft; None where it cannot be translated, which is noted."""
        member = self._member(process, fields)
        stop = self._exit(process, fields)
        if process.entry_start and process.entry_start.rpartition(".")[2] != "CreatedDate":
            text = f"{show(process.name)} starts its clocks at {process.entry_start}; here they start at creation"
            self._notes.append(Note("untranslated", process.spot, text, "see that records are created at that instant"))
        for one in process.milestones:
            name = self._name(process, one)
            try:
                yield one, self._milestone(process, one, name, member, stop, fields)
            except Untranslatable as cause:
                spot = cause.spot or one.criteria.spot
                text = f"milestone {show(one.name)}: {cause.text}"
                self._notes.append(Note("untranslated", spot, text, cause.fix))
                yield one, None

    def _member(self, process: NativeProcess, fields: FieldMap) -> Tree:
        """Return that a record is in *process*: where it is the only one, records that name none count too."""
        path = f"{process.object}.Entitlement.SlaProcess.Name"
        path = fields.declare(path, "entitlement_process", "Entitlement.SlaProcess.Name", "text").path
        named: Tree = Leaf(path, "in", (process.name,))
        return some([Leaf(path, "missing"), named]) if process.object in self._alone else named

    def _exit(self, process: NativeProcess, fields: FieldMap) -> list[Any]:
        if process.exit is None:
            return []
        try:
            # A condition that always holds is written as an empty list, which would say that there is none.
            return conditions(self._tree_of(process.exit, process.object), fields) or ["is_closed is present"]
        except Untranslatable as cause:
            text = f"the exit criteria of {show(process.name)}: {cause.text}"
            self._notes.append(Note("untranslated", cause.spot or process.exit.spot, text, cause.fix))
            return []

    def _name(self, process: NativeProcess, one: NativeMilestone) -> str:
        base = plain_name(one.name)
        if base in self._names:
            base = f"{plain_name(process.name)}_{base}"
        name, number = base, 1
        while name in self._names:
            number += 1
            name = f"{base}_{number}"
        self._names.add(name)
        return name

    def _milestone(
        self, process: NativeProcess, one: NativeMilestone, name: str, member: Tree, stop: list[Any], fields: FieldMap
    ) -> Drafted:  # fmt: skip
        if one.minutes is None:
            why = f"its minutes are worked out by the Apex class {one.apex}" if one.apex else "it has no minutes"
            raise Untranslatable(why, "write its target under milestones: by condition, or one for all", one.spot)
        criteria = self._tree_of(one.criteria, process.object)
        done = fields.declare(
            f"{process.object}.CaseMilestones.{one.name}.CompletionDate", f"{plain_name(one.name)}_completed",
            f"CaseMilestones.{one.name}.CompletionDate", "datetime",
        )  # fmt: skip
        stopped = fields.declare(f"{process.object}.IsStopped", "is_stopped", "IsStopped", "boolean")
        recurrence = self._recurrence(one)
        starts = one.criteria_start or recurrence != "none"
        when = conditions(every([member, criteria]), fields)
        lines = comment(f"{process.name}: {one.name}, from {one.spot}", "  ")
        lines += [f"  {name}:", f"    object: {process.object}"]
        lines += _start(when, one.minutes) if starts else _target(when, one.minutes)
        lines += ["    complete:", *listed([f"{done.name} is present"], "      ")]
        lines += ["    pause:", *listed([stopped.name], "      ")]
        lines += ["    stop:", *listed(stop, "      ")] if stop else []
        hours = one.hours or process.hours
        lines.append(f"    hours: {quoted(self._hours_of(hours, one.spot)) if hours else 'record'}")
        lines += [f"    recurrence: {recurrence}"] if recurrence != "none" else []
        rules = [line for rule in self._rules(process, one, name, done.name) for line in rule]
        return Drafted(name=name, object=process.object, lines=lines, rules=rules)

    def _recurrence(self, one: NativeMilestone) -> str:
        native = self._recurrences.get(one.name)
        if native is None:
            text = f"the milestone type {show(one.name)} is not imported: taken as one that does not recur"
            self._notes.append(Note("check", one.spot, text, f"import milestoneTypes/{one.name}.milestoneType too"))
            return "none"
        if native not in RECURRENCES:
            text = f"the milestone type {show(one.name)} recurs as {show(native)}, which is not known"
            self._notes.append(Note("untranslated", one.spot, text, "choose none, independent or chained"))
        if native != "none" and not one.criteria_start:
            text = f"{show(one.name)} recurs and starts with its process: each run starts when its criteria hold"
            self._notes.append(Note("check", one.spot, text))
        return RECURRENCES.get(native, "none")

    def _rules(self, process: NativeProcess, one: NativeMilestone, name: str, done: str) -> Iterator[list[str]]:
        """Yield a rule for each time trigger, and one for what is done at success."""
        seen: Counter[int] = Counter()
        for trigger in one.triggers:
            seen[trigger.minutes] += 1
            again = f" {seen[trigger.minutes]}" if seen[trigger.minutes] > 1 else ""
            leaf = trigger_leaf(name, one.minutes or 0, trigger.minutes)
            side = (
                f"{abs(trigger.minutes)}m {'before' if trigger.minutes < 0 else 'after'}" if trigger.minutes else "due"
            )
            yield self._rule(f"{process.name}/{name}/{side}{again}", [leaf], trigger.actions, trigger.spot, [])
        if one.success:
            when = [{"became": f"{done} is present"}]
            yield self._rule(f"{process.name}/{name}/success", when, one.success, one.spot, ["    while_closed: true"])

    def _rule(
        self, name: str, when: list[Any], actions: tuple[tuple[str, str], ...], spot: Spot, more: list[str]
    ) -> list[str]:
        told = ", ".join(f"{kind} {action}" for kind, action in actions)
        if told:
            text = f"what {told} does stands in workflows, flows and alerts, not here: the owner is told instead"
            self._notes.append(Note("check", spot, text, "put its deeds under 'do' of the rule"))
        spare = {"notify": {"who": f"queue:{QUEUE}", "template": TEMPLATE}}
        action = {"notify": {"who": "owner", "template": TEMPLATE, "else": [spare]}}
        lines = comment(f"from {spot}" + (f": Salesforce ran {told} here" if told else ""), "  ")
        key = next(iter(when[0])) if isinstance(when[0], dict) else ""
        conditions_ = [f"      - {key}: {quoted(when[0][key])}"] if key else list(listed(when, "      "))
        lines += [f"  - id: {quoted(rule_id(name))}", "    when:", *conditions_, "    do:", f"      - {flow(action)}"]
        return lines + more


def trigger_leaf(name: str, target: int, offset: int) -> str:
    """Return the leaf that holds from *offset* minutes after the target on; both in open time, offsets added up."""
    if offset < 0:
        return f"milestone.{name}.remaining <= {minutes(-offset)}"
    return f"milestone.{name}.used >= " + (minutes(target + offset) if offset else "100%")


def _start(when: list[Any], allowed: int) -> list[str]:
    lines = [f"    target: {minutes(allowed)}  # {duration_of(allowed)} of open time"]
    return [*lines, "    start:", *listed(when, "      ")] if when else lines


def _target(when: list[Any], allowed: int) -> list[str]:
    """The clock runs from creation whatever the criteria say; they decide whether there is a target."""
    if not when:
        return [f"    target: {minutes(allowed)}"]
    lines = [
        "    # its clock starts with the process; the target holds while the criteria do",
        "    target:",
        "      by:",
    ]
    return [*lines, "        - when:", *listed(when, "            "), f"          target: {minutes(allowed)}"]


def plain_name(text: str) -> str:
    """Return *text* as the name of a milestone: letters, digits and underscores of ASCII."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9]+", "_", folded).strip("_").casefold()
    return (name if name and name[0].isalpha() else f"milestone_{name}").rstrip("_")[:LONGEST_NAME]


def rule_id(text: str) -> str:
    """Return *text* as the id of a rule: no control characters, no number sign, at most 200 characters."""
    clean = "".join(c if c.isprintable() and c != "#" else " " for c in text).strip()
    clean = re.sub(r"\s+", " ", clean)
    return (clean if clean[:1].isalnum() else f"rule {clean}".strip())[:200].strip()
