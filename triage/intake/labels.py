"""Labels of references: RecordType.Name, Owner.Name, wherever a source puts them beside the record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from triage.domain.schema import ObjectSpec

_ID = re.compile(r"(?=\w{0,2}\d)[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)
"""A record's id in Salesforce: 15 or 18 letters and digits, a digit among the first three."""


def with_labels(changes: Mapping[str, Any], spec: ObjectSpec) -> dict[str, Any]:
    """
    Return *changes* with each label that *spec* reads under its own path: `RecordType.Name`.

    It may come so, nested (`{"RecordType": {"Name": ..}}`), as the parent's bare name (`"BusinessHours": ".."`), or in
    place of the reference's id (`"RecordTypeId": "Support"`). A reference that changes without its label leaves the
    label missing rather than stale.
    """
    found = dict(changes)
    for path in spec.labels:
        if path in found:
            continue
        head, _, rest = path.partition(".")
        value, told = _beside(head, rest, changes)
        if told:
            found[path] = value
    known = spec.by_source
    heads = {path.partition(".")[0] for path in spec.labels}
    for head in heads:
        if head.casefold() not in known:
            found.pop(head, None)
        if f"{head}id".casefold() not in known and not _is_parent(head, spec):
            found.pop(f"{head}Id", None)
    return found


def _is_parent(head: str, spec: ObjectSpec) -> bool:
    return any(relation.by == f"{head}Id" for relation in spec.related)


def _beside(head: str, rest: str, changes: Mapping[str, Any]) -> tuple[Any, bool]:
    """Return the label that *changes* hold in another shape, and whether they say anything of it."""
    if head in changes:
        inner: Any = changes[head]
        for part in rest.split("."):
            if not isinstance(inner, Mapping):
                break
            if part not in inner:
                return None, False
            inner = inner[part]
        return (None if isinstance(inner, Mapping) else inner), True
    reference = changes.get(f"{head}Id", ...)
    if reference is ...:
        return None, False
    is_label = isinstance(reference, str) and not _ID.fullmatch(reference.strip()) and "." not in rest
    return (reference if is_label else None), True
