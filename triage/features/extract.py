"""Records into a feature table. One row depends on one record and its own past only, never on its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from triage.domain.work import Event, WorkItem
from triage.features.past import fold, known, latest_message, past_numbers
from triage.features.spec import LATEST, FeatureSpec
from triage.features.values import as_hours, as_level, as_number, as_text
from triage.intake.instants import load_zone

Floats = npt.NDArray[np.float64]
_HOUR = 3_600_000


class Row(NamedTuple):
    """The features of one record, in the order of the spec's names."""

    text: str
    categories: list[str]
    numbers: list[float]


class FeatureTable(Struct, frozen=True):
    """
    The features of n records.

    Attributes:
        texts: One text a record, "" for none.
        categories: One list a record, of one level for each of the spec's `category_names`; "" is missing.
        numbers: ndarray of shape (n_records, n_numbers), in the order of `number_names`; NaN is missing.
    """

    texts: list[str]
    categories: list[list[str]]
    numbers: Floats

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int] | npt.NDArray[np.intp]) -> FeatureTable:
        """Return the table of *rows* only, in that order."""
        places = [int(row) for row in rows]
        return FeatureTable(
            [self.texts[row] for row in places], [self.categories[row] for row in places], self.numbers[places]
        )


class Extractor:
    """A spec made ready for many rows."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self._zone: tzinfo = UTC if spec.zone == "UTC" else load_zone(spec.zone)
        plain = {name: place for place, name in enumerate(spec.plain_categories)}
        self._crosses = [(plain[one], plain[other]) for one, other in spec.crosses]
        self._looks_back = bool(spec.past or spec.contacts)

    def row(self, item: WorkItem, past: Iterable[Event], now: int) -> Row:
        """Return the features of *item* at *now* (ms UTC). Its fields are those at opening, or already those of now."""
        events = known(past, now)
        state: Mapping[str, Any] = {**item.fields, **fold(events)} if events else item.fields
        if self.spec.contacts:
            state = {**state, LATEST: latest_message(events)}
        return self.read(state, events, item.created_at, now)

    def read(self, state: Mapping[str, Any], events: Sequence[Event], born: int, now: int) -> Row:
        """Return the features of a record whose fields at *now* are *state* and whose past is *events*."""
        spec = self.spec
        get = state.get
        text = "\n".join(as_text(get(name)) for name in spec.texts) if spec.texts else ""
        categories = [as_level(get(name)) for name in spec.categories]
        numbers = [as_number(get(name)) for name in spec.numbers]
        numbers += [born / _HOUR - as_hours(get(name)) for name in spec.instants]
        if spec.clock:
            self._read_clock(born, categories, numbers)
        if spec.age:
            numbers.append((now - born) / _HOUR)
        if spec.ages and spec.clock:
            numbers += self._read_hours(born, now)
        if spec.texts:
            numbers.append(float(len(text.split())))
        if self._looks_back:
            categories += [as_level(get(name)) for name in spec.past]
            numbers += past_numbers(spec, events, born, now)
        crosses = [f"{categories[one]}|{categories[other]}" for one, other in self._crosses]
        if spec.ages:
            step = step_of(spec.ages, (now - born) / _HOUR)
            categories = [*(f"{step}|{level}" for level in categories), step]
            crosses = [f"{step}|{level}" for level in crosses]
        return Row(text, categories + crosses, numbers)

    def _read_clock(self, born: int, categories: list[str], numbers: list[float]) -> None:
        local = datetime.fromtimestamp(born // 1000, self._zone)
        day, minute = local.weekday(), local.hour * 60 + local.minute
        within = day in self.spec.open_days and self.spec.opens <= minute < self.spec.closes
        categories += [str(local.hour), str(day)]
        numbers += [day * 24 + minute / 60, float(within)]

    def _read_hours(self, born: int, now: int) -> list[float]:
        """Return the open hours between the opening and *now*, and the hour of the week that it is."""
        opened, local = (datetime.fromtimestamp(at // 1000, self._zone) for at in (born, now))
        passed = self._open_minutes(local) - self._open_minutes(opened)
        return [passed / 60, local.weekday() * 24 + local.hour + local.minute / 60]

    def _open_minutes(self, local: datetime) -> int:
        """Return the open minutes of all weeks and days up to *local*."""
        spec = self.spec
        week, day = divmod(local.toordinal() - 1, 7)
        span = spec.closes - spec.opens
        days = len(spec.open_days) * week + sum(one < day for one in spec.open_days)
        today = min(max(local.hour * 60 + local.minute - spec.opens, 0), span) if day in spec.open_days else 0
        return days * span + today


def step_of(ages: Sequence[float], age: float) -> str:
    """Return the greatest of *ages* (hours, ascending) that a record of *age* hours has reached, as in `24h`."""
    return f"{max((one for one in ages if one <= age), default=ages[0]):g}h"


def extract_features(
    items: Iterable[tuple[WorkItem, Sequence[Event]]], now: int | Sequence[int], spec: FeatureSpec
) -> FeatureTable:
    """
    Return the features of *items*, one row each, in order; events after *now* never count.

    Args:
        items: Each record with its own past.
        now: The instant (ms UTC) to look from, one for all or one for each.
    """
    extractor = Extractor(spec)
    pairs = list(items)
    instants = [now] * len(pairs) if isinstance(now, int) else now
    rows = [extractor.row(item, past, at) for (item, past), at in zip(pairs, instants, strict=True)]
    numbers = np.array([row.numbers for row in rows], dtype=np.float64).reshape(len(rows), len(spec.number_names))
    return FeatureTable([row.text for row in rows], [row.categories for row in rows], numbers)
