"""The setup package: every file is well formed, and whatever one of them names is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from defusedxml.ElementTree import parse

from triage.config import load_policy, read_folder
from triage.salesforce.metadata_rules import FIELDS, with_setup_rules

ROOT = Path(__file__).parents[3] / "configs" / "salesforce"
BASE = ROOT / "force-app" / "main" / "default"
NS = "{http://soap.sforce.com/2006/04/metadata}"
FILES = sorted(BASE.rglob("*.xml"))
STANDARD = {"Name", "CreatedDate"}


def fields_of(name: str) -> set[str]:
    """The custom fields that the package gives an object."""
    return {path.name.split(".")[0] for path in (BASE / "objects" / name / "fields").glob("*.xml")}


def texts(path: Path, *names: str) -> list[str]:
    """The text of every element called one of *names*."""
    return [one.text or "" for one in parse(path).iter() if one.tag.removeprefix(NS) in names]


def found(kind: str, suffix: str) -> list[Path]:
    """Every file of one kind, and at least one."""
    paths = sorted((BASE / kind).rglob(f"*{suffix}"))
    assert paths
    return paths


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_is_well_formed_and_of_the_metadata_namespace(path: Path) -> None:
    assert parse(path).getroot().tag.startswith(NS)


def test_project_names_a_folder_that_is_there() -> None:
    project = json.loads((ROOT / "sfdx-project.json").read_text(encoding="utf-8"))
    assert all((ROOT / one["path"]).is_dir() for one in project["packageDirectories"])
    assert re.fullmatch(r"\d\d\.0", project["sourceApiVersion"])


def test_fields_are_called_what_their_files_are_and_have_what_their_type_needs() -> None:
    needs = {
        "Text": {"length"}, "LongTextArea": {"length", "visibleLines"}, "Number": {"precision", "scale"},
        "Lookup": {"referenceTo", "relationshipName"}, "Picklist": {"valueSet"}, "Checkbox": {"defaultValue"},
        "DateTime": set(),
    }  # fmt: skip
    for path in BASE.rglob("*.field-meta.xml"):
        root = parse(path).getroot()
        names = {one.tag.removeprefix(NS) for one in root}
        assert texts(path, "fullName")[0] == path.name.split(".")[0]
        assert needs[texts(path, "type")[0]] <= names, path.name
        assert len(texts(path, "label")[0]) <= 40
        assert len(path.name.split(".")[0]) <= 43


def test_external_ids_are_unique_so_that_nothing_is_written_twice() -> None:
    for name in ("Triage_Log__c/fields/Key__c", "Triage_Score__c/fields/Record_Id__c"):
        path = BASE / "objects" / f"{name}.field-meta.xml"
        assert texts(path, "externalId", "unique", "required") == ["true", "true", "true"]


def test_permission_sets_name_fields_objects_and_tabs_that_are_there() -> None:
    for path in found("permissionsets", ".xml"):
        for name in texts(path, "field"):
            owner, _, field = name.partition(".")
            assert field in fields_of(owner), name
        custom = [name for name in texts(path, "object", "name") if name.endswith(("__c", "__mdt"))]
        assert all((BASE / "objects" / name).is_dir() for name in custom)
        assert all((BASE / "tabs" / f"{name}.tab-meta.xml").is_file() for name in texts(path, "tab"))


def test_permission_sets_give_no_more_than_is_needed() -> None:
    """Nothing is deleted, nobody's records are modified at large, and no setup right is given."""
    for path in found("permissionsets", ".xml"):
        assert set(texts(path, "allowDelete", "modifyAllRecords")) == {"false"}
        granted = [one.find(f"{NS}name").text for one in parse(path).getroot().iter(f"{NS}userPermissions")]
        assert set(granted) <= {"ApiEnabled"}


def test_permission_sets_name_no_required_field() -> None:
    """Salesforce refuses to deploy a permission on a field that everybody must fill."""
    for path in found("permissionsets", ".xml"):
        for name in texts(path, "field"):
            owner, _, field = name.partition(".")
            told = texts(BASE / "objects" / owner / "fields" / f"{field}.field-meta.xml", "required")
            assert told in ([], ["false"]), name


def test_worker_may_write_every_field_of_its_log() -> None:
    path = BASE / "permissionsets" / "Triage_Worker.permissionset-meta.xml"
    named = {name.partition(".")[2] for name in texts(path, "field") if name.startswith("Triage_Log__c.")}
    assert named | {"Key__c"} == fields_of("Triage_Log__c")


