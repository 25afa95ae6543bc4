"""Records that wait and people who could take them, from two tables (CSV), every fault with its line and its fix."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from triage.domain.instant import parse_instant
from triage.domain.work import Agent, Standing, Track
from triage.errors import ConfigError, Fault, IntakeError
from triage.intake.agent import language_level
from triage.intake.text import did_you_mean, show
from triage.routing.wanted import Wanted, joint_worth, size_of
from triage.rules.document import Routing

PRESENCES = ("online", "break", "away", "offline")
MOST_FAULTS = 50

RECORD_COLUMNS = (
    "id", "object", "value", "urgency", "language", "level", "region", "skills", "product", "segment", "team", "tier",
    "owner", "previous", "last_agent", "weight", "created",
)  # fmt: skip
AGENT_COLUMNS = (
    "id", "name", "presence", "seen", "capacity", "load", "skills", "languages", "regions", "teams", "pools", "tier",
    "shift", "max_per_hour", "months", "away_until", "cases", "won", "value", "last_given", "idle_since",
)  # fmt: skip
_ALIASES = {"amount": "value", "account": "segment", "teams_": "teams", "experience": "months", "region_": "region"}


class Cell(Struct, frozen=True):
    """One cell: its text, and where it stands."""

    text: str
    file: str
    line: int
    column: str


class _Wrong(Exception):
    """A cell cannot be read; the text says why and what to write."""


def read_records(name: str, text: str, routing: Routing) -> tuple[Wanted, ...]:
    """
    Return the records of a CSV *text*, one a row; only `id` is needed. *name* is the file's, for faults.

    `skills` are required (`billing:3;mobile`), as are `language` (at `level`, B1 unless it says otherwise), `team` and
    `tier`; `region` and `product` are wished for. `value` is money, `urgency` a share (0.8 or 80%).

    Raises:
        ConfigError: every fault of the file.
    """
    return tuple(_read(name, text, RECORD_COLUMNS, lambda row: _record(row, routing)))


def read_agents(name: str, text: str, shifts: Collection[str]) -> tuple[Agent, ...]:
    """
    Return the people of a CSV *text*, one a row; only `id` is needed, and whoever says nothing is online.

    `cases`, `won` and `value` are their track record with leads. A shift must be one of *shifts*.

    Raises:
        ConfigError: every fault of the file.
    """
    return tuple(_read(name, text, AGENT_COLUMNS, lambda row: _agent(row, shifts)))


def _read(name: str, text: str, columns: Sequence[str], one: Callable[[Mapping[str, Cell]], Any]) -> Iterator[Any]:
    faults: list[Fault] = []
    found, seen = [], dict[str, int]()
    for row in _rows(name, text, columns, faults):
        line = row["id"].line
        identity = row["id"].text
        if not identity:
            faults.append(Fault(name, line, 1, "the id is empty: every row needs one"))
        elif identity in seen:
            faults.append(Fault(name, line, 1, f"id {show(identity)} stands twice: first in line {seen[identity]}"))
        else:
            seen[identity] = line
        try:
            found.append(one(row))
        except _Wrong as cause:
            faults.append(Fault(name, line, 1, str(cause)))
        if len(faults) >= MOST_FAULTS:
            break
    if faults:
        raise ConfigError(faults)
    return iter(found)


def _rows(name: str, text: str, columns: Sequence[str], faults: list[Fault]) -> Iterator[dict[str, Cell]]:
    reader = csv.reader(text.removeprefix("\ufeff").splitlines())
    try:
        header = [_named(title) for title in next(reader, [])]
        if "id" not in header:
            faults.append(Fault(name, 1, 1, f"no column 'id': the columns are {', '.join(columns)}"))
            return
        for title in header:
            if title and title not in columns:
                faults.append(Fault(name, 1, 1, f"unknown column {show(title)}{did_you_mean(title, columns)}"))
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if len(values) > len(header):
                faults.append(Fault(name, reader.line_num, 1, f"{len(values)} cells under {len(header)} columns"))
                continue
            cells = dict(zip(header, [*values, *[""] * (len(header) - len(values))], strict=True))
            yield {title: Cell(cells.get(title, "").strip(), name, reader.line_num, title) for title in columns}
    except csv.Error as cause:
        faults.append(Fault(name, reader.line_num, 1, f"no CSV: {cause}"))


def _named(title: str) -> str:
    name = title.strip().casefold().replace(" ", "_")
    return _ALIASES.get(name, name)


def _record(row: Mapping[str, Cell], routing: Routing) -> Wanted:
    money, urgency = _number(row["value"]), _share(row["urgency"])
    about = [row["object"].text or "Lead"]
    require = [f"skill:{name}:{level}" for name, level in _levels(row["skills"], _skill).items()]
    language = row["language"].text
    if language:
        require.append(f"language:{row['level'].text or 'B1'}")
        _reading(row["level"], lambda text: language_level(text) if text else 1)
    require += [f"team:{row['team'].text}"] if row["team"].text else []
    require += [f"tier:{_whole(row['tier'])}"] if row["tier"].text else []
    if row["product"].text:
        about.append(f"{about[0]}/product={row['product'].text}")
    if row["segment"].text:
        about.append(f"{about[0]}/segment={row['segment'].text}")
    if money is not None:
        about.append(f"{about[0]}/size={size_of(money, routing.worth_half)}")
    weight = _whole(row["weight"], 1)
    if not weight:
        raise _Wrong("weight is 0: write 1 or more")
    return Wanted(
        key=row["id"].text, object=about[0], worth=joint_worth(money, urgency, routing.worth_half),
        urgent=urgency is not None and urgency * 100 >= routing.urgent, weight=weight, require=tuple(require),
        owner=row["owner"].text, had=frozenset(_list(row["previous"])), language=language, region=row["region"].text,
        skills=(row["product"].text.casefold(),) if row["product"].text else (), about=tuple(about),
        sticky=row["last_agent"].text, since=_instant(row["created"]) or 0,
    )  # fmt: skip


def _agent(row: Mapping[str, Cell], shifts: Collection[str]) -> Agent:
    presence = row["presence"].text.casefold() or "online"
    if presence not in PRESENCES:
        raise _Wrong(f"presence {show(presence)} is none of {', '.join(PRESENCES)}{did_you_mean(presence, PRESENCES)}")
    shift = row["shift"].text
    if shift and shift not in shifts:
        raise _Wrong(
            f"shift {show(shift)} is no calendar{did_you_mean(shift, shifts)}: --config names the folder that has it"
        )
    until = _instant(row["away_until"])
    cases = _whole(row["cases"])
    track = {"Lead": Track(cases, _whole(row["won"]), _number(row["value"]) or 0.0)} if cases else {}
    return Agent(
        id=row["id"].text, name=row["name"].text, presence=presence,  # type: ignore[arg-type]
        capacity=_whole(row["capacity"]) if row["capacity"].text else None, load=_whole(row["load"]),
        skills=_levels(row["skills"], _skill), languages=_levels(row["languages"], _language),
        regions=tuple(_list(row["regions"])), teams=tuple(_list(row["teams"])), pools=tuple(_list(row["pools"])),
        tier=_whole(row["tier"], 1), shift=shift, months=_whole(row["months"]),
        away=() if until is None else ((0, until),),
        max_per_hour=_whole(row["max_per_hour"]) if row["max_per_hour"].text else None, track=track,
        standing=Standing(
            given_at=_instant(row["last_given"]) or 0, idle_since=_instant(row["idle_since"]) or 0,
            seen_at=_instant(row["seen"]) or 0,
        ),
    )  # fmt: skip


def _list(cell: Cell) -> list[str]:
    return [part.strip() for part in cell.text.split(";") if part.strip()]


def _levels(cell: Cell, read: Callable[[Cell, str], int]) -> dict[str, int]:
    found = {}
    for part in _list(cell):
        name, _, level = part.partition(":")
        found[name.strip()] = read(cell, level.strip())
    return found


def _skill(cell: Cell, level: str) -> int:
    if level and not level.isdigit():
        raise _Wrong(f"{cell.column}: {show(level)} is no level: write a whole number, as in billing:3")
    return int(level or 1)


def _language(cell: Cell, level: str) -> int:
    return int(_reading(cell, lambda _: language_level(level or "C2")))


def _reading(cell: Cell, read: Callable[[str], Any]) -> Any:
    try:
        return read(cell.text)
    except IntakeError as cause:
        raise _Wrong(f"{cell.column}: {cause.reason}") from cause


def _whole(cell: Cell, default: int = 0) -> int:
    if not cell.text:
        return default
    if not cell.text.isascii() or not cell.text.isdigit() or len(cell.text) > 9:
        raise _Wrong(f"{cell.column} {show(cell.text)} is no whole number: write 0 or more")
    return int(cell.text)


def _number(cell: Cell) -> float | None:
    if not cell.text:
        return None
    try:
        found = float(cell.text.replace("_", "x"))
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e15:
        raise _Wrong(f"{cell.column} {show(cell.text)} is no number: write 1200 or 1200.50, 0 or more")
    return found


def _share(cell: Cell) -> float | None:
    text = cell.text.removesuffix("%")
    found = _number(Cell(text.strip(), cell.file, cell.line, cell.column))
    if found is None:
        return None
    share = found / 100 if cell.text.endswith("%") else found
    if share > 1:
        raise _Wrong(f"{cell.column} {show(cell.text)} is no share: write 0.8 or 80%")
    return share


def _instant(cell: Cell) -> int | None:
    return int(_reading(cell, parse_instant)) if cell.text else None
