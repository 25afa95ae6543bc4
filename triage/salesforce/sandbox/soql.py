"""
SOQL text in, a query out, or a refusal in Salesforce's words. Strict: what the real parser refuses is refused here.

Tokens and recursive descent. Semi-joins, child subqueries, relationship paths, aggregates with GROUP BY and HAVING,
date literals and FIELDS(..) are read; TYPEOF, geolocation and data categories are refused by name.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple, NoReturn

from msgspec import Struct

DATE_LITERALS = (
    "YESTERDAY", "TODAY", "TOMORROW", "LAST_WEEK", "THIS_WEEK", "NEXT_WEEK", "LAST_MONTH", "THIS_MONTH", "NEXT_MONTH",
    "LAST_90_DAYS", "THIS_YEAR", "LAST_YEAR",
)  # fmt: skip
COUNTED_LITERALS = ("LAST_N_DAYS", "NEXT_N_DAYS")
AGGREGATES = ("COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG")
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "LIKE", "IN", "NOT IN", "INCLUDES", "EXCLUDES")

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\\n]|\\.)*')"
    r"|(?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))"
    r"|(?P<date>\d{4}-\d\d-\d\d)"
    r"|(?P<number>[+-]?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)"
    r"|(?P<sign>!=|<>|<=|>=|[=<>(),:]))"
)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class SoqlError(Exception):
    """The query is refused; `code` is Salesforce's (MALFORMED_QUERY, INVALID_FIELD, INVALID_TYPE)."""

    def __init__(self, text: str, code: str = "MALFORMED_QUERY") -> None:
        self.code = code
        super().__init__(text)


class DateWord(Struct, frozen=True):
    """A date literal such as TODAY or LAST_N_DAYS:7."""

    word: str
    count: int = 0


class Instant(Struct, frozen=True):
    """A date or an instant as written."""

    text: str


class Comparison(Struct, frozen=True):
    """
    One comparison; *value* is a literal, a tuple of them, or a query (a semi-join).

    `function` is an aggregate of the path, in a HAVING.
    """

    path: str
    operator: str
    value: Any
    function: str = ""


class Joined(Struct, frozen=True):
    """Conditions joined by AND or OR."""

    how: Literal["AND", "OR"]
    parts: tuple[Condition, ...]


class Negated(Struct, frozen=True):
    """The opposite of a condition."""

    part: Condition


Condition = Comparison | Joined | Negated


class Selected(Struct, frozen=True):
    """One thing selected: a path, or an aggregate (`function`) of one; `alias` names its column."""

    path: str
    function: str = ""
    alias: str = ""


class Order(Struct, frozen=True):
    """One sort key; nulls come first unless told otherwise."""

    path: str
    descending: bool = False
    nulls_last: bool = False


class Query(Struct, frozen=True, kw_only=True):
    """
    A query as read. `everything`: what FIELDS(..) names, in small letters; `all_rows` finds deleted ones.

    `children` are the queries within the SELECT: their `object` is the name of a relationship to children.
    """

    object: str
    fields: tuple[Selected, ...] = ()
    everything: str = ""
    where: Condition | None = None
    group_by: tuple[str, ...] = ()
    having: Condition | None = None
    children: tuple[Query, ...] = ()
    order_by: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    all_rows: bool = False
    count_only: bool = False


class Token(NamedTuple):
    """One token; `kind` is text, instant, date, number, word, sign or end."""

    kind: str
    text: str


def parse_soql(text: str) -> Query:
    """Return what *text* asks; raise SoqlError where the real parser would refuse it."""
    if len(text) > 100_000:
        raise SoqlError("SOQL statements cannot be longer than 100000 characters.")
    reader = _Reader(_tokens(text))
    query = reader.query()
    if reader.token.kind != "end":
        reader.unexpected()
    return query


def _tokens(text: str) -> list[Token]:
    found, place = [], 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise SoqlError(f"unexpected token: '{text[place:].strip()[:20]}'")
        found.append(Token(match.lastgroup, match.group(match.lastgroup)))
        place = match.end()
    return [*found, Token("end", "<EOF>")]


