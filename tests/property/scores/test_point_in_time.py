"""Laws of features and scores: the future changes nothing, and neither do order and company."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from triage.domain.instant import HOUR
from triage.domain.work import Event, WorkItem
from triage.features import Extractor, FeatureSpec
from triage.features.spec import LATEST

NOW = 1_780_000_000_000
SPEC = FeatureSpec(
    texts=("Subject", LATEST), categories=("OwnerId", "Status"), numbers=("Seats",), clock=True, age=True,
    past=("OwnerId", "Status"), contacts=True, crosses=(("OwnerId", "Status"),),
)  # fmt: skip
EXTRACTOR = Extractor(SPEC)

values = st.sampled_from(["New", "Closed", "a", "b", None, 7, 3.5, True])


@st.composite
def events(draw: st.DrawFn, low: int, high: int) -> Event:
    at = NOW + draw(st.integers(low, high)) * 60_000
    if draw(st.booleans()):
        changes = draw(st.dictionaries(st.sampled_from(["OwnerId", "Status", "Seats", "Subject"]), values, max_size=3))
        return Event(at=at, type="updated", event_id=str(at), changes=changes, actor=draw(st.sampled_from(["x", "y"])))
    way = draw(st.sampled_from(["in", "out"]))
    return Event(at=at, type="message", event_id=str(at), direction=way, body=draw(st.text(max_size=20)))


def row(past: list[Event]) -> str:
    item = WorkItem(object="Case", id="1", created_at=NOW - 500 * HOUR, fields={"Subject": "s", "Seats": 4})
    # As text, for NaN is not equal to itself.
    return repr(EXTRACTOR.row(item, past, NOW))


@settings(max_examples=150, deadline=None)
@given(st.lists(events(-9000, 0), max_size=8), st.lists(events(1, 9000), max_size=8), st.randoms())
def test_the_future_changes_nothing(before: list[Event], after: list[Event], chance: object) -> None:
    shuffled = list(after)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert row(before) == row(before + after) == row(before + shuffled)


@settings(max_examples=100, deadline=None)
@given(st.lists(events(-9000, 0), max_size=8, unique_by=lambda event: event.at), st.randoms())
def test_the_order_in_which_the_past_is_told_changes_nothing(before: list[Event], chance: object) -> None:
    shuffled = list(before)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert row(before) == row(shuffled)
