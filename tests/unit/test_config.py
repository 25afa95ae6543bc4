"""A folder into a policy, all faults at once; settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.calendars.calendar import compile_calendar
from triage.config import DEFAULT_DATABASE, Settings, load_policy, read_folder
from triage.errors import ConfigError
from triage.policy import compile_policy

FIXTURES = Path(__file__).parent / "rules" / "policies"
CONFIGS = Path(__file__).parents[2] / "configs"
CASE = "objects: {Case: {fields: {status: Status, owner: OwnerId}}}"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def faults(**files: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_policy({f"{name}.yaml": text for name, text in files.items()})
    return [f"{fault.file}:{fault.line}:{fault.column}: {fault.text}" for fault in caught.value.faults]


def test_a_folder_is_read_with_relative_posix_names_in_order(tmp_path: Path) -> None:
    write(tmp_path, b="b: 1", rules__z="z: 1", rules__a="a: 1")
    (tmp_path / "notes.txt").write_text("not policy")
    assert list(read_folder(tmp_path)) == ["b.yaml", "rules/a.yaml", "rules/z.yaml"]
    assert read_folder(str(tmp_path))["rules/a.yaml"] == "a: 1"


def test_a_missing_folder_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        read_folder(tmp_path / "nowhere")


def test_a_link_that_leaves_the_folder_is_refused_and_one_inside_is_read(tmp_path: Path) -> None:
    outside = write(tmp_path / "out", secret="a: 1")
    inside = write(tmp_path / "in", real="b: 1")
    (inside / "alias.yaml").symlink_to(inside / "real.yaml")
    assert list(read_folder(inside)) == ["alias.yaml", "real.yaml"]
    (inside / "link.yaml").symlink_to(outside / "secret.yaml")
    with pytest.raises(ConfigError, match=r"link\.yaml:1:1: a link that leaves"):
        read_folder(inside)


def test_text_that_is_not_utf_8_is_refused_where_it_begins(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("é: 1\nü: ".encode() + b"\xe9\n")
    with pytest.raises(ConfigError) as caught:
        read_folder(tmp_path)
    (fault,) = caught.value.faults
    assert (fault.file, fault.line, fault.column) == ("a.yaml", 2, 4)


def test_everything_unreadable_in_a_folder_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff")
    (tmp_path / "b.yaml").write_bytes(b"x" * 3_000_000)
    (tmp_path / "c.yaml").mkdir()
    with pytest.raises(ConfigError) as caught:
        read_folder(tmp_path)
    assert [fault.file for fault in caught.value.faults] == ["a.yaml", "b.yaml", "c.yaml"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """Published, it would take every rule out of force."""
    with pytest.raises(ConfigError, match=r"holds no \*\.yaml file"):
        read_folder(tmp_path)


def test_the_sample_policy_loads_with_all_its_sections() -> None:
    texts = read_folder(FIXTURES / "valid")
    document = load_policy(texts)
    assert document.texts == texts
    assert [rule_set.id for rule_set in document.rule_sets] == ["ageing", "service"]
    assert set(document.objects) == {"Case"}
    assert [milestone.name for milestone in document.milestones] == ["first_response", "resolution"]
    assert document.words["anger"] == ("angry", "furious", "sauer")
    assert document.templates["sla-at-risk"].pre_breach
    assert document.directory.webhooks == {"pager": "https://hooks.example.com/x"}


def test_sections_are_merged_over_files() -> None:
    document = load_policy(
        {
            "a.yaml": f"{CASE}\ndirectory: {{queues: [A]}}\nwords: {{x: [one]}}\nsafety: {{hop_limit: 2}}",
            "b.yaml": "directory: {queues: [B], pools: [P]}\nwords: {y: [two]}\nsafety: {terminal_pool: P}",
        }
    )
    assert document.directory.queues == ("A", "B")
    assert set(document.words) == {"x", "y"}
    assert (document.safety.hop_limit, document.safety.terminal_pool) == (2, "P")


def test_safety_keeps_its_defaults_where_nothing_is_written() -> None:
    safety = load_policy({"a.yaml": "safety: {caps: {rule: {per_day: 5}}, recipient_domains: [Example.COM]}"}).safety
    assert (safety.rule.per_5_minutes, safety.rule.per_day, safety.recipient.per_day) == (200, 5, 200)
    assert safety.recipient_domains == ("example.com",)
    assert not safety.allow_customer_contact


def test_names_that_stand_twice_are_reported_with_both_places() -> None:
    assert faults(a=f"{CASE}\nwords: {{x: [one]}}", b="words: {x: [two]}\nobjects: {Case: {}}") == [
        "b.yaml:1:9: 'x' stands twice in 'words': first at a.yaml:2:9",
        "b.yaml:2:11: 'Case' stands twice in 'objects': first at a.yaml:1:11",
    ]


def test_rule_ids_and_set_names_are_unique_over_all_files() -> None:
    rules = "rule_set: same\nmatch: first_match\nrules: [{id: x, when: []}]"
    found = faults(a=CASE, b=rules, c=rules)
    assert found == [
        "c.yaml:3:1: the rule set 'same' stands twice: first at b.yaml:3:1",
        "c.yaml:3:14: the rule 'x' stands twice: first at b.yaml:3:14",
    ]


def test_faults_of_all_files_come_in_one_error_by_file_and_line() -> None:
    found = faults(
        z="rules: [{id: x, when: [statu == New], do: [{move: {to: {pool: P}}}]}]",
        a=f"{CASE}\nmilestones:\n  m: {{object: Case, target: 8}}\n",
        m="calendars: {c: {tz: Nowhere}}\n",
    )
    assert [text.split(":")[0] for text in found] == ["a.yaml", "m.yaml", "z.yaml", "z.yaml"]
    assert "did you mean 'status'" in found[2]


def test_a_file_that_is_no_yaml_is_the_only_fault_where_others_name_what_it_declares() -> None:
    found = faults(
        fields=CASE + "\nwords: {a: [b", rules="object: Case\nrules: [{id: x, when: [status == New], do: []}]"
    )
    assert len(found) == 1
    assert found[0].startswith("fields.yaml:3:")
    assert "not YAML" in found[0]


def test_a_key_that_is_none_is_still_told_beside_a_file_that_is_no_yaml() -> None:
    found = faults(fields="objects: {", rules="object: Case\nrulez: []")
    assert [one.partition(":")[0] for one in found] == ["fields.yaml", "rules.yaml"]
    assert "unknown key 'rulez'" in found[1]


def test_a_broken_calendar_or_template_gives_no_second_fault_where_it_is_named() -> None:
    found = faults(
        a=f"{CASE}\ncalendars: {{c: {{tz: Nowhere}}}}\ntemplates: {{t: {{subject: a, body: '{{'}}}}\n"
        "rules: [{id: x, when: [], hours: c, do: [{notify: {who: owner, template: t}}]}]"
    )
    assert len(found) == 2


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]", "plain", "5", "a: 1", "!!python/object:os.system {}"])
def test_a_file_that_is_no_policy_is_one_fault(text: str) -> None:
    assert len(faults(a=text)) == 1


def test_loading_twice_gives_the_same_document() -> None:
    texts = read_folder(FIXTURES / "valid")
    assert load_policy(texts) == load_policy(texts)


@pytest.mark.parametrize(
    "folder",
    sorted(path for path in CONFIGS.glob("*") if path.is_dir() and path.name != "salesforce"),
    ids=lambda path: path.name,
)
def test_every_policy_of_configs_loads(folder: Path) -> None:
    assert load_policy(read_folder(folder)).rule_sets


def test_calendars_of_a_policy_compile() -> None:
    document = load_policy(read_folder(FIXTURES / "valid"))
    calendar = compile_calendar(document.calendars["support"])
    assert calendar.is_open(1_767_605_400_000)  # Monday 2026-01-05 09:30 in London
    assert not calendar.is_open(1_767_603_000_000)


def test_settings_default_to_a_file_beside_the_user() -> None:
    settings = Settings.from_environment({})
    assert (settings.database_url, settings.org) == (DEFAULT_DATABASE, "default")
    assert DEFAULT_DATABASE == "sqlite:///triage-data/triage.db"


def test_settings_come_from_the_environment_and_empty_means_default() -> None:
    given = {"TRIAGE_DATABASE_URL": "postgresql://db/x", "TRIAGE_ORG": "", "TRIAGE_POLICY": "/etc/policy", "OTHER": "1"}
    settings = Settings.from_environment(given)
    assert (settings.database_url, settings.org, settings.policy) == ("postgresql://db/x", "default", "/etc/policy")
    assert settings.sentiment == "local"
    assert Settings.from_environment({"TRIAGE_SENTIMENT": "transformers:x"}).sentiment == "transformers:x"


def test_rules_for_an_object_that_no_file_declares_have_its_standard_fields() -> None:
    """A first rule needs no field map; a field that the object lacks is still a fault."""
    text = (
        "rules:\n  - {id: a, when: [priority == High, owner is present, age >= 3h], do: [{move: {to: {queue: Q}}}]}\n"
    )
    text += "directory: {queues: [Q]}\n"
    document = load_policy({"rules.yaml": text})
    assert list(document.objects) == ["Case"]
    assert document.objects["Case"].spec.by_source["ownerid"].name == "owner"
    with pytest.raises(ConfigError, match="unknown field 'priorty': did you mean 'priority'"):
        load_policy({"rules.yaml": text.replace("priority", "priorty")})


def test_a_lead_of_no_field_map_is_closed_once_converted() -> None:
    text = "object: Lead\nrules:\n  - {id: a, when: [age >= 1h], do: [{notify: {who: owner, template: t}}]}\n"
    document = load_policy({"rules.yaml": text + "templates: {t: {subject: s, body: b}}\n"})
    part = compile_policy(document, virtual=True).objects["Lead"]
    assert part.closed({"is_converted": True})
    assert not part.closed({"is_converted": False})


def test_a_declared_object_keeps_to_its_own_fields() -> None:
    rule = "rules:\n  - {id: a, when: [priority == High], do: [{move: {to: {queue: Q}}}]}\n"
    text = "objects: {Case: {fields: {owner: OwnerId}}}\n" + rule
    with pytest.raises(ConfigError, match="unknown field 'priority'"):
        load_policy({"rules.yaml": text + "directory: {queues: [Q]}\n"})
