"""A search for one state in which some conditions are TRUE and others are not; none found means that none exists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from triage.rules.cells import Cells
from triage.rules.conditions import normal
from triage.rules.language import AllOf, AnyOf, Change, ClockLeaf, Condition, Leaf

MOST_BRANCHES = 5_000


class Literal(Struct, frozen=True):
    """*variable* lies in one of the cells of *mask*."""

    variable: str
    mask: int


class Both(Struct, frozen=True):
    """All parts hold."""

    parts: tuple[Formula, ...]


class Either(Struct, frozen=True):
    """At least one part holds."""

    parts: tuple[Formula, ...]


Formula = Literal | Both | Either
ALWAYS = Both(())


class Undecided(Exception):
    """The search was given up: it would have taken too many branches."""


def holds(condition: Condition, cells: Cells) -> Formula:
    """Return the formula for *condition* (without Negation) being TRUE; a change at least needs what it became."""
    if isinstance(condition, Leaf | ClockLeaf):
        return Literal(*cells.mask(condition))
    if isinstance(condition, Change):
        return ALWAYS if condition.became is None else holds(normal(condition.became), cells)
    if isinstance(condition, AllOf):
        return Both(tuple(holds(part, cells) for part in condition.parts))
    if isinstance(condition, AnyOf):
        return Either(tuple(holds(part, cells) for part in condition.parts))
    raise TypeError("a condition is normal before it becomes a formula")


def fails(condition: Condition, cells: Cells) -> Formula:
    """Return the formula for *condition* not being TRUE: false, or unknown; a change can always be absent."""
    if isinstance(condition, Leaf | ClockLeaf):
        variable, mask = cells.mask(condition)
        return Literal(variable, cells.full(variable) & ~mask)
    if isinstance(condition, AllOf):
        return Either(tuple(fails(part, cells) for part in condition.parts))
    if isinstance(condition, AnyOf):
        return Both(tuple(fails(part, cells) for part in condition.parts))
    return ALWAYS


def search(formulas: Iterable[Formula], cells: Cells, *, most: int = MOST_BRANCHES) -> dict[str, int] | None:
    """
    Return the cells left to each variable in one state that satisfies all *formulas*, or None: there is no such state.

    Raises:
        Undecided: after *most* branches.
    """
    stack: list[tuple[dict[str, int], list[Either]]] = []
    start = _narrow({}, [], list(formulas), cells)
    if start is not None:
        stack.append(start)
    branches = 0
    while stack:
        masks, pending = stack.pop()
        if not pending:
            return masks
        branches += 1
        if branches > most:
            raise Undecided(f"no answer within {most} branches")
        choice = min(pending, key=lambda either: len(either.parts))
        rest = [either for either in pending if either is not choice]
        for part in reversed(choice.parts):
            narrowed = _narrow(masks, rest, [part], cells)
            if narrowed is not None:
                stack.append(narrowed)
    return None


def _narrow(
    masks: dict[str, int], pending: list[Either], fresh: list[Formula], cells: Cells
) -> tuple[dict[str, int], list[Either]] | None:
    """Return the state with *fresh* taken in and all that follows from it; None where it contradicts itself."""
    masks, pending = dict(masks), list(pending)
    while fresh:
        for formula in fresh:
            for part in _flat(formula):
                if isinstance(part, Either):
                    pending.append(part)
                elif not _meet(masks, part, cells):
                    return None
        settled = _settle(masks, pending, cells)
        if settled is None:
            return None
        pending, fresh = settled
    return masks, pending


def _flat(formula: Formula) -> Iterator[Literal | Either]:
    """Yield the parts that all have to hold."""
    if isinstance(formula, Both):
        for part in formula.parts:
            yield from _flat(part)
    else:
        yield formula


def _meet(masks: dict[str, int], literal: Literal, cells: Cells) -> bool:
    """Narrow one variable; return whether any cell is left."""
    left = masks.get(literal.variable, cells.full(literal.variable)) & literal.mask
    masks[literal.variable] = left
    return left != 0


def _settle(masks: dict[str, int], pending: list[Either], cells: Cells) -> tuple[list[Either], list[Any]] | None:
    """Return the choices still open and the parts that are now forced; None where a choice has no part left."""
    still: list[Either] = []
    forced: list[Formula] = []
    for either in pending:
        parts = []
        for part in either.parts:
            verdict = _judge(masks, part, cells)
            if verdict is True:
                break
            if verdict is None:
                parts.append(part)
        else:
            if not parts:
                return None
            if len(parts) == 1:
                forced.append(parts[0])
            else:
                still.append(either if len(parts) == len(either.parts) else Either(tuple(parts)))
    return still, forced


def _judge(masks: dict[str, int], part: Formula, cells: Cells) -> bool | None:
    """Return whether *part* holds in every state left, in none (False), or only in some (None)."""
    if isinstance(part, Literal):
        have = masks.get(part.variable, cells.full(part.variable))
        if not have & part.mask:
            return False
        return None if have & ~part.mask else True
    verdicts = [_judge(masks, inner, cells) for inner in part.parts]
    decisive = isinstance(part, Either)
    if decisive in verdicts:
        return decisive
    return None if None in verdicts else not decisive
