"""A transaction tried again where somebody else was first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from triage.errors import StaleRecord

Answer = TypeVar("Answer")

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
