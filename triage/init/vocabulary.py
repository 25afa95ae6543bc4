"""What columns are called by those who export them, and what they are called here, with how sure that is."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache

from msgspec import Struct

SURE = 0.8
"""From here on a guess needs no question."""
LIKELY = 0.5
"""Below this a column stays unmapped."""

WORDS: dict[str, str] = {
    "id": "id, record id, case id, lead id, opportunity id, ticket id, incident id, key",
    "number": "number, case number, ticket number, incident number, lead number, ticket, vorgangsnummer",
    "opened_at": "created date, date time opened, opened, created, created at, opened at, date opened, date created"
    ", creation date, created on, opened on, create date, created time, sys created on, erstellt am, er\u00f6ffnet am"
    ", erstelldatum, angelegt am",
    "closed_at": "closed date, date time closed, closed at, closed on, resolved at, resolved on, geschlossen am",
    "owner": "owner id, owner, case owner, lead owner, opportunity owner, ticket owner, assigned to, assignee"
    ", owner name, inhaber, bearbeiter, zugewiesen an",
    "customer": "contact id, contact, contact name, contact email, web email, supplied email, requester, customer"
    ", requester email, caller, caller id, kontakt",
    "account.id": "account id",
    "account.name": "account name, account, kunde, firma",
    "status": "status, state, case status, ticket status, incident state, lead status",
    "stage": "stage name, stage, sales stage, phase",
    "priority": "priority, prio, case priority, ticket priority, priorit\u00e4t",
    "subject": "subject, title, summary, short description, betreff, titel",
    "description": "description, details, beschreibung, text",
    "origin": "origin, case origin, channel, contact type, kanal, herkunft",
    "type": "type, case type, ticket type, typ",
    "reason": "reason, case reason, grund",
    "product": "product, product name, produkt",
    "category": "category, kategorie",
    "subcategory": "subcategory, unterkategorie",
    "impact": "impact, auswirkung",
    "urgency": "urgency, dringlichkeit",
    "severity": "severity, schweregrad",
    "lead_source": "lead source, source, quelle",
    "company": "company",
    "email": "email, e mail, mail",
    "country": "country, land, billing country",
    "region": "region",
    "amount": "amount, value, deal value, opportunity amount, betrag",
    "probability": "probability, wahrscheinlichkeit",
    "close_date": "close date, expected close date, schlusstermin",
    "is_closed": "is closed, closed, geschlossen",
    "is_won": "is won, won, gewonnen",
    "is_converted": "is converted, converted",
    "is_escalated": "is escalated, escalated",
}
TYPES: dict[str, frozenset[str]] = {
    "opened_at": frozenset({"datetime", "date"}),
    "closed_at": frozenset({"datetime", "date"}),
    "close_date": frozenset({"datetime", "date"}),
    "priority": frozenset({"picklist", "integer", "text"}),
    "status": frozenset({"picklist", "text"}),
    "stage": frozenset({"picklist", "text"}),
    "amount": frozenset({"money", "number", "integer"}),
    "probability": frozenset({"percent", "number", "integer"}),
    "is_closed": frozenset({"boolean"}),
    "is_won": frozenset({"boolean"}),
    "is_converted": frozenset({"boolean"}),
    "is_escalated": frozenset({"boolean"}),
}
"""Types that a column of that meaning can hold; any where not named."""

OBJECTS: dict[str, tuple[str, ...]] = {
    "Case": ("case", "cases", "ticket", "tickets", "incident", "incidents", "opened", "origin", "vorgang"),
    "Lead": ("lead", "leads", "converted", "company"),
    "Opportunity": ("opportunity", "opportunities", "deal", "deals", "stage", "probability", "close date"),
}
CLOSED = frozenset({"closed", "geschlossen", "done", "cancelled", "canceled", "erledigt", "completed"})
_LADDERS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (
        ("lowest", "very low", "trivial"), ("low", "minor", "niedrig", "gering"),
        ("medium", "moderate", "normal", "mittel", "standard"), ("high", "major", "hoch"),
        ("very high", "urgent", "dringend", "sehr hoch"), ("highest", "critical", "kritisch", "blocker", "emergency"),
    ),
    (("bronze",), ("silver",), ("gold",), ("platinum",), ("diamond",)),
)  # fmt: skip
_NUMBERED = re.compile(r"(?:p|sev|s|prio)?[ -]?([0-9])(?:\s*[-:.]\s*\S.*)?", re.IGNORECASE)


class Meaning(Struct, frozen=True):
    """Our name for a column ("" for none) and how sure that is, 0 to 1."""

    name: str
    confidence: float


def plain_words(header: str) -> str:
    """Return *header* as lower-case words: `CreatedDate`, `created_date` and `Created-Date` are `created date`."""
    bare = re.sub(r"__(?:c|pc|r)$", "", header.strip())
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", re.sub(r"\([^)]*\)", " ", bare))
    return " ".join(re.findall(r"[^\W_]+", parted.casefold()))


def our_name(header: str) -> str:
    """Return a field name made of *header* itself: `Account Name: SLA` is `account.sla`, `Impact__c` is `impact`."""
    relation, colon, rest = header.rpartition(":")
    parts = [relation, rest] if colon and relation.strip() else [header]
    names = [re.sub(r"[^a-z0-9]+", "_", _ascii(plain_words(part))).strip("_") for part in parts]
    if len(names) > 1:
        names[0] = re.sub(r"_(?:name|id)$", "", names[0])
    return ".".join(name if name[:1].isalpha() else f"field_{name}".rstrip("_") for name in names)


def meaning_of(header: str, kind: str) -> Meaning:
    """Return what a column of type *kind* under *header* means, by its words; half as sure where the type is odd."""
    if ":" in header.strip(": "):
        return Meaning(our_name(header), 0.7)
    words = plain_words(header)
    name, confidence = _nearest(words)
    if confidence < LIKELY:
        return Meaning("", round(confidence, 2))
    fits = kind in TYPES.get(name, {kind})
    if name == "is_closed" and kind in ("datetime", "date"):
        return Meaning("closed_at", round(confidence * 0.9, 2))
    return Meaning(name, round(confidence if fits else confidence / 2, 2))


def ladder_of(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return *values* in ascending order where all are known steps of one ladder (Low, High; P4, P1), else ()."""
    for ladder in _LADDERS:
        steps = {word: number for number, words in enumerate(ladder) for word in words}
        ranks = {value: steps[value.casefold()] for value in values if value.casefold() in steps}
        if len(ranks) == len(values) == len(set(ranks.values())):
            return tuple(sorted(values, key=lambda value: ranks[value]))
    numbers = {value: match[1] for value in values if (match := _NUMBERED.fullmatch(value)) and not value.isdigit()}
    if len(values) > 1 and len(numbers) == len(values) == len(set(numbers.values())):
        return tuple(sorted(values, key=lambda value: numbers[value], reverse=True))
    return ()


