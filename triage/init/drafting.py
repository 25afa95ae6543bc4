"""A CSV file or a folder of them in; a drafted policy, what it rests on and what has to be asked out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, structs

from triage.domain.schema import BUILTIN_FIELDS
from triage.errors import IntakeError
from triage.init.columns import Column, look_at, with_past_values
from triage.init.pages import fields_page, rules_page
from triage.init.parts import Answers, Mapped, Part, Question, Relation
from triage.init.vocabulary import LIKELY, SURE, Meaning, ladder_of, meaning_of, object_of, our_name
from triage.intake.instants import load_zone
from triage.intake.text import show
from triage.replay.folder import RELATED, find_sources, table_name
from triage.replay.table import read_table
from triage.rules.language import CLOCK_LEAVES

_FORCED = {
    **dict.fromkeys(("owner", "customer", "account.id"), "reference"),
    **dict.fromkeys(("id", "number", "subject", "description", "email", "account.name", "company"), "text"),
}
_DERIVED = frozenset(spec.name for spec in BUILTIN_FIELDS) - {"is_closed"}
_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}", re.ASCII)
_WORDS = frozenset({"sla", "milestone", "text", "not"})
_OWN_MEANING = ("sla.", "milestone.", "owner.")


class Draft(Struct, frozen=True, kw_only=True):
    """
    A drafted policy.

    `files` maps file names to YAML text: fields.yaml, and one rule file per object. While `questions` are open the
    text holds a TODO at each of them, which the loader refuses; `parts` tell what was found, column by column.
    """

    files: dict[str, str]
    questions: tuple[Question, ...]
    parts: tuple[Part, ...]


def draft(path: Path | str, *, answers: Mapping[str, str] | None = None, now_text: str = "") -> Draft:
    """
    Return a policy drafted from the export in *path*: one delimited file, or a folder of `<Object>.csv`.

    Any delimiter and encoding will do. Columns are matched to our fields by their words and values, with a confidence
    of 0 to 1; below 0.5 they stay unmapped, in comments. Rules start in mode observe.

    Args:
        answers: What was asked before: `zone=Europe/Berlin`, `date_order=DMY`, `created=COLUMN`, `id=COLUMN`,
            `object=Case`, `unit.COLUMN=m`; `zone.COLUMN`, `date_order.COLUMN`, `created.OBJECT` and so on for one only.
        now_text: Written into the head of the files, as the day of the draft.

    Raises:
        IntakeError: nothing to read there, or an answer that cannot be one.
    """
    given = Answers(dict(answers or {}))
    if given.find("zone"):
        load_zone(given.find("zone"))
    records, others, histories = _tables(Path(path))
    parts = [_part(file, name, given, others, histories.get(name)) for name, file in records]
    given.refuse_strangers(parts)
    files = {"fields.yaml": fields_page(parts, given.find("zone"), now_text)}
    files |= {f"{part.page}.yaml": rules_page(part, now_text) for part in parts}
    return Draft(files=files, questions=given.questions(), parts=tuple(parts))


def _tables(path: Path) -> tuple[list[tuple[str, Path]], dict[str, Path], dict[str, Path]]:
    """Return the tables of records, each with the object it is named for, the related tables, and the histories."""
    if path.is_file():
        return [(table_name(path), path)], {}, {}
    sources, _ = find_sources(path, None)
    records = [(source.object, source.path) for source in sources if source.kind == "records"]
    related = {source.object: source.path for source in sources if source.kind == "related"}
    if not records:
        records = [(name, file) for name, file in related.items() if name not in RELATED]
    if not records:
        raise IntakeError(f"{path.name}: no table of records found: expected Case.csv, Lead.csv or Opportunity.csv")
    histories = {source.object: source.path for source in sources if source.kind == "history"}
    return records, {name: file for name, file in related.items() if name in RELATED}, histories


def _part(file: Path, name: str, given: Answers, others: Mapping[str, Path], history: Path | None) -> Part:
    table = read_table(file)
    if not table.columns:
        raise IntakeError(f"{file.name}: {table.damage or 'no header line'}")
    if table.name_twice():
        raise IntakeError(f"{file.name}: the header names column {show(table.name_twice())} twice")
    columns = tuple(column for column in look_at(table) if column.header)
    if history is not None:
        columns = with_past_values(columns, read_table(history))
    if not columns:
        raise IntakeError(f"{file.name}: its header names no column")
    object_name = _object(file, name, table.columns, given)
    meanings = [meaning_of(column.header, column.type) for column in columns]
    mapped = [_mapped(column, meaning, given) for column, meaning in zip(columns, _one_each(meanings), strict=True)]
    created = _created(object_name, mapped, given)
    part = Part(
        object=object_name,
        file=file.name,
        rows=max(column.rows for column in columns),
        columns=tuple(_as_created(one, created, given) for one in mapped),
        created=created,
        relations=_relations(mapped, others, given),
    )
    return _with_id(part, given)


def _object(file: Path, name: str, headers: tuple[str, ...], given: Answers) -> str:
    answer = given.find("object", file.name)
    if answer and not _API_NAME.fullmatch(answer):
        raise IntakeError(f"object: {show(answer)} is no API name such as Case or Parcel__c")
    if answer:
        return answer
    guess = name if name.endswith("__c") and _API_NAME.fullmatch(name) else object_of(name, headers)
    if not guess:
        text = f"Which object are the records of {file.name}?"
        given.ask(Question("object", text, ("Case", "Lead", "Opportunity"), (file.name,)))
    return guess


def _one_each(meanings: list[Meaning]) -> list[Meaning]:
    """Return *meanings* with each name kept by its surest column only, the first of equals."""
    best: dict[str, int] = {}
    for place, meaning in enumerate(meanings):
        if meaning.confidence >= LIKELY and meaning.name not in _DERIVED:
            other = best.setdefault(meaning.name, place)
            if meanings[other].confidence < meaning.confidence:
                best[meaning.name] = place
    kept = {place for name, place in best.items() if not name.startswith(_OWN_MEANING)}
    return [meaning if place in kept else Meaning("", meaning.confidence) for place, meaning in enumerate(meanings)]


def _mapped(column: Column, meaning: Meaning, given: Answers) -> Mapped:
    kind = _FORCED.get(meaning.name, column.type)
    choices = column.values if kind in ("picklist", "multipicklist") else ()
    ladder = ladder_of(choices) if kind == "picklist" else ()
    mapped = Mapped(
        column=column,
        name=meaning.name,
        suggestion=_suggested(column.header),
        confidence=meaning.confidence,
        type=kind,
        values=ladder or choices,
        ordered=bool(ladder),
        unit=column.unit,
        date_order=column.orders[0] if len(column.orders) == 1 else "",
    )
    return _answered(mapped, given) if meaning.name else mapped


def _suggested(header: str) -> str:
    name = our_name(header)
    taken = name in _DERIVED or name in CLOCK_LEAVES or name in _WORDS or name.startswith(_OWN_MEANING)
    return f"crm_{name.replace('.', '_')}" if taken else name


def _answered(mapped: Mapped, given: Answers) -> Mapped:
    """Return *mapped* with what its instants and amounts still lack: answered, or TODO and asked."""
    column, header = mapped.column, mapped.column.header
    if mapped.type == "datetime" and column.naive:
        text = "Which time zone are these instants in? The export does not say."
        mapped = structs.replace(mapped, zone=_zone(given, header, Question("zone", text, (), (header,))))
    elif mapped.type == "date":
        mapped = structs.replace(mapped, zone=_zone(given, header, None))
    if len(column.orders) > 1:
        mapped = structs.replace(mapped, date_order=_date_order(given, column))
    if column.unit_open and mapped.type in ("duration", "percent"):
        options = ("s", "m", "h", "d") if mapped.type == "duration" else ("percent", "share")
        text = f"Which unit are the numbers of {show(header)} in?"
        unit = given.settle(f"unit.{header}", "", Question(f"unit.{header}", text, options, (header,)))
        mapped = structs.replace(mapped, unit=unit)
    return mapped


def _zone(given: Answers, header: str, question: Question | None) -> str:
    zone = given.settle("zone", header, question) if question else given.find("zone", header)
    if zone and zone != "TODO":
        load_zone(zone)
    return zone


def _date_order(given: Answers, column: Column) -> str:
    text = f"Day or month first? No day in the column is above 12, e.g. {show(column.samples[0])}."
    question = Question("date_order", text, column.orders, (column.header,))
    order = given.settle("date_order", column.header, question)
    if order != "TODO" and order not in column.orders:
        raise IntakeError(
            f"date_order {show(order)} does not fit {show(column.header)}: {' or '.join(column.orders)} would"
        )
    return order


def _created(object_name: str, mapped: list[Mapped], given: Answers) -> str:
    """Return the column of the creation instant, "" where it has to be asked for."""
    headers = [one.column.header for one in mapped]
    answer = given.find_column("created", object_name, headers)
    if answer:
        return answer
    sure = [one.column.header for one in mapped if one.name == "opened_at" and one.confidence >= SURE]
    rivals = [header for header in headers if meaning_of(header, "datetime") == Meaning("opened_at", 0.95)]
    if len(sure) == 1 and len(rivals) <= 1:
        return sure[0]
    instants = tuple(one.column.header for one in mapped if one.column.type in ("datetime", "date"))
    asked = f"Which column of {object_name or 'the file'} says when a record came into being?"
    lacking = "" if instants else " None holds instants: export the creation date too, or leave that table out."
    given.ask(Question("created", asked + lacking, tuple(rivals) if len(rivals) > 1 else instants, (object_name,)))
    return ""


def _as_created(one: Mapped, created: str, given: Answers) -> Mapped:
    """Return *one*, as `opened_at` where it is the creation column and was taken for something less."""
    if one.column.header == created:
        return (
            one if one.name == "opened_at" else _answered(structs.replace(one, name="opened_at", confidence=1.0), given)
        )
    return structs.replace(one, name="") if created and one.name == "opened_at" else one


def _with_id(part: Part, given: Answers) -> Part:
    headers = [one.column.header for one in part.columns]
    answer = given.find_column("id", part.object, headers)
    if "Id" in headers and not answer:
        return structs.replace(part, id="Id")
    found = answer or next((one.column.header for one in part.columns if one.name == "id"), "")
    if not found:
        options = tuple(one.column.header for one in part.columns if one.name == "number")
        given.ask(Question("id", f"Which column of {part.file} tells its records apart?", options, (part.object,)))
    columns = tuple(structs.replace(one, name="id") if one.column.header == found else one for one in part.columns)
    return structs.replace(part, id=found, columns=columns)


def _relations(mapped: list[Mapped], others: Mapping[str, Path], given: Answers) -> tuple[Relation, ...]:
    """Return the related tables that a reference of the records leads to: Account, through `account.id`."""
    by = {"Account": "account.id", "Contact": "customer"}
    names = {one.name for one in mapped if one.column.type == "reference"}
    relations = []
    for object_name, file in others.items():
        if by.get(object_name) in names:
            columns = [column for column in look_at(read_table(file)) if column.header != "Id"]
            alias = object_name.casefold()
            named = {f"{alias}.{our_name(column.header)}": column for column in columns}
            fields = (_mapped(column, Meaning(name, SURE), given) for name, column in named.items())
            relations.append(Relation(alias, object_name, by[object_name], file.name, tuple(fields)))
    return tuple(relations)
