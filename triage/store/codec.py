"""Structs to text and back: JSON with sorted keys, so that equal values are equal text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from triage.domain.decision import Action, AuditEntry, Decision
from triage.domain.facts import Facts
from triage.domain.work import Agent, Event, Standing
from triage.policy import RuleMode
from triage.ports import Outline

_encode = msgspec.json.Encoder(order="sorted").encode
_facts = msgspec.json.Decoder(Facts)

decode_action = msgspec.json.Decoder(Action).decode
decode_entry = msgspec.json.Decoder(AuditEntry).decode
decode_event = msgspec.json.Decoder(Event).decode
decode_agent = msgspec.json.Decoder(Agent).decode
decode_agents = msgspec.json.Decoder(tuple[Agent, ...]).decode
decode_object = msgspec.json.Decoder(dict[str, Any]).decode
decode_texts = msgspec.json.Decoder(dict[str, str]).decode
decode_modes = msgspec.json.Decoder(dict[str, RuleMode]).decode
decode_outlines = msgspec.json.Decoder(dict[str, Outline]).decode
decode_loads = msgspec.json.Decoder(dict[str, int | tuple[int, Standing]]).decode
decode_names = msgspec.json.Decoder(tuple[str, ...]).decode


def encode(value: object) -> str:
    """Return *value* as JSON text with sorted keys."""
    return _encode(value).decode()


def digest(text: str) -> str:
    """Return the sha256 of *text* in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def encode_facts(facts: Facts) -> str:
    """Return *facts* as text, without the agents: they are kept once, not with every record."""
    return encode(replace(facts, agents=()) if facts.agents else facts)


def decode_facts(text: str) -> Facts:
    """Return the facts in *text*, equal to those that were encoded."""
    facts = _facts.decode(text)
    if not facts.fresh:
        return facts
    # JSON has no tuples, and multi-picklists from before an event stand in an untyped mapping.
    fresh = tuple((event, {name: _frozen(value) for name, value in before.items()}) for event, before in facts.fresh)
    return replace(facts, fresh=fresh)


def encode_result(decisions: Sequence[Decision]) -> str:
    """Return *decisions* as the text whose digest is kept."""
    return encode(tuple(decisions))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
