"""Which file of an export folder holds what: records, their history, milestones, messages, agents, related records."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal

from msgspec import Struct

from triage.errors import IntakeError

RECORDS = ("Case", "Lead", "Opportunity")
"""Objects that are work. Another table is a related object, unless asked for or with a history file of its own."""
RELATED = frozenset({"Account", "Contact", "Asset", "Entitlement", "Product2", "Contract"})
TOUCHES = ("EmailMessage", "CaseComment", "Task")
AGENTS = "User"

Kind = Literal["records", "history", "milestones", "touches", "agents", "related"]
_ORDER: tuple[Kind, ...] = ("records", "history", "milestones", "touches", "agents", "related")
_SUFFIXES = (".csv", ".tsv", ".txt")


class Source(Struct, frozen=True):
    """One file to read: what it holds, and of which object."""

    path: Path
    kind: Kind
    object: str


def find_sources(path: Path, wanted: Collection[str] | None) -> tuple[list[Source], dict[str, str]]:
    """
    Return the tables in the folder (or file) *path* in the order to read them, and the files left out with the reason.

    Record objects outside *wanted* are left out with all that belongs to them; None wants every one.

    Raises:
        IntakeError: there is no such path, or no table in it.
    """
    tables: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    for file in _files(path):
        stem = table_name(file)
        if not stem or stem in tables:
            skipped[file.name] = f"{tables[stem].name} holds the same table" if stem else "not a csv, tsv or txt table"
        else:
            tables[stem] = file
    if not tables:
        raise IntakeError(f"{path.name}: no table found: expected files such as Case.csv or Case.csv.gz")
    sources = [_classify(stem, file, tables, wanted) for stem, file in tables.items()]
    if wanted is not None:
        skipped |= {source.path.name: "not asked for" for source in sources if _unwanted(source, wanted)}
        sources = [source for source in sources if not _unwanted(source, wanted)]
    return sorted(sources, key=lambda source: (_ORDER.index(source.kind), source.object)), skipped


def table_name(file: Path) -> str:
    """Return the name a table goes by (`Case` for Case.csv.gz), "" where *file* is none."""
    name = file.name[:-3] if file.name.casefold().endswith(".gz") else file.name
    suffix = next((ending for ending in _SUFFIXES if name.casefold().endswith(ending)), "")
    return name[: -len(suffix)] if suffix else ""


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise IntakeError(f"{path}: there is no such file or folder")
    return sorted((file for file in path.iterdir() if file.is_file()), key=lambda file: file.name)


def _history_of(stem: str) -> str:
    if stem.endswith("__History"):
        return stem.removesuffix("__History") + "__c"
    return next((stem.removesuffix(end) for end in ("FieldHistory", "History") if stem.endswith(end)), "")


def _classify(stem: str, file: Path, tables: Collection[str], wanted: Collection[str] | None) -> Source:
    if stem == AGENTS:
        return Source(file, "agents", stem)
    if stem in TOUCHES:
        return Source(file, "touches", stem)
    history, milestones = _history_of(stem), _milestones_of(stem)
    if history in tables or history in RECORDS:
        return Source(file, "history", history)
    if milestones in tables or milestones in RECORDS:
        return Source(file, "milestones", milestones)
    if stem in RECORDS or stem in (wanted or ()):
        return Source(file, "records", stem)
    tracked = any(_history_of(other) == stem for other in tables)
    return Source(file, "records" if tracked and stem not in RELATED else "related", stem)


def _milestones_of(stem: str) -> str:
    return stem.removesuffix("Milestone") if stem.endswith("Milestone") else ""


def _unwanted(source: Source, wanted: Collection[str]) -> bool:
    return source.kind in ("records", "history", "milestones") and source.object not in wanted
