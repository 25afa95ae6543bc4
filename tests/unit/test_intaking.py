"""The one way in: what is answered is stored, and asking again changes nothing."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from triage.domain.work import Event
from triage.errors import StoreError
from triage.intaking import Door
from triage.ports import Store
from triage.sinks import StoreSink
from triage.store.database import SqlStore
from triage.store.memory import MemoryStore
from triage.testing import START, Sandbox
from triage.wiring import open_worker

AT = "2026-03-02T09:00:00Z"


def created(name: str, **given: Any) -> dict[str, Any]:
    """One event as an API client sends it."""
    changes = {"Status": "New", "Priority": "Low", "OwnerId": "005A"}
    return {"at": AT, "type": "created", "object": "Case", "id": name, "changes": changes} | given


def stored(store: Store) -> int:
    with store.read() as unit:
        return unit.records.count()["total"]


def test_what_is_answered_is_stored(tmp_path: Path) -> None:
    sandbox = Sandbox(store=SqlStore(tmp_path / "t.db", "acme"))
    taken = Door(sandbox.worker).take([created("1"), json.dumps(created("2"))], "api", START)
    assert (taken.read, taken.accepted, taken.repeated, taken.refused) == (2, 2, 0, 0)
    other = SqlStore(tmp_path / "t.db", "acme")
    assert stored(other) == 2
    other.close()
    sandbox.store.close()


def test_the_same_event_of_a_source_counts_once_whatever_it_says_now() -> None:
    sandbox = Sandbox()
    door = Door(sandbox.worker)
    first = door.take([created("1", event_id="e1")], "api", START)
    again = door.take([created("1", event_id="e1"), created("9", event_id="e1")], "api", START)
    assert (first.accepted, again.accepted, again.repeated) == (1, 0, 2)
    assert stored(sandbox.store) == 1


def test_an_event_without_an_id_is_known_by_its_content() -> None:
    door = Door(Sandbox().worker)
    assert door.take([created("1")], "api", START).accepted == 1
    assert door.take([created("1")], "api", START).repeated == 1


def test_refusals_count_from_one_in_every_request_and_none_is_lost() -> None:
    sandbox = Sandbox()
    door = Door(sandbox.worker)
    bad = {"at": AT, "type": "created", "object": "Case"}
    first = door.take([bad, created("1")], "api", START)
    second = door.take([created("2"), bad], "api", START)
    assert [one.line for one in (*first.refusals, *second.refusals)] == [1, 2]
    assert "'id' is missing" in second.refusals[0].reason
    assert len(door.refusals("api")) == 2


def test_an_event_that_cannot_be_of_its_record_is_refused_beside_the_others() -> None:
    door = Door(Sandbox().worker)
    taken = door.take([created("1"), created("1", event_id="e2"), created("2")], "api", START)
    assert (taken.accepted, [one.reason for one in taken.refusals]) == (2, ["created a second time"])


def test_events_that_are_read_already_are_taken_as_they_are() -> None:
    event = Event(at=START, type="created", event_id="e", object="Case", id="1")
    assert Door(Sandbox().worker).take([event], "api", START).accepted == 1


def test_nothing_is_taken_without_a_policy() -> None:
    worker = open_worker(MemoryStore("acme"), StoreSink())
    with pytest.raises(StoreError, match="no policy is in force"):
        Door(worker).take([created("1")], "api", START)
    worker.close()


def test_threads_share_a_door(tmp_path: Path) -> None:
    sandbox = Sandbox(store=SqlStore(tmp_path / "t.db", "acme"))
    door = Door(sandbox.worker)

    def send(part: int) -> None:
        for number in range(10):
            door.take([created(f"{part}-{number}"), {"at": AT}], "api", START)

    threads = [threading.Thread(target=send, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = door.state("api")
    assert state is not None
    assert (state.accepted, state.refused) == (40, 40)
    assert len(door.refusals("api")) == 40
    sandbox.store.close()


def test_lines_of_a_file_keep_their_numbers_and_empty_ones_are_left_out() -> None:
    door = Door(Sandbox().worker)
    lines = [b"", json.dumps(created("1")).encode(), b"  \n", b"oops"]
    taken = door.take_lines(enumerate(lines, start=1), "log", START, label="log/a.jsonl")
    assert (taken.read, taken.accepted) == (2, 1)
    assert [(one.source, one.line) for one in taken.refusals] == [("log/a.jsonl", 4)]
