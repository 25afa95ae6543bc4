"""
`triage import salesforce`: metadata in, policy files out, with an account of every part.

Escalation rules become first-match rule sets whose entries are called `<rule fullName>/<n>`, their steps by position,
re-evaluated on the record's own saves. Assignment and auto-response rules act at creation only, as in Salesforce: their
steps run on `created_until_modified`, which a later save ends. What cannot be translated is noted, never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct

from triage.rules.standard import STANDARD
from triage.salesforce.criteria import NEVER, Tree, Untranslatable, leaves_of, tree_of
from triage.salesforce.criteria_fields import FieldMap, Mapped
from triage.salesforce.criteria_text import conditions
from triage.salesforce.drafting import (
    calendars_page,
    comment,
    listed,
    objects_page,
    people_page,
    quoted,
)
from triage.salesforce.entitlements import QUEUE, TEMPLATE, Drafted, Drafting, in_use, plain_name, rule_id
from triage.salesforce.formulas import formula_tree
from triage.salesforce.hours import Hours, HoursFound, read_hours
from triage.salesforce.importing_coverage import Coverage, Share
from triage.salesforce.importing_steps import Steps
from triage.salesforce.metadata import Found, Source, find_metadata
from triage.salesforce.metadata_model import (
    Criteria,
    Entry,
    NativeProcess,
    NativeRule,
    Note,
    Read,
    Spot,
)
from triage.salesforce.metadata_reading import read_sources

LONGEST_NAME = 180
ORDER = {"escalation": 0, "assignment": 1, "auto-response": 2}


class ImportedRule(Struct, frozen=True, kw_only=True):
    """One escalation rule that is in force: as Salesforce wrote it, and the ids that its entries have with us.

    An id is empty where the entry was left out; *trees* are the entries' criteria, None for those.
    """

    native: NativeRule
    set_id: str
    ids: tuple[str, ...]
    trees: tuple[Tree | None, ...]


class Imported(Struct, frozen=True, kw_only=True):
    """
    What an import made: policy files by name, files beside them (never loaded), notes and figures.

    `rules`, `hours` and `fields` are what a comparison with Salesforce's own semantics needs.
    """

    texts: dict[str, str]
    beside: dict[str, str]
    notes: tuple[Note, ...]
    coverage: Coverage
    rules: tuple[ImportedRule, ...] = ()
    hours: dict[str, Hours] = {}
    default_hours: str = ""
    fields: dict[str, tuple[Mapped, ...]] = {}


def import_path(path: Path) -> Imported:
    """Return the policy that the metadata at *path* make; raise IntakeError where there is nothing to read at all."""
    return import_found(find_metadata(path))


def import_sources(sources: Sequence[Source]) -> Imported:
    """Return the policy that *sources* make."""
    return import_found(Found(tuple(sources), 0, ()))


def import_found(found: Found) -> Imported:
    """Return the policy that the files of *found* make; files that could not be opened are noted with the others."""
    read = read_sources(found.sources)
    opened = [Note("refused", Spot(fault.file, fault.line), fault.text) for fault in found.faults]
    return _Import(read, [*opened, *read.notes], len(found.sources) + len(found.faults), found.others).run()


class _Import:
    """One import under way: what is shared by its parts."""

    def __init__(self, read: Read, notes: list[Note], files: int, others: int) -> None:
        self.read = read
        self.notes = notes
        refused = len({note.spot.file for note in notes if note.level == "refused"})
        self.coverage = Coverage(files=files, refused=refused, others=others)
        self.found: HoursFound = read_hours(read.hours, read.holidays)
        self.notes += self.found.notes
        labels = {name: told for name, (told, _) in read.queues.items()}
        self.steps = Steps(dict(self.found.calendars), labels, self.notes, self.coverage)
        self.fields: dict[str, FieldMap] = {}
        self.origin: dict[str, list[str]] = defaultdict(list)
        self.names: set[str] = set()
        self.trees: dict[int, Tree | Untranslatable] = {}

    def run(self) -> Imported:
        """Translate everything, and return it."""
        rules = sorted(self.read.rules, key=lambda one: (ORDER[one.kind], not one.active))
        processes = in_use(self.read.processes, self.notes)
        self._count_hours()
        self._look_ahead(rules, self.read.processes)
        texts: dict[str, str] = {}
        beside: dict[str, str] = {}
        made: list[ImportedRule] = []
        self._warn_of_rivals(rules)
        for rule in rules:
            text, ids, trees = self._rule(rule)
            page = f"{rule.kind}-{_file_part(rule.name)}"
            into, suffix = (texts, ".yaml") if rule.active else (beside, ".yaml.off")
            name = _free_name(into, f"{'rules' if rule.active else 'inactive'}/{page}", suffix)
            if not any(ids):
                beside[_free_name(beside, f"inactive/{page}", ".yaml.off")] = text
                continue
            into[name] = text
            if rule.kind == "escalation" and rule.active:
                made.append(ImportedRule(native=rule, set_id=self._last_set, ids=ids, trees=trees))
        self._milestones(processes, texts)
        self._idle(processes, beside)
        self._settings()
        texts |= self._base()
        return Imported(
            texts=dict(sorted(texts.items())),
            beside=beside,
            notes=tuple(self.notes),
            coverage=self.coverage,
            rules=tuple(made),
            hours=self.steps.hours,
            default_hours=self.found.default,
            fields={name: found.fields() for name, found in self.fields.items()},
        )

    def _count_hours(self) -> None:
        for one in self.read.hours:
            known = any(one.spot == made.spot for made in self.found.calendars.values())
            self.coverage.count("business hours", known)
        self.coverage.parts["holidays"] = Share(self.found.holidays, self.found.translated)
        self.coverage.holiday_kinds = dict(sorted(self.found.kinds.items()))

    def _look_ahead(self, rules: Iterable[NativeRule], processes: Iterable[NativeProcess]) -> None:
        """Read every condition once: the type of a field follows from all that is asked of it."""
        for object_name, criteria, at_creation in _criteria_of(rules, processes):
            try:
                tree = self._tree(criteria, object_name, at_creation)
            except Untranslatable as cause:
                self.trees[id(criteria)] = cause
                continue
            self.trees[id(criteria)] = tree
            self._map_of(object_name).use(leaves_of(tree))

    def _tree(self, criteria: Criteria, object_name: str, at_creation: bool) -> Tree:
        if criteria.formula is None:
            return tree_of(criteria)
        try:
            tree = formula_tree(criteria.formula, object_name=object_name, at_creation=at_creation)
        except Untranslatable as cause:
            raise Untranslatable(f"formula: {cause.text}", cause.fix, criteria.formula_spot) from None
        if any(leaf.op in ("in", "contains", "starts_with") for leaf in leaves_of(tree)):
            text = "formulas tell capitals from small letters, our rules do not"
            self.notes.append(Note("info", criteria.formula_spot or criteria.spot, text))
        return tree

    def _known_tree(self, criteria: Criteria, _object_name: str = "") -> Tree:
        """Return the tree of the first reading; raise what it raised."""
        found = self.trees[id(criteria)]
        if isinstance(found, Untranslatable):
            raise found
        return found

    def _map_of(self, object_name: str) -> FieldMap:
        if object_name not in self.fields:
            made = self.fields[object_name] = FieldMap(object_name, self.read.fields)
            for name, source, kind in _BASE.get(object_name, _OTHER):
                # Criteria compare a reference by its label: the id itself stands apart.
                path = f"{object_name}.{source}" + (" itself" if kind == "reference" else "")
                made.declare(path, name, source, kind)
            if object_name in _WITH_HOURS:
                made.find(f"{object_name}.BusinessHoursId")
        return self.fields[object_name]

    def _warn_of_rivals(self, rules: Sequence[NativeRule]) -> None:
        for kind in ORDER:
            by_object: dict[str, list[NativeRule]] = defaultdict(list)
            for rule in rules:
                if rule.kind == kind and rule.active:
                    by_object[rule.object].append(rule)
            for object_name, active in by_object.items():
                for other in active[1:]:
                    text = f"a second active {kind} rule for {object_name}: Salesforce runs one, here both would act"
                    self.notes.append(Note("check", other.spot, text, f"the first is at {active[0].spot}: remove one"))

    def _rule(self, rule: NativeRule) -> tuple[str, tuple[str, ...], tuple[Tree | None, ...]]:
        """Return the file of one rule, the ids of its entries and their criteria."""
        name = self._free_rule_name(rule)
        self._last_set = f"{rule.kind} {name}"[:200]
        lines = comment(f"The {rule.kind} rule {rule.name!r}, from {rule.spot}.")
        lines += comment(_HEADS[rule.kind])
        if not rule.active:
            lines += comment("It is inactive in Salesforce: this file is kept, and not loaded.")
        lines += [
            f"object: {rule.object}", f"rule_set: {quoted(self._last_set)}", "match: first_match",
            "reevaluate_on: record", "rules:",
        ]  # fmt: skip
        fields = self._map_of(rule.object)
        ids: list[str] = []
        trees: list[Tree | None] = []
        for number, entry in enumerate(rule.entries, 1):
            body, tree = self._entry(rule, entry, rule_id(f"{name}/{number}"), fields)
            lines += body
            ids.append(rule_id(f"{name}/{number}") if tree is not None else "")
            trees.append(tree)
        if not any(ids):
            lines[-1 if not rule.entries else lines.index("rules:")] = "rules: []"
            if rule.active:
                self.notes.append(Note("info", rule.spot, f"{rule.name!r} has no entry that acts"))
        return "\n".join(lines) + "\n", tuple(ids), tuple(trees)

    def _free_rule_name(self, rule: NativeRule) -> str:
        # A number may follow it, and the number of each entry.
        plain = name = rule_id(rule.name)[:LONGEST_NAME].strip()
        number = 1
        while name in self.names:
            number += 1
            name = f"{plain} ({number})"
        self.names.add(name)
        return name

    def _entry(self, rule: NativeRule, entry: Entry, name: str, fields: FieldMap) -> tuple[list[str], Tree | None]:
        """Return one entry's lines and criteria; where it has no exact counterpart, a comment and None."""
        kind = f"{rule.kind} entries"
        plain = "formula" if entry.criteria.formula is not None else "plain criteria"
        try:
            tree = self._known_tree(entry.criteria)
            when = conditions(tree, fields)
            steps = self.steps.of_entry(rule, entry, name)
        except Untranslatable as cause:
            spot = cause.spot or entry.criteria.spot
            after = "; entries below it may now match records that it would have taken" if rule.active else ""
            self.notes.append(Note("untranslated", spot, f"{name}: {cause.text}{after}", cause.fix))
            self.coverage.count(f"{kind}, {plain}", False)
            return comment(f"NOT TRANSLATED, {name} from {entry.spot}: {cause.text}. {cause.fix}", "  "), None
        self.coverage.count(f"{kind}, {plain}", True)
        self.origin[rule.object].append(rule.name) if rule.name not in self.origin[rule.object] else None
        if tree == NEVER:
            return comment(f"{name} from {entry.spot} never matches", "  "), None
        lines = comment(f"from {entry.spot}", "  ")
        lines += _formula_comment(entry.criteria)
        lines.append(f"  - id: {quoted(name)}")
        lines += ["    when:", *listed(when, "      ")] if when else ["    when: []"]
        return lines + steps, tree

    def _milestones(self, processes: Sequence[NativeProcess], texts: dict[str, str]) -> None:
        """Draft the processes in use, all together."""
        drafts = self._drafts(processes)
        if drafts:
            texts["milestones.yaml"] = _milestones_page(drafts)
        for object_name in dict.fromkeys(one.object for one in drafts):
            rules = [line for one in drafts if one.object == object_name for line in one.rules]
            if rules:
                texts[f"rules/milestones-{object_name.casefold()}.yaml"] = _triggers_page(object_name, rules)

    def _idle(self, used: Sequence[NativeProcess], beside: dict[str, str]) -> None:
        """Draft each process that is not in use, in a file beside the policy."""
        for process in self.read.processes:
            drafts = self._drafts([process]) if process not in used else []
            if drafts:
                rules = [line for one in drafts for line in one.rules]
                text = _milestones_page(drafts) + (_triggers_page(process.object, rules) if rules else "")
                head = "\n".join(comment(f"{process.name!r} is not in use in Salesforce: kept, and not loaded."))
                beside[_free_name(beside, f"inactive/process-{_file_part(process.name)}", ".yaml.off")] = (
                    f"{head}\n{text}"
                )

    def _drafts(self, processes: Sequence[NativeProcess]) -> list[Drafted]:
        drafting = Drafting(processes, self.read.recurrences, self._known_tree, self.steps.hours_called, self.notes)
        drafts: list[Drafted] = []
        for process in processes:
            for one, drafted in drafting.draft(process, self._map_of(process.object)):
                kind = "formula" if one.criteria.formula is not None else "plain criteria"
                kind = "Apex minutes" if one.apex else kind
                self.coverage.count(f"milestones, {kind}", drafted is not None)
                drafts += [drafted] if drafted is not None else []
        if any(one.rules for one in drafts):
            self.steps.templates.setdefault(TEMPLATE, ("", "milestone"))
            self.steps.queues.setdefault(QUEUE, "hears of milestones of records without an owner")
        return drafts

    def _settings(self) -> None:
        """Note what case settings say of escalation, and which queues and defaults they name."""
        for spot, root in self.read.settings:
            early = root.is_true("enableEarlyEscalationRuleTriggers")
            text = "Salesforce works through escalations in cycles of about 15 minutes" + (
                ", one cycle early (enableEarlyEscalationRuleTriggers)" if early else ""
            )
            self.notes.append(Note("info", spot, f"{text}; here they fire within a second of their instant"))
            if root.value("defaultCaseOwnerType") == "Queue" and root.value("defaultCaseOwner"):
                self.steps.queue_called(root.value("defaultCaseOwner"), spot, "the default owner of cases")
            for address in (one for part in root.all("emailToCase") for one in part.all("routingAddresses")):
                if address.value("caseOwnerType") == "Queue" and address.value("caseOwner"):
                    self.steps.queue_called(address.value("caseOwner"), spot, f"mail to {address.value('routingName')}")
            self.coverage.count("case settings", True)

    def _answers(self) -> bool:
        """Return whether an auto-response rule is in force: then the organisation writes to its customers already."""
        return any(rule.kind == "auto-response" and rule.active for rule in self.read.rules)

    def _base(self) -> dict[str, str]:
        """Return the files that the others rest on."""
        for name, (told, spot) in self.read.queues.items():
            self.steps.queue_called(name, spot, told)
        if not self.fields:
            self._map_of("Case")
        calendars = dict.fromkeys(self.fields, self.found.default)
        pages = {
            "fields.yaml": objects_page({n: f.fields() for n, f in self.fields.items()}, calendars, self.origin),
            "people.yaml": people_page(self.steps.queues, self.steps.templates, self.steps.most_moves, self._answers()),
        }
        if self.steps.hours:
            pages["calendars.yaml"] = calendars_page(self.steps.hours.values())
        return pages


