"""What only a file can do: fill up, be of a newer schema, be held, be copied, be tampered with."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from triage.domain.decision import AuditEntry
from triage.errors import SchemaTooNew, StoreBusy, StoreError, StoreFull
from triage.store.database import SqlStore
from triage.store.migrate import REVISIONS
from triage.store.tables import metadata
from triage.testing import START, Sandbox
from triage.worker import Worker


def opened(path: Path) -> SqlStore:
    return SqlStore(path / "t.db", "acme")


def write_two_lines(store: SqlStore) -> None:
    with store.write() as unit:
        unit.audit.append(
            [AuditEntry(at=1, org="acme", object="Case", id="1", event=event, body={"x": 1}) for event in ("a", "b")]
        )


def run_sql(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path / "t.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_store_that_nobody_misses_waits_for_no_disk(tmp_path: Path) -> None:
    """The demo's own file need not outlive a power cut."""
    store = SqlStore(tmp_path / "demo.db", durable=False)
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 0
    store.close()


def test_a_new_file_is_wal_synchronous_and_of_the_newest_schema(tmp_path: Path) -> None:
    store = opened(tmp_path / "deep" / "down")
    with store.engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    assert found == ["wal", 2]
    assert version == REVISIONS[-1]
    store.close()


def test_every_primary_key_begins_with_the_organisation() -> None:
    assert {next(iter(table.primary_key)).name for table in metadata.tables.values()} == {"org_id"}


