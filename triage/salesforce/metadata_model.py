"""What metadata says, typed: rules, hours, entitlement processes, queues. Nothing is interpreted here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from triage.intake.text import show
from triage.salesforce.metadata_xml import Tag


class Spot(Struct, frozen=True):
    """Where something stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


LONGEST = 10 * 366 * 24 * 60
"""Ten years in minutes: nobody waits for more, and a number beyond it is a slip of the hand."""

Level = Literal["refused", "untranslated", "check", "info"]


class Note(Struct, frozen=True):
    """
    One thing that people should know: a file or part refused, a part left untranslated, one to check, or a remark.

    `fix` says what to do about it.
    """

    level: Level
    spot: Spot
    text: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.spot}: {self.level}: {self.text}" + (f" — {self.fix}" if self.fix else "")


class Criterion(Struct, frozen=True):
    """One line of criteria; `value` is as written, commas, quotes and all."""

    field: str
    operation: str
    value: str
    spot: Spot


class Criteria(Struct, frozen=True, kw_only=True):
    """What selects records: lines joined by a filter (else by AND), or a formula; neither selects every record."""

    spot: Spot
    items: tuple[Criterion, ...] = ()
    filter: str = ""
    filter_spot: Spot | None = None
    formula: str | None = None
    formula_spot: Spot | None = None


class EscalationAction(Struct, frozen=True, kw_only=True):
    """One tier of an escalation entry."""

    minutes: int
    assigned_to: str = ""
    assigned_type: str = ""
    assigned_template: str = ""
    notify_owner: bool = False
    notify_to: str = ""
    notify_template: str = ""
    notify_emails: tuple[str, ...] = ()
    spot: Spot


class Entry(Struct, frozen=True, kw_only=True):
    """
    One entry of a rule: its criteria and what it does. Escalation: clock, hours, actions; else assignment, reply.

    `unread_actions` could not be read, and are noted.
    """

    criteria: Criteria
    spot: Spot
    hours_source: str = "None"
    hours: str = ""
    start: str = "CaseCreation"
    until_modified: bool = False
    actions: tuple[EscalationAction, ...] = ()
    unread_actions: int = 0
    assigned_to: str = ""
    assigned_type: str = ""
    template: str = ""
    team: tuple[str, ...] = ()
    sender: str = ""


class NativeRule(Struct, frozen=True, kw_only=True):
    """One escalation, assignment or auto-response rule: its entries in order."""

    kind: Literal["escalation", "assignment", "auto-response"]
    name: str
    active: bool
    object: str
    entries: tuple[Entry, ...]
    spot: Spot


class NativeHours(Struct, frozen=True, kw_only=True):
    """One set of business hours: opening and closing by day (mon..sun) as `HH:MM:SS`, local whatever their Z says."""

    name: str
    zone: str
    active: bool
    default: bool
    days: dict[str, tuple[str, str]]
    spot: Spot


class NativeHoliday(Struct, frozen=True, kw_only=True):
    """One holiday: the hours it closes by name, a date or a recurrence, for the whole day or part of it."""

    name: str
    hours: tuple[str, ...]
    raw: dict[str, str | list[str]]
    spot: Spot


class TimeTrigger(Struct, frozen=True, kw_only=True):
    """Minutes from a milestone's target (negative: before it), and the names of the actions run then."""

    minutes: int
    actions: tuple[tuple[str, str], ...]
    spot: Spot


class NativeMilestone(Struct, frozen=True, kw_only=True):
    """One milestone of an entitlement process. `minutes` None: an Apex class works it out."""

    name: str
    criteria: Criteria
    minutes: int | None
    apex: str = ""
    hours: str = ""
    criteria_start: bool = False
    triggers: tuple[TimeTrigger, ...] = ()
    success: tuple[tuple[str, str], ...] = ()
    spot: Spot


class NativeProcess(Struct, frozen=True, kw_only=True):
    """One entitlement process, or one version of it."""

    name: str
    object: str
    active: bool
    version: int
    default_version: bool
    master: str
    entry_start: str
    hours: str
    exit: Criteria | None
    milestones: tuple[NativeMilestone, ...]
    spot: Spot


