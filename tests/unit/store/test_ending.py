"""A store that is closed leaves no connection behind, whatever its threads are doing at that moment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.support.postgres import Databases
from triage.cli.main import main
from triage.engine import PureEngine
from triage.errors import ConfigError, StoreError, StoreLost
from triage.publishing import publish
from triage.store.database import SqlStore
from triage.store.postgres import PostgresStore
from triage.testing import SMALL_POLICY
from triage.wiring import same_database


@pytest.fixture
def store(postgres: Databases) -> PostgresStore:
    """A store that each test closes in its own way."""
    return PostgresStore(postgres.new(), "acme")


def opened(store: PostgresStore) -> list[Any]:
    """Return a list that will hold every connection that is made from now on, and those that lie ready."""
    made: list[Any] = []
    event.listen(store.engine, "connect", lambda connection, _: made.append(connection))
    event.listen(store.engine, "checkout", lambda connection, *_: made.append(connection))
    return made


def at_once(store: PostgresStore, name: str) -> Callable[[], None]:
    """Close *store* within the pool's next event *name*; returns what makes sure that it came to that."""
    closed: list[bool] = []

    def close(*_: object) -> None:
        if not closed:
            closed.append(True)
            store.close()

    event.listen(store.engine, name, close)
    return lambda: None if closed else pytest.fail(f"no {name} happened")


def test_a_connection_in_use_is_closed_when_it_comes_back(store: PostgresStore) -> None:
    """Closing does not wait for whoever works."""
    made = opened(store)
    with store.read():
        store.close()
        assert not made[0].closed
    assert made[0].closed


@pytest.mark.parametrize("moment", ["checkin", "checkout", "connect"])
def test_a_connection_is_closed_when_the_store_ends_while_it_comes_or_goes(store: PostgresStore, moment: str) -> None:
    """Between a pool's look at its listeners and the return, and while a connection is only being made."""
    made = opened(store)
    with store.read():
        check = at_once(store, moment)
        with contextlib.suppress(StoreError), store.read():
            pass
    check()
    assert all(connection.closed for connection in made)


def test_nobody_gets_a_connection_after_the_end(store: PostgresStore, tmp_path: Path) -> None:
    """Who comes late is told so, on either database; closing twice is no harm."""
    file = SqlStore(tmp_path / "t.db", "acme")
    for one in (store, file):
        one.close()
        one.close()
        with pytest.raises(StoreError, match="closed"), one.read():
            pass


def test_a_connection_that_could_not_be_set_up_is_closed(store: PostgresStore) -> None:
    """A server may end, or a statement be cancelled, after the connection stood."""
    made = opened(store)

    def fail(*_: object) -> None:
        raise StoreLost("gone")

    with store.read():
        event.listen(store.engine, "connect", fail)
        with pytest.raises(StoreLost), store.read():
            pass
    assert made[-1].closed
    store.close()
    assert all(connection.closed for connection in made)


def test_no_connection_is_left_by_threads_that_work_while_the_store_is_closed(postgres: Databases) -> None:
    """Ten closings beside eight threads each, which take and give back as fast as they can; none waits for another."""
    url = postgres.new()
    for _ in range(10):
        store = PostgresStore(url, "acme", connections=8)
        made = opened(store)

        def work(store: PostgresStore = store) -> None:
            with contextlib.suppress(StoreError):
                while True:
                    with store.read():
                        pass

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        while len(made) < 20:
            threading.Event().wait(0.001)
        store.close()
        for thread in threads:
            thread.join()
        assert all(connection.closed for connection in made)


def test_a_drained_fleet_leaves_no_connection_at_the_server(postgres: Databases) -> None:
    """The command ends what it opened: in a longer-lived process nobody else would."""
    url = postgres.new()
    store = PostgresStore(url, "acme")
    publish(store, PureEngine(), SMALL_POLICY, 1, actor="test", virtual=True)
    with pytest.raises(SystemExit) as end:
        main(["run", "--drain", "--org", "acme", "--org", "other", "--no-scores", "--db", url])
    assert end.value.code in (0, None)
    store.close()
    assert postgres.left_open() == []


def test_organisations_of_one_server_share_its_connections(store: PostgresStore, tmp_path: Path) -> None:
    """One more organisation costs no more connections; a file has one only."""
    other = same_database(store, "other")
    assert isinstance(other, PostgresStore)
    assert (other.org, other.engine) == ("other", store.engine)
    assert same_database(store, "acme") is store
    store.close()
    file = SqlStore(tmp_path / "t.db", "acme")
    with pytest.raises(ConfigError, match="holds organisation acme"):
        same_database(file, "other")
    file.close()
