"""The shape of a team's records: CRM names to our names, types, units and picklists, per object."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

FieldType = Literal[
    "text", "picklist", "multipicklist", "number", "integer", "money", "percent", "boolean", "datetime", "date",
    "duration", "reference",
]  # fmt: skip


class FieldSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One field: its name in the CRM (`source`), ours (`name`), and how to read its raw values.

    `values` of a picklist stand in ascending order where `ordered` (Low before High). `unit` states a number's unit
    (a duration column without one is refused). `zone` and `date_order` (`DMY`, `MDY`, `YMD`) are for columns whose text
    does not say; a naive instant without a declared zone is refused, never guessed.
    """

    name: str
    source: str
    type: FieldType = "text"
    values: tuple[str, ...] = ()
    ordered: bool = False
    unit: str = ""
    zone: str = ""
    date_order: str = ""
    immutable: bool = False


class RelatedSpec(Struct, frozen=True, kw_only=True):
    """Another object whose fields are read through a reference: `account.tier` through the record's `account.id`."""

    alias: str
    object: str
    by: str
    fields: tuple[FieldSpec, ...] = ()


class ObjectSpec(Struct, frozen=True, kw_only=True):
    """
    All fields of one object by API name. `by_source` is derived: CRM name casefolded -> FieldSpec.

    `labels`, derived too: sources such as RecordType.Name that stand beside a reference on the record.
    """

    name: str
    fields: tuple[FieldSpec, ...] = ()
    related: tuple[RelatedSpec, ...] = ()
    created_field: str = "CreatedDate"
    by_source: dict[str, FieldSpec] = field(default_factory=dict)
    by_name: dict[str, FieldSpec] = field(default_factory=dict)
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, fields: tuple[FieldSpec, ...], related: tuple[RelatedSpec, ...] = ()) -> ObjectSpec:
        """Return the spec with its look-up tables filled."""
        every = [*fields, *(spec for relation in related for spec in relation.fields)]
        return cls(
            name=name,
            fields=fields,
            related=related,
            by_source={spec.source.casefold(): spec for spec in fields},
            by_name={spec.name: spec for spec in every},
            labels=tuple(spec.source for spec in fields if "." in spec.source),
        )


BUILTIN_FIELDS: tuple[FieldSpec, ...] = (
    FieldSpec(name="is_closed", source="IsClosed", type="boolean"),
    FieldSpec(name="is_contacted", source="", type="boolean"),
    FieldSpec(name="awaiting_reply", source="", type="boolean"),
    FieldSpec(name="owner_is_queue", source="", type="boolean"),
    FieldSpec(name="inbound_count", source="", type="integer"),
    FieldSpec(name="outbound_count", source="", type="integer"),
    FieldSpec(name="reopen_count", source="", type="integer"),
    FieldSpec(name="reassignment_count", source="", type="integer"),
    FieldSpec(name="latest_message", source="", type="text"),
    FieldSpec(name="text", source="", type="text"),
    FieldSpec(name="urgency.score", source="", type="percent"),
    FieldSpec(name="urgency.abstained", source="", type="boolean"),
    FieldSpec(name="lead.score", source="", type="percent"),
    FieldSpec(name="lead.probability", source="", type="percent"),
    FieldSpec(name="lead.value", source="", type="money"),
    FieldSpec(name="lead.value_low", source="", type="money"),
    FieldSpec(name="lead.value_high", source="", type="money"),
    FieldSpec(name="lead.signal", source="", type="boolean"),
    FieldSpec(name="lead.abstained", source="", type="boolean"),
    FieldSpec(
        name="sentiment.label", source="", type="picklist", values=("negative", "neutral", "positive"), ordered=True
    ),
    FieldSpec(name="sentiment.score", source="", type="number"),
    FieldSpec(name="sentiment.shift", source="", type="number"),
    FieldSpec(name="sentiment.abstained", source="", type="boolean"),
    FieldSpec(name="complexity.score", source="", type="percent"),
    FieldSpec(name="complexity.abstained", source="", type="boolean"),
    FieldSpec(name="intent.label", source="", type="text"),
    FieldSpec(name="product_line.label", source="", type="text"),
    FieldSpec(name="language", source="", type="text"),
    FieldSpec(name="language.code", source="", type="text"),
    FieldSpec(name="language.confidence", source="", type="percent"),
    FieldSpec(name="owner.load", source="", type="percent"),
    FieldSpec(name="owner.tier", source="", type="integer"),
    FieldSpec(name="owner.presence", source="", type="picklist", values=("online", "break", "away", "offline")),
    FieldSpec(name="owner.overloaded", source="", type="boolean"),
    FieldSpec(name="owner.team", source="", type="multipicklist"),
    FieldSpec(name="owner.on_shift", source="", type="boolean"),
    FieldSpec(name="last_agent", source="", type="reference"),
)
"""
What every record has without any mapping: folded from its events, scored, or read from its owner.

`owner.on_shift` is false out of office too; `last_agent` wrote to the customer last, kept where routing asks for it.
`text` reads subject, description and the latest inbound message together.
"""