class _Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._alias = ""
        self._inside = False
        self._in_having = False

    @property
    def token(self) -> Token:
        return self._tokens[self._place]

    def unexpected(self) -> NoReturn:
        raise SoqlError(f"unexpected token: '{self.token.text}'")

    def query(self) -> Query:
        self._need("SELECT")
        outer, self._alias = self._alias, ""
        place = self._place
        # The alias of the object stands behind the fields that use it.
        self._skip_to_from()
        name = self._name()
        if self.token.kind == "word" and self.token.text.upper() not in _KEYWORDS:
            self._alias = self._take().text
        after, self._place = self._place, place
        everything, fields, children = self._fields()
        self._need("FROM")
        self._place = after
        found = self._rest(name, everything, fields, children)
        self._alias = outer
        return found

    def _rest(self, name: str, everything: str, fields: tuple[Selected, ...], children: tuple[Query, ...]) -> Query:
        where = self._condition() if self._word("WHERE") else None
        if self._word("WITH") and self._take().text.upper() not in ("SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"):
            raise SoqlError("WITH is read for SECURITY_ENFORCED, USER_MODE and SYSTEM_MODE only")
        group_by = self._grouped()
        having = self._having(group_by)
        if children and (group_by or any(one.function for one in fields)):
            raise SoqlError("child queries do not go with aggregates")
        order_by = self._ordered()
        limit = self._whole() if self._word("LIMIT") else None
        offset = self._whole() if self._word("OFFSET") else 0
        all_rows = self._word("ALL")
        if all_rows:
            self._need("ROWS")
        if self._word("FOR") and self._take().text.upper() not in ("VIEW", "REFERENCE", "UPDATE"):
            self.unexpected()
        if offset > 2000:
            raise SoqlError("Maximum SOQL offset allowed is 2000", "NUMBER_OUTSIDE_VALID_RANGE")
        if everything in ("all", "custom") and (limit is None or limit > 200):
            raise SoqlError("The SOQL FIELDS function must have a LIMIT of at most 200")
        count_only = len(fields) == 1 and fields[0].function == "COUNT" and not fields[0].path
        return Query(
            object=name, fields=fields, everything=everything, where=where, group_by=group_by, having=having,
            children=children, order_by=order_by, limit=limit, offset=offset, all_rows=all_rows, count_only=count_only,
        )  # fmt: skip

    def _skip_to_from(self) -> None:
        depth = 0
        while depth or self.token.text.upper() != "FROM":
            if self.token.kind == "end":
                self.unexpected()
            depth += {"(": 1, ")": -1}.get(self.token.text, 0) if self.token.kind == "sign" else 0
            self._place += 1
        self._place += 1

    def _fields(self) -> tuple[str, tuple[Selected, ...], tuple[Query, ...]]:
        everything, found = "", []
        children: list[Query] = []
        while True:
            word = self.token.text.upper()
            if self._is_sign("("):
                children.append(self._child())
            elif word == "TYPEOF":
                raise SoqlError("TYPEOF is not read by the sandbox")
            elif word == "FIELDS" and self._ahead("("):
                self._place += 2
                everything = self._take().text.lower()
                if everything not in ("all", "standard", "custom"):
                    raise SoqlError("FIELDS takes ALL, STANDARD or CUSTOM")
                self._sign(")")
            else:
                found.append(self._selected())
            if not self._is_sign(","):
                if not found and not everything:
                    self.unexpected()
                return everything, tuple(found), tuple(children)

    def _child(self) -> Query:
        """Read a query within the SELECT; its bracket has been read."""
        if self._inside:
            raise SoqlError("child queries within child queries are not read by the sandbox")
        self._inside = True
        found = self.query()
        self._inside = False
        self._sign(")")
        return found

    def _having(self, group_by: tuple[str, ...]) -> Condition | None:
        if not self._word("HAVING"):
            return None
        if not group_by:
            raise SoqlError("HAVING needs GROUP BY")
        self._in_having = True
        found = self._condition()
        self._in_having = False
        return found

    def _selected(self) -> Selected:
        if self.token.text.upper() in AGGREGATES and self._ahead("("):
            function = self._take().text.upper()
            self._sign("(")
            path = "" if self.token.text == ")" else self._path()
            self._sign(")")
            if not path and function != "COUNT":
                raise SoqlError(f"{function} needs a field")
            return Selected(path, function, self._named())
        path = self._path()
        return Selected(path, "", self._named())

    def _named(self) -> str:
        if self.token.kind == "word" and self.token.text.upper() not in _KEYWORDS:
            return self._take().text
        return ""

    def _condition(self) -> Condition:
        first = self._single()
        how = self.token.text.upper()
        if how not in ("AND", "OR"):
            return first
        parts = [first]
        while self.token.text.upper() in ("AND", "OR") and self.token.kind == "word":
            if self.token.text.upper() != how:
                # As the real parser: AND and OR are not mixed without parentheses.
                self.unexpected()
            self._place += 1
            parts.append(self._single())
        return Joined("AND" if how == "AND" else "OR", tuple(parts))

    def _single(self) -> Condition:
        if self._word("NOT"):
            return Negated(self._single())
        if self._is_sign("("):
            found = self._condition()
            self._sign(")")
            return found
        one = self._selected() if self._in_having else Selected(self._path())
        operator = self._operator()
        several = operator in ("IN", "NOT IN", "INCLUDES", "EXCLUDES")
        return Comparison(one.path, operator, self._several(operator) if several else self._literal(), one.function)

    def _operator(self) -> str:
        word = self._take().text.upper()
        if word == "NOT":
            self._need("IN")
            return "NOT IN"
        word = {"<>": "!="}.get(word, word)
        if word not in OPERATORS:
            self._place -= 1
            self.unexpected()
        return word

    def _several(self, operator: str) -> Any:
        self._sign("(")
        if self.token.text.upper() == "SELECT" and operator in ("IN", "NOT IN"):
            found: Any = self.query()
        else:
            values = [self._literal()]
            while self._is_sign(","):
                values.append(self._literal())
            found = tuple(values)
        self._sign(")")
        return found

    def _literal(self) -> Any:
        kind, text = self._take()
        if kind == "text":
            return _ESCAPE.sub(lambda one: _ESCAPES.get(one.group(1), one.group(1)), text[1:-1])
        if kind in ("instant", "date"):
            return Instant(text)
        if kind == "number":
            return float(text) if "." in text else int(text)
        word = text.upper()
        if word in ("TRUE", "FALSE", "NULL"):
            return {"TRUE": True, "FALSE": False, "NULL": None}[word]
        if word in DATE_LITERALS:
            return DateWord(word)
        if word in COUNTED_LITERALS and self._is_sign(":"):
            return DateWord(word, self._whole())
        self._place -= 1
        return self.unexpected()

    def _grouped(self) -> tuple[str, ...]:
        if not self._word("GROUP"):
            return ()
        self._need("BY")
        found = [self._path()]
        while self._is_sign(","):
            found.append(self._path())
        return tuple(found)

    def _ordered(self) -> tuple[Order, ...]:
        if not self._word("ORDER"):
            return ()
        self._need("BY")
        found = [self._order()]
        while self._is_sign(","):
            found.append(self._order())
        return tuple(found)

    def _order(self) -> Order:
        path = self._path()
        descending = self._word("DESC")
        if not descending:
            self._word("ASC")
        last = False
        if self._word("NULLS"):
            last = self._take().text.upper() == "LAST"
        return Order(path, descending, last)

    def _path(self) -> str:
        path = self._name()
        if self._alias and path.casefold().startswith(f"{self._alias}.".casefold()):
            return path[len(self._alias) + 1 :]
        return path

    def _name(self) -> str:
        if self.token.kind != "word" or self.token.text.upper() in ("FROM", "WHERE", "SELECT", "AND", "OR"):
            self.unexpected()
        return self._take().text

    def _whole(self) -> int:
        if self.token.kind != "number" or not self.token.text.isdigit():
            self.unexpected()
        return int(self._take().text)

    def _take(self) -> Token:
        found = self.token
        if found.kind == "end":
            self.unexpected()
        self._place += 1
        return found

    def _ahead(self, text: str) -> bool:
        return self._tokens[self._place + 1].text == text

    def _word(self, word: str) -> bool:
        found = self.token.kind == "word" and self.token.text.upper() == word
        self._place += found
        return found

    def _need(self, word: str) -> None:
        if not self._word(word):
            self.unexpected()

    def _is_sign(self, sign: str) -> bool:
        found = self.token.kind == "sign" and self.token.text == sign
        self._place += found
        return found

    def _sign(self, sign: str) -> None:
        if not self._is_sign(sign):
            self.unexpected()


_KEYWORDS = frozenset(
    (
        "FROM", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "ALL", "FOR", "ASC", "DESC", "NULLS",
        "AND", "OR", "LIKE", "IN", "NOT", "INCLUDES", "EXCLUDES",
    )
)  # fmt: skip
