"""Which fields imported conditions ask for, what they are called with us, where they come from, and of what type."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from triage.domain.schema import BUILTIN_FIELDS, FieldType
from triage.intake.text import show
from triage.rules.language import CLOCK_LEAVES
from triage.rules.standard import STANDARD
from triage.salesforce.criteria import Leaf, Untranslatable

_LABELLED = {
    "RecordTypeId": ("record_type", "RecordType.Name"),
    "OwnerId": ("owner_name", "Owner.Name"),
    "BusinessHoursId": ("calendar", "BusinessHours.Name"),
    "CreatedById": ("created_by", "CreatedBy.Name"),
    "LastModifiedById": ("modified_by", "LastModifiedBy.Name"),
    "AccountId": ("account_name", "Account.Name"),
    "ContactId": ("contact_name", "Contact.Name"),
    "AssetId": ("asset_name", "Asset.Name"),
    "ParentId": ("parent_name", "Parent.CaseNumber"),
    "ProductId": ("product_name", "Product.Name"),
    "EntitlementId": ("entitlement_name", "Entitlement.Name"),
}
"""Look-ups that criteria compare by label: our name, and where the label stands on a record as queried."""

_PARENTS = {
    "Account": ("account", "AccountId"), "Contact": ("contact", "ContactId"), "Asset": ("asset", "AssetId"),
    "Entitlement": ("entitlement", "EntitlementId"), "User": ("owner_user", "OwnerId"),
    "Product2": ("product2", "ProductId"), "ServiceContract": ("service_contract", "ServiceContractId"),
    "Campaign": ("campaign", "CampaignId"),
}  # fmt: skip
"""Objects whose fields criteria of a record may name: our alias, and the record's own reference."""

_KNOWN: dict[str, FieldType] = {
    "IsClosed": "boolean", "IsEscalated": "boolean", "IsConverted": "boolean", "IsDeleted": "boolean",
    "IsStopped": "boolean", "IsVisibleInSelfService": "boolean", "HasOptedOutOfEmail": "boolean",
    "IsUnreadByOwner": "boolean", "CreatedDate": "datetime", "ClosedDate": "datetime", "LastModifiedDate": "datetime",
    "SlaStartDate": "datetime", "SlaExitDate": "datetime", "StopStartDate": "datetime", "SystemModstamp": "datetime",
    "AnnualRevenue": "number", "NumberOfEmployees": "number",
}  # fmt: skip
_METADATA: dict[str, FieldType] = {
    "Checkbox": "boolean", "Number": "number", "Currency": "number", "Percent": "number", "Date": "date",
    "DateTime": "datetime", "MultiselectPicklist": "multipicklist",
}  # fmt: skip
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,9})?")
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,9})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:?\d{2})")
_TAKEN = {spec.name for spec in BUILTIN_FIELDS if not spec.source} | set(CLOCK_LEAVES) | {
    "text", "not", "sla", "milestone", "owner", "customer", "calendar", "id",
}  # fmt: skip
_API_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_LATIN = re.compile(r"[^a-z0-9]+")


class Mapped(Struct, frozen=True):
    """One field: its API path (`Case.Status`), our name, where its value stands, its type, its parent's alias."""

    path: str
    name: str
    source: str
    type: FieldType
    alias: str = ""
    parent: str = ""
    by: str = ""
    values: tuple[str, ...] = ()