def test_two_organisations_in_one_file_do_not_see_each_other(tmp_path: Path) -> None:
    one, other = opened(tmp_path), SqlStore(tmp_path / "t.db", "other")
    write_two_lines(one)
    with other.read() as unit:
        assert unit.audit.lines() == []
    write_two_lines(other)
    with one.read() as unit:
        assert unit.audit.verify() == []
    one.close()
    other.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    opened(tmp_path).close()
    run_sql(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew, match=r"9999.*upgrade triage"):
        opened(tmp_path)


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    run_sql(tmp_path, "CREATE TABLE customers (id)")
    with pytest.raises(StoreError, match="customers"):
        opened(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.db").write_text("hello " * 1000)
    with pytest.raises(StoreError, match="no intact store"):
        opened(tmp_path)


def test_a_path_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.db").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        opened(tmp_path)


def test_the_file_is_copied_before_a_migration(tmp_path: Path) -> None:
    """An empty version is what an older schema of this package would leave; its copy is a whole store."""
    store = opened(tmp_path)
    write_two_lines(store)
    store.backup(tmp_path / "copy.db")
    store.close()
    copy = SqlStore(tmp_path / "copy.db", "acme")
    with copy.read() as unit:
        assert len(unit.audit.lines()) == 2
        assert unit.audit.verify() == []
    copy.close()


def test_a_backup_does_not_overwrite(tmp_path: Path) -> None:
    store = opened(tmp_path)
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(StoreError, match="exists already"):
        store.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"
    store.close()


def test_a_full_disk_rolls_back_whole_and_the_worker_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """A real SQLITE_FULL: the file may grow to 120 pages, then to as many as it likes."""
    store = SqlStore(tmp_path / "t.db", "acme", max_pages=160)
    sandbox = Sandbox(store=store)
    with pytest.raises(StoreFull, match="free some space"):
        for number in range(1_000):
            sandbox.create(*(f"{number}-{part}" for part in range(20)))
    with store.read() as unit:
        state = unit.intake.source("test")
        assert state is not None
        assert unit.records.count()["total"] == state.accepted > 0
        assert unit.audit.verify() == []
    store.close()
    roomy = SqlStore(tmp_path / "t.db", "acme")
    worker = Worker(roomy, sandbox.sink, sandbox.engine, sandbox.clock)
    assert worker.drain(sandbox.clock.move(3_600_000)) == state.accepted
    worker.close()
    roomy.close()


def test_the_worker_says_that_it_is_unwell_while_the_disk_is_full(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "t.db", "acme", max_pages=400)
    sandbox = Sandbox(store=store)
    sandbox.create(*(str(number) for number in range(100)))
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    tight = SqlStore(tmp_path / "t.db", "acme", max_pages=pages or 1)
    sandbox.clock.move(3_600_000)
    worker = Worker(tight, sandbox.sink, sandbox.engine, sandbox.clock)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    while worker.health.ok and thread.is_alive():
        stop.wait(0.01)
    assert "disk is full" in worker.health.fault
    assert worker.health.since >= START
    with tight._turn, tight.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    tight.engine.dispose()
    make_room(tight)
    while not (worker.health.ok and len(sandbox.effects("done")) == 100) and thread.is_alive():
        stop.wait(0.01)
    stop.set()
    thread.join(10)
    assert len(sandbox.sink.done) == 100
    tight.close()
    store.close()


def make_room(store: SqlStore) -> None:
    """Let new connections of *store* grow the file: what freeing disk space does."""
    from sqlalchemy import event

    @event.listens_for(store.engine, "connect")
    def grow(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 100000")


def test_a_second_worker_process_is_refused_and_a_killed_one_frees_the_store(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom triage.store.database import SqlStore\n"
        f"store = SqlStore(Path({str(tmp_path / 't.db')!r}), 'acme')\n"
        "with store.hold():\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        store = opened(tmp_path)
        with pytest.raises(StoreBusy, match=r"t\.db: another worker runs"), store.hold():
            pass
        write_two_lines(store)
        first.kill()
        first.wait()
        with store.hold():
            pass
    store.close()


def test_a_writer_in_another_process_makes_it_busy_only_after_the_timeout(tmp_path: Path) -> None:
    store = opened(tmp_path)
    other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    with pytest.raises(StoreBusy, match="locked"), store.write():
        pass
    with store.read() as unit:
        assert unit.audit.lines() == []
    other.execute("ROLLBACK")
    other.close()
    store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit",
        "UPDATE audit SET event = 'c'",
        "UPDATE audit SET body = '{}'",
        "UPDATE audit SET body = NULL, actor = 'x'",
    ],
)
def test_the_audit_refuses_every_change_but_the_loss_of_a_body(tmp_path: Path, statement: str) -> None:
    store = opened(tmp_path)
    write_two_lines(store)
    store.close()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        run_sql(tmp_path, statement)


@pytest.mark.parametrize(
    ("tampering", "words"),
    [
        ("UPDATE audit SET event = 'c' WHERE seq = 1", "its hash is not that of its content"),
        ("""UPDATE audit SET body = '{"x":2}' WHERE seq = 1""", "its body is not the one that was written"),
        ("DELETE FROM audit WHERE seq = 1", "does not follow the line before it"),
        ("UPDATE audit SET prev_hash = 'x' WHERE seq = 2", "does not follow the line before it"),
    ],
)
def test_tampering_shows_even_when_the_triggers_are_gone(tmp_path: Path, tampering: str, words: str) -> None:
    store = opened(tmp_path)
    write_two_lines(store)
    run_sql(tmp_path, "DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete", tampering)
    with store.read() as unit:
        faults = unit.audit.verify()
    assert faults
    assert faults[0].what.startswith(words)
    assert faults[0].record == "Case/1"
    store.close()


def test_the_due_query_uses_its_partial_index(tmp_path: Path) -> None:
    """Otherwise a poll would read every timer."""
    store = opened(tmp_path)
    with store.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT due_ms FROM timer WHERE org_id = 'a' AND due_ms IS NOT NULL AND due_ms <= 5 "
            "ORDER BY due_ms, record_id LIMIT 5"
        ).all()
    assert "timer_due" in str(rows)
    assert "TEMP B-TREE" not in str(rows)
    store.close()


def test_an_intact_file_has_nothing_wrong_with_it(tmp_path: Path) -> None:
    store = opened(tmp_path)
    write_two_lines(store)
    assert store.check() == []
    store.close()
