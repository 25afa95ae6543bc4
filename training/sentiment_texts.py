"""Texts of ours for golden rows: moods and matters in several languages, and everything that trips tokenisers."""

from __future__ import annotations

import itertools

_OPENINGS = ("", "Hello, ", "Third time I write: ", "Guten Tag, ", "Bonjour, ", "Hola, ")
_MATTERS = (
    "the invoice is wrong again",
    "our export stops half way",
    "the new dashboard loads in a second",
    "where do I find the contract",
    "die Lieferung kam zu spät",
    "la facture est incorrecte",
    "el pedido no ha llegado",
    "the technician was friendly and quick",
    "nobody has called me back",
    "please add a colleague to our account",
    "the update fixed everything",
    "wir können nicht arbeiten",
)
_ENDINGS = ("", " Thank you!", " This is unacceptable.", " :)")
_ODD = (
    "",
    " ",
    "ok",
    "?",
    "!!!",
    "...",
    "12345",
    "Größe über Maß – ÄÖÜ äöü ß",
    "打印机坏了，请尽快修理。",
    "プリンターが動きません。ありがとう",
    "الخدمة ممتازة شكرا",
    "не работает со вчерашнего дня",
    "don't can't won't it's y'all",
    "“curly” ‘quotes’ — and dashes",
    "😡😡 why",
    "👍🏽 great job 🎉",
    "\u200bzero\u200b width",
    "a" * 300,
    "word " * 400,
    "<b>bold</b> &amp; <i>brave</i>",
    "https://shop.example/order?id=1",
    "@desk where is my parcel",
    "#NeverAgain",
    "mixed\ttabs\nand\r\nlines",
    "Fine, thanks.\n\nOn Monday the desk wrote:\n> is it fine now?",
    "e\u0301 and \u00e9",
    "naïve café déjà vu",
    "N/A",
    "null",
    "SHOUTING ALL THE WAY",
    "sooooooo gooooood",
    "It works. It does not work. It works.",
    "10/10 would buy again",
    "not bad at all",
    "I expected more",
    "never again, sorry",
    "so-so",
)


def golden_texts() -> list[str]:
    """Return at least 200 texts, all different, always the same."""
    made = [f"{first}{second}.{third}" for first, second, third in itertools.product(_OPENINGS, _MATTERS, _ENDINGS)]
    return [*_ODD, *made[:: 2 if len(made) > 400 else 1]]
