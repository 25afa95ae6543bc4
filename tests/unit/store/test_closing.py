"""A store that is closed leaves no connection behind, not even one that a thread still uses."""

from __future__ import annotations

from sqlalchemy import event

from tests.support.postgres import Databases
from triage.store.postgres import PostgresStore


def test_a_connection_in_use_is_closed_when_it_comes_back(postgres: Databases) -> None:
    """Closing does not wait for whoever works; what they give back afterwards is closed for good."""
    store = PostgresStore(postgres.new(), "acme")
    taken = []
    event.listen(store.engine, "checkout", lambda connection, *_: taken.append(connection))
    with store.read():
        store.close()
        assert not taken[0].closed
    assert taken[0].closed
