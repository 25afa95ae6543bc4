"""The command line as people meet it: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from triage.cli.commands import cli
from triage.cli.main import main
from triage.testing import SMALL_POLICY
from triage.wiring import open_store

CREATED = (
    '{"at":"2026-01-12T09:00:00Z","type":"created","object":"Case","id":"500A",'
    '"changes":{"Priority":"High","Status":"New","OwnerId":"005A"}}'
)
CLOCKED = """
object: Case
rules:
  - id: waits-six-hours
    when:
      - priority == High
      - age >= 6h
    do:
      - reassign: {to: {queue: Tier2}}
"""


class Said(NamedTuple):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command line in this process."""

    def runner(*arguments: object) -> Said:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Said(int(str(end.value.code or 0)), printed.out, printed.err)

    return runner


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small policy folder with one rule on a clock."""
    made = tmp_path / "policy"
    made.mkdir()
    for name, text in (SMALL_POLICY | {"rules.yaml": CLOCKED}).items():
        (made / name).write_text(text)
    return made


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of one good line, one without a zone, one that is not JSON, and the good one once more."""
    path = tmp_path / "events.jsonl"
    path.write_text(f"{CREATED}\n{CREATED.replace('09:00:00Z', '09:00:00').replace('500A', '500B')}\noops\n{CREATED}\n")
    return path


def limited(size: int, *arguments: object) -> Said:
    """Run one command line in a process whose files must not grow beyond *size* bytes, as on a full disk."""
    line = [str(argument) for argument in arguments]
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    code = f"{limit}; from triage.cli.main import main; main({line!r})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return Said(said.returncode, said.stdout, said.stderr)


def published(run: Run, folder: Path, tmp_path: Path) -> tuple[str, Path]:
    """A store with the folder's policy in force."""
    db = tmp_path / "t.db"
    assert run("policy", "publish", "--policy", folder, "--db", db, "--by", "me").code == 0
    return "--db", db


def test_every_command_explains_itself(run: Run) -> None:
    context = click.Context(cli)
    groups = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    names = [[name] for name in groups]
    names += [[name, sub] for name, group in groups.items() for sub in getattr(group, "commands", {})]
    for name in names:
        said = run(*name, "--help")
        assert said.code == 0
        assert "Usage: triage" in said.out


def test_an_unknown_command_is_bad_input(run: Run) -> None:
    said = run("nonsense")
    assert said.code == 2
    assert "No such command" in said.err


def test_a_folder_that_is_missing_is_one_sentence(run: Run, tmp_path: Path) -> None:
    said = run("rules", "check", tmp_path / "nowhere")
    assert (said.code, said.out) == (2, "")
    assert "is not a folder" in said.err
    assert "Traceback" not in said.err


def test_rules_check_names_file_line_and_fix(run: Run, folder: Path) -> None:
    (folder / "rules.yaml").write_text(CLOCKED.replace("priority == High", "priorty == High").replace("6h", "6"))
    said = run("rules", "check", folder)
    assert said.code == 2
    assert f"{folder}/rules.yaml:6:" in said.err
    assert "did you mean 'priority'" in said.err
    assert "2 faults" in said.err


def test_faults_come_as_json_when_asked(run: Run, folder: Path) -> None:
    (folder / "rules.yaml").write_text(CLOCKED.replace("6h", "6"))
    said = run("rules", "check", folder, "--json")
    (fault,) = json.loads(said.err)["faults"]
    assert (said.code, fault["line"]) == (2, 7)


def test_rules_check_is_quiet_about_a_good_folder(run: Run, folder: Path) -> None:
    said = run("rules", "check", folder)
    assert (said.code, said.out) == (0, "1 rule in 3 files: 0 findings\n")


def test_rules_check_names_files_that_are_not_read_for_their_names(run: Run, folder: Path) -> None:
    (folder / "more.yml").write_text("rules: []\n")
    (folder / ".github").mkdir()
    (folder / ".github" / "tests.yml").write_text("on: push\n")
    said = run("rules", "check", folder)
    assert said.code == 1
    assert said.out.startswith("more.yml:1:1: warning: this file is not read: rename it to more.yaml\n")
    assert said.out.endswith("1 rule in 3 files: 1 finding\n")
    (row,) = json.loads(run("rules", "check", folder, "--json").out)
    assert (row["code"], row["at"]["file"]) == ("unread", "more.yml")


