"""What the organisation has, held against what the policy asks for: a missing field is named with its fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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


CHILD = "CaseMilestones."
"""How sources begin that stand in rows below the record: `CaseMilestones.<name>.CompletionDate`."""

MILESTONES = "CaseMilestone"
_MILESTONE_FIELDS = ("CaseId", "CompletionDate", "MilestoneTypeId")


class Parent(Struct, frozen=True):
    """A reference of an object: the field that holds the id, and the objects that it may refer to."""

    field: str
    objects: tuple[str, ...]


class Shape(Struct, frozen=True):
    """The fields of one object: Salesforce's type by API name; *parents* by relationship name in small letters."""

    name: str
    types: dict[str, str] = field(default_factory=dict)
    parents: dict[str, Parent] = field(default_factory=dict)

    def has(self, column: str) -> bool:
        """Return whether it has the field, whatever its case."""
        return column.casefold() in {name.casefold() for name in self.types}


def shape(client: Client, name: str) -> Shape | None:
    """Return the fields of the object *name*, None where there is no such object, or we may not see it."""
    try:
        found = client.describe(name)
    except RecordGone:
        return None
    parents = {
        one["relationshipName"].casefold(): Parent(one["name"], tuple(one["referenceTo"]))
        for one in found["fields"]
        if one.get("relationshipName") and one.get("referenceTo")
    }
    return Shape(name, {one["name"]: one["type"] for one in found["fields"]}, parents)


def shapes(client: Client, objects: Mapping[str, ObjectConfig]) -> dict[str, Shape | None]:
    """Return the shapes of *objects* and of those that they read through references: values, or labels only."""
    related = {relation.object for config in objects.values() for relation in config.spec.related}
    found = {name: shape(client, name) for name in sorted({*objects, *related})}
    for name, config in objects.items():
        for path in config.spec.labels:
            if path.startswith(CHILD):
                _look(client, (MILESTONES,), found)
            else:
                _follow(client, name, path, found)
    return found


def parent_paths(labels: Iterable[str]) -> tuple[str, ...]:
    """Return those of *labels* that a query reads over references: `RecordType.Name`, `Entitlement.SlaProcess.Name`."""
    return tuple(path for path in labels if not path.startswith(CHILD))


def milestone_of(path: str) -> str:
    """Return the milestone whose completion *path* reads, "" for any other path."""
    name, dot, column = path.removeprefix(CHILD).rpartition(".")
    return name if path.startswith(CHILD) and dot and column.casefold() == "completiondate" else ""


def _look(client: Client, names: Iterable[str], found: dict[str, Shape | None]) -> list[Shape]:
    for name in names:
        if name not in found:
            found[name] = shape(client, name)
    return [one for name in names if (one := found[name]) is not None]


def _follow(client: Client, name: str, path: str, found: dict[str, Shape | None]) -> None:
    """Look at every object on the way of *path*."""
    here = _look(client, (name,), found)
    for step in path.split(".")[:-1]:
        names = [to for one in here if (parent := one.parents.get(step.casefold())) for to in parent.objects]
        here = _look(client, names, found)


def missing_fields(objects: Mapping[str, ObjectConfig], found: Mapping[str, Shape | None]) -> list[str]:
    """Return what the policy reads and the organisation does not have, each with what would mend it."""
    faults: list[str] = []
    for name, config in objects.items():
        flat = tuple(one for one in config.spec.fields if "." not in one.source)
        faults += _missing(name, flat, found.get(name))
        faults += [fault for one in config.spec.fields if "." in one.source for fault in _unread(name, one, found)]
        for relation in config.spec.related:
            faults += _missing(relation.object, relation.fields, found.get(relation.object))
            own = found.get(name)
            if own is not None and not own.has(relation.by):
                faults.append(_absent(name, relation.by, f"{relation.alias}.id", own))
    return list(dict.fromkeys(faults))


def _unread(name: str, spec: FieldSpec, found: Mapping[str, Shape | None]) -> list[str]:
    """Return why the dotted source of *spec* cannot be read: the step of its way that is not there."""
    if found.get(name) is None:
        return []
    if spec.source.startswith(CHILD):
        return _unread_milestone(name, spec, found.get(MILESTONES))
    *steps, last = spec.source.split(".")
    here = [one for one in (found.get(name),) if one is not None]
    for step in steps:
        parents = [parent for one in here if (parent := one.parents.get(step.casefold())) is not None]
        if not parents:
            return [_absent(name, spec.source, spec.name, here[0], step, [key for one in here for key in one.parents])]
        names = [to for parent in parents for to in parent.objects]
        here = [one for to in names if (one := found.get(to)) is not None]
        if not here:
            said = f"{name}.{spec.source} (our {spec.name!r}) leads to {', '.join(names)}"
            return [f"{said}, which triage may not see: grant it"]
    if not any(one.has(last) for one in here):
        return [_absent(name, spec.source, spec.name, here[0], last)]
    return []


def _unread_milestone(name: str, spec: FieldSpec, found: Shape | None) -> list[str]:
    said = f"{name}.{spec.source} (our {spec.name!r})"
    if name != "Case" or not milestone_of(spec.source):
        return [f"{said} cannot be read: of milestones there is {CHILD}NAME.CompletionDate of Case"]
    if found is None or not all(map(found.has, _MILESTONE_FIELDS)):
        said += f" needs {MILESTONES}, which triage may not see"
        return [f"{said}: turn entitlements on, or take it out of the field map"]
    return []


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


def _absent(
    name: str, column: str, ours: str, found: Shape, part: str = "", among: Iterable[str] | None = None
) -> str:  # fmt: skip
    near = did_you_mean(part or column, found.types if among is None else among)
    fix = near.removeprefix(": ") or "create it, grant it to triage, or take it out of the field map"
    return f"{name}.{column} (our {ours!r}) is not in the organisation, or triage may not see it: {fix}"
