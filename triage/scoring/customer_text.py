"""
What the customer wrote, and nothing else: no quoted mail, no signature, no legal notice, no markup.

`customer_text` is for mail bodies as they come in (plain or HTML, English, German, French, Spanish). Every step is
linear in the text, which is cut at `LONGEST` first, so that hostile or huge mail costs no more than long mail.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

LONGEST = 100_000
"""Characters of a body that are read."""

_MARKUP = re.compile(r"</?(?:html|body|head|div|p|br|span|table|td|blockquote|font|b|i|a|ul|li|style)\b", re.IGNORECASE)
_SILENT = ("script", "style", "head", "title", "blockquote")
_BREAKING = frozenset(["p", "div", "br", "tr", "li", "table", "ul", "ol", "h1", "h2", "h3", "h4", "hr", "pre"])
_TAG_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9]{0,20})")

_QUOTED = re.compile(r"\s{0,8}[>|](?=[\s>|\w]|$)")
_SOMEBODY_WROTE = re.compile(
    r"\s*(?:(?:on|at)\b.{4,250}\bwrote\s?:|am\b.{4,250}\bschrieb\b.{0,100}:|.{0,150}\bschrieb am\b.{4,150}:"
    r"|le\b.{4,250}\ba écrit\s?:|el\b.{4,250}\bescribió\s?:|il\b.{4,250}\bha scritto\s?:"
    r"|em\b.{4,250}\bescreveu\s?:)\s*",
    re.IGNORECASE,
)
_OPENS_ATTRIBUTION = re.compile(r"\s*(?:on|at|am|le|el|il|em)\b", re.IGNORECASE)
_OTHERS_BELOW = re.compile(
    r"\W{0,40}(?:original message|forwarded message|begin forwarded message|original appointment"
    r"|urspr(?:ü|ue)ngliche nachricht|weitergeleitete nachricht|anfang der weitergeleiteten nachricht"
    r"|message d['’]origine|message original|message transféré|début du message réexpédié"
    r"|mensaje original|mensaje reenviado|inicio del mensaje reenviado"
    r"|messaggio originale|messaggio inoltrato|mensagem original|mensagem encaminhada)\W{0,40}",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"\s{0,8}\*{0,2}(from|sent|date|to|cc|subject|von|gesendet|datum|an|betreff|de|envoyé|envoye|date|à|objet"
    r"|enviado|enviado el|fecha|para|asunto|da|inviato|a|oggetto)\s?\*{0,2}\s?:\*{0,2}\s?\S",
    re.IGNORECASE,
)
_FROM = frozenset(["from", "von", "de", "da"])
_DEVICE = re.compile(
    r"\s*(?:sent (?:from|via) (?:my |the )?.{2,60}|get outlook for .{2,30}|von meinem .{2,40} gesendet"
    r"|gesendet (?:von|mit) .{2,60}|envoyé (?:de|depuis) (?:mon|ma) .{2,40}|enviado (?:desde|de) mi .{2,40}"
    r"|diese nachricht wurde von .{2,60} gesendet)\.?\s*",
    re.IGNORECASE,
)
_MARKS = frozenset(["--", "—"])
_PASSES = 8
_FAREWELL = re.compile(
    r"\s*(?:(?:best|kind|warm|many)(?: and (?:best|kind|warm))? regards|regards|yours (?:sincerely|faithfully|truly)"
    r"|sincerely(?: yours)?|best wishes|cheers|best|mit (?:freundlichen|besten|vielen|herzlichen) gr(?:ü|ue)(?:ß|ss)en"
    r"|freundliche gr(?:ü|ue)(?:ß|ss)e|viele gr(?:ü|ue)(?:ß|ss)e|beste gr(?:ü|ue)(?:ß|ss)e|lg|mfg|vg|gru(?:ß|ss)"
    r"|(?:bien )?cordialement|bien à vous|salutations distinguées|meilleures salutations"
    r"|(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente|un abrazo)\s*[,.!]?\s*",
    re.IGNORECASE,
)
_NOTICE = re.compile(
    r"(?:intended (?:only |solely )?for the|intended recipient|not the intended addressee|confidentiality notice"
    r"|legally privileged|strictly confidential|enthält vertrauliche|vertrauliche und/oder|nicht der richtige adressat"
    r"|ce message et (?:ses|toutes)|(?:message|courriel).{0,60}confidentiel|si vous n['’]êtes pas le destinataire"
    r"|este (?:mensaje|correo).{0,80}confidencial|si usted no es el destinatario"
    r"|consider the environment before printing)",
    re.IGNORECASE,
)
_LONG_LINE = 2_000
_TAIL = 8
_SHORT = 60


def customer_text(body: str) -> str:
    """
    Return what the customer wrote in *body*, "" where nothing of it is theirs (a bare forward, only a signature).

    Lines stay lines, blank ones at most one in a row. A body with tags in it is read as HTML.
    """
    text = body[:LONGEST]
    return written(text_of_html(text) if _MARKUP.search(text) else text)


def text_of_html(markup: str) -> str:
    """Return the words of *markup* as lines; scripts, styles and cited blocks are left out, entities resolved."""
    parts: list[str] = []
    at, end = 0, len(markup)
    while at < end:
        opening = markup.find("<", at)
        if opening < 0:
            parts.append(markup[at:])
            break
        parts.append(_spaced(markup[at:opening]))
        at = _after_tag(markup, opening, parts)
    return html.unescape("".join(parts))


def _spaced(text: str) -> str:
    return " ".join(text.replace("\r", "\n").split("\n"))


def _after_tag(markup: str, opening: int, parts: list[str]) -> int:
    """Return where to read on after what opens at *opening*; a stray `<` is text."""
    if markup.startswith("<!--", opening):
        return _past(markup, "-->", opening)
    name = _TAG_NAME.match(markup, opening + 1)
    if name is None and not markup.startswith(("<!", "<?"), opening):
        parts.append("<")
        return opening + 1
    after = _past(markup, ">", opening)
    tag = name.group(1).lower() if name else ""
    if tag in _BREAKING:
        parts.append("\n")
    if tag in _SILENT and markup[opening + 1] != "/":
        parts.append("\n")
        return _past_block(markup, tag, after)
    return after


def _past(markup: str, mark: str, start: int) -> int:
    found = markup.find(mark, start)
    return len(markup) if found < 0 else found + len(mark)


def _past_block(markup: str, tag: str, start: int) -> int:
    """Return the place behind the end of a block that may hold blocks like itself, or the end of the text."""
    depth, at = 1, start
    for found in re.compile(rf"<(/?){tag}\b", re.IGNORECASE).finditer(markup, start):
        depth += -1 if found.group(1) else 1
        at = found.end()
        if depth == 0:
            return _past(markup, ">", at)
    return len(markup)


def written(text: str) -> str:
    """Return the lines of *text* that its sender wrote."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ").split("\n")]
    for _ in range(_PASSES):
        kept = _without_notice(_without_signature(list(_own(lines))))
        if kept == lines:
            break
        lines = kept
    return "\n".join(lines)