def object_of(file: str, headers: tuple[str, ...]) -> str:
    """Return the object that *file* is named for, else the one most of *headers* speak of, "" where that is open."""
    named = plain_words(file).split()
    for name, words in OBJECTS.items():
        if name.casefold() in named or any(word in named for word in words[:6] if " " not in word):
            return name
    spoken = [plain_words(header) for header in headers]
    hits = {
        name: sum(word in phrase.split() or word == phrase for phrase in spoken for word in words)
        for name, words in OBJECTS.items()
    }
    best = sorted(hits, key=lambda name: -hits[name])
    return best[0] if hits[best[0]] > hits[best[1]] else ""


@lru_cache(maxsize=1)
def _phrases() -> dict[str, str]:
    return {phrase.strip(): name for name, phrases in WORDS.items() for phrase in phrases.split(",")}


def _nearest(words: str) -> tuple[str, float]:
    phrases = _phrases()
    if words in phrases:
        return phrases[words], 0.95
    near = difflib.get_close_matches(words, phrases, n=1, cutoff=0.85)
    if near:
        return phrases[near[0]], 0.7 * difflib.SequenceMatcher(None, words, near[0]).ratio()
    spoken = words.split()
    held = [phrase for phrase in phrases if len(phrase) > 3 and set(phrase.split()) <= set(spoken)]
    if held and len(spoken) <= 4:
        longest = max(held, key=lambda phrase: (len(phrase.split()), len(phrase)))
        return phrases[longest], 0.55 if len(longest.split()) == len(spoken) - 1 else 0.4
    return "", 0.0


def _ascii(text: str) -> str:
    for letter, plain in (("\u00e4", "ae"), ("\u00f6", "oe"), ("\u00fc", "ue"), ("\u00df", "ss")):
        text = text.replace(letter, plain)
    return text
