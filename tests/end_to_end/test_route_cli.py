"""`triage route`, `queue`, `next`, `redistribute` and `people` as somebody types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from triage.cli.main import main
from triage.domain.instant import format_instant
from triage.sample.desk import AT, leads, reps


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(one) for one in arguments])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def tables(folder: Path, seed: int = 7) -> tuple[Path, Path]:
    """Write invented leads and reps; the same ones each time."""
    files = folder / "leads.csv", folder / "agents.csv"
    for file, text in zip(files, (leads(seed), reps(seed)), strict=True):
        file.write_text(text, encoding="utf-8")
    return files


def test_500_leads_and_50_reps_are_planned_with_reasons_and_nobody_is_overfilled(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    waiting, people = tables(tmp_path)
    command = ("route", "--waiting", waiting, "--agents", people, "--policy", "optimal", "--at", format_instant(AT))
    code, out, err = call(capsys, *command)
    assert (code, err) == (0, "")
    assert out.startswith("500 records, 50 people: ")
    assert "note: capacity 0: 1 of 50 take nothing" in out
    assert "note: unlimited capacity: 1 of 50, whose load is judged as if they could hold " in out
    assert "note: nobody has all of platform:5, " in out
    assert "best for all together: " in out
    plan = json.loads(call(capsys, *command, "--json")[1])
    assert len(plan["placed"]) + len(plan["staying"]) == 500
    assert {one["agent"] for one in plan["placed"]}.isdisjoint({"A000", "A002"})
    assert all(one["note"] and "second" in one for one in plan["placed"])
    assert call(capsys, *command, "--json")[1] == call(capsys, *command, "--json")[1]


def test_the_sample_is_written_once_and_says_how_it_goes_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = call(capsys, "route", "--sample", tmp_path / "new")
    assert (code, err) == (0, "")
    assert out.startswith(f"written; now: triage route --waiting {tmp_path}/new/leads.csv --agents ")
    assert (tmp_path / "new" / "leads.csv").read_text(encoding="utf-8") == leads()
    code, _, err = call(capsys, "route", "--sample", tmp_path / "new")
    assert (code, "leads.csv is there already" in err) == (2, True)


def test_what_nobody_has_is_said_and_the_rest_goes_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    waiting, people = tmp_path / "l.csv", tmp_path / "a.csv"
    waiting.write_text("id,skills,team\nL1,welding:4,\nL2,,night\nL3,,\n", encoding="utf-8")
    people.write_text("id,presence,teams\nA1,online,day\n", encoding="utf-8")
    _, out, _ = call(capsys, "route", "--waiting", waiting, "--agents", people)
    assert "note: nobody has team:night: asked by 1" in out
    assert "note: nobody has welding:4: asked by 1" in out
    assert "note: no shift: 1 of 1, judged by their presence alone" in out
    assert "3 records, 1 people: 1 given out, 2 stay" in out
    people.write_text("id\n", encoding="utf-8")
    assert "there is nobody" in call(capsys, "route", "--waiting", waiting, "--agents", people)[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name --waiting FILE and --agents FILE (--sample FOLDER writes both), or --simulate"),
        (("--waiting", "no.csv", "--agents", "no.csv"), "no.csv does not exist"),
        (("--policy", "fastest"), "'fastest' is not one of"),
    ],
)
def test_a_wrong_call_is_refused_with_the_fix(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    code, _, err = call(capsys, "route", *arguments)
    assert (code, told in err) == (2, True)


def test_faults_of_a_table_stop_the_plan_with_their_lines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    waiting, people = tables(tmp_path)
    waiting.write_text("id,value\nL1,abc\n", encoding="utf-8")
    code, out, err = call(capsys, "route", "--waiting", waiting, "--agents", people)
    assert (code, out) == (2, "")
    assert err.strip() == f"{waiting}:2:1: value 'abc' is no number: write 1200 or 1200.50, 0 or more"


def test_a_simulated_day_prints_a_table_assumptions_and_a_drawing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = call(capsys, "route", "--simulate", "--seeds", "1", "--plot", tmp_path / "day.svg")
    assert code == 0
    assert "promises missed" in out
    assert "Assumed:" in out
    assert (tmp_path / "day.svg").read_text(encoding="utf-8").startswith("<svg ")


def test_the_queue_of_a_store_by_hand(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    db = ("--db", f"sqlite:///{tmp_path}/t.db")
    log = tmp_path / "log.jsonl"
    when = "2026-03-02T09:00:00Z"
    case = {"at": when, "type": "created", "object": "Case", "changes": {"Priority": "High", "OwnerId": "pool:tier1"}}
    agent = {"at": when, "type": "agent", "changes": {"presence": "online", "shift": ""}}
    told = [agent | {"id": "005EM01"}, *(case | {"id": f"500{number}"} for number in range(2))]
    log.write_text("".join(json.dumps(line) + "\n" for line in told), encoding="utf-8")
    assert call(capsys, "policy", "publish", "--policy", "configs/example", "--by", "me", *db)[0] == 0
    assert call(capsys, "ingest", log, *db)[0] == 0
    assert "Case/5000" in call(capsys, "queue", "--team", "tier1", *db)[1]
    code, out, err = call(capsys, "next", "--agent", "Mira", *db)
    assert (code, err) == (0, "")
    assert out.startswith("Case/5000 (given to them now): ")
    assert call(capsys, "next", "--agent", "Mira", "--skip", "Case/5000", *db)[0] == 2
    skipped = call(capsys, "next", "--agent", "Mira", "--skip", "Case/5000", "--reason", "not mine", *db)[1]
    assert skipped.startswith("Case/5001")
    code, out, _ = call(capsys, "redistribute", "--from", "team:emea", "--to", "pool:tier1", "--dry-run", *db)
    assert (code, "nothing was changed: --dry-run" in out) == (0, True)
    for arguments, told_of in (
        (("--from", "Mira"), "names nobody"),
        (("--from", "team:moon"), "no team or pool 'moon'"),
        (("--from", "team:emea", "--to", "agent:nobody"), "no people are called 'nobody'"),
    ):
        code, _, err = call(capsys, "redistribute", *arguments, *db)
        assert (code, told_of in err) == (2, True)
    assert call(capsys, "queue", *db)[0] == 2


def test_figures_about_people_are_off_and_need_the_scope(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    line = {"at": "2026-03-02T09:00:00Z", "type": "created", "object": "Case", "changes": {"OwnerId": "005EM01"}}
    log.write_text("".join(json.dumps(line | {"id": f"{n}"}) + "\n" for n in range(25)), encoding="utf-8")
    code, out, _ = call(capsys, "people", "--history", log, "--policy", "configs/example", "--scope", "people")
    assert code == 0
    assert "16 people not shown: figures about people are off (routing: figures)" in out
    assert "005EM01" not in out


def test_a_store_learns_how_peoples_records_came_out_and_shows_none_of_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    db = ("--db", f"sqlite:///{tmp_path}/t.db")
    log = tmp_path / "log.jsonl"
    line = {"object": "Case", "id": "500A", "at": "2026-03-02T09:00:00Z"}
    lines = [
        line | {"type": "created", "changes": {"OwnerId": "005EM01", "Status": "New"}},
        line | {"type": "updated", "at": "2026-03-02T10:00:00Z", "changes": {"Status": "Closed"}},
    ]
    log.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    assert call(capsys, "policy", "publish", "--policy", "configs/example", "--by", "me", *db)[0] == 0
    assert call(capsys, "ingest", log, *db)[0] == 0
    for more in ((), ("--history", str(log))):
        code, out, err = call(capsys, "people", "--learn", *more, *db)
        assert (code, out, err) == (0, "the track records of 1 person were taken in, out of 1 ended record\n", "")
    code, out, _ = call(capsys, "people", *db)
    assert (code, "records given to people" in out, "005EM01" in out) == (0, True, False)