def _own(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines above and between what others wrote, blank runs folded into one."""
    at, blank = 0, True
    while at < len(lines):
        line = lines[at]
        said = _attribution(lines, at)
        if said:
            at += said
            if not _quote_follows(lines, at):
                return
            continue
        if _others_begin(lines, at):
            return
        at += 1
        if _QUOTED.match(line) or _DEVICE.fullmatch(line[:_LONG_LINE]):
            continue
        if line or not blank:
            yield line
        blank = not line


def _attribution(lines: Sequence[str], at: int) -> int:
    """Return over how many lines (1 to 3) a "somebody wrote:" stands at *at*, 0 where none does."""
    if len(lines[at]) > 400 or not (_OPENS_ATTRIBUTION.match(lines[at]) or "schrieb am" in lines[at]):
        return 0
    for span in (1, 2, 3):
        joined = " ".join(lines[at : at + span])
        if len(joined) > 500:
            return 0
        if joined.endswith(":") and _SOMEBODY_WROTE.fullmatch(joined):
            return span
    return 0


def _quote_follows(lines: Sequence[str], at: int) -> bool:
    following = next((line for line in lines[at : at + 5] if line), "")
    return _QUOTED.match(following) is not None


def _others_begin(lines: Sequence[str], at: int) -> bool:
    line = lines[at]
    if len(line) < 120 and _OTHERS_BELOW.fullmatch(line):
        return True
    found = _HEADER.match(line)
    if found is None or found.group(1).lower() not in _FROM:
        return False
    return sum(_HEADER.match(other) is not None for other in lines[at + 1 : at + 7]) >= 2


def _without_signature(lines: list[str]) -> list[str]:
    """Return *lines* up to a signature mark, or up to a farewell with little but names and addresses below it."""
    mark = next((at for at, line in enumerate(lines) if at and line.strip() in _MARKS), len(lines))
    del lines[mark:]
    _trim(lines)
    while (farewell := _farewell(lines)) is not None:
        del lines[farewell:]
        _trim(lines)
    return lines


def _farewell(lines: Sequence[str]) -> int | None:
    for at in range(max(0, len(lines) - 2 * _TAIL), len(lines)):
        if _FAREWELL.fullmatch(lines[at][:_SHORT]):
            rest = [line for line in lines[at + 1 :] if line]
            if len(rest) <= _TAIL and all(len(line) <= _SHORT for line in rest):
                return at
    return None


def _without_notice(lines: list[str]) -> list[str]:
    """Return *lines* without the paragraph that holds a legal notice and all that stands below it."""
    start = 0
    for at, line in enumerate(lines):
        if not line:
            start = at
        elif at > 0 and _NOTICE.search(line[:_LONG_LINE]):
            del lines[start:]
            break
    _trim(lines)
    return lines


def _trim(lines: list[str]) -> None:
    while lines and not lines[-1].strip(" _-*"):
        lines.pop()
