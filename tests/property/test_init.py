"""Laws of drafting: any table gives a draft that loads, or one whose open questions the loader refuses."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from triage.config import load_policy
from triage.errors import ConfigError, IntakeError
from triage.init import Draft, draft
from triage.init.vocabulary import WORDS, meaning_of, our_name
from triage.intake.values import read_value
from triage.rules.document import PolicyDocument

PHRASES = sorted({phrase.strip() for phrases in WORDS.values() for phrase in phrases.split(",")})
HEADERS = (
    st.sampled_from(PHRASES)
    | st.text(min_size=1, max_size=12)
    | st.sampled_from(
        [
            "Account Name: SLA",
            "Owner: Tier",
            "SLA__c",
            "age",
            "text",
            "not",
            "Sla: Left",
            "Id",
            "CreatedDate",
            "Age (Hours)",
        ]
    )
)
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["Low", "High", "low", "", "NULL", "true", "no", "1", "0012", "1,5", "80%", "$5", "a;b", "1h"]),
    st.sampled_from(["2026-01-31T09:00:00Z", "2026-01-31 09:00", "31.12.2025 14:05", "05.12.2025", "12/31/2025"]),
    st.integers(-999, 999).map(str),
)


@st.composite
def tables(make: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Headers, and rows whose columns each repeat a few cells, as real columns do."""
    headers = make(st.lists(HEADERS, min_size=1, max_size=6))
    pools = [make(st.lists(CELLS, min_size=1, max_size=4)) for _ in headers]
    height = make(st.integers(0, 12))
    return headers, [[pool[(row * 7 + at) % len(pool)] for at, pool in enumerate(pools)] for row in range(height)]


def _draft(table: tuple[list[str], list[list[str]]], answers: dict[str, str]) -> Draft | None:
    text = io.StringIO()
    csv.writer(text).writerows([table[0], *table[1]])
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "Case.csv"
        path.write_text(text.getvalue().encode("utf-8", "replace").decode(), encoding="utf-8", newline="")
        try:
            return draft(path, answers=answers)
        except IntakeError:
            return None


def _loaded(drafted: Draft) -> PolicyDocument | None:
    try:
        return load_policy(drafted.files)
    except ConfigError:
        return None


@given(tables())
@settings(max_examples=60, deadline=None)
def test_a_draft_loads_exactly_when_nothing_is_left_to_ask(table: tuple[list[str], list[list[str]]]) -> None:
    """No guess slips through as settled, and no settled draft is refused."""
    drafted = _draft(table, {})
    if drafted is not None:
        assert (_loaded(drafted) is None) == bool(drafted.questions), drafted.files["fields.yaml"]


@given(tables())
@settings(max_examples=50, deadline=None)
def test_answers_settle_what_was_asked(table: tuple[list[str], list[list[str]]]) -> None:
    """Answering every question with its first option leaves none, and the draft loads."""
    answers = {"zone": "Europe/Berlin"}
    for _ in range(3):
        drafted = _draft(table, answers)
        if drafted is None:
            return
        answers |= {question.key: question.options[0] for question in drafted.questions if question.options}
    unanswerable = [question for question in drafted.questions if not question.options] if drafted else []
    if drafted is not None and not unanswerable:
        assert drafted.questions == ()
        assert _loaded(drafted) is not None


@given(tables())
@settings(max_examples=50, deadline=None)
def test_nearly_all_values_read_as_the_drafted_type(table: tuple[list[str], list[list[str]]]) -> None:
    """A type is drafted only where at least 19 of 20 values are of it."""
    drafted = _draft(table, {"zone": "UTC", "date_order": "DMY"})
    document = _loaded(drafted) if drafted is not None else None
    if drafted is None or document is None:
        return
    spec = document.objects["Case"].spec
    for one in drafted.parts[0].columns:
        known = spec.by_source.get(one.column.header.casefold())
        if known is None or one.column.notes or not one.column.filled:
            continue
        for sample in one.column.samples:
            assert read_value(sample, known) is not None, (known, sample)


@given(st.text(max_size=30))
def test_a_name_made_of_a_header_is_a_field_name(header: str) -> None:
    """Parts of letters, digits and underscores, each beginning with a letter."""
    for part in our_name(header).split("."):
        assert part.isascii()
        assert part.isidentifier()


@given(HEADERS, st.sampled_from(["text", "picklist", "datetime", "integer"]))
def test_confidence_is_a_share(header: str, kind: str) -> None:
    """Between none and all."""
    assert 0 <= meaning_of(header, kind).confidence <= 1