class Read(Struct, frozen=True):
    """Everything that was read, in the order of files and lines."""

    rules: list[NativeRule]
    hours: list[NativeHours]
    holidays: list[NativeHoliday]
    processes: list[NativeProcess]
    recurrences: dict[str, str]
    queues: dict[str, tuple[str, Spot]]
    fields: dict[tuple[str, str], tuple[str, str]]
    settings: list[tuple[Spot, Tag]]
    notes: list[Note]

    @classmethod
    def empty(cls) -> Read:
        """Return what nothing has been read into yet."""
        return cls([], [], [], [], {}, {}, {}, [], [])


_MANY = frozenset({
    "actions", "assignmentRule", "autoResponseRule", "businessHours", "criteriaItems", "escalationAction",
    "escalationRule", "exitCriteriaFilterItems", "holidays", "milestoneCriteriaFilterItems", "milestones",
    "notifyEmail", "recurrenceDayOfWeek", "ruleEntry", "successActions", "team", "timeTriggers",
})  # fmt: skip
"""What may stand several times below one element."""
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Reader:
    """Reads the tags of one file; whatever cannot be read is noted with its line, and the rest goes on."""

    def __init__(self, file: str, into: Read) -> None:
        self.file = file
        self.into = into

    def spot(self, tag: Tag, name: str = "") -> Spot:
        """Return where *tag*, or its child *name*, begins."""
        return Spot(self.file, tag.line_of(name) if name else tag.line)

    def note(self, level: Level, tag: Tag, text: str, fix: str = "") -> None:
        """Keep a note about *tag*."""
        self.into.notes.append(Note(level, Spot(self.file, tag.line), text, fix))

    def number(self, tag: Tag, name: str, *, least: int = -LONGEST) -> int | None:
        """Return the whole number under *name*, from *least* to LONGEST; None after a note where there is none."""
        text = tag.value(name)
        child = tag.one(name) or tag
        if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) < 10):
            self.note("untranslated", child, f"{name} {show(text)} is not a whole number", "write it in digits")
            return None
        if least <= int(text) <= LONGEST:
            return int(text)
        why = "is negative" if int(text) < least else "is longer than ten years of minutes"
        self.note("untranslated", child, f"{name} {show(text)} {why}", "mend it in Salesforce")
        return None

    def flag(self, tag: Tag, name: str) -> bool:
        """Return whether the child called *name* says true; a word that is neither true nor false is noted."""
        text = tag.value(name)
        if text.casefold() not in ("true", "false", "1", "0", ""):
            self.note("check", tag.one(name) or tag, f"{name} {show(text)} is read as false", "write true or false")
        return tag.is_true(name)

    def unread(self, tag: Tag, known: tuple[str, ...]) -> None:
        """Note each child that nothing here knows or takes twice, so that no part is passed over in silence."""
        for name, count in Counter(child.name for child in tag.children).items():
            place = tag.one(name) or tag
            if name not in known:
                self.note("check", place, f"<{name}> of <{tag.name}> is not read", "see whether it matters to you")
            elif count > 1 and name not in _MANY:
                text = f"<{name}> stands {count} times in <{tag.name}>: the first is read"
                self.note("check", tag.all(name)[1], text, "keep the one that is meant")

    def criteria(self, tag: Tag, items: str, filter_name: str, formula: str) -> Criteria:
        """Return the criteria below *tag*, whose parts have names of their own in each kind of file."""
        found = tag.one(formula)
        if found is not None and tag.one(items) is not None:
            self.note("check", found, f"<{formula}> stands beside <{items}>: the formula counts", "keep one of the two")
        return Criteria(
            spot=self.spot(tag),
            items=tuple(self._criterion(one) for one in tag.all(items)),
            filter=tag.value(filter_name),
            filter_spot=self.spot(tag, filter_name),
            formula=None if found is None else found.text,
            formula_spot=self.spot(tag, formula),
        )

    def _criterion(self, tag: Tag) -> Criterion:
        self.unread(tag, ("field", "operation", "value", "valueField"))
        value = tag.one("value")
        # Blanks around a whole value are the writer's indentation; those within it are kept.
        text = "" if value is None else value.text.strip()
        operation = tag.value("operation")
        if tag.one("valueField") is not None:
            operation = f"{operation} another field"
        return Criterion(tag.value("field"), operation, text, self.spot(tag))


Reading = Callable[[Reader, Tag, str], None]
