"""What an import came to, for people and for machines: figures, what Salesforce does otherwise, the comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import to_builtins

from triage.salesforce.drafting import report_text
from triage.salesforce.equivalence import Comparison
from triage.salesforce.importing import Imported
from triage.salesforce.metadata_model import Note

DIFFERENT = (
    "Salesforce works through escalations in cycles of about 15 minutes (one cycle early with "
    "enableEarlyEscalationRuleTriggers). Here each action fires within a second of its instant: up to 15 minutes "
    "sooner, or later by as much where that setting is on.",
    "Salesforce ticks IsEscalated with each escalation. Here a tier does so only where it does nothing else; add "
    "`- set: {field: is_escalated, value: true}` to its `do` if reports or criteria of yours read the box.",
    "A tier that is overdue at a save fires at the first instant inside its hours; Salesforce does the same, at the "
    "next cycle. What falls due because the case was given other business hours fires at once.",
    "Where a case was edited and its entry is another one, what the old one still had to do is dropped, on both sides.",
    "Assignment and auto-response rules act when a record is created. Salesforce also runs assignment rules at a save "
    "where somebody ticks 'assign using active assignment rules'.",
    "After four automatic changes of owner within 24 hours (or as many as the longest entry makes) our safety limits "
    "stop a record from being passed on. Salesforce has no such limit. Raise `hop_limit` if it is in the way.",
)
"""Where the native engine and the imported policy differ on purpose, or may."""


def rows(imported: Imported) -> list[tuple[str, int, int, int]]:
    """Return the figures: kind of part, how many were found, translated, reported."""
    parts = imported.coverage.parts
    order = (
        "escalation entries", "escalation actions", "assignment", "auto-response", "milestones", "business hours",
        "holidays", "case settings",
    )  # fmt: skip
    named = sorted(parts, key=lambda kind: (_place(kind, order), kind))
    return [
        (kind, parts[kind].found, parts[kind].translated, parts[kind].found - parts[kind].translated) for kind in named
    ]


def _place(kind: str, order: Sequence[str]) -> int:
    return next((place for place, begin in enumerate(order) if kind.startswith(begin)), len(order))


def table(imported: Imported) -> str:
    """Return the figures as a table in plain text."""
    cells = [
        ("part", "found", "translated", "reported"),
        *((k, str(f), str(t), str(r)) for k, f, t, r in rows(imported)),
    ]
    widths = [max(len(row[at]) for row in cells) for at in range(4)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(row[at].rjust(widths[at]) for at in (1, 2, 3))]) for row in cells
    ]  # fmt: skip
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in imported.coverage.holiday_kinds.items())
    lines += [f"holidays by kind: {kinds}"] if kinds else []
    files = imported.coverage
    lines.append(f"files: {files.files:,} read, {files.refused:,} of them refused, {files.others:,} others passed over")
    return "\n".join(lines)


def report(imported: Imported, compared: Iterable[Comparison], origin: str) -> str:
    """Return the whole report as Markdown."""
    return report_text(f"Import of {origin}", imported.notes, table(imported), _sections(imported, list(compared)))


def _sections(imported: Imported, compared: Sequence[Comparison]) -> Iterator[str]:
    yield "Reported: left out of the policy, and listed below with its file, its line and what to do."
    yield ""
    yield "## Beside Salesforce itself"
    yield ""
    if compared:
        yield (
            "An independent interpreter of Salesforce's escalation, which shares no code with the policy's rules, "
            "clocks and calendars, played random timelines of each rule: saves, comments, changes of parents, closing "
            "and reopening, many of them at the very instants something is due. Both sides must fire the same tiers, "
            "due and done at the same milliseconds."
        )
        yield ""
        yield "| rule | timelines | tiers fired | of them late | entries that fired | differences |"
        yield "|---|---|---|---|---|---|"
        for one in compared:
            yield (
                f"| {_cell(one.rule)} | {one.timelines:,} | {one.fired:,} | {one.late:,} "
                f"| {one.entries_fired} of {one.entries} | {one.differences:,} |"
            )
        yield from (line for one in compared for line in _examples(one))
    else:
        yield "No active escalation rule was imported: nothing to compare."
    left_out = [rule for rule in imported.rules if not all(rule.ids)]
    for rule in left_out:
        yield f"\n{_cell(rule.native.name)}: entries that were not translated match nothing on either side here."
    yield ""
    yield "## Where Salesforce acts otherwise"
    yield ""
    yield from (f"* {text}" for text in DIFFERENT)


def _examples(one: Comparison) -> Iterator[str]:
    for example in one.examples:
        yield f"\nTimeline {example.seed} of {_cell(one.rule)}:\n"
        yield from (f"* {_cell(step)}" for step in example.timeline)
        yield f"* Salesforce: {_cell(str(example.native))}"
        yield f"* imported: {_cell(str(example.ours))}"


def _cell(text: str) -> str:
    return "".join(c if c.isprintable() and c != "|" else " " for c in text)


def as_data(imported: Imported, compared: Sequence[Comparison]) -> dict[str, Any]:
    """Return the figures, notes and comparison as JSON data."""
    return {
        "files": {
            "read": imported.coverage.files, "refused": imported.coverage.refused, "others": imported.coverage.others,
        },
        "parts": {kind: {"found": f, "translated": t, "reported": r} for kind, f, t, r in rows(imported)},
        "holiday_kinds": imported.coverage.holiday_kinds,
        "written": [*imported.texts, *imported.beside],
        "notes": [
            {"level": n.level, "file": n.spot.file, "line": n.spot.line, "text": n.text, "fix": n.fix}
            for n in imported.notes
        ],
        "equivalence": [to_builtins(one) for one in compared],
    }  # fmt: skip


def of_level(notes: Iterable[Note], *levels: str) -> list[Note]:
    """Return the notes of some levels."""
    return [note for note in notes if note.level in levels]
