"""A column of values on its way to PostgreSQL: one binary array, written in one go rather than item by item."""

from __future__ import annotations

import struct
from types import NoneType
from typing import Any

from psycopg.abc import Buffer, DumperKey
from psycopg.adapt import PyFormat
from psycopg.types.array import BaseListDumper, ListBinaryDumper

TEXT, TEXTS = 25, 1009
NUMBER, NUMBERS = 20, 1016
"""What PostgreSQL calls a text and a number of eight bytes, and an array of each."""

_HEAD = struct.Struct("!iiIii")
_LENGTH = struct.Struct("!i").pack
_NULL = _LENGTH(-1)


class ColumnDumper(ListBinaryDumper):
    """Takes flat lists of texts, or of whole numbers, NULLs among them; psycopg's own does all others."""

    def get_key(self, obj: list[Any], format: PyFormat) -> DumperKey:
        """Return under what the dumper of such a list is kept."""
        return _KINDS.get(frozenset(map(type, obj))) or super().get_key(obj, format)

    def upgrade(self, obj: list[Any], format: PyFormat) -> BaseListDumper:
        """Return the dumper of such a list."""
        kind = _KINDS.get(frozenset(map(type, obj)))
        return super().upgrade(obj, format) if kind is None else kind(self.cls, self._tx)


class TextColumn(ColumnDumper):
    """A list of texts; the connection speaks UTF-8."""

    oid = TEXTS

    def dump(self, obj: list[str | None]) -> Buffer | None:
        """Return the array as PostgreSQL reads it."""
        parts = [_HEAD.pack(1, None in obj, TEXT, len(obj), 1)]
        for item in obj:
            if item is None:
                parts.append(_NULL)
            else:
                data = item.encode()
                parts += (_LENGTH(len(data)), data)
        return b"".join(parts)


class NumberColumn(ColumnDumper):
    """A list of whole numbers of up to eight bytes."""

    oid = NUMBERS

    def dump(self, obj: list[int | None]) -> Buffer | None:
        """Return the array as PostgreSQL reads it."""
        if None not in obj:
            pairs = [part for item in obj for part in (8, item)]
            return _HEAD.pack(1, 0, NUMBER, len(obj), 1) + struct.pack("!" + "iq" * len(obj), *pairs)
        parts = [_HEAD.pack(1, 1, NUMBER, len(obj), 1)]
        parts += [_NULL if item is None else struct.pack("!iq", 8, item) for item in obj]
        return b"".join(parts)


_KINDS: dict[frozenset[type], type[ColumnDumper]] = {
    frozenset({str}): TextColumn,
    frozenset({str, NoneType}): TextColumn,
    frozenset({int}): NumberColumn,
    frozenset({int, NoneType}): NumberColumn,
}
