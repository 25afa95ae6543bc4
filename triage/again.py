"""A transaction tried again where somebody else was first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from triage.errors import StaleRecord

Answer = TypeVar("Answer")
Unit = TypeVar("Unit", covariant=True)
Part = TypeVar("Part")

CONFLICTS = 20
"""How often a transaction is tried again where somebody else stored in between what it decided on."""


def again(piece: Callable[[int], Answer], times: int = CONFLICTS) -> Answer:
    """
    Return what *piece* answers, given how often it has been tried before, once nobody else comes in between.

    Each conflict means that another transaction was stored, so the whole goes on; no waiting is needed.

    Raises:
        StaleRecord: *times* were not enough.
    """
    for attempt in range(times):
        try:
            return piece(attempt)
        except StaleRecord:
            continue
    return piece(times)


class Writes(Protocol[Unit]):
    """What begins a write transaction: a `triage.ports.Store`."""

    def write(self) -> AbstractContextManager[Unit]:
        """Begin one."""


def stored(store: Writes[Part], piece: Callable[[Part], Answer]) -> Answer:
    """Return what *piece* answers inside a write transaction of *store*, tried as often as `again` does."""

    def transact(_attempt: int) -> Answer:
        with store.write() as unit:
            return piece(unit)

    return again(transact)
