"""A server's backup: one snapshot, whole or none, put back in one transaction; a file's backup moves to a server."""

from __future__ import annotations

import gzip
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import Databases
from triage.domain.instant import HOUR
from triage.errors import SchemaTooNew, StoreBusy, StoreError
from triage.ports import EffectFilter, Stop, Unit
from triage.store.database import SqlStore
from triage.store.postgres import PostgresStore
from triage.store.server_restoring import KEPT, restore_postgres
from triage.store.tables import metadata
from triage.testing import Sandbox


@pytest.fixture
def url(postgres: Databases) -> str:
    """The URL of a new database."""
    return postgres.new()


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    """A store in which a case has fired, with awkward words in it."""
    store = PostgresStore(url, "acme")
    sandbox = Sandbox(store=store)
    sandbox.create("1", Description="tab\t, line\n, back\\slash, \\., quote' and ✓ \\N")
    sandbox.after(HOUR)
    yield store
    store.close()


def nothing(unit: Unit) -> None:
    """Store nothing with a restored backup."""


def take_in(sandbox: Sandbox, identity: str) -> None:
    """Take in a case under an event id that the sandbox before did not use."""
    changes = {"Status": "New", "Priority": "Low"}
    event = sandbox.event("created", identity, event_id=f"new-{identity}", changes=changes)
    assert sandbox.worker.ingest([event], sandbox.clock.now(), source="test", live_from=0).accepted == 1


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, in order."""
    with psycopg.connect(url) as connection:
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in metadata.tables
        }


def test_a_restored_backup_is_the_same_to_the_row_and_works_on(
    store: PostgresStore, url: str, postgres: Databases, tmp_path: Path
) -> None:
    store.backup(tmp_path / "b")
    fresh = postgres.empty()
    assert restore_postgres(fresh, tmp_path / "b", nothing, org="acme") == ""
    assert rows(fresh) == rows(url)
    again = PostgresStore(fresh, "acme")
    sandbox = Sandbox(store=again)
    take_in(sandbox, "2")
    sandbox.after(HOUR)
    with again.read() as unit:
        assert unit.audit.verify() == []
        assert unit.outbox.counts() == {"done": 2}
    assert [fault for fault in again.check() if "fsync" not in fault] == []
    again.close()


def test_a_backup_is_one_snapshot_whatever_is_stored_meanwhile(store: PostgresStore, tmp_path: Path) -> None:
    """Cases come in all the while; each has its timer and its event, or is not there at all."""
    stop, begun = threading.Event(), threading.Event()

    def go_on() -> None:
        sandbox = Sandbox(store=store.for_org("busy"))
        number = 0
        while not stop.is_set():
            number += 1
            sandbox.create(f"m{number}")
            begun.set()

    thread = threading.Thread(target=go_on)
    thread.start()
    assert begun.wait(10)
    try:
        for number in range(3):
            store.backup(tmp_path / f"b{number}")
    finally:
        stop.set()
        thread.join()
    text = gzip.decompress((tmp_path / "b2").read_bytes()).decode()
    parts = text.split("\\.\n")
    lines = {part.split('"')[3]: re.findall(r"^busy\t", part, re.M) for part in parts[:-1]}
    assert len(lines["record"]) > 0
    assert len(lines["record"]) == len(lines["timer"]) == len(lines["event"])


def test_the_file_is_its_owners_and_nothing_is_overwritten(store: PostgresStore, tmp_path: Path) -> None:
    store.backup(tmp_path / "b")
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    with pytest.raises(StoreError, match="exists already"):
        store.backup(tmp_path / "b")
    with pytest.raises(StoreError, match="cannot be written"):
        store.backup(tmp_path / "nowhere" / "b")


def test_a_database_that_holds_something_is_replaced_only_when_told_and_kept(
    store: PostgresStore, url: str, tmp_path: Path
) -> None:
    store.backup(tmp_path / "b")
    before = rows(url)
    with store.write() as unit:
        unit.control.stop(Stop(rule="later", at=1))
    with pytest.raises(StoreError, match="--replace"):
        restore_postgres(url, tmp_path / "b", nothing, org="acme")
    for _ in range(2):
        assert restore_postgres(url, tmp_path / "b", nothing, org="acme", replace=True) == KEPT
        assert rows(url) == before
    with psycopg.connect(url) as connection:
        assert connection.execute(f"SELECT count(*) FROM {KEPT}.record").fetchone() == (1,)
    with store.write() as unit:
        assert unit.control.stops() == {}
        unit.upkeep.prune(["Case/1"])
        assert unit.intake.events("Case/1") == []
    with pytest.raises(psycopg.errors.RestrictViolation), psycopg.connect(url) as connection:
        connection.execute("DELETE FROM audit")


def test_what_is_noted_is_there_for_every_organisation_at_once(
    store: PostgresStore, url: str, postgres: Databases, tmp_path: Path
) -> None:
    Sandbox(store=store.for_org("other"))
    store.backup(tmp_path / "b")
    fresh = postgres.empty()
    restore_postgres(fresh, tmp_path / "b", lambda unit: unit.control.stop(Stop(rule="*", at=1)), org="new")
    restored = PostgresStore(fresh, "acme")
    for org in ("acme", "other", "new"):
        with restored.for_org(org).read() as unit:
            assert list(unit.control.stops()) == ["*"], org
    restored.close()


@pytest.mark.parametrize("spoil", ["cut", "emptied", "other", "missing", "rows", "newer", "kind"])
def test_what_is_no_whole_backup_is_refused_and_nothing_changes(
    store: PostgresStore, url: str, tmp_path: Path, spoil: str
) -> None:
    path = tmp_path / "b"
    store.backup(path)
    before, content = rows(url), path.read_bytes()
    text = gzip.decompress(content)
    spoilt = {
        "cut": content[:-200],
        "emptied": b"",
        "other": b"hello " * 99,
        "rows": gzip.compress(text.replace(b"acme\tCase/1\t", b"", 1).replace(b"\n", b"", 1)),
        "newer": gzip.compress(text.replace(b'"schema":"0', b'"schema":"9', 1)),
        "kind": gzip.compress(text.replace(b"backup 1", b"backup 9", 1)),
    }
    if spoil == "missing":
        path.unlink()
    else:
        path.write_bytes(spoilt[spoil])
    with pytest.raises(SchemaTooNew if spoil == "newer" else StoreError):
        restore_postgres(url, path, nothing, org="acme", replace=True)
    assert rows(url) == before


def test_rows_that_do_not_fit_undo_the_whole_restore(store: PostgresStore, url: str, tmp_path: Path) -> None:
    path = tmp_path / "b"
    store.backup(path)
    before = rows(url)
    spoilt = gzip.decompress(path.read_bytes()).replace(b"\tage-1h\t", b"\t\\N\t", 1)
    path.write_bytes(gzip.compress(spoilt))
    with pytest.raises(StoreError):
        restore_postgres(url, path, nothing, org="acme", replace=True)
    assert rows(url) == before


def test_a_store_that_began_in_a_file_moves_to_a_server(postgres: Databases, tmp_path: Path) -> None:
    sandbox = Sandbox(store=SqlStore(tmp_path / "t.db", "acme"))
    sandbox.create("1", "2", Description="✓ \\. \t")
    sandbox.after(HOUR)
    sandbox.store.backup(tmp_path / "b.db")
    url = postgres.empty()
    restore_postgres(url, tmp_path / "b.db", nothing, org="acme")
    moved = PostgresStore(url, "acme")
    with moved.read() as unit, sandbox.store.read() as old:
        assert unit.audit.verify() == []
        assert unit.audit.lines() == old.audit.lines()
        assert unit.outbox.find(EffectFilter()) == old.outbox.find(EffectFilter())
        assert unit.records.get(["Case/1"]) == old.records.get(["Case/1"])
    take_in(Sandbox(store=moved), "3")
    moved.close()
    sandbox.store.close()


def test_a_restore_waits_for_whoever_works_and_is_refused_where_they_do_not_end(
    store: PostgresStore, url: str, tmp_path: Path
) -> None:
    store.backup(tmp_path / "b")
    with store.write() as unit:
        unit.records.get(["Case/1"], lock=True)
        with pytest.raises(StoreBusy, match="locked"):
            restore_postgres(url, tmp_path / "b", nothing, replace=True, patience=400)
    assert store.check() == [fault for fault in store.check() if "fsync" in fault]
