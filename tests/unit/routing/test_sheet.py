"""Records and people from tables, and every fault with its line."""

from __future__ import annotations

import pytest

from triage.domain.instant import parse_instant
from triage.domain.work import Agent, Standing, Track
from triage.errors import ConfigError
from triage.routing.sheet import read_agents, read_records
from triage.rules.document import Routing


def faults(text: str, people: bool = False) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_agents("a.csv", text, ["emea"]) if people else read_records("r.csv", text, Routing())
    return [str(fault) for fault in caught.value.faults]


def test_a_record_is_read_with_all_that_it_asks_for() -> None:
    (one,) = read_records(
        "r.csv",
        "\ufeffId,Amount,Urgency,Language,Level,Skills,Product,Segment,Team,Tier,Previous,Weight,Created\n"
        "L1,10000,50%,de,C1,crm:2,Billing,Gold,desk,2,005A;005B,3,2026-01-12T09:00:00Z\n\n",
        Routing(),
    )
    assert (one.key, one.worth, one.weight, one.language, one.skills) == ("L1", 0.75, 3, "de", ("billing",))
    assert one.require == ("skill:crm:2", "language:C1", "team:desk", "tier:2")
    assert one.about == ("Lead", "Lead/product=Billing", "Lead/segment=Gold", "Lead/size=medium")
    assert (one.had, one.since) == (frozenset({"005A", "005B"}), parse_instant("2026-01-12T09:00:00Z"))


def test_a_person_is_read_with_all_that_they_can_do() -> None:
    header = "id,name,presence,capacity,load,skills,languages,regions,teams,shift,max_per_hour,cases,won,value,seen"
    row = "A1,Ann,away,5,2,crm:2;billing,de:C1;en,emea,desk,emea,4,40,10,5000,2026-01-12T09:00:00Z"
    (one,) = read_agents("a.csv", f"{header}\n{row}\n", ["emea"])
    assert one == Agent(
        id="A1", name="Ann", presence="away", capacity=5, load=2, skills={"crm": 2, "billing": 1},
        languages={"de": 5, "en": 6}, regions=("emea",), teams=("desk",), shift="emea", max_per_hour=4,
        track={"Lead": Track(40, 10, 5000.0)}, standing=Standing(seen_at=parse_instant("2026-01-12T09:00:00Z")),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "r.csv:1:1: no column 'id'"), ("name\nx\n", "r.csv:1:1: no column 'id'"),
        ("id,valeu\nL1,1\n", "r.csv:1:1: unknown column 'valeu': did you mean 'value'?"),
        ("id,value\nL1,abc\n", "r.csv:2:1: value 'abc' is no number: write 1200 or 1200.50, 0 or more"),
        ("id,value\nL1,-3\n", "value '-3' is no number"), ("id,value\nL1,nan\n", "value 'nan' is no number"),
        ("id,urgency\nL1,7\n", "urgency '7' is no share: write 0.8 or 80%"),
        ("id\nL1\nL2\nL1\n", "r.csv:4:1: id 'L1' stands twice: first in line 2"),
        ("id,value\n,1\n", "r.csv:2:1: the id is empty"), ("id\nL1,1,2\n", "r.csv:2:1: 3 cells under 1 columns"),
        ("id,language,level\nL1,de,Z9\n", "level: 'Z9' is no level of a language"),
        ("id,weight\nL1,0\n", "weight is 0: write 1 or more"), ("id,skills\nL1,crm:x\n", "skills: 'x' is no level"),
        ("id,created\nL1,2026-01-12T09:00\n", "created: "),
    ],
)  # fmt: skip
def test_a_fault_names_its_line_and_the_fix(text: str, told: str) -> None:
    assert told in "\n".join(faults(text))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("A1,busy,5,emea", "presence 'busy' is none of online, break, away, offline"),
        ("A1,online,-1,emea", "capacity '-1' is no whole number: write 0 or more"),
        ("A1,online,five,emea", "capacity 'five' is no whole number"),
        ("A1,online,5,apac", "shift 'apac' is no calendar"),
    ],
)
def test_a_person_who_cannot_be_read_is_refused_with_the_fix(row: str, told: str) -> None:
    assert told in faults(f"id,presence,capacity,shift\n{row}\n", people=True)[0]


def test_every_fault_is_told_at_once() -> None:
    assert len(faults("id,value\nL1,x\nL2,y\nL2,3\n")) == 3
