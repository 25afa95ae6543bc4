"""Scores in words: each under its name, `abstained` beside the one it is about, money in whole units."""

from triage.cli.score_text import cells_of

LEAD = {
    "lead.probability": 0.462, "lead.abstained": True, "lead.signal": False, "lead.value": 10785.8,
    "lead.value_low": 0.0, "lead.value_high": 24443.6,
}  # fmt: skip


def test_a_lead_is_told_with_what_it_is_worth() -> None:
    """Its reasons, and those of a model in the shadow, come under the name of the score."""
    line = {"id": "7", "scores": LEAD, "reasons": {"lead": ("a", "b"), "lead.shadow": ("0.5",), "language": ()}}
    titles, rows = cells_of([line])
    assert titles == ["id", "lead value", "why"]
    assert rows == [["7", "0.46, worth 10,786 (0 to 24,444) (abstained)", "lead value: a; b | lead.shadow: 0.5"]]


def test_a_column_is_there_where_one_row_has_the_score() -> None:
    """A row that lacks it stays empty there; without rows there is a head and nothing below."""
    one = {"id": "1", "scores": {"language.code": "de", "language.confidence": 0.9}, "reasons": {}}
    two = {"id": "2", "scores": {"urgency.score": 0.97, "urgency.abstained": False}, "reasons": {}}
    titles, rows = cells_of([one, two])
    assert titles == ["id", "urgency", "language", "why"]
    assert rows == [["1", "", "de", ""], ["2", "0.97", "", ""]]
    assert cells_of([])[1] == []
