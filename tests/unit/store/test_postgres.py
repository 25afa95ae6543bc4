"""What only a server can do: many writers at once, news, losses, a schema that is upgraded by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from tests.contract.test_store import action, entry, policy, ready, record
from tests.support.postgres import Databases
from triage.domain.work import Event
from triage.errors import ConfigError, SchemaTooNew, StaleRecord, StoreError, StoreLost
from triage.policy import RuleMode
from triage.ports import Effect, EffectFilter, Limit, LlmCall, Refusal, Stop
from triage.safety import Bucket
from triage.store.postgres import PostgresStore, upgrade_postgres
from triage.store.tables import metadata

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def url(postgres: Databases) -> str:
    """The URL of a new database."""
    return postgres.new()


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    """A store with nothing in it."""
    store = PostgresStore(url, "acme")
    yield store
    store.close()


def sql(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_database_without_the_schema_is_refused_with_the_command_that_helps(postgres: Databases) -> None:
    empty = postgres.empty()
    with pytest.raises(StoreError, match="triage db upgrade"):
        PostgresStore(empty)
    upgrade_postgres(empty)
    upgrade_postgres(empty)
    PostgresStore(empty).close()


def test_one_upgrades_and_the_others_wait_when_several_try_at_once(postgres: Databases) -> None:
    empty = postgres.empty()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade_postgres, [empty] * 4))
    PostgresStore(empty).close()


def test_a_newer_schema_and_somebody_elses_tables_are_refused(postgres: Databases, url: str) -> None:
    sql(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew, match="9999"):
        PostgresStore(url)
    other = postgres.empty()
    sql(other, "CREATE TABLE theirs (id int)")
    with pytest.raises(StoreError, match="theirs"):
        upgrade_postgres(other)


def test_every_table_of_the_schema_is_there(url: str) -> None:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert {row[0] for row in rows} == {*metadata.tables, "alembic_version"}


def test_two_organisations_in_one_database_do_not_see_each_other(store: PostgresStore) -> None:
    other = store.for_org("other")
    with store.write() as unit:
        unit.records.save([(None, record("1"))])
        unit.policies.publish(policy("1"))
    with other.write() as unit:
        assert unit.records.count()["total"] == 0
        assert unit.policies.live_digest() == ""
        unit.policies.publish(policy("2"))
    assert store.orgs() == ["acme", "other"]


@pytest.mark.parametrize("change", ["DELETE FROM audit", "UPDATE audit SET actor = 'x'", "TRUNCATE audit"])
def test_the_audit_refuses_every_change(store: PostgresStore, url: str, change: str) -> None:
    with store.write() as unit:
        unit.audit.append([entry("1")])
    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        sql(url, change)


def test_two_workers_are_given_different_timers_when_both_ask_at_once(store: PostgresStore) -> None:
    with store.write() as unit:
        unit.records.save([(None, record(name, due=5)) for name in "abcd"])
    with store.write() as one, store.write() as two:
        assert [each.key for each in one.records.due(5, 2, lock=True)] == ["Case/a", "Case/b"]
        assert [each.key for each in two.records.due(5, 3, lock=True)] == ["Case/c", "Case/d"]


def test_two_workers_are_given_different_effects_when_both_claim_at_once(store: PostgresStore) -> None:
    with store.write() as unit:
        unit.outbox.plan([ready(name, id=name) for name in "abcd"])
    with store.write() as one, store.write() as two:
        taken = one.outbox.claim(0, owner="w", lease="L", until=9, limit=3, stopped=())
        rest = two.outbox.claim(0, owner="v", lease="M", until=9, limit=3, stopped=())
    assert [len(taken), len(rest)] == [3, 1]
    assert len({effect.action.key for effect in taken + rest}) == 4


def test_the_second_of_two_writers_of_one_record_decides_again(store: PostgresStore) -> None:
    one = record("1")
    with store.write() as unit:
        unit.records.save([(None, one)])
    with pytest.raises(StaleRecord), store.write() as late:
        assert late.records.get([one.key])[one.key] == one
        with store.write() as unit:
            unit.records.save([(one, replace(one, version=2))])
        late.records.save([(one, replace(one, version=2))])


def test_the_second_of_two_who_append_after_the_same_line_decides_again(store: PostgresStore) -> None:
    with pytest.raises(StaleRecord), ThreadPoolExecutor(1) as pool, store.write() as one:
        one.audit.append([entry("1")])
        with store.write() as two:
            waiting = pool.submit(two.audit.append, [entry("1")])
            time.sleep(0.1)
            one.audit.append([entry("2")])
            # Storing the first ends the wait of the second.
            one.audit._connection.commit()  # type: ignore[attr-defined]
            waiting.result(5)
    with store.read() as unit:
        assert unit.audit.verify() == []


def test_locking_crosswise_ends_in_a_second_decision_and_not_in_a_hang(store: PostgresStore) -> None:
    with store.write() as unit:
        unit.records.save([(None, record(name)) for name in "ab"])
    meet = threading.Barrier(2)

    def lock(first: str, second: str) -> str:
        try:
            with store.write() as unit:
                unit.records.get([f"Case/{first}"], lock=True)
                meet.wait(5)
                unit.records.get([f"Case/{second}"], lock=True)
        except StaleRecord:
            return "again"
        return "done"

    with ThreadPoolExecutor(2) as pool:
        ended = pool.map(lock, "ab", "ba")
    assert sorted(ended) == ["again", "done"]


def test_counts_are_exact_when_two_writers_fill_one_cap(store: PostgresStore) -> None:
    bucket = Bucket("rule", "r", "day", 0)

    def count(_: int) -> None:
        with store.write() as unit:
            seen = unit.outbox.usage({bucket}).get(bucket, 0)
            if seen < 5:
                unit.outbox.add_usage({bucket: 1})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(12)))
    with store.read() as unit:
        assert unit.outbox.usage({bucket}) == {bucket: 5}


def test_a_held_effect_is_let_go_once_when_two_find_somebody_for_it(store: PostgresStore) -> None:
    with store.write() as unit:
        unit.outbox.plan([Effect(action=action("a", target=""), state="held")])

    def place(target: str) -> int:
        with store.write() as unit:
            return len(unit.outbox.plan([ready("a", target=target)]))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(place, ["user:1", "user:2", "user:3", "user:4"])) == 1


def test_a_publication_waits_for_who_decides_by_the_policy_before(store: PostgresStore) -> None:
    with store.write() as unit:
        unit.policies.publish(policy("1"))
    with ThreadPoolExecutor(1) as pool:
        with store.write() as deciding:
            assert deciding.policies.live_digest() == "1"
            publishing = pool.submit(publish, store, "2")
            time.sleep(0.2)
            assert not publishing.done()
        publishing.result(5)
    with store.write() as unit:
        assert unit.policies.live_digest() == "2"


def publish(store: PostgresStore, digest: str) -> None:
    with store.write() as unit:
        unit.policies.publish(policy(digest, modes={"r": RuleMode("act", 5)}))


def test_a_second_publication_made_from_the_same_policy_is_refused(store: PostgresStore) -> None:
    with pytest.raises(StaleRecord, match="published"), store.write() as late:
        assert late.policies.live() is None
        publish(store, "1")
        late.policies.publish(policy("2"))


@pytest.mark.parametrize("what", ["stop", "policy", "wake", "effect"])
def test_others_hear_within_a_second_when_something_is_stored(store: PostgresStore, url: str, what: str) -> None:
    other, heard = PostgresStore(url, "acme"), threading.Event()
    with store.write() as unit:
        unit.records.save([(None, record("1", due=10**15))])
    with other.watch(heard.set):
        assert heard.wait(5)
        heard.clear()
        with store.write() as unit:
            if what == "stop":
                unit.control.stop(Stop(rule="*", at=1))
            elif what == "policy":
                unit.policies.publish(policy("1"))
            elif what == "wake":
                unit.records.wake(["Case/1"], 5, "policy")
            else:
                unit.outbox.plan([ready("a")])
        assert heard.wait(1)
    other.close()


def test_nothing_is_heard_of_another_organisation_or_of_what_was_not_stored(store: PostgresStore) -> None:
    heard = threading.Event()
    with store.watch(heard.set):
        assert heard.wait(5)
        heard.clear()
        with store.for_org("other").write() as unit:
            unit.control.stop(Stop(rule="*", at=1))
        with pytest.raises(RuntimeError), store.write() as unit:
            unit.control.stop(Stop(rule="*", at=1))
            raise RuntimeError
        assert not heard.wait(0.5)


def test_a_lost_connection_is_named_and_the_next_transaction_goes_on(store: PostgresStore, url: str) -> None:
    with pytest.raises(StoreLost, match="tried again"), store.write() as unit:
        unit.audit.append([entry("1")])
        sql(url, CUT)
        unit.audit.append([entry("1")])
    with store.write() as unit:
        assert unit.audit.lines() == []


def test_whoever_listens_hears_again_after_a_lost_connection(store: PostgresStore, url: str) -> None:
    heard = threading.Event()
    with store.watch(heard.set):
        assert heard.wait(5)
        heard.clear()
        sql(url, CUT)
        # What was told meanwhile is lost, so everybody looks.
        assert heard.wait(5)


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StoreLost) as caught:
        PostgresStore(f"postgresql://me:secret@/none?host={tmp_path}")
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match="postgresql://user"):
        PostgresStore("postgresql://me:secret@host:port/none")


def test_the_check_names_a_disabled_trigger_and_an_unsafe_setting(store: PostgresStore, url: str) -> None:
    # The tests' own server does not wait for the disk.
    before = store.check()
    sql(url, "ALTER TABLE audit DISABLE TRIGGER audit_no_delete")
    found = [fault for fault in store.check() if fault not in before]
    assert len(found) == 1
    assert "audit_no_delete is disabled" in found[0]
    sql(url, "DROP TRIGGER audit_no_delete ON audit")
    assert any("audit_no_delete is gone" in fault for fault in store.check())


def test_what_one_transaction_of_upkeep_may_do_another_may_not(store: PostgresStore, url: str) -> None:
    """Not even in the same session, after the setting was made for good."""
    with store.write() as unit:
        unit.intake.add("s", [Event(at=1, type="comment", event_id="e", object="Case", id="1")])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT set_config('triage.upkeep', pg_current_xact_id()::text, false)")
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("DELETE FROM event")
    with store.write() as unit:
        assert unit.upkeep.prune(["Case/1"])["events"] == 1


def test_a_refused_line_is_kept_when_it_holds_what_the_server_cannot(store: PostgresStore) -> None:
    with store.write() as unit:
        unit.intake.refuse([Refusal(source="f", line=1, reason="no\0", record="1", text="a\0b\ud800", at=1)])
        assert unit.intake.refusals()[0].text == "a\ufffdb?"


def test_the_numbers_of_one_record_rise_across_transactions(store: PostgresStore) -> None:
    for _ in range(3):
        with store.write() as unit:
            unit.audit.append([entry("1"), entry("2")])
    with store.read() as unit:
        seqs = [line.seq for line in unit.audit.lines()]
    assert seqs == sorted(set(seqs))


def test_a_fault_of_ours_is_not_taken_for_the_servers(store: PostgresStore) -> None:
    with pytest.raises(DBAPIError), store.write() as unit:
        unit.records._connection.exec_driver_sql("SELECT 1/0")  # type: ignore[attr-defined]
    with store.read() as unit:
        assert unit.outbox.find(EffectFilter()) == []


def test_what_a_call_did_not_cost_is_given_back_in_the_order_in_which_budgets_are_drawn(
    store: PostgresStore, url: str
) -> None:
    """However the rows lie: who waits for the first budget holds none of the others, so no draw can wait for it."""
    limits = (Limit("day", "*", 20_000, 900), Limit("org", "acme", 20_000, 900), Limit("record", "Case/1", 0, 900))
    made = {"at": 5, "record": "Case/1", "provider": "p", "model": "m", "prompt": "s", "reserved": 30}

    def reserved(name: str, some: tuple[Limit, ...]) -> LlmCall:
        call = LlmCall(id=name, **made)  # type: ignore[arg-type]
        with store.write() as unit:
            assert unit.llm.reserve(call, some) == ""
        return call

    def settled(call: LlmCall) -> None:
        with store.write() as unit:
            unit.llm.settle([replace(call, cost=1, outcome="answered")])

    call = reserved("a", limits)
    for limit in reversed(limits):
        reserved(limit.scope, (limit,))
    held = "SELECT 1 FROM llm_budget WHERE scope = %s FOR UPDATE NOWAIT"
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
    with psycopg.connect(url) as other, psycopg.connect(url, autocommit=True) as looking:
        other.execute(held, ("day",))
        with ThreadPoolExecutor(1) as pool:
            settling = pool.submit(settled, call)
            for _ in range(1000):
                if looking.execute(waits).fetchone() != (0,):
                    break
                time.sleep(0.01)
            try:
                other.execute(held, ("org",))
                other.execute(held, ("record",))
            finally:
                other.rollback()
            settling.result(30)
    with store.read() as unit:
        assert [unit.llm.spent(limit) for limit in limits] == [31, 31, 31]
