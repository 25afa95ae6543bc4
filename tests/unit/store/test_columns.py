"""Columns written as one array: what PostgreSQL reads is what was given, as psycopg's own way has it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.adapt import PyFormat, Transformer

from tests.support.postgres import Databases
from triage.store.columns import ColumnDumper, NumberColumn, TextColumn


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", ["a", "", 'quote " \\ {,}', "é ñ 日本 \U0001f600", "NULL"]),
        ("text", [None, "a", None]),
        ("bigint", [0, -1, 1, 2**63 - 1, -(2**63)]),
        ("bigint", [None, 7, None]),
        ("integer", [1, 2, 3]),
        ("text", [None, None]),
        ("bigint", []),
        ("bigint", [[1, 2], [3, 4]]),
        ("boolean", [True, False]),
        ("double precision", [1.5, -2.0]),
    ],
)
def test_a_list_arrives_as_it_was_given(postgres: Databases, kind: str, values: list[Any]) -> None:
    """Lists of other kinds too: those psycopg writes."""
    with psycopg.connect(postgres.empty()) as connection:
        connection.adapters.register_dumper(list, ColumnDumper)
        found = connection.execute(f"SELECT %s::{kind}[]", [values]).fetchone()  # type: ignore[arg-type]
    assert found == (values,)


@pytest.mark.parametrize(
    ("values", "kind"), [(["a", "b"], TextColumn), ([1, None], NumberColumn), ([[1]], ColumnDumper)]
)
def test_flat_lists_are_written_in_one_go_and_nested_ones_are_not(values: list[Any], kind: type) -> None:
    """Which of the two ways a list goes."""
    transformer = Transformer()
    transformer.adapters.register_dumper(list, ColumnDumper)
    assert type(transformer.get_dumper(values, PyFormat.AUTO)) is kind
