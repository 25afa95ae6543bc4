"""What an import came to in figures."""

from __future__ import annotations

from msgspec import Struct, field


class Share(Struct):
    """How many were found, and how many of them translated."""

    found: int = 0
    translated: int = 0

    def count(self, translated: bool) -> None:
        """Count one more."""
        self.found += 1
        self.translated += translated


class Coverage(Struct, kw_only=True):
    """What an import came to: files, and for each kind of part how many were found and translated."""

    files: int = 0
    refused: int = 0
    others: int = 0
    parts: dict[str, Share] = field(default_factory=dict)
    holiday_kinds: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str, translated: bool) -> None:
        """Count one part of *kind*."""
        self.parts.setdefault(kind, Share()).count(translated)

    def share(self, kind: str) -> Share:
        """Return the figures of *kind*."""
        return self.parts.get(kind, Share())