class FieldMap:
    """The fields that conditions on one object use, each under one name."""

    def __init__(self, object_name: str, known: Mapping[tuple[str, str], tuple[str, str]]) -> None:
        self.object = object_name
        self._known = known
        self._uses: dict[str, list[Leaf]] = defaultdict(list)
        self._made: dict[str, Mapped] = {}
        self._names: set[str] = set()

    def use(self, leaves: Iterable[Leaf]) -> None:
        """Note what is asked of fields, before any of them is looked up: a type follows from all of it."""
        for leaf in leaves:
            self._uses[self._full(leaf.field)].append(leaf)

    def find(self, path: str) -> Mapped:
        """
        Return the field at *path* (`Status`, `Case.Status`, `Account.SLA__c`, `RecordType.Name`, `Foo__r.Bar__c`).

        Raises:
            Untranslatable: it goes over more than one parent, or over one whose object nothing tells.
        """
        full = self._full(path)
        if full not in self._made:
            self._made[full] = self._map(full)
            self._names.add(self._made[full].name)
        return self._made[full]

    def declare(self, path: str, name: str, source: str, kind: FieldType) -> Mapped:
        """Return the field that reads *source*: one of ours, called *name* or like it, where there was none yet."""
        known = (one for one in self._made.values() if not one.alias)
        found = next((one for one in known if one.source.casefold() == source.casefold()), None)
        if found is None:
            free, number = name, 1
            while free in self._names:
                number += 1
                free = f"{name}_{number}"
            found = self._made[path] = Mapped(path, free, source, kind)
            self._names.add(free)
        return found

    def fields(self) -> tuple[Mapped, ...]:
        """Return every field looked up so far, in the order of its first use."""
        return tuple(self._made.values())

    def _full(self, path: str) -> str:
        return path if "." in path else f"{self.object}.{path}"

    def _map(self, full: str) -> Mapped:
        head, _, rest = full.partition(".")
        if not all(_API_NAME.fullmatch(part) for part in rest.removesuffix(" itself").split(".")):
            raise Untranslatable(f"{show(full)} is no name of a field", "mend the name in Salesforce")
        if "." in rest:
            raise Untranslatable(f"{full} goes over two parents", "copy it into a formula field of the record")
        if head == self.object:
            return self._own(full, rest)
        if head.partition(":")[2]:
            head = head.partition(":")[2]
        for api, (_, source) in _LABELLED.items():
            if source.partition(".")[0] == head and head not in _PARENTS:
                name = "name" if rest == "Name" else slug(rest)
                ours = _LABELLED[api][0] if rest == "Name" else f"{slug(head)}_{name}"
                return Mapped(full, self._free(ours), f"{head}.{rest}", "text")
        alias, by, parent = self._relation(head, full)
        name = f"{alias}.{slug(rest)}"
        return Mapped(full, name, rest, self._type(full, parent, rest), alias, parent, by, self._values(full))

    def _relation(self, head: str, full: str) -> tuple[str, str, str]:
        """Return alias, the record's own reference and the object of a parent."""
        if head in _PARENTS:
            return (*_PARENTS[head], head)
        if head.endswith("__r"):
            reference = f"{head.removesuffix('__r')}__c"
            parent = self._known.get((self.object, reference), ("", ""))[1]
            if parent:
                return slug(head.removesuffix("__r")), reference, parent
            raise Untranslatable(
                f"nothing says which object {reference} of {full} refers to",
                f"add objects/{self.object}/fields/{reference}.field-meta.xml to the import",
            )
        raise Untranslatable(
            f"{show(full)} is no field of {self.object} or of a parent that is known", "check the field"
        )

    def _own(self, full: str, api: str) -> Mapped:
        if api in _LABELLED and self._known.get((self.object, api), ("Lookup", ""))[0] in ("Lookup", ""):
            name, source = _LABELLED[api]
            return Mapped(full, name, source, "text")
        standard = STANDARD.get(self.object)
        spec = standard.spec.by_source.get(api.casefold()) if standard is not None else None
        kind, reference = self._known.get((self.object, api), ("", ""))
        if kind in ("Lookup", "MasterDetail") and reference and api.endswith("__c"):
            return Mapped(full, self._free(slug(api)), f"{api.removesuffix('c')}r.Name", "text")
        if spec is not None and spec.type in ("text", "boolean"):
            return Mapped(full, spec.name, spec.source, spec.type)
        return Mapped(
            full, self._free(slug(api)), api, self._type(full, self.object, api), values=self._values(full)
        )  # fmt: skip

    def _free(self, name: str) -> str:
        """Return *name*, or a longer one where it means something already."""
        while name in _TAKEN or name in self._names:
            name += "_c" if not name.endswith("_c") else "c"
        return name

    def _type(self, full: str, owner: str, api: str) -> FieldType:
        """Return the type that metadata states, else Salesforce's own, else the one that every use agrees on."""
        stated = self._known.get((owner, api), ("", ""))[0]
        if stated:
            return _METADATA.get(stated, "text")
        return _KNOWN.get(api) or type_from_uses(self._uses.get(full, ()))

    def _values(self, full: str) -> tuple[str, ...]:
        values = (value for leaf in self._uses.get(full, ()) if leaf.op == "includes" for value in leaf.values)
        return tuple(dict.fromkeys(values))


def type_from_uses(uses: Iterable[Leaf]) -> FieldType:
    """Return the type that fits everything that is asked: text wherever that is not certain."""
    uses = list(uses)
    ops = {leaf.op for leaf in uses}
    values = [value for leaf in uses for value in leaf.values]
    if "ticked" in ops:
        return "boolean"
    if ops & {"contains", "starts_with"} or not values:
        return "text"
    if "includes" in ops:
        return "multipicklist"
    if ops & {"<", "<=", ">", ">="}:
        return _ranked(values)
    if all(value.casefold() in ("true", "false") for value in values):
        return "boolean"
    plain = all(_PLAIN_NUMBER.fullmatch(value) for value in values)
    return "number" if plain and "missing" not in ops else "text"


def _ranked(values: list[str]) -> FieldType:
    if all(_NUMBER.fullmatch(value) for value in values):
        return "number"
    if all(_DATE.fullmatch(value) for value in values):
        return "date"
    return "datetime" if all(_MOMENT.fullmatch(value) for value in values) else "text"


def slug(api: str) -> str:
    """Return an API name as one of ours: `SLA_Target__c` -> sla_target, `SuppliedEmail` -> supplied_email."""
    bare = re.sub(r"__(c|pc|r)$", "", api)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", bare).casefold()
    name = _LATIN.sub("_", words).strip("_")
    return name if name and not name[0].isdigit() else f"f_{name}"
