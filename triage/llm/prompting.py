"""One question made from a record: the versioned prompt, the masked and fenced text, and the schema of the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import msgspec
import yaml
from msgspec import Struct, field

from triage.domain.work import Event, WorkItem
from triage.llm.answers import schema_of
from triage.llm.fencing import clean, fenced
from triage.llm.masking import known_values, mask
from triage.rules.llm_policy import MESSAGES, LlmPolicy, Task

NEWEST = "score-1"
MESSAGES_MOST = 5
"""How many of the customer's messages are sent: the first, and the latest ones."""


class Prompt(Struct, frozen=True, kw_only=True):
    """What a vendor is given. `user` ends with the fenced text; `most_output` bounds the answer in tokens."""

    system: str
    user: str
    schema: dict[str, Any]
    model: str
    most_output: int


class Question(Struct, frozen=True, kw_only=True):
    """
    What is asked about one record, without the random word of its fence.

    `key` stands for everything that could change the answer: provider, model, prompt, tasks and the masked text. `sent`
    names the fields that are in it, `masked` counts what was taken out.
    """

    record: str
    key: str
    prompt: str
    tasks: tuple[Task, ...]
    instructions: str
    text: str
    schema: dict[str, Any]
    sent: tuple[str, ...] = ()
    masked: dict[str, int] = field(default_factory=dict)


@cache
def prompt_text(version: str = NEWEST) -> Mapping[str, Any]:
    """Return the published prompt *version*: `system`, and a paragraph for each task."""
    file = resources.files("triage.llm") / "prompts" / f"{version}.yaml"
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return found


@cache
def prompt_digest(version: str = NEWEST) -> str:
    """Return the sha256 of all words of the prompt *version*."""
    return hashlib.sha256(msgspec.json.encode(prompt_text(version), order="sorted")).hexdigest()


def question(item: WorkItem, past: Sequence[Event], tasks: Sequence[Task], policy: LlmPolicy) -> Question | None:
    """Return the question about one record; None where none of the fields that may be sent says anything."""
    values = _values(item, past, policy)
    if not values:
        return None
    own = (item.fields.get(name) for name in policy.mask.get(item.object, ()))
    known = known_values([*own, *_senders(past)])
    each = policy.most_characters // len(values)
    counts: dict[str, int] = {}
    lines = []
    for name, text in values.items():
        shown, found = mask(clean(text, max(each, 200)), known)
        counts = {mark: counts.get(mark, 0) + found.get(mark, 0) for mark in {**counts, **found}}
        lines.append(f"{name}: {shown}")
    text = "\n".join(lines)
    schema = schema_of(tasks, policy.languages)
    words = prompt_text()
    instructions = "\n".join(
        ["Describe these things:", *(words["tasks"][task.name].strip() + _listed(task, policy) for task in tasks)]
    )
    parts = [policy.provider, policy.endpoint, policy.model, policy.api, prompt_digest(), instructions, text]
    key = hashlib.sha256(msgspec.json.encode([*parts, policy.most_output])).hexdigest()
    return Question(
        record=f"{item.object}/{item.id}", key=key, prompt=NEWEST, tasks=tuple(tasks), instructions=instructions,
        text=text, schema=schema, sent=tuple(values), masked=counts,
    )  # fmt: skip


def prompt_of(asked: Question, policy: LlmPolicy, nonce: str) -> Prompt:
    """Return what the vendor gets: the fixed words first, the stranger's text last, between marks with *nonce*."""
    return Prompt(
        system=prompt_text(asked.prompt)["system"],
        user=f"{asked.instructions}\n\n{fenced(asked.text, nonce)}",
        schema=asked.schema,
        model=policy.model,
        most_output=policy.most_output,
    )


def _values(item: WorkItem, past: Sequence[Event], policy: LlmPolicy) -> dict[str, str]:
    """Return the fields that may be sent and say something, by name."""
    found = {}
    for name in policy.fields.get(item.object, ()):
        text = _messages(past) if name == MESSAGES else _value(item, past, name)
        if text.strip():
            found[name] = text
    return found


def _value(item: WorkItem, past: Sequence[Event], name: str) -> str:
    if name == "text":
        parts = (_value(item, past, one) for one in ("subject", "description", "latest_message"))
        return "\n".join(part for part in parts if part)
    value = item.fields.get(name)
    if value is None and name == "latest_message":
        return next((event.body for event in reversed(past) if _is_inbound(event)), "")
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value is None else str(value)


def _messages(past: Sequence[Event]) -> str:
    bodies = [event.body for event in past if _is_inbound(event)]
    chosen = bodies if len(bodies) <= MESSAGES_MOST else [bodies[0], *bodies[1 - MESSAGES_MOST :]]
    return "\n".join(f"({number}) {body}" for number, body in enumerate(chosen, 1))


def _is_inbound(event: Event) -> bool:
    return event.type == "message" and event.direction == "in" and not event.auto and bool(event.body)


def _senders(past: Sequence[Event]) -> list[str]:
    """Return the names beside mail addresses that messages came from."""
    return [event.sender.partition("<")[0].strip(' "') for event in past if event.sender]


def _listed(task: Task, policy: LlmPolicy) -> str:
    words = policy.languages if task.name == "language" else task.values
    return f" The words: {', '.join(words)}." if words else ""
