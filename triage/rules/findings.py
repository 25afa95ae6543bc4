"""One finding of the static analysis, and the small readings of a document that the analyses share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from typing import Literal as OneOf

from msgspec import Struct

from triage.domain.instant import format_duration, format_instant
from triage.domain.schema import BUILTIN_FIELDS, FieldSpec
from triage.rules.document import PolicyDocument
from triage.rules.language import ActionSpec, At, Rule


class Finding(Struct, frozen=True, kw_only=True):
    """One thing found: `error` stops a publication, `warning` does not. `witness` is a record that shows it."""

    level: OneOf["error", "warning"]
    code: str
    text: str
    rule: str = ""
    at: At = At()
    witness: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.at.file}:{self.at.line}:{self.at.column}: {self.level}: {self.text}"


def specs_of(document: PolicyDocument, name: str) -> dict[str, FieldSpec]:
    """Return every field that rules of the object *name* may read."""
    config = document.objects.get(name)
    return {spec.name: spec for spec in BUILTIN_FIELDS} | (config.spec.by_name if config else {})


def readable(record: Mapping[str, Any], specs: Mapping[str, FieldSpec]) -> str:
    """Return *record* for people: `priority=High, age=6h`."""
    return ", ".join(f"{name.removeprefix('clock:')}={_shown(name, value, specs)}" for name, value in record.items())


def _shown(name: str, value: Any, specs: Mapping[str, FieldSpec]) -> str:
    kind = specs[name].type if name in specs else ""
    if kind == "datetime":
        return format_instant(value)
    if kind == "duration" or (name.startswith("clock:") and not name.endswith("/share")):
        return format_duration(value)
    if name.endswith("/share"):
        return f"{float(value * 100):g}%"
    return "+".join(value) if isinstance(value, tuple) else str(value)


def actions_of(rule: Rule) -> Iterator[ActionSpec]:
    """Yield every action of a rule: its own, its steps', what follows its repeats, and what stands in for each."""
    stack = [*rule.do, *(action for step in rule.steps for action in step.do)]
    stack += rule.repeat.then if rule.repeat else ()
    while stack:
        action = stack.pop(0)
        yield action
        stack[:0] = action.if_none