_HEADS = {
    "escalation": "Entries are tried in order at each save of the record; the first that matches holds it, and its "
    "steps count from the same start. 'reevaluate_on: record': changes of parents are seen at the next save.",
    "assignment": "Entries are tried in order when a record is created; the first that matches assigns it. A later "
    "save assigns nothing, as in Salesforce, where it does so only when asked.",
    "auto-response": "Entries are tried in order when a record is created; the first that matches answers the "
    "customer.",
}
_BASE: dict[str, tuple[tuple[str, str, Any], ...]] = {
    "Case": (
        *((spec.name, spec.source, spec.type) for spec in STANDARD["Case"].spec.fields if spec.name != "calendar"),
        ("number", "CaseNumber", "text"),
    ),
    "Lead": (
        *((spec.name, spec.source, spec.type) for spec in STANDARD["Lead"].spec.fields),
        ("customer", "Email", "text"),
    ),
}  # fmt: skip
_WITH_HOURS = ("Case", "WorkOrder")
_OTHER: tuple[tuple[str, str, Any], ...] = (("owner", "OwnerId", "reference"), ("is_closed", "IsClosed", "boolean"))


def _criteria_of(
    rules: Iterable[NativeRule], processes: Iterable[NativeProcess]
) -> Iterator[tuple[str, Criteria, bool]]:
    """Yield every set of criteria with its object, and whether it is looked at at creation only."""
    for rule in rules:
        for entry in rule.entries:
            yield rule.object, entry.criteria, rule.kind != "escalation"
    for process in processes:
        if process.exit is not None:
            yield process.object, process.exit, False
        for one in process.milestones:
            yield process.object, one.criteria, False


