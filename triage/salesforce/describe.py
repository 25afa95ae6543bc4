"""What the organisation has, held against what the policy asks for: a missing field is named with its fix."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from triage.domain.schema import FieldSpec
from triage.errors import RecordGone
from triage.intake.text import did_you_mean
from triage.rules.document import ObjectConfig
from triage.salesforce import package
from triage.salesforce.client import Client

_FITS: dict[str, frozenset[str]] = {
    "datetime": frozenset({"datetime", "date"}),
    "date": frozenset({"date", "datetime"}),
    "boolean": frozenset({"boolean"}),
    "money": frozenset({"currency", "double", "int", "percent"}),
    "number": frozenset({"currency", "double", "int", "percent", "long"}),
    "integer": frozenset({"double", "int", "long"}),
    "reference": frozenset({"reference", "id", "string"}),
    "multipicklist": frozenset({"multipicklist", "picklist"}),
}
"""Which of Salesforce's types a type of ours can be read from; any, where ours is not here."""

_PACKAGE: dict[str, tuple[str, ...]] = {
    package.LOG: (package.LOG_KEY, package.LOG_RECORD, package.LOG_RULE, package.LOG_ACTION, package.LOG_TRIGGER),
    package.DEPLOYMENT: (package.DEPLOYMENT_KEY, package.DEPLOYMENT_NAME, package.DEPLOYMENT_SEEN),
}


class Shape(Struct, frozen=True):
    """The fields that one object has: Salesforce's type by API name."""

    name: str
    types: dict[str, str] = field(default_factory=dict)

    def has(self, column: str) -> bool:
        """Return whether it has the field, whatever its case."""
        return column.casefold() in {name.casefold() for name in self.types}


def shape(client: Client, name: str) -> Shape | None:
    """Return the fields of the object *name*, None where there is no such object, or we may not see it."""
    try:
        found = client.describe(name)
    except RecordGone:
        return None
    return Shape(name, {one["name"]: one["type"] for one in found["fields"]})


def shapes(client: Client, objects: Mapping[str, ObjectConfig]) -> dict[str, Shape | None]:
    """Return the shapes of *objects* and of those that they read through references."""
    related = {relation.object for config in objects.values() for relation in config.spec.related}
    return {name: shape(client, name) for name in sorted({*objects, *related})}


def missing_fields(objects: Mapping[str, ObjectConfig], found: Mapping[str, Shape | None]) -> list[str]:
    """Return what the policy reads and the organisation does not have, each with what would mend it."""
    faults: list[str] = []
    for name, config in objects.items():
        faults += _missing(name, config.spec.fields, found.get(name))
        for relation in config.spec.related:
            faults += _missing(relation.object, relation.fields, found.get(relation.object))
            own = found.get(name)
            if own is not None and not own.has(relation.by):
                faults.append(_absent(name, relation.by, f"{relation.alias}.id", own))
    return list(dict.fromkeys(faults))


def missing_package(client: Client) -> list[str]:
    """Return what of our setup package the organisation lacks."""
    faults = []
    for name, columns in _PACKAGE.items():
        found = shape(client, name)
        if found is None:
            faults.append(f"object {name} is not there, or triage may not see it: install the setup package")
            continue
        faults += [
            f"{name}.{column} is not there, or triage may not see it: install the setup package"
            for column in columns
            if not found.has(column)
        ]
    return faults


def _missing(name: str, fields: tuple[FieldSpec, ...], found: Shape | None) -> list[str]:
    if found is None:
        return [
            f"object {name} is not in the organisation, or triage may not see it: grant it, or take it from the policy"
        ]
    faults = []
    types = {key.casefold(): kind for key, kind in found.types.items()}
    for spec in fields:
        kind = types.get(spec.source.casefold())
        if spec.source and kind is None:
            faults.append(_absent(name, spec.source, spec.name, found))
        elif kind is not None and spec.type in _FITS and kind not in _FITS[spec.type]:
            faults.append(
                f"{name}.{spec.source} is of type {kind}, and {spec.name!r} is read as {spec.type}: change its type"
            )
    return faults


def _absent(name: str, column: str, ours: str, found: Shape) -> str:
    near = did_you_mean(column, found.types)
    fix = near.removeprefix(": ") or "create it, grant it to triage, or take it out of the field map"
    return f"{name}.{column} (our {ours!r}) is not in the organisation, or triage may not see it: {fix}"
