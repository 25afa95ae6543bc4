"""A condition as closures, negations pushed down to the leaves, so that unknown is simply not TRUE."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from triage.domain.decision import Evidence
from triage.domain.schema import FieldSpec
from triage.domain.work import Value
from triage.rules.language import AllOf, AnyOf, Change, ClockLeaf, Condition, Leaf, Negation
from triage.rules.leaves import Holds, Values, leaf_holds
from triage.sla.clocks import Ask, Clocks

Specs = Mapping[str, FieldSpec]
Of = TypeVar("Of")


class Moment:
    """
    What a condition is judged on: values, clocks, an instant, and the change that the latest event made.

    `before` holds the values from before that event; None says that no event is being judged, so no change is TRUE.
    """

    __slots__ = ("before", "clocks", "now", "values")

    def __init__(self, values: Values, clocks: Clocks, now: int, before: Values | None = None) -> None:
        self.values = values
        self.clocks = clocks
        self.now = now
        self.before = before


Judge = Callable[[Moment], bool]


def normal(condition: Condition, negate: bool = False) -> Condition:
    """Return *condition* with no Negation in it: De Morgan down to the leaves, which carry their own."""
    if isinstance(condition, Negation):
        return normal(condition.part, not negate)
    if isinstance(condition, AllOf | AnyOf):
        parts = tuple(normal(part, negate) for part in condition.parts)
        every = isinstance(condition, AllOf) != negate
        return AllOf(parts) if every else AnyOf(parts)
    if not negate:
        return condition
    if isinstance(condition, Leaf):
        return replace(condition, negate=not condition.negate)
    if isinstance(condition, ClockLeaf):
        return replace(condition, until=not condition.until)
    return condition


def conjuncts(condition: Condition) -> tuple[Condition, ...]:
    """Return the parts of a normal *condition* that all have to hold, nested `all` flattened."""
    if isinstance(condition, AllOf):
        return tuple(leaf for part in condition.parts for leaf in conjuncts(part))
    return (condition,)


def leaves(condition: Condition) -> Iterator[Leaf | ClockLeaf | Change]:
    """Yield every leaf of *condition* in the order written; a change's own leaf is not entered."""
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from leaves(part)
    elif isinstance(condition, Negation):
        yield from leaves(condition.part)
    else:
        yield condition


def static_test(condition: Condition, specs: Specs) -> Holds:
    """Return whether a normal condition of static leaves is TRUE on values."""
    if isinstance(condition, Leaf):
        return leaf_holds(condition, specs.get(condition.field))
    if isinstance(condition, AllOf | AnyOf):
        tests = tuple(static_test(part, specs) for part in condition.parts)
        return _joined(tests, isinstance(condition, AllOf))
    raise TypeError(f"{type(condition).__name__} is not a static condition")


def is_static(condition: Condition) -> bool:
    """Return whether *condition* looks at values alone, at no clock and no change."""
    return all(isinstance(leaf, Leaf) for leaf in leaves(condition))


class Terms(NamedTuple):
    """What a rule's words refer to: its object's fields, its hours, and the questions already put to clocks."""

    specs: Specs
    hours: str
    asks: dict[tuple[object, ...], Ask]


def ask_of(leaf: ClockLeaf, terms: Terms) -> Ask:
    """Return the question that *leaf* puts to the clocks; leaves that ask the same share one, and so one answer."""
    key = (leaf.clock, leaf.amount, leaf.hours or terms.hours, leaf.of_remaining)
    return terms.asks.setdefault((*key, isinstance(leaf.amount, int)), Ask(*key))


def judge(condition: Condition, terms: Terms) -> Judge:
    """Return whether a normal *condition* is TRUE at a moment."""
    if isinstance(condition, Leaf):
        holds = leaf_holds(condition, terms.specs.get(condition.field))
        return lambda moment: holds(moment.values)
    if isinstance(condition, ClockLeaf):
        return _clock_judge(ask_of(condition, terms), condition.until)
    if isinstance(condition, Change):
        return _change_judge(condition, terms.specs)
    judges = tuple(judge(part, terms) for part in condition.parts)  # type: ignore[union-attr]
    return _joined(judges, isinstance(condition, AllOf))


def _joined(tests: tuple[Callable[[Of], bool], ...], every: bool) -> Callable[[Of], bool]:
    """Return whether all of *tests* hold, or any of them: a plain loop, since it runs for each rule and event."""
    if len(tests) == 1:
        return tests[0]

    def holds(asked: Of) -> bool:
        for test in tests:
            if test(asked) is not every:
                return not every
        return every

    return holds


def _clock_judge(ask: Ask, until: bool) -> Judge:
    def holds(moment: Moment) -> bool:
        deadline = moment.clocks.deadline(ask)
        return deadline is not None and (moment.now >= deadline) != until

    return holds


def _change_judge(change: Change, specs: Specs) -> Judge:
    if change.became is not None:
        holds = static_test(normal(change.became), specs)
        return lambda moment: moment.before is not None and holds(moment.values) and not holds(moment.before)
    spec = specs.get(change.raised)
    rank = {value: place for place, value in enumerate(spec.values)} if spec is not None and spec.values else None

    def raised(moment: Moment) -> bool:
        if moment.before is None:
            return False
        old, new = moment.before.get(change.raised), moment.values.get(change.raised)
        if old is None or new is None:
            return False
        return bool(new > old) if rank is None else rank.get(new, -1) > rank.get(old, -1) >= 0

    return raised


class Witness(NamedTuple):
    """One leaf of a rule as evidence: its text, whether it holds (None: it must), what it looks at, as an instant?"""

    text: str
    holds: Judge | None
    read: Callable[[Moment], Value | None]
    instant: bool


def witnesses(condition: Condition, terms: Terms) -> tuple[Witness, ...]:
    """Return the leaves of a normal *condition* in the order written, ready to give evidence."""
    certain = {id(part) for part in conjuncts(condition)}
    return tuple(
        Witness(
            leaf.text or str(leaf),
            None if id(leaf) in certain else judge(leaf, terms),
            _reader(leaf, terms),
            _finds_instant(leaf, terms),
        )
        for leaf in leaves(condition)
    )


def evidence(found: Sequence[Witness], moment: Moment) -> tuple[Evidence, ...]:
    """Return what each leaf that is TRUE found, of a condition that holds at *moment*; a clock found its deadline."""
    seen = []
    for text, holds, read, instant in found:
        if holds is None or holds(moment):
            seen.append(Evidence(text, read(moment), instant))
    return tuple(seen)


def _finds_instant(leaf: Leaf | ClockLeaf | Change, terms: Terms) -> bool:
    if isinstance(leaf, Leaf):
        spec = terms.specs.get(leaf.field)
        return spec is not None and spec.type in ("datetime", "date")
    return isinstance(leaf, ClockLeaf)


def _reader(leaf: Leaf | ClockLeaf | Change, terms: Terms) -> Callable[[Moment], Value | None]:
    if isinstance(leaf, ClockLeaf):
        ask = ask_of(leaf, terms)
        return lambda moment: moment.clocks.deadline(ask)
    if isinstance(leaf, Leaf):
        name = leaf.field
    else:
        inner = leaves(leaf.became) if leaf.became is not None else iter(())
        name = leaf.raised or next((one.field for one in inner if isinstance(one, Leaf)), "")
    return lambda moment: _shortened(moment.values.get(name))


def _shortened(value: Value | None) -> Value | None:
    return value if not isinstance(value, str) or len(value) <= 80 else f"{value[:79]}…"
