"""One suite over every store's ledger of language models: budgets, calls and answers are the same in each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.postgres import Databases
from triage.domain.instant import DAY
from triage.ports import Limit, LlmCall, Store
from triage.store.database import SqlStore
from triage.store.llm_ledger import SqlLlmLedger
from triage.store.memory import MemoryStore
from triage.store.postgres import PostgresStore

NOW = 20_000 * DAY + 5
LIMITS = (Limit("day", "*", 20_000, 100), Limit("org", "acme", 20_000, 80), Limit("record", "Case/1", 0, 60))


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store, empty."""
    opened: Store
    if request.param == "postgres":
        databases: Databases = request.getfixturevalue("postgres")
        opened = PostgresStore(databases.new(), "acme")
    else:
        opened = MemoryStore("acme") if request.param == "memory" else SqlStore(tmp_path / "triage.db", "acme")
    yield opened
    opened.close()


def call(identity: str, reserved: int = 30, **given: object) -> LlmCall:
    named = {"id": identity, "at": NOW, "record": "Case/1", "provider": "openai", "model": "m", "prompt": "score-1"}
    return LlmCall(**(named | {"reserved": reserved} | given))  # type: ignore[arg-type]


def reserve(store: Store, *calls: LlmCall) -> list[str]:
    with store.write() as unit:
        return [unit.llm.reserve(one, LIMITS) for one in calls]


def spent(store: Store) -> list[int]:
    with store.read() as unit:
        return [unit.llm.spent(limit) for limit in LIMITS]


def test_a_reservation_draws_on_every_budget(store: Store) -> None:
    assert reserve(store, call("a")) == [""]
    assert spent(store) == [30, 30, 30]


def test_a_reservation_that_one_budget_refuses_draws_on_none_and_is_not_kept(store: Store) -> None:
    assert reserve(store, call("a"), call("b"), call("c")) == ["", "", "org"]
    assert spent(store) == [60, 60, 60]
    with store.read() as unit:
        assert {one.id for one in unit.llm.calls()} == {"a", "b"}


def test_a_budget_may_be_used_to_the_last_micro_dollar_and_no_further(store: Store) -> None:
    assert reserve(store, call("a", 60), call("b", 1)) == ["", "record"]


def test_settling_gives_back_what_a_call_did_not_cost(store: Store) -> None:
    reserve(store, call("a"))
    with store.write() as unit:
        unit.llm.settle([call("a", cost=7, input=5, cached=1, output=2, outcome="answered", request="r", millis=9)])
    assert spent(store) == [7, 7, 7]
    with store.read() as unit:
        found = unit.llm.calls()[0]
    assert (found.cost, found.reserved, found.input, found.cached, found.output) == (7, 30, 5, 1, 2)
    assert (found.outcome, found.request, found.millis, found.at, found.record) == ("answered", "r", 9, NOW, "Case/1")


def test_a_cost_that_is_not_known_is_the_reservation(store: Store) -> None:
    reserve(store, call("a"))
    with store.write() as unit:
        unit.llm.settle([call("a", outcome="timeout")])
    assert spent(store) == [30, 30, 30]
    with store.read() as unit:
        assert unit.llm.calls()[0].cost == 30


def test_a_call_is_settled_once_and_never_above_its_reservation(store: Store) -> None:
    reserve(store, call("a"))
    with store.write() as unit:
        unit.llm.settle([call("a", cost=900), call("a", cost=0), call("never", cost=0)])
    assert spent(store) == [30, 30, 30]


def test_a_reservation_under_an_id_that_is_there_draws_nothing(store: Store) -> None:
    assert reserve(store, call("a"), call("a")) == ["", ""]
    assert spent(store) == [30, 30, 30]


def test_what_both_models_said_is_kept_with_the_call(store: Store) -> None:
    reserve(store, call("a"))
    with store.write() as unit:
        unit.llm.settle([call("a", cost=1, compared={"urgency": (0.5, 0.7), "sentiment": (None, "negative")})])
    with store.read() as unit:
        assert unit.llm.calls()[0].compared == {"urgency": (0.5, 0.7), "sentiment": (None, "negative")}


def test_nothing_of_a_transaction_that_fails_is_drawn(store: Store) -> None:
    with pytest.raises(RuntimeError), store.write() as unit:
        unit.llm.reserve(call("a"), LIMITS)
        raise RuntimeError
    assert spent(store) == [0, 0, 0]


def test_the_first_answer_stays_and_goes_with_its_record(store: Store) -> None:
    with store.write() as unit:
        unit.llm.keep("k", "Case/1", NOW, "one")
        unit.llm.keep("k", "Case/1", NOW, "two")
        unit.llm.keep("l", "Case/2", NOW, "three")
        assert unit.llm.answers(["k", "l", "m"]) == {"k": "one", "l": "three"}
        assert unit.llm.forget("Case/1") == 1
        assert unit.llm.answers(["k", "l"]) == {"l": "three"}


def test_calls_come_latest_first_and_no_more_than_asked_for(store: Store) -> None:
    reserve(store, call("a", 1), call("b", 1, at=NOW + 1), call("c", 1, at=NOW - 10))
    with store.read() as unit:
        assert [one.id for one in unit.llm.calls()] == ["b", "a", "c"]
        assert [one.id for one in unit.llm.calls(since=NOW, limit=1)] == ["b"]


