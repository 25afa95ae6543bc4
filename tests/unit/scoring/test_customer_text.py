"""What the customer wrote, cut out of real-looking mail in four languages and two formats."""

from __future__ import annotations

import time

import pytest

from triage.scoring.customer_text import LONGEST, customer_text, text_of_html

QUOTES = {
    "en": "On Mon, 3 Mar 2025 at 10:12, Desk <desk@shop.example> wrote:",
    "en in two lines": "On Mon, 3 Mar 2025 at 10:12, The Very Long Named Desk\n<desk@shop.example> wrote:",
    "de": "Am Mo., 3. März 2025 um 10:12 Uhr schrieb Support <desk@shop.example>:",
    "de webmail": "Support schrieb am 03.03.2025 10:12:",
    "fr": "Le lun. 3 mars 2025 à 10:12, Support <desk@shop.example> a écrit :",
    "es": "El lun, 3 mar 2025 a las 10:12, Soporte (<desk@shop.example>) escribió:",
}
BLOCKS = {
    "outlook en": "From: Desk <desk@shop.example>\nSent: Monday, 3 March 2025 10:12\nTo: Ann\nSubject: RE: order",
    "outlook de": "Von: Support\nGesendet: Montag, 3. März 2025 10:12\nAn: Anna\nBetreff: AW: Bestellung",
    "outlook fr": "De : Support\nEnvoyé : lundi 3 mars 2025 10:12\nÀ : Anne\nObjet : RE: commande",
    "outlook es": "De: Soporte\nEnviado el: lunes, 3 de marzo de 2025\nPara: Ana\nAsunto: RE: pedido",
    "bold labels": "*From:* Desk\n*Sent:* Monday\n*To:* Ann\n*Subject:* order",
    "original": "-----Original Message-----\nanything at all",
    "original de": "-----Ursprüngliche Nachricht-----\nirgendetwas",
    "original fr": "----- Message d'origine -----\nn'importe quoi",
    "original es": "-----Mensaje original-----\nlo que sea",
    "forwarded": "---------- Forwarded message ---------\nFrom: Boss",
    "apple forward": "Begin forwarded message:\n\nFrom: Boss",
}


@pytest.mark.parametrize("attribution", QUOTES.values(), ids=QUOTES)
def test_a_reply_above_a_quote_is_all_that_is_left(attribution: str) -> None:
    body = f"It is still broken.\n\n{attribution}\n\n> Is it fine now?\n> We hope so.\n"
    assert customer_text(body) == "It is still broken."


@pytest.mark.parametrize("attribution", QUOTES.values(), ids=QUOTES)
def test_an_unmarked_quote_is_cut_to_the_end(attribution: str) -> None:
    assert customer_text(f"Still broken.\n\n{attribution}\nIs it fine now?\nWe hope so.") == "Still broken."


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_what_stands_below_a_header_block_is_not_the_customers(block: str) -> None:
    assert customer_text(f"No, it is not.\n\n{block}\n\nDear Ann, is it fine?") == "No, it is not."


def test_answers_between_quoted_lines_are_kept() -> None:
    body = "On Mon, 3 Mar 2025, Desk wrote:\n> Does it start?\nNo.\n> Did you restart?\nYes, twice.\n"
    assert customer_text(body) == "No.\nYes, twice."


@pytest.mark.parametrize(
    "ending",
    [
        "-- \nAnn Other\nACME Ltd",
        "--\nAnn",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Get Outlook for iOS",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Best regards,\nAnn Other\nACME Ltd\n+44 20 7946 0000",
        "Mit freundlichen Grüßen\nAnna Andere",
        "Cordialement,\nAnne",
        "Un cordial saludo,\nAna",
        "This e-mail is intended only for the addressee.",
        "Diese E-Mail enthält vertrauliche Informationen.\nBitte löschen.",
        "Ce message et ses pièces jointes sont confidentiels.",
    ],
)
def test_signatures_devices_and_notices_are_left_out(ending: str) -> None:
    assert customer_text(f"The parcel is lost.\n\n{ending}") == "The parcel is lost."


@pytest.mark.parametrize(
    "body",
    [
        "On Monday I wrote: nothing works.",
        "From: Berlin\nthe parcel never left.",
        "I regard this as a joke.",
        "Thanks,\nAnn",
        "5 > 3 and 2 < 4",
        "It is down -- again.",
    ],
)
def test_what_only_looks_like_mail_furniture_is_kept(body: str) -> None:
    assert customer_text(body) == body


def test_nothing_is_left_of_a_bare_forward() -> None:
    assert customer_text("---------- Forwarded message ---------\nFrom: Boss\nhello") == ""


def test_html_gives_its_words_as_lines_without_scripts_and_cited_blocks() -> None:
    markup = (
        "<html><head><style>p{}</style><title>x</title></head><body><p>It &amp; the app<br>fail&nbsp;daily.</p>"
        "<script>alert(1)</script><div>Please   help</div>"
        "<blockquote type=cite>old <blockquote>older</blockquote> x</blockquote>"
        "</body></html>"
    )
    assert customer_text(markup).split("\n") == ["It & the app", "fail daily.", "", "Please   help"]


def test_stray_angle_brackets_are_text() -> None:
    assert text_of_html("a < b and <3") == "a < b and <3"


@pytest.mark.parametrize(
    "hostile",
    [
        "<" * 200_000,
        "<!--" * 60_000,
        "<div>" * 40_000,
        "<blockquote>" * 20_000,
        "On " * 60_000,
        "> " * 100_000,
        "From: a\n" * 30_000,
        "lg\n" * 60_000,
        "--\n" * 60_000,
        "a" * 300_000,
        "On x wrote:\n" * 20_000,
        "&lt;" * 50_000,
        "<script" * 30_000,
        "*From:*" * 30_000,
        "\n" * 200_000,
        "confidentiel " * 20_000,
        "este mensaje " * 20_000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_bodies_are_read_to_the_limit_and_no_longer_than_it_takes(hostile: str) -> None:
    before = time.process_time()
    assert len(customer_text(hostile)) <= LONGEST
    assert time.process_time() - before < 20