def test_a_folder_of_yml_files_only_is_told_to_rename_them(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("rules: []\n")
    said = run("rules", "check", tmp_path)
    assert said.code == 2
    assert "rename rules.yml to end in .yaml" in said.err


def test_the_schema_is_json(run: Run) -> None:
    assert "$schema" in json.loads(run("rules", "schema").out)


def test_deadline_answers_each_line_in_its_place(run: Run, tmp_path: Path) -> None:
    questions = tmp_path / "q.jsonl"
    calendar = '{"tz":"Europe/London","weekly":{"mon":[["08:00","18:00"]]}}'
    questions.write_text(
        f'{{"id":1,"kind":"add","calendar":{calendar},"start":"2026-01-12T09:00:00Z","seconds":3600}}\n'
        f'{{"id":2,"kind":"add","calendar":{calendar},"start":"2026-01-12T09:00:00","seconds":3600}}\n'
        f'{{"id":3,"kind":"is_open","calendar":{calendar},"start":"2026-01-13T09:00:00Z"}}\n'
    )
    said = run("deadline", "--jsonl", questions)
    first, second, third = map(json.loads, said.out.splitlines())
    assert said.code == 2
    assert first == {"id": 1, "result": "2026-01-12T10:00:00Z"}
    assert second["id"] == 2
    assert "zone" in second["error"]
    assert third == {"id": 3, "result": False}


def test_a_calendar_that_is_not_there_lists_those_that_are(run: Run, folder: Path) -> None:
    said = run("calendar", "show", "moon", "--policy", folder)
    assert said.code == 2
    assert "it has none" in said.err


def test_decide_says_what_would_be_done_and_when_next(run: Run, folder: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    record.write_text('{"Id":"500A","CreatedDate":"2026-01-12T09:00:00Z","Priority":"High","Status":"New"}')
    early = run("decide", record, "--policy", folder, "--at", "2026-01-12T10:00:00Z")
    late = run("decide", record, "--policy", folder, "--at", "2026-01-12T15:00:00Z", "--json")
    assert "will hold: waits-six-hours from 2026-01-12T15:00:00Z" in early.out
    (action,) = json.loads(late.out)["actions"]
    assert (action["rule"], action["target"], action["at"]) == (
        "waits-six-hours",
        "queue:Tier2",
        "2026-01-12T15:00:00Z",
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{", "not JSON"),
        ("[1]", "not an object"),
        ('{"Id":"500A"}', "CreatedDate"),
        ('{"Id":"500A","CreatedDate":"2026-01-12T09:00:00"}', "no zone"),
        ('{"CreatedDate":"2026-01-12T09:00:00Z"}', "id"),
        ("7", "neither a record nor"),
    ],
)
def test_decide_refuses_a_record_it_cannot_read(run: Run, folder: Path, tmp_path: Path, text: str, wanted: str) -> None:
    record = tmp_path / "record.json"
    record.write_text(text)
    said = run("decide", record, "--policy", folder, "--at", "2026-01-12T10:00:00Z")
    assert said.code == 2
    assert wanted in said.err
    assert "Traceback" not in said.err


def test_ingest_counts_every_line_and_again_changes_nothing(run: Run, folder: Path, log: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    first = run("ingest", log, *db, "--json")
    again = run("ingest", log, *db, "--json")
    counts = json.loads(first.out)
    assert first.code == 1
    assert counts["read"] == counts["accepted"] + counts["repeated"] + counts["refused"] == 4
    assert (counts["accepted"], counts["repeated"], counts["refused"]) == (1, 1, 2)
    assert json.loads(again.out)["accepted"] == 0


def test_ingest_without_a_policy_says_what_to_do(run: Run, log: Path, tmp_path: Path) -> None:
    said = run("ingest", log, "--db", tmp_path / "empty.db")
    assert said.code == 2
    assert "triage policy publish" in said.err


def test_a_fresh_policy_only_observes_until_it_is_promoted(run: Run, folder: Path, log: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    out = tmp_path / "out.jsonl"
    run("ingest", log, *db)
    run("run", "--drain", "--sink", f"jsonl:{out}", *db)
    (action,) = map(json.loads, run("actions", "list", *db, "--json").out.splitlines())
    assert action["state"] == "would_have"
    assert not out.exists() or out.read_text() == ""
    said = run("rules", "promote", "waits-six-hours", "act", "--by", "me", "--reason", "seen enough", *db)
    assert said.code == 0
    run("run", "--drain", "--sink", f"jsonl:{out}", *db)
    assert not out.exists() or out.read_text() == ""
    assert run("backlog", "list", *db).code == 0


def test_promote_wants_who_and_why(run: Run, folder: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    assert run("rules", "promote", "waits-six-hours", "act", *db).code == 2
    said = run("rules", "promote", "no-such-rule", "act", "--by", "me", "--reason", "x", *db)
    assert said.code == 2
    assert "waits-six-hours" in said.err


def test_explain_tells_staff_the_rule_and_customers_nothing_of_it(
    run: Run, folder: Path, log: Path, tmp_path: Path
) -> None:
    db = published(run, folder, tmp_path)
    run("ingest", log, *db)
    staff = run("explain", "500A", "--at", "2026-01-12T10:00:00Z", *db)
    customer = run("explain", "500A", "--for", "customer", "--at", "2026-01-12T10:00:00Z", *db)
    assert "waits-six-hours" in staff.out
    assert "waits-six-hours" not in customer.out
    assert "005A" not in customer.out
    assert run("explain", "500Z", *db).code == 2


def test_an_override_is_on_the_record_and_in_the_audit(run: Run, folder: Path, log: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    run("ingest", log, *db)
    said = run("override", "500A", "hold", "--by", "boss", "--reason", "customer called", *db)
    assert said.code == 0
    assert "customer called" in run("explain", "500A", *db).out
    assert run("override", "500A", "reroute", "--by", "boss", "--reason", "x", *db).code == 2


def test_stop_and_start_say_what_is_halted(run: Run, folder: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    assert "all effects are halted" in run("stop", "--by", "me", *db).out
    assert run("doctor", "--policy", folder, *db).code == 1
    assert run("start", *db).code == 0
    assert run("start", *db).code == 1


def test_undo_previews_first(run: Run, folder: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    said = run("undo", "--rule", "waits-six-hours", "--since", "2026-01-01T00:00:00Z", *db)
    assert (said.code, said.out) == (0, "waits-six-hours has done nothing since\n")


def test_the_store_is_checked_backed_up_and_doctored(run: Run, folder: Path, log: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    run("ingest", log, *db)
    assert run("db", "upgrade", *db).code == 0
    assert "every chain verifies" in run("db", "check", *db).out
    assert run("audit", "--verify", *db).code == 0
    assert run("db", "backup", tmp_path / "copy.db", *db).code == 0
    assert run("db", "backup", tmp_path / "copy.db", *db).code == 2
    assert "start a worker" in run("doctor", "--policy", folder, *db).out
    run("run", "--drain", *db)
    checks = [json.loads(line) for line in run("doctor", "--policy", folder, *db, "--json").out.splitlines()]
    assert [check["name"] for check in checks if check["mark"] != "ok"] == ["refused lines"]


def test_policy_history_and_rollback(run: Run, folder: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    (folder / "rules.yaml").write_text(CLOCKED.replace("6h", "4h"))
    assert "changed: waits-six-hours" in run("policy", "publish", "--policy", folder, *db).out
    assert "in force already" in run("policy", "publish", "--policy", folder, *db).out
    assert run("rules", "rollback", *db).code == 0
    history = [json.loads(line) for line in run("policy", "history", *db, "--json").out.splitlines()]
    assert sum(one["live"] for one in history) == 1


def test_preview_compares_the_changed_rule_with_the_live_one(run: Run, folder: Path, log: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    closing = '{"at":"2026-01-12T14:00:00Z","type":"updated","object":"Case","id":"500A","changes":{"Status":"Closed"}}'
    log.write_text(f"{CREATED}\n{closing}\n")
    (folder / "rules.yaml").write_text(CLOCKED.replace("6h", "4h"))
    said = run("rules", "preview", "--policy", folder, "--history", log, "--json", *db)
    found = json.loads(said.out)
    assert said.code == 1
    assert found["rules"]["waits-six-hours"] == [1, 0]


def test_replay_prints_one_line_an_action_and_the_account_apart(run: Run, folder: Path, log: Path) -> None:
    said = run("replay", log, "--policy", folder, "--until", "2026-01-12T15:00:00Z", "--json")
    (line,) = map(json.loads, said.out.splitlines())
    account = json.loads(said.err)["summary"]
    assert said.code == 0
    assert (line["rule"], line["at"], line["action"], line["target"]) == (
        "waits-six-hours", "2026-01-12T15:00:00Z", "reassign", "queue:Tier2",
    )  # fmt: skip
    (count,) = account["files"].values()
    assert count["rows"] == count["used"] + count["refused"] == 4


def test_replay_lists_refused_lines_in_a_file(run: Run, folder: Path, log: Path, tmp_path: Path) -> None:
    refused = tmp_path / "refused.jsonl"
    said = run("replay", log, "--policy", folder, "--refused", refused)
    assert "refused" in said.out
    assert {json.loads(line)["line"] for line in refused.read_text().splitlines()} == {2, 3, 4}


def test_init_asks_what_the_export_does_not_say(run: Run, tmp_path: Path) -> None:
    export = tmp_path / "export.csv"
    export.write_text(
        "Case ID;Date/Time Opened;Priority;Status\n5001;31.12.2025 14:05;High;New\n5002;30.12.2025 09:05;Low;Closed\n"
    )
    out = tmp_path / "drafted"
    asked = run("init", "--from", export, "--out", out)
    assert asked.code == 1
    assert "--answer zone=" in asked.err
    assert run("init", "--from", export, "--out", out, "--answer", "zone=Europe/Berlin").code == 2
    assert run("init", "--from", export, "--out", out, "--answer", "zone=Europe/Berlin", "--force").code == 0
    assert run("rules", "check", out).code in (0, 1)


@pytest.mark.parametrize(
    "command",
    [
        ("audit", "--verify"), ("actions", "list"), ("pending",), ("explain", "500A"), ("doctor",), ("db", "check"),
        ("db", "backup", "copy.db"), ("run", "--drain"), ("stop", "--by", "me"), ("backlog", "list"),
        ("policy", "history"), ("undo", "--rule", "x", "--since", "2026-01-01T00:00:00Z"),
    ],
)  # fmt: skip
def test_a_mistyped_store_is_refused_and_nothing_is_made(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    said = run(*command, "--db", tmp_path / "deep" / "typo.db")
    assert (said.code, said.out) == (2, "")
    assert "no store at" in said.err
    assert "triage policy publish" in said.err
    assert not (tmp_path / "deep").exists()


def test_what_nobody_knows_is_refused_before_anything_is_done(
    run: Run, folder: Path, log: Path, tmp_path: Path
) -> None:
    db = published(run, folder, tmp_path)
    run("ingest", log, *db)
    signed = ("--by", "me", "--reason", "x")
    since = ("--since", "2026-01-01T00:00:00Z")
    before = run("audit", *db).out
    for command, wanted in (
        (("stop", "--rule", "waits-six-hour", *signed), "did you mean 'waits-six-hours'"),
        (("override", "500A", "hold", "--rule", "nosuch", *signed), "no rule 'nosuch'"),
        (("override", "500A", "hold", "--until", "2026-01-01T00:00:00Z", *signed), "has passed"),
        (("override", "500A", "reroute", "--to", "queue:Nowhere", *signed), "no queue 'Nowhere'"),
        (("undo", "--rule", "typo", *since), "no rule 'typo'"),
        (("backlog", "release", "nosuch", "--limit", "1"), "no rule 'nosuch'"),
    ):
        said = run(*command, *db)
        assert (said.code, said.out) == (2, "")
        assert wanted in said.err
    assert run("audit", *db).out == before
    assert run("override", "500A", "reroute", "--to", "queue:Nowhere", "--force", *signed, *db).code == 0


def test_explain_at_an_earlier_instant_knows_nothing_of_what_came_later(
    run: Run, folder: Path, log: Path, tmp_path: Path
) -> None:
    db = published(run, folder, tmp_path)
    log.write_text(f"{CREATED}\n{CREATED.replace('created', 'updated').replace('T09', 'T11').replace('High', 'Low')}\n")
    run("ingest", log, *db)
    run("override", "500A", "reroute", "--to", "queue:Tier2", "--by", "me", "--reason", "x", *db)
    then = run("explain", "500A", "--at", "2026-01-12T10:00:00Z", *db)
    now = run("explain", "500A", *db)
    assert "Tier2" in now.out
    assert "no rule has acted" in then.out
    assert "will hold: waits-six-hours from 2026-01-12T15:00:00Z" in then.out
    assert "will hold" not in run("explain", "500A", "--at", "2026-01-12T12:00:00Z", *db).out
    early = run("explain", "500A", "--at", "2026-01-12T08:00:00Z", *db)
    assert (early.code, early.out) == (2, "")
    assert "it came at 2026-01-12T09:00:00Z" in early.err


def test_the_audit_takes_a_bare_id_and_shows_the_latest(run: Run, folder: Path, log: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    run("ingest", log, *db)
    run("run", "--drain", *db)
    for number in range(3):
        run("stop", "--by", f"me{number}", *db)
    bare, whole = (run("audit", "--record", name, "--json", *db) for name in ("500A", "Case/500A"))
    assert bare.out == whole.out != ""
    assert run("audit", "--record", "500Z", *db).code == 2
    latest = [
        json.loads(line)["entry"]["actor"] for line in run("audit", "--limit", "2", "--json", *db).out.splitlines()
    ]
    assert latest == ["me1", "me2"]
    first = run("audit", "--limit", "1", "--after", "0", "--json", *db)
    assert json.loads(first.out)["seq"] == 1
    text = run("audit", "--record", "500A", *db).out
    assert "due: 2026-01-12T15:00:00Z" in text
    assert "{'" not in text
    assert run("actions", "list", "--record", "500A", *db).out == run("actions", "list", *db).out


def test_a_done_undo_says_done_and_a_second_one_that_it_was(run: Run, folder: Path, log: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    run("rules", "promote", "waits-six-hours", "act", "--by", "me", "--reason", "x", *db)
    run("ingest", log, "--live-from", "2026-01-01T00:00:00Z", *db)
    run("run", "--drain", *db)
    run("backlog", "release", "waits-six-hours", "--limit", "9", *db)
    run("run", "--drain", *db)
    line = ("undo", "--rule", "waits-six-hours", "--since", "2026-01-01T00:00:00Z", *db)
    assert "nothing was changed" in run(*line).out
    done = run(*line, "--yes")
    assert "done: 1 change ordered, 0 left alone" in done.out
    assert "would be" not in done.out
    run("run", "--drain", *db)
    assert "it was undone before" in run(*line).out


def test_a_second_run_opens_no_sink(run: Run, folder: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    store = open_store(str(db[1]), "default")
    with store.hold():
        said = run("run", "--sink", f"jsonl:{tmp_path}/second.jsonl", *db)
    store.close()
    assert said.code == 2
    assert "working on" not in said.err
    assert "another worker" in said.err
    assert not (tmp_path / "second.jsonl").exists()


def test_a_sink_that_is_a_folder_is_one_sentence(run: Run, folder: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    said = run("run", "--drain", "--sink", f"jsonl:{tmp_path}", *db)
    assert (said.code, said.out) == (2, "")
    assert "Is a directory" in said.err


def test_a_drain_says_what_did_not_get_through(run: Run, folder: Path, log: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    run("rules", "promote", "waits-six-hours", "act", "--by", "me", "--reason", "x", *db)
    run("ingest", log, "--live-from", "2026-01-01T00:00:00Z", *db)
    run("run", "--drain", *db)
    run("backlog", "release", "waits-six-hours", "--limit", "9", *db)
    out = tmp_path / "out.jsonl"
    out.write_text("a line of somebody else's\n" * (1 << 17))
    said = limited(out.stat().st_size, "run", "--drain", "--sink", f"jsonl:{out}", *db)
    assert said.out == "0 actions done\n"
    assert said.err == f"1 action failing, sent again later: {out}: File too large\n"
    doctor = run("doctor", "--policy", folder, *db)
    assert doctor.code == 1
    assert f"1 being retried: {out}: File too large" in doctor.out


def test_a_disk_that_refuses_says_how_much_was_taken(run: Run, folder: Path, tmp_path: Path) -> None:
    db = published(run, folder, tmp_path)
    log = tmp_path / "many.jsonl"
    log.write_text("".join(CREATED.replace("500A", f"500{number:05}") + "\n" for number in range(3000)))
    said = limited(3 << 20, "ingest", log, *db)
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err
    kept = re.search(r"([\d,]+) lines read and kept before", said.err)
    assert kept is not None
    read = json.loads(run("ingest", log, *db, "--json").out)
    assert read["repeated"] == int(kept[1].replace(",", ""))
    assert read["accepted"] + read["repeated"] == 3000


@pytest.mark.parametrize("after", [0.1, 0.3, 0.7, 1.2])
def test_an_interrupt_is_one_word_however_early_it_comes(after: float) -> None:
    usual = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{usual}; from triage.cli.main import main; print('up', flush=True); main(['ingest', '-'])"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    # -2: it came while Python was already ending, after our last word.
    assert process.returncode in (2, 130, -signal.SIGINT)
    assert process.returncode < 0 or errors.startswith("stopped" if process.returncode == 130 else "no store")


def test_doctor_outside_the_clone_has_no_fault_with_a_folder_that_nobody_named(
    folder: Path, run: Run, tmp_path: Path
) -> None:
    db = published(run, folder, tmp_path)
    code = f"from triage.cli.main import main; main(['doctor', '--json', '--db', {str(db[1])!r}])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert said.returncode == 0
    assert "no folder was named" in said.stdout
    assert run("doctor", "--policy", tmp_path / "nowhere", *db).code == 1
