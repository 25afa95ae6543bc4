"""Whatever metadata look like, an import ends in a policy that loads, or in notes that name file and line."""

from __future__ import annotations

import random
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.metadata import RECURRING, escalation_page, hours_page, milestone_type, process_page
from triage.config import load_policy
from triage.policy import compile_policy
from triage.rules.analysis import analyse
from triage.salesforce.equivalence import Bench
from triage.salesforce.importing import Imported, import_path, import_sources
from triage.salesforce.metadata import Source

METADATA = Path(__file__).parents[4] / "shared" / "salesforce" / "metadata"
FIELDS = (
    "Status",
    "Priority",
    "Origin",
    "RecordTypeId",
    "OwnerId",
    "Account.SLA__c",
    "Level__c",
    "Vip__c",
    "IsEscalated",
)
VALUES = {
    "Level__c": ("1", "2,3", "24"), "Vip__c": ("True", "false"), "IsEscalated": ("False",),
    "RecordTypeId": ("Support", "Support,Sales Desk"), "Account.SLA__c": ("Gold", "Gold,\"Silver, old\""),
}  # fmt: skip
SAMPLE, LAW = 40, 2000


def some_hours(chance: random.Random, zone: str) -> dict[str, Any]:
    """Random business hours with random holidays."""
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    windows = (["09:00", "17:00"], ["08:30", "18:00"], ["00:00", "00:00"], ["16:00", "00:00"], ["00:00", "08:00"])
    kept = [day for day in days if chance.random() < 0.8] or ["mon"]
    holidays: list[dict[str, Any]] = [
        {"name": "once", "activityDate": f"2025-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"}
        for _ in range(4)
    ]
    holidays += chance.sample(RECURRING, 3)
    if chance.random() < 0.7:
        holidays.append({
            "name": "half", "activityDate": f"2025-{chance.randint(1, 12):02}-15", "startTime": "08:00",
            "endTime": "12:00",
        })  # fmt: skip
    return {"timeZoneId": zone, "hours": {day: chance.choice(windows) for day in kept}, "holidays": holidays}


ZONES = ("Europe/London", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "America/Sao_Paulo", "Africa/Cairo")


def some_entry(chance: random.Random) -> dict[str, Any]:
    """A random escalation entry: criteria, a filter with sloppy spaces, hours, clocks, tiers."""
    fields = chance.sample(FIELDS, chance.randint(0, 3))
    items = [_criterion(chance, field) for field in fields]
    numbers = [str(number) for number in range(1, len(items) + 1)]
    joined = None
    if len(items) > 1 and chance.random() < 0.5:
        joined = chance.choice((" OR ", " and ", " oR  ")).join(numbers)
        joined = f"({joined} )" if chance.random() < 0.5 else joined
    entry: dict[str, Any] = {
        "criteriaItems": items, "booleanFilter": joined,
        "escalationStartTime": chance.choice(("CaseCreation", "CaseLastModified")),
        "disableEscalationWhenModified": chance.random() < 0.2,
        "escalationActions": [
            {"minutesToEscalation": minutes, "assignedTo": "Next", "assignedToType": "Queue"}
            for minutes in chance.sample((0, 30, 60, 240, 480, 1440, 4320), chance.randint(0, 3))
        ],
    }  # fmt: skip
    source = chance.choice(("None", "Case", "Static"))
    entry |= {"businessHoursSource": source} | (
        {"businessHours": chance.choice(("one", "two"))} if source == "Static" else {}
    )
    if chance.random() < 0.15:
        entry |= {"criteriaItems": [], "booleanFilter": None, "formula": chance.choice(FORMULAS)}
    return entry


FORMULAS = (
    "AND(NOT(ISPICKVAL(Priority, 'High')), OR(ISPICKVAL(Status, \"New\"), ISBLANK(TEXT(Origin))))",
    "Vip__c && Level__c >= 2 || ISPICKVAL(Origin, 'Web')",
    "IF(ISBLANK(Level__c), Account.SLA__c <> 'Gold', Level__c = 2)",
    "NOT(Level__c > 2) && ! Vip__c",
)


def _criterion(chance: random.Random, field: str) -> dict[str, str]:
    name = field if "." in field else f"Case.{field}"
    value = chance.choice(VALUES.get(field, ("High", "Low, Medium", "New", "", "high,,x")))
    plain = ("equals", "equals", "notEqual")
    operation = chance.choice(
        plain
        if field in ("Vip__c", "IsEscalated", "Level__c") or not value
        else (*plain, "contains", "notContain", "startsWith")
    )
    if field == "Level__c" and "," not in value and chance.random() < 0.5:
        operation = chance.choice(("lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual"))
    return {"field": name, "operation": operation, "value": value}


