"""The field map of an object that declares none: standard fields of Case, Lead and Opportunity by API name."""

from __future__ import annotations

from collections.abc import Iterable

from triage.domain.schema import FieldSpec, FieldType, ObjectSpec
from triage.rules.document import ObjectConfig
from triage.rules.language import Condition, Leaf

_Row = tuple[str, str, FieldType]

_CASE: tuple[_Row, ...] = (
    ("status", "Status", "text"),
    ("priority", "Priority", "text"),
    ("origin", "Origin", "text"),
    ("type", "Type", "text"),
    ("reason", "Reason", "text"),
    ("subject", "Subject", "text"),
    ("description", "Description", "text"),
    ("owner", "OwnerId", "reference"),
    ("customer", "ContactId", "reference"),
    ("account.id", "AccountId", "reference"),
    ("calendar", "BusinessHoursId", "reference"),
    ("is_closed", "IsClosed", "boolean"),
    ("is_escalated", "IsEscalated", "boolean"),
)
_LEAD: tuple[_Row, ...] = (
    ("status", "Status", "text"),
    ("rating", "Rating", "text"),
    ("source", "LeadSource", "text"),
    ("company", "Company", "text"),
    ("country", "Country", "text"),
    ("description", "Description", "text"),
    ("owner", "OwnerId", "reference"),
    ("is_converted", "IsConverted", "boolean"),
)
_OPPORTUNITY: tuple[_Row, ...] = (
    ("stage", "StageName", "text"),
    ("type", "Type", "text"),
    ("amount", "Amount", "money"),
    ("probability", "Probability", "number"),
    ("close_date", "CloseDate", "date"),
    ("description", "Description", "text"),
    ("owner", "OwnerId", "reference"),
    ("account.id", "AccountId", "reference"),
    ("is_closed", "IsClosed", "boolean"),
    ("is_won", "IsWon", "boolean"),
)


def _object(name: str, rows: Iterable[_Row], closed_when: Condition | None = None) -> ObjectConfig:
    fields = tuple(FieldSpec(name=ours, source=source, type=kind) for ours, source, kind in rows)
    return ObjectConfig(spec=ObjectSpec.of(name, fields), closed_when=closed_when)


STANDARD: dict[str, ObjectConfig] = {
    "Case": _object("Case", _CASE),
    "Lead": _object("Lead", _LEAD, Leaf(field="is_converted", op="is true", text="is_converted")),
    "Opportunity": _object("Opportunity", _OPPORTUNITY),
}
"""
What an object has that a policy has rules for and does not declare. Priorities are text here, since every team has its
own: to raise one, or compare two, declare the object with `priority: {.., values: [..], ordered: true}`.
"""

_IMPLIED = ("owner", "customer", "account.id", "is_closed")
"""Fields whose name says their type where a field map does not."""


def line_for(object_name: str, name: str) -> str:
    """Return the line of a field map that declares the standard field *name*; "" where the object has none."""
    config = STANDARD.get(object_name)
    spec = config.spec.by_name.get(name) if config else None
    if spec is None:
        return ""
    typed = spec.type != "text" and name not in _IMPLIED
    return f"{name}: {{from: {spec.source}, type: {spec.type}}}" if typed else f"{name}: {spec.source}"


def replaced(object_name: str, name: str) -> str:
    """Return why a declared object lacks its standard field *name*, and the line to add; "" for any other name."""
    line = line_for(object_name, name)
    fix = f"add '{line}' under objects, {object_name}, fields"
    return f"a field map of your own replaces the standard one: {fix}" if line else ""
