"""Values as SOQL writes them; nothing from outside stands in a query unquoted."""

from __future__ import annotations

from collections.abc import Iterable

from triage.domain.instant import format_instant

_ESCAPES = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
)


def quoted(text: str) -> str:
    """Return *text* as a SOQL string."""
    return f"'{text.translate(_ESCAPES)}'"


def listed(texts: Iterable[str]) -> str:
    """Return *texts* as the list behind IN."""
    return f"({', '.join(map(quoted, texts))})"


def instant(at: int) -> str:
    """Return *at* (ms UTC) as a SOQL dateTime."""
    return format_instant(at)
