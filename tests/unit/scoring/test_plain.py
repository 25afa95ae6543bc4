"""One message as plain words."""

from __future__ import annotations

import pytest

from triage.scoring.plain import LONGEST, plain


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", ""),
        ("  a \n b\t", "a b"),
        ("see https://x.example/y?z now", "see http now"),
        ("www.x.example", "http"),
        ("@Desk's fault", "@user fault"),
        ("mail me at a@b.example", "mail me at a@b.example"),
        ("#NeverAgain", "# Never Again"),
        ("soooooo", "sooo"),
        ("!!!!!!", "!!!"),
        ("it\\u2019s", "it’s"),
        ("a &amp; b", "a & b"),
        ("😡😡😡", "pouting face"),
        ("thanks 👍🏽", "thanks thumbs up sign"),
        ("z\u200bero", "zero"),
        ("\\ud83d", ""),
        ("lone \ud800 half", "lone half"),
        ("e\u0301", "é"),
        ("printer 打印机", "printer 打印机"),
    ],
)
def test_plain_reads_as_the_encoder_was_taught(text: str, read: str) -> None:
    assert plain(text) == read


def test_plain_stops_at_its_limit() -> None:
    assert len(plain("ab " * LONGEST)) <= LONGEST
