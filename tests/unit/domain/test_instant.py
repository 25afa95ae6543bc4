"""Instants and durations, to text and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from triage.domain.instant import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    WEEK,
    format_duration,
    format_instant,
    from_datetime,
    parse_duration,
    parse_instant,
    to_datetime,
)
from triage.errors import IntakeError, NaiveTimeError


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59.999Z", -1), ("2026-01-12T09:00:00Z", 1_768_208_400_000),
        ("2026-01-12T10:00:00+01:00", 1_768_208_400_000), (" 2026-01-12T09:00:00.001999Z ", 1_768_208_400_001),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)  # fmt: skip
def test_parse_instant_reads_iso_with_a_zone_to_the_millisecond(text: str, millis: int) -> None:
    assert parse_instant(text) == millis


@pytest.mark.parametrize("text", ["2026-01-12T09:00:00", "2026-01-12"])
def test_parse_instant_refuses_a_naive_text(text: str) -> None:
    with pytest.raises(NaiveTimeError):
        parse_instant(text)


@pytest.mark.parametrize("text", ["", "soon", "2026-02-30T00:00:00Z", "10000-01-01T00:00:00Z", None, 5])
def test_parse_instant_refuses_what_is_none(text: object) -> None:
    with pytest.raises(IntakeError, match="write 2026"):
        parse_instant(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["2026-01-12T09:00:00Z", "2026-01-12T09:00:00.120Z", "0999-03-04T00:00:00Z"])
def test_format_instant_gives_back_what_was_parsed(text: str) -> None:
    assert format_instant(parse_instant(text)) == text


def test_datetimes_go_both_ways_and_need_a_zone() -> None:
    moment = datetime(2026, 1, 12, 9, tzinfo=UTC)
    assert to_datetime(from_datetime(moment)) == moment
    assert from_datetime(moment.astimezone(timezone(timedelta(hours=5)))) == from_datetime(moment)
    with pytest.raises(NaiveTimeError):
        from_datetime(moment.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("15m", 15 * MINUTE), ("1h30m", 90 * MINUTE), ("2d", 2 * DAY), ("1w", WEEK), ("90s", 90 * SECOND), ("5ms", 5),
        ("0s", 0), ("1.5h", 90 * MINUTE), ("1 h 30 m", 90 * MINUTE), ("0.5s", 500), ("1.0004s", 1000),
    ],
)  # fmt: skip
def test_parse_duration_sums_parts_with_units(text: str, millis: int) -> None:
    assert parse_duration(text) == millis


@pytest.mark.parametrize("text", ["", "5", "h", "1y", "-1h", "1h30", "1:30", "1e3s", "1,5h"])
def test_parse_duration_refuses_a_missing_or_unknown_unit(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("millis", "text"),
    [(0, "0s"), (90 * MINUTE, "1h30m"), (DAY + 1, "1d1ms"), (-HOUR, "-1h"), (WEEK, "7d"), (61 * SECOND, "1m1s")],
)
def test_format_duration_states_it_exactly_in_the_largest_units(millis: int, text: str) -> None:
    assert format_duration(millis) == text
    assert millis < 0 or parse_duration(text) == millis
