"""The shape of an answer, for the vendor as a schema and for us as checks: no vendor is trusted to keep to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from triage.errors import AnswerRefused
from triage.llm.fencing import inert
from triage.rules.llm_policy import Task

LABELS = ("negative", "neutral", "positive")
NEUTRAL_MOST = 40
"""How far from 0, of 100, the score of a neutral mood may be."""

ANSWER_MOST = 20_000
"""A longer answer, in characters, is none."""


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What a model said about one task, checked. `score` is thousandths (-1000..1000 for a mood, else 0..1000), `shift`
    thousandths of -2..2; `label` is one of the allowed words; `reason` is inert text.
    """

    score: int | None = None
    label: str = ""
    shift: int | None = None
    reason: str = ""


def schema_of(tasks: Sequence[Task], languages: Sequence[str]) -> dict[str, Any]:
    """Return the JSON schema of an answer: every key required, no other allowed, no keyword that a vendor lacks."""
    return _object({task.name: _object(_parts(task, languages)) for task in tasks})


def read_answer(text: str, tasks: Sequence[Task], languages: Sequence[str]) -> dict[str, Finding]:
    """
    Return the finding for each of *tasks*; keys that were not asked for go nowhere.

    Raises:
        AnswerRefused: `empty`, `malformed` (no JSON, or cut short), `missing`, `wrong_enum` or `out_of_range`.
    """
    if not text.strip():
        raise AnswerRefused("empty")
    try:
        found = msgspec.json.decode(_unwrapped(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as cause:
        raise AnswerRefused("malformed", "the answer is no JSON") from cause
    if not isinstance(found, dict):
        raise AnswerRefused("malformed", "the answer is no JSON object")
    return {task.name: _finding(task, found.get(task.name), languages) for task in tasks}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _parts(task: Task, languages: Sequence[str]) -> dict[str, Any]:
    whole, words = {"type": "integer"}, {"type": "string"}
    match task.name:
        case "sentiment":
            return {"label": words | {"enum": list(LABELS)}, "score": whole, "shift": whole, "reason": words}
        case "urgency" | "complexity":
            return {"score": whole, "reason": words}
        case "language":
            return {"label": words | {"enum": list(languages)}}
    return {"label": words | {"enum": list(task.values)}, "reason": words}


def _unwrapped(text: str) -> str:
    """Return *text* without the code fence that models without a schema like to put around JSON."""
    text = text.strip()
    if len(text) > ANSWER_MOST:
        raise AnswerRefused("malformed", "the answer is far too long")
    if text.startswith("```") and text.endswith("```"):
        return text[3:-3].removeprefix("json").strip()
    return text


def _finding(task: Task, found: Any, languages: Sequence[str]) -> Finding:
    if not isinstance(found, dict):
        raise AnswerRefused("missing", f"nothing about {task.name}")
    reason = found.get("reason", "")
    reason = inert(reason) if isinstance(reason, str) else ""
    if task.name in ("urgency", "complexity"):
        return Finding(score=_whole(found, "score", 0, 100) * 10, reason=reason)
    allowed = {"sentiment": LABELS, "language": tuple(languages)}.get(task.name, task.values)
    label = found.get("label")
    if not isinstance(label, str) or label not in allowed:
        raise AnswerRefused("wrong_enum", f"{task.name} is none of its words")
    if task.name != "sentiment":
        return Finding(label=label, reason=reason)
    score, shift = _whole(found, "score", -100, 100), _whole(found, "shift", -200, 200)
    fits = {"negative": score < 0, "neutral": abs(score) <= NEUTRAL_MOST, "positive": score > 0}[label]
    if not fits:
        raise AnswerRefused("out_of_range", "the score does not fit its label")
    return Finding(score=score * 10, label=label, shift=shift * 10, reason=reason)


def _whole(found: dict[str, Any], key: str, least: int, most: int) -> int:
    value = found.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise AnswerRefused("missing" if value is None else "out_of_range", f"{key} is no whole number")
    if not least <= value <= most:
        raise AnswerRefused("out_of_range", f"{key} is outside {least} to {most}")
    return value