def _formula_comment(criteria: Criteria) -> list[str]:
    if criteria.formula is None:
        return []
    return comment(f"formula: {' '.join(criteria.formula.split())}", "  ")


def _milestones_page(drafts: Sequence[Drafted]) -> str:
    head = comment(
        "Entitlement processes, from Salesforce. A milestone is complete once its CaseMilestone has a CompletionDate, "
        "and stands still while the record IsStopped. A record that names no entitlement counts where there is one "
        "process only: take 'entitlement_process is missing' away if it should not."
    )
    lines = [line for one in drafts for line in ("", *one.lines)]
    return "\n".join([*head, "milestones:", *lines[1:]]) + "\n"


def _triggers_page(object_name: str, rules: Sequence[str]) -> str:
    head = comment(f"Time triggers of the milestones of {object_name}: minutes before or after a target.")
    return "\n".join([*head, f"object: {object_name}", f"rule_set: milestones {object_name}", "rules:", *rules]) + "\n"


def _file_part(text: str) -> str:
    return plain_name(text).replace("_", "-")[:60].strip("-")


def _free_name(taken: Iterable[str], base: str, suffix: str) -> str:
    name, number = base + suffix, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}{suffix}"
    return name


def write_import(imported: Imported, folder: Path) -> Callable[[], list[str]]:
    """Write the files below *folder* and return a function that lists them; made so that callers may test first."""
    for name, text in (imported.texts | imported.beside).items():
        path = folder / PurePosixPath(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return lambda: [*imported.texts, *imported.beside]