def test_list_views_show_fields_that_are_there() -> None:
    for path in BASE.rglob("*.listView-meta.xml"):
        owner = path.parent.parent.name
        for name in texts(path, "columns", "field"):
            assert name == "NAME" or name.startswith("CASES.") or name in fields_of(owner), (path.name, name)


def test_report_type_and_reports_name_fields_that_are_there() -> None:
    known = fields_of("Triage_Log__c") | STANDARD
    (kind,) = found("reportTypes", ".xml")
    offered = {one.text for one in parse(kind).iter(f"{NS}field")}
    assert offered <= known
    for path in found("reports", ".report-meta.xml"):
        assert texts(path, "reportType") == [f"{kind.name.split('.')[0]}__c"]
        for name in [*texts(path, "dateColumn", "column"), *(one.text or "" for one in parse(path).iter(f"{NS}field"))]:
            owner, _, field = name.partition("$")
            assert owner == "Triage_Log__c"
            assert field in offered, (path.name, name)


def test_reports_tell_rule_trigger_team_and_outcome() -> None:
    groups = {texts(path, "groupingsDown") and _grouped(path) for path in found("reports", ".report-meta.xml")}
    assert groups >= {"Rule__c", "Trigger_Name__c", "Team__c", "Outcome__c"}


def _grouped(path: Path) -> str:
    (group,) = parse(path).getroot().findall(f"{NS}groupingsDown")
    return (group.find(f"{NS}field").text or "").partition("$")[2]


def test_dashboard_shows_reports_that_are_there_and_groups_as_they_do() -> None:
    for path in found("dashboards", ".dashboard-meta.xml"):
        for one in parse(path).iter(f"{NS}components"):
            report = BASE / "reports" / f"{one.find(f'{NS}report').text}.report-meta.xml"
            assert report.is_file()
            assert (one.find(f"{NS}groupingColumn").text or "").partition("$")[2] == _grouped(report)


def test_look_ups_refer_to_objects_and_have_names_of_their_own() -> None:
    seen: set[tuple[str, str]] = set()
    for path in BASE.rglob("*.field-meta.xml"):
        if texts(path, "type") == ["Lookup"]:
            key = (texts(path, "referenceTo")[0], texts(path, "relationshipName")[0])
            assert key not in seen
            seen.add(key)
    assert seen


def test_rule_records_fill_fields_that_are_there_with_values_they_take() -> None:
    fields = fields_of("Triage_Rule__mdt")
    assert fields <= set(FIELDS)
    for path in found("customMetadata", ".md-meta.xml"):
        for name, value in record_of(path).items():
            assert name in fields
            allowed = _picklist(name)
            assert not allowed or value in allowed, (path.name, name)


def _picklist(name: str) -> list[str]:
    root = parse(BASE / "objects" / "Triage_Rule__mdt" / "fields" / f"{name}.field-meta.xml").getroot()
    return [one.find(f"{NS}fullName").text or "" for one in root.iter(f"{NS}value")]


def record_of(path: Path) -> dict[str, object]:
    """A record as a query would give it."""
    kinds = {"xsd:boolean": lambda text: text == "true", "xsd:double": float, "xsd:string": str}
    record: dict[str, object] = {}
    for one in parse(path).iter(f"{NS}values"):
        value = one.find(f"{NS}value")
        kind = value.get("{http://www.w3.org/2001/XMLSchema-instance}type")
        record[one.find(f"{NS}field").text] = kinds[kind](value.text)
    return record


def test_rule_records_of_the_package_are_good_rules_of_the_example_policy() -> None:
    policy = read_folder(ROOT.parent / "example")
    policy |= {
        f"setup-{name}.yaml": f"object: {name}\nrule_set: setup {name}\nrules: {{source: salesforce}}\n"
        for name in ("Case", "Lead")
    }
    records = [record_of(path) | {"DeveloperName": path.name.split(".")[1]} for path in found("customMetadata", ".xml")]
    result = with_setup_rules(policy, [one | {"Active__c": True} for one in records], {})
    assert [(one.name, one.state, one.error) for one in result.statuses] == [
        (name, "good", "") for name in ("Enterprise_at_risk", "Neglected_lead", "Urgent_case")
    ]
    load_policy(result.texts)
