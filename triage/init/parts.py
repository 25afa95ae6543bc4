"""What a draft rests on: columns with their meaning, the questions asked, the answers given."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from triage.errors import IntakeError
from triage.init.columns import Column
from triage.intake.text import did_you_mean, show

TODO = "TODO"
_OF_A_TABLE = ("id", "created", "object")
_KEYS = ("zone", "date_order", "created", "id", "object", "unit")


class Question(Struct, frozen=True):
    """
    One thing the export does not say. Answered with *key*, or `key.COLUMN` for one of *about* only.

    `answered`: *key* has an answer already, which is none for *about*.
    """

    key: str
    text: str
    options: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    answered: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """What to answer with: where it is asked of several tables, one key for each, since their columns differ."""
        apart = self.key in _OF_A_TABLE and (self.answered or len(self.about) > 1)
        return tuple(f"{self.key}.{name}" for name in self.about) if apart else (self.key,)


class Mapped(Struct, frozen=True, kw_only=True):
    """
    One column and the field it becomes: `name` ours, "" where unmapped (then `suggestion` would do).

    `zone`, `date_order` and `unit` are "" where not needed and TODO where they were asked for and not answered.
    """

    column: Column
    name: str
    suggestion: str
    confidence: float
    type: str
    values: tuple[str, ...] = ()
    ordered: bool = False
    zone: str = ""
    date_order: str = ""
    unit: str = ""


class Relation(Struct, frozen=True):
    """A related table: its alias, object, the field of ours that refers to it, its file and fields."""

    alias: str
    object: str
    by: str
    file: str
    columns: tuple[Mapped, ...]


class Part(Struct, frozen=True, kw_only=True):
    """One table of records: its object ("" where asked for), columns, and which of them hold creation and id."""

    object: str
    file: str
    rows: int
    columns: tuple[Mapped, ...]
    created: str = ""
    id: str = ""
    relations: tuple[Relation, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names of ours that its columns fill."""
        return frozenset(one.name for one in self.columns if one.name)

    @property
    def page(self) -> str:
        """What its rule file is called."""
        return (self.object or "records").casefold()

    def field(self, name: str) -> Mapped | None:
        """Return the column that fills the field *name*, None where none does."""
        return next((one for one in self.columns if one.name == name), None)


class Answers:
    """The answers given, and the questions that they leave open, one per key however many columns ask it."""

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given
        self._open: dict[str, Question] = {}

    def find(self, key: str, about: str = "") -> str:
        """Return the answer to *key* for *about*, else the answer for all, else ""."""
        return self._given.get(f"{key}.{about}") or self._given.get(key, "")

    def find_column(self, key: str, about: str, headers: Collection[str]) -> str:
        """
        Return the column that answers *key* for the table *about*, "" where none does yet.

        An answer for all tables holds where a table has that column; one for this table alone has to be a column of it.

        Raises:
            IntakeError: the answer for this table names none of its *headers*.
        """
        own, common = self._given.get(f"{key}.{about}", ""), self._given.get(key, "")
        if own and own not in headers:
            raise IntakeError(f"{key}: there is no column {show(own)}: the file has {', '.join(map(show, headers))}")
        return own or (common if common in headers else "")

    def settle(self, key: str, about: str, question: Question) -> str:
        """Return the answer to *key* for *about*; without one, keep *question* as open and return TODO."""
        found = self.find(key, about)
        if found:
            if question.options and found not in question.options and key.startswith("unit."):
                raise IntakeError(f"{key}: {show(found)} is not one of {', '.join(question.options)}")
            return found
        self.ask(question)
        return TODO

    def ask(self, question: Question) -> None:
        """Keep *question* as open; asked again about something else, it is about both."""
        before = self._open.get(question.key)
        about = tuple(dict.fromkeys((*before.about, *question.about))) if before else question.about
        options = tuple(dict.fromkeys((*before.options, *question.options))) if before else question.options
        text = before.text if before else question.text
        self._open[question.key] = Question(question.key, text, options, about, question.key in self._given)

    def questions(self) -> tuple[Question, ...]:
        """Return what is still open, in the order in which it came up."""
        return tuple(self._open.values())

    def refuse_strangers(self, parts: Sequence[Part]) -> None:
        """Raise IntakeError for an answer to what is never asked, or about a column that no file has."""
        about = {name for part in parts for name in (part.object, part.file, *_headers(part))}
        for key in self._given:
            kind, dot, name = key.partition(".")
            if kind not in _KEYS:
                raise IntakeError(f"{show(key)} is not a question{did_you_mean(kind, _KEYS)}")
            if kind in ("id", "created") and not dot and self._given[key] not in about:
                known = ", ".join(show(header) for part in parts for header in _headers(part))
                raise IntakeError(f"{key}: there is no column {show(self._given[key])}: the tables have {known}")
            if kind == "unit" and not dot:
                raise IntakeError("'unit' is asked of one column at a time: write unit.COLUMN=m")
            if dot and name not in about:
                raise IntakeError(f"{show(key)}: there is no column or table {show(name)}{did_you_mean(name, about)}")


def _headers(part: Part) -> Iterable[str]:
    yield from (one.column.header for one in part.columns)
    for relation in part.relations:
        yield from (one.column.header for one in relation.columns)
