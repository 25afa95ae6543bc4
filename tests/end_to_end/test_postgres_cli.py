"""The command line on PostgreSQL: the same commands, and a schema brought up by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.postgres import Databases
from triage.cli.main import main
from triage.testing import SMALL_POLICY

CREATED = (
    '{"at":"2026-01-12T09:00:00Z","type":"created","object":"Case","id":"500A",'
    '"changes":{"Priority":"High","Status":"New","OwnerId":"005A"}}'
)


def ended(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Run one command line in this process and return its exit code and all that it printed."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(str(end.value.code or 0)), printed.out + printed.err


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """The small policy as a folder."""
    for name, text in SMALL_POLICY.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_an_empty_database_is_told_how_to_begin_and_then_works(
    postgres: Databases, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = ("--db", postgres.empty())
    log = tmp_path / "events.jsonl"
    log.write_text(CREATED + "\n")
    code, said = ended(capsys, "policy", "publish", "--policy", policy, *db)
    assert (code, "run `triage db upgrade`" in said) == (2, True)
    assert ended(capsys, "db", "upgrade", *db) == (0, "the schema is up to date\n")
    assert ended(capsys, "policy", "publish", "--policy", policy, *db)[0] == 0
    code, said = ended(capsys, "ingest", log, *db)
    assert code == 0, said
    code, said = ended(capsys, "run", "--drain", *db)
    assert code == 0, said
    assert ended(capsys, "db", "backup", tmp_path / "copy", *db) == (0, f"copied to {tmp_path / 'copy'}\n")
    code, said = ended(capsys, "db", "restore", tmp_path / "copy", *db)
    assert (code, "--replace" in said) == (2, True)
    code, said = ended(capsys, "db", "restore", tmp_path / "copy", "--replace", "--halt", "--by", "me", *db)
    assert (code, "schema triage_before_restore" in said, "triage start" in said) == (0, True, True)
    code, said = ended(capsys, "audit", "--event", "restored", "--json", *db)
    assert (code, '"actor":"me"' in said) == (0, True), said
    code, said = ended(capsys, "doctor", "--policy", policy, *db)
    assert "halted: *" in said
    code, said = ended(capsys, "db", "restore", tmp_path / "copy", "--db", postgres.empty())
    assert code == 0, said
    code, said = ended(capsys, "db", "check", *db)
    # The tests' own server does not wait for the disk, and the check says so.
    assert "every chain verifies" in said or "fsync is off" in said


def test_several_organisations_need_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ended(capsys, "run", "--org", "a", "--org", "b", "--db", tmp_path / "t.db")
    assert (code, "need PostgreSQL" in said) == (2, True)
