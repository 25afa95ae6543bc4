"""Object specs: look-ups by CRM name and by ours."""

from __future__ import annotations

from triage.domain.schema import BUILTIN_FIELDS, FieldSpec, ObjectSpec, RelatedSpec


def test_of_finds_fields_by_folded_source_and_by_our_name() -> None:
    own = FieldSpec(name="priority", source="Priority__c")
    spec = ObjectSpec.of("Case", (own,))
    assert spec.by_source == {"priority__c": own}
    assert spec.by_name == {"priority": own}


def test_of_names_related_fields_but_reads_no_column_of_theirs() -> None:
    tier = FieldSpec(name="account.tier", source="Tier")
    spec = ObjectSpec.of("Case", (), (RelatedSpec(alias="account", object="Account", by="AccountId", fields=(tier,)),))
    assert spec.by_source == {}
    assert spec.by_name == {"account.tier": tier}


def test_builtin_fields_have_names_of_their_own() -> None:
    names = [spec.name for spec in BUILTIN_FIELDS]
    assert len(names) == len(set(names))
    assert {"is_contacted", "text", "urgency.score", "owner.load"} <= set(names)
