"""A backup in the place of a store: whole or not at all, and never under somebody's feet."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from triage.errors import SchemaTooNew, StoreBusy, StoreError
from triage.store.database import SqlStore
from triage.store.restoring import KEPT, restore_file
from triage.testing import Sandbox


def made(path: Path, *cases: str) -> None:
    """A store with *cases*, closed."""
    sandbox = Sandbox(store=SqlStore(path, "acme"))
    sandbox.create(*cases)
    sandbox.store.close()


def cases(path: Path) -> int:
    store = SqlStore(path, "acme")
    with store.read() as unit:
        found = unit.records.count()["total"]
    store.close()
    return found


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup with one case, and beside it the store it was taken of, which has two by now."""
    store = SqlStore(tmp_path / "t.db", "acme")
    sandbox = Sandbox(store=store)
    sandbox.create("1")
    store.backup(tmp_path / "backup.db")
    sandbox.create("2")
    store.close()
    return tmp_path / "backup.db"


def test_the_backup_takes_the_place_and_the_old_file_is_kept_whole(backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "t.db"
    assert restore_file(backup, target) == tmp_path / f"t.db{KEPT}"
    assert cases(target) == 1
    assert cases(tmp_path / f"t.db{KEPT}") == 2
    assert cases(backup) == 1


def test_a_store_that_is_gone_is_made_anew(backup: Path, tmp_path: Path) -> None:
    assert restore_file(backup, tmp_path / "deep" / "new.db") is None
    assert cases(tmp_path / "deep" / "new.db") == 1


def test_a_damaged_store_is_replaced_with_its_log(backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "t.db"
    target.write_bytes(b"rubbish" * 5000)
    Path(f"{target}-wal").write_bytes(b"more rubbish")
    restore_file(backup, target)
    assert cases(target) == 1
    assert (tmp_path / f"t.db{KEPT}").read_bytes().startswith(b"rubbish")


def test_it_is_refused_while_a_worker_runs_and_nothing_changes(backup: Path, tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom triage.store.database import SqlStore\n"
        f"store = SqlStore(Path({str(tmp_path / 't.db')!r}), 'acme')\n"
        "with store.hold():\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "held\n"
        with pytest.raises(StoreBusy, match="another worker runs"):
            restore_file(backup, tmp_path / "t.db")
        worker.kill()
    assert cases(tmp_path / "t.db") == 2
    restore_file(backup, tmp_path / "t.db")
    assert cases(tmp_path / "t.db") == 1


def test_it_is_refused_while_any_process_has_the_store_open(backup: Path, tmp_path: Path) -> None:
    """An ingest would go on writing to a file that nobody reads any more."""
    other = sqlite3.connect(tmp_path / "t.db")
    other.execute("SELECT count(*) FROM event").fetchone()
    with pytest.raises(StoreBusy, match="another process has it open"):
        restore_file(backup, tmp_path / "t.db")
    other.close()
    assert cases(tmp_path / "t.db") == 2


@pytest.mark.parametrize("content", [b"", b"hello" * 1000])
def test_what_is_no_store_is_refused(backup: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(StoreError, match="cannot be read as a store"):
        restore_file(tmp_path / "other", tmp_path / "t.db")
    assert cases(tmp_path / "t.db") == 2
    assert not (tmp_path / "t.db.restoring").exists()


def test_a_torn_backup_is_refused(backup: Path, tmp_path: Path) -> None:
    backup.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])
    with pytest.raises(StoreError):
        restore_file(backup, tmp_path / "t.db")
    assert cases(tmp_path / "t.db") == 2


def test_a_backup_of_a_newer_version_is_refused(backup: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(backup)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(SchemaTooNew):
        restore_file(backup, tmp_path / "t.db")
    assert cases(tmp_path / "t.db") == 2


def test_a_missing_backup_and_the_store_itself_are_refused(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no file"):
        restore_file(tmp_path / "nowhere.db", tmp_path / "t.db")
    with pytest.raises(StoreError, match="is the store itself"):
        restore_file(tmp_path / "t.db", tmp_path / "t.db")
