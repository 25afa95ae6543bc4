"""What the store in memory keeps: dicts of frozen rows, copied as a whole for each write."""

from __future__ import annotations

import copy
from typing import Any

from triage.domain.work import Agent, Event
from triage.ports import (
    Answer,
    ApiKey,
    AuditRow,
    Effect,
    Limit,
    LlmCall,
    Record,
    Refusal,
    SourceState,
    Stop,
    StoredDecision,
    StoredPolicy,
)
from triage.safety import Bucket


class Tables:
    """All that is kept."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.related: dict[tuple[str, str], dict[str, Any]] = {}
        self.agents: dict[str, Agent] = {}
        self.events: dict[tuple[str, str], tuple[str, Event]] = {}
        self.sources: dict[str, SourceState] = {}
        self.refusals: dict[tuple[str, int, str], Refusal] = {}
        self.effects: dict[str, Effect] = {}
        self.usage: dict[Bucket, int] = {}
        self.audit: list[AuditRow] = []
        self.policies: dict[str, StoredPolicy] = {}
        self.decisions: dict[str, StoredDecision] = {}
        self.rosters: dict[str, tuple[Agent, ...]] = {}
        self.stops: dict[str, Stop] = {}
        self.paused = 0
        self.waking: tuple[int, str] | None = None
        self.marks: dict[str, int] = {}
        self.rescores: dict[str, int] = {}
        self.keys: dict[str, ApiKey] = {}
        self.answers: dict[tuple[str, str], Answer] = {}
        self.llm_calls: dict[str, tuple[LlmCall, tuple[Limit, ...]]] = {}
        self.llm_spent: dict[tuple[str, str, int], int] = {}
        self.llm_answers: dict[str, tuple[str, int, str]] = {}

    def copied(self) -> Tables:
        """Return a copy that can change by itself; the rows in it are frozen."""
        other = Tables()
        other.__dict__ = {name: copy.copy(value) for name, value in self.__dict__.items()}
        return other