def some_import(number: int) -> Imported:
    """A random rule under random hours, imported."""
    chance = random.Random(f"rule {number}")
    hours = {name: some_hours(chance, chance.choice(ZONES)) for name in ("one", "two", "three")}
    entries = [some_entry(chance) for _ in range(chance.randint(1, 5))]
    return import_sources(
        [
            Source("Case.escalationRules", escalation_page("Random", entries).encode()),
            Source("BusinessHours.settings", hours_page(hours, "three").encode()),
        ]
    )


@pytest.mark.parametrize("number", range(12))
def test_a_random_rule_fires_as_salesforce_itself_would(number: int) -> None:
    """Entry, tier, due and instant agree with the literal interpreter; everything is translated."""
    imported = some_import(number)
    assert [note for note in imported.notes if note.level in ("refused", "untranslated")] == []
    for rule in imported.rules:
        found = Bench(imported).compare(rule, SAMPLE, seed=number)
        assert found.examples == ()


@pytest.mark.laws
@pytest.mark.parametrize("number", range(12, 40))
def test_many_random_rules_fire_as_salesforce_itself_would(number: int) -> None:
    imported = some_import(number)
    for rule in imported.rules:
        assert Bench(imported).compare(rule, LAW // 4, seed=number).examples == ()


def damaged(data: bytes, chance: random.Random) -> bytes:
    """One file, broken in one of the ways that files get broken."""
    lines = data.split(b"\n")
    place = chance.randrange(len(lines))
    ways = (
        lambda: b"\n".join(
            [*lines[:place], b"<<<<<<< HEAD", lines[place], b"=======", b">>>>>>> other", *lines[place:]]
        ),
        lambda: data[: chance.randrange(len(data))],
        lambda: data.replace(b"EscalationRules", b"EscalatedRules").replace(b"EntitlementProcess", b"Something"),
        lambda: b"\xef\xbb\xbf" + data,
        lambda: data.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        lambda: data.replace(b"<active>", b"<active>\xe9\xff"),
        lambda: data.replace(b' xmlns="http://soap.sforce.com/2006/04/metadata"', b""),
        lambda: data.replace(b"<field>", b"<field>Odd "),
        lambda: data.replace(b"<value>", b"<value>\x01"),
        lambda: re.sub(rb">\d+<", b">many<", data),
        lambda: data.replace(b"?>", b'?><!DOCTYPE x [<!ENTITY a "b">]>', 1),
        lambda: b"",
        lambda: data.replace(b"</", b"<", 1),
        lambda: re.sub(rb"<operation>\w+<", b"<operation>sounds like<", data),
        lambda: re.sub(rb"<booleanFilter>[^<]*<", b"<booleanFilter>(1 OR 7) AND<", data),
    )
    return chance.choice(ways)()


WORDS = (
    "", "x", "0", "-1", "true", "Case.", "Case.Status", "Account.Type", '"', "a,b", '"a,b"', "1 OR", "(1", "TODAY",
    "é", "\u202e", "&lt;", "99999999999", "Queue", "User", "#", "- a", "{", "[1]", "'", "x" * 400, "None", "Static",
    "Case", "\n", "NOT 1", "2026-01-01", "00:00:00.000Z", "Foo__r.Bar__c", "Case.A b", "&#10;", "&amp;&amp;",
)  # fmt: skip
"""What nobody would write into metadata, and somebody has."""
OPERATIONS = (
    "equals", "notEqual", "lessThan", "greaterThan", "lessOrEqual", "greaterOrEqual", "contains", "notContain",
    "startsWith", "includes", "excludes", "within", "",
)  # fmt: skip


def reworded(text: str, chance: random.Random) -> str:
    """One file with some of its words changed, left out, doubled, cut, or taken from elsewhere in it."""
    for _ in range(chance.randint(1, 6)):
        leaves = list(re.finditer(r"<(\w+)>([^<]*)</\1>", text))
        if not leaves:
            return text
        found, other = chance.choice(leaves), chance.choice(leaves)
        tag, words = found[1], found[2]
        ways = [chance.choice(WORDS), other[2], words + chance.choice(WORDS), words[: len(words) // 2]]
        if tag == "operation":
            ways = [chance.choice(OPERATIONS)]
        made = [f"<{tag}>{new}</{tag}>" for new in ways] + ["", found[0] * 2, found[0].replace(tag, other[1])]
        text = text[: found.start()] + chance.choice(made) + text[found.end() :]
    return text


def told_or_alike(texts: dict[str, str]) -> None:
    """Check that what comes of *texts* loads, and fires as the literal interpreter says."""
    imported = import_sources([Source(name, text.encode()) for name, text in texts.items()])
    holds_together(imported)
    for rule in imported.rules:
        assert Bench(imported).compare(rule, 12).examples == ()


@pytest.mark.parametrize("number", range(60))
def test_a_file_whose_words_were_changed_is_translated_alike_or_told(number: int) -> None:
    """Never a guess, never a policy that does not load."""
    chance = random.Random(f"words {number}")
    process = process_page("Gold", [{"name": "First Response", "minutes": 60, "timeTriggers": [-10, 0]}])
    files = {
        "Case.escalationRules": escalation_page("Random", [some_entry(chance) for _ in range(3)]),
        "BusinessHours.settings": hours_page({name: some_hours(chance, "Europe/London") for name in ("one", "two")}),
        "gold.entitlementProcess": process,
        "First Response.milestoneType": milestone_type("none"),
    }
    told_or_alike({name: reworded(text, chance) for name, text in files.items()})


@pytest.mark.laws
@pytest.mark.shared
@pytest.mark.parametrize("number", range(400))
def test_a_shared_file_whose_words_were_changed_is_translated_alike_or_told(number: int) -> None:
    chance = random.Random(f"shared words {number}")
    files = [path for path in sorted(METADATA.glob("*/*")) if path.stat().st_size < 60_000]
    told_or_alike({path.name: reworded(path.read_text("utf-8"), chance) for path in chance.sample(files, 2)})


def holds_together(imported: Imported) -> None:
    """The law: what was made loads, and everything else is told with its line."""
    document = load_policy(imported.texts)
    compile_policy(document, virtual=True)
    assert [one for one in analyse(document) if one.level == "error"] == []
    assert all(note.spot.line >= 1 and note.spot.file and note.text for note in imported.notes)


@pytest.mark.parametrize("number", range(60))
def test_a_damaged_file_is_told_and_the_others_are_imported(number: int) -> None:
    chance = random.Random(f"damage {number}")
    entries = [some_entry(chance) for _ in range(3)]
    process = process_page("Gold", [{"name": "First Response", "minutes": 60, "timeTriggers": [-10, 0]}])
    files = {
        "Case.escalationRules": escalation_page("Random", entries),
        "BusinessHours.settings": hours_page({name: some_hours(chance, "Europe/London") for name in ("one", "two")}),
        "gold.entitlementProcess": process,
        "First Response.milestoneType": milestone_type("none"),
    }
    victim = chance.choice(list(files))
    sources = [
        Source(name, damaged(text.encode(), chance) if name == victim else text.encode())
        for name, text in files.items()
    ]
    holds_together(import_sources(sources))


@pytest.mark.shared
def test_every_shared_file_imports_and_at_least_nineteen_of_twenty_entries_are_translated() -> None:
    """File by file, and all of them as one folder; every holiday of every kind."""
    files = sorted(METADATA.glob("*/*"))
    assert len(files) > 150
    for path in [*files, METADATA]:
        imported = import_path(path)
        holds_together(imported)
        assert not [note for note in imported.notes if note.level == "refused"]
        holidays = imported.coverage.share("holidays")
        assert holidays.translated == holidays.found
    plain = [share for kind, share in imported.coverage.parts.items() if kind.endswith("plain criteria")]
    assert sum(one.translated for one in plain) >= 0.95 * sum(one.found for one in plain)
    assert sum(one.found for one in plain) > 400


@pytest.mark.shared
def test_shared_files_import_the_same_from_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(METADATA.rglob("*")):
            archive.write(path, path.relative_to(METADATA).as_posix())
    assert import_path(tmp_path / "all.zip").texts == import_path(METADATA).texts


@pytest.mark.shared
@pytest.mark.parametrize("number", range(40))
def test_a_damaged_shared_file_is_told(number: int) -> None:
    chance = random.Random(f"shared {number}")
    path = chance.choice(sorted(METADATA.glob("*/*")))
    holds_together(import_sources([Source(path.name, damaged(path.read_bytes(), chance))]))


def shared_rule(path: Path) -> Imported:
    """A shared file of escalation rules, active, with random hours of the names that it uses."""
    text = path.read_text(encoding="utf-8").replace("<active>false", "<active>true")
    names = sorted(set(re.findall("<businessHours>(.*?)</businessHours>", text)))
    chance = random.Random(path.name)
    hours = {name: some_hours(chance, chance.choice(ZONES)) for name in [*names, "spare one", "spare two"]}
    page = hours_page(hours, "spare one").encode()
    return import_sources([Source(path.name, text.encode()), Source("BusinessHours.settings", page)])


def rule_files() -> list[Path]:
    return sorted((METADATA / "escalationRules").glob("*")) if METADATA.is_dir() else []


@pytest.mark.shared
@pytest.mark.parametrize("path", rule_files(), ids=lambda path: path.name[:8])
def test_a_shared_rule_fires_as_salesforce_itself_would(path: Path) -> None:
    imported = shared_rule(path)
    bench = Bench(imported)
    assert [bench.compare(rule, SAMPLE).examples for rule in imported.rules] == [()] * len(imported.rules)


@pytest.mark.laws
@pytest.mark.shared
@pytest.mark.parametrize("path", rule_files(), ids=lambda path: path.name[:8])
def test_a_shared_rule_fires_as_salesforce_itself_would_on_two_thousand_timelines(path: Path) -> None:
    imported = shared_rule(path)
    bench = Bench(imported)
    for rule in imported.rules:
        found = bench.compare(rule, LAW)
        assert (found.timelines, found.examples) == (LAW, ())