def test_calls_add_up_by_day_model_purpose_and_outcome(store: Store) -> None:
    reserve(store, call("a", 10), call("b", 10), call("c", 10, record="Case/2", purpose="shadow"), call("d", 10))
    with store.write() as unit:
        for name in ("a", "b"):
            unit.llm.settle([call(name, cost=3, input=4, output=2, outcome="answered")])
        unit.llm.settle([call("c", cost=1, outcome="answered", record="Case/2", purpose="shadow")])
    with store.read() as unit:
        rows = unit.llm.tally(0)
        assert unit.llm.tally(NOW + 1) == []
    assert [(one.purpose, one.outcome, one.calls, one.cost, one.input, one.records) for one in rows] == [
        ("answer", "", 1, 10, 0, 1), ("answer", "answered", 2, 6, 8, 1), ("shadow", "answered", 1, 1, 0, 1),
    ]  # fmt: skip
    assert {one.day for one in rows} == {20_000}


def test_all_organisations_of_a_database_draw_on_one_daily_budget(postgres: Databases, tmp_path: Path) -> None:
    path, url = tmp_path / "two.db", postgres.new()
    for acme, other in (
        (SqlStore(path, "acme"), SqlStore(path, "other")),
        (PostgresStore(url, "acme"), PostgresStore(url, "other")),
    ):
        theirs = (LIMITS[0], Limit("org", "other", 20_000, 80))
        with acme.write() as unit:
            assert unit.llm.reserve(call("a", 60), LIMITS) == ""
        with other.write() as unit:
            assert unit.llm.reserve(call("b", 60), theirs) == "day"
            assert unit.llm.reserve(call("b", 40), theirs) == ""
            assert unit.llm.spent(theirs[1]) == 40
            assert unit.llm.calls() == [call("b", 40)]
        acme.close()
        other.close()


def test_many_threads_at_once_never_pass_a_budget(store: Store) -> None:
    most = Limit("day", "*", 1, 100)
    taken: list[str] = []

    def work(number: int) -> None:
        for at in range(6):
            with store.write() as unit:
                if not unit.llm.reserve(call(f"{number}-{at}", 7), [most]):
                    taken.append(f"{number}-{at}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 14
    with store.read() as unit:
        assert unit.llm.spent(most) == 98


def test_a_call_keeps_its_instant_and_record_whatever_settles_it(store: Store) -> None:
    reserve(store, call("a"))
    with store.write() as unit:
        unit.llm.settle([replace(call("a", cost=2), at=5, record="Case/9")])
    with store.read() as unit:
        assert (unit.llm.calls()[0].at, unit.llm.calls()[0].record) == (NOW, "Case/1")


def test_what_is_old_is_forgotten_but_for_the_budgets_of_records(store: Store) -> None:
    """Calls, answers and ended days go at the cut; what a record may cost in all its life stays drawn."""
    reserve(store, call("old", 1, at=NOW - DAY), call("new", 1))
    past = Limit("org", "acme", 19_000, 80)
    with store.write() as unit:
        unit.llm.reserve(call("older", 7, at=NOW - 1000 * DAY), (past, Limit("record", "Case/1", 0, 60)))
        unit.llm.keep("k", "Case/1", NOW - DAY, "one")
        unit.llm.keep("l", "Case/1", NOW, "two")
    with store.write() as unit:
        gone = unit.llm.prune(NOW)
    assert gone == {"model calls": 2, "model answers": 1, "model budgets": 1}
    with store.read() as unit:
        assert [one.id for one in unit.llm.calls()] == ["new"]
        assert unit.llm.answers(["k", "l"]) == {"l": "two"}
        assert unit.llm.spent(past) == 0
        assert unit.llm.spent(LIMITS[2]) >= 7


def test_what_does_not_wait_for_the_disk_is_seen_at_once_and_undone_by_an_error(store: Store) -> None:
    """A settlement is stored like anything else, but for a power cut; what follows waits for the disk again."""
    reserve(store, call("a"), call("b"))
    with store.write(lasting=False) as unit:
        unit.llm.settle([call("a", cost=10, outcome="answered")])
    with pytest.raises(RuntimeError), store.write(lasting=False) as unit:
        unit.llm.settle([call("b", cost=10, outcome="answered")])
        raise RuntimeError
    reserve(store, call("c", 5))
    with store.read() as unit:
        assert {one.id: one.outcome for one in unit.llm.calls()} == {"a": "answered", "b": "", "c": ""}


def test_only_what_may_be_lost_is_not_forced_to_disk(tmp_path: Path) -> None:
    """The connection that stored it so forces the next transaction again."""
    with closing(SqlStore(tmp_path / "t.db", "acme")) as store:
        for lasting in (False, True):
            with store.write(lasting=lasting) as unit:
                assert isinstance(unit.llm, SqlLlmLedger)
                forced = unit.llm._connection.exec_driver_sql("PRAGMA synchronous").scalar()
            assert forced == (2 if lasting else 1)
