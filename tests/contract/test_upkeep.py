"""One suite over every store's upkeep: figures, marks, pruning and rewriting are the same in each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from triage.domain.instant import DAY, HOUR
from triage.domain.work import Agent, Event
from triage.ports import Refusal, SourceState, Store
from triage.store.database import SqlStore
from triage.store.memory import MemoryStore
from triage.store.postgres import PostgresStore
from triage.store.upkeep import PRUNED
from triage.testing import SMALL_POLICY, Sandbox


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store, empty."""
    opened: Store
    if request.param == "memory":
        opened = MemoryStore("acme")
    elif request.param == "sqlite":
        opened = SqlStore(tmp_path / "triage.db", "acme")
    else:
        opened = PostgresStore(request.getfixturevalue("postgres").new(), "acme")
    yield opened
    opened.close()


@pytest.fixture
def sandbox(store: Store) -> Sandbox:
    """A worker on the store; every rule acts."""
    return Sandbox(store=store)


def test_a_mark_is_the_latest_one(store: Store) -> None:
    with store.write() as unit:
        unit.upkeep.mark("backup", 5)
        unit.upkeep.mark("backup", 7)
        unit.upkeep.mark("round:a", 6)
    with store.read() as unit:
        assert unit.upkeep.marks() == {"backup": 7, "round:a": 6}
        assert unit.upkeep.marks("round:") == {"round:a": 6}


def test_signs_of_life_of_workers_that_are_gone_are_forgotten_after_a_day(store: Store) -> None:
    with store.write() as unit:
        unit.upkeep.mark("backup", 1)
        unit.upkeep.mark("round:a", 1)
        unit.upkeep.mark("round:b", 2 * DAY)
    with store.read() as unit:
        assert unit.upkeep.marks() == {"backup": 1, "round:b": 2 * DAY}


def test_figures_count_what_is_due_and_what_is_not_done(sandbox: Sandbox) -> None:
    sandbox.create("1", "2", "3")
    now = sandbox.clock.move(2 * HOUR)
    with sandbox.store.write() as unit:
        found = unit.upkeep.figures(now)
        assert (found.due, found.overdue, found.effects["ready"]) == (3, HOUR, 0)
        assert found.rules == ("age-1h", "gold-2h", "high-3h")
        live = unit.policies.live()
        assert live is not None
        assert found.policy == live.digest
    sandbox.worker.fire(now)
    with sandbox.store.read() as unit:
        found = unit.upkeep.figures(now)
    assert (found.due, found.effects) == (0, {"ready": 3, "leased": 0, "dead": 0, "held": 0, "backlog": 0})


def test_figures_of_an_empty_store_are_zero(store: Store) -> None:
    with store.read() as unit:
        found = unit.upkeep.figures(5)
    assert (found.due, found.overdue, found.policy, found.rules, found.last_round) == (0, 0, "", (), 0)


def test_refused_lines_of_a_file_are_not_counted_twice(store: Store) -> None:
    with store.write() as unit:
        unit.intake.save_source(SourceState(name="in", live_from=0, refused=3))
        unit.intake.save_source(SourceState(name="in/a.jsonl#1", live_from=0, refused=3, cursor='{"done":true}'))
    with store.read() as unit:
        assert unit.upkeep.figures(5).refused == 3


def test_a_tally_counts_only_what_came_since(sandbox: Sandbox) -> None:
    sandbox.create("1", "2")
    with sandbox.store.read() as unit:
        start, nothing = unit.upkeep.tally(None)
    assert nothing == {}
    assert sandbox.after(HOUR) == 2
    with sandbox.store.read() as unit:
        last, found = unit.upkeep.tally(start)
        assert found == {("age-1h", "planned"): 2, ("age-1h", "done"): 2}
        assert unit.upkeep.tally(last) == (last, {})
        assert unit.upkeep.tally(start, start) == (last, {})
        assert unit.upkeep.tally(start, last) == (last, found)


def test_refused_since_counts_from_an_instant_on(store: Store) -> None:
    with store.write() as unit:
        unit.intake.refuse([Refusal(source="s", line=at, reason="r", at=at) for at in (1, 5, 9)])
    with store.read() as unit:
        assert unit.upkeep.refused_since(5) == 2


def closed_and_open(sandbox: Sandbox) -> None:
    """Cases 1 and 2 fire and are closed, case 3 stays open; a year passes."""
    sandbox.create("1", "2", "3")
    sandbox.after(HOUR)
    for name in ("1", "2"):
        sandbox.happen("updated", name, changes={"Status": "Closed"})
    sandbox.clock.move(365 * DAY)


def test_only_closed_records_without_news_are_listed_in_pages(sandbox: Sandbox) -> None:
    closed_and_open(sandbox)
    now = sandbox.clock.now()
    sandbox.happen("comment", "2")
    with sandbox.store.read() as unit:
        assert unit.upkeep.closed_before(now - DAY, after="", limit=9) == ["Case/1"]
        assert unit.upkeep.closed_before(now + DAY, after="", limit=9) == ["Case/1", "Case/2"]
        assert unit.upkeep.closed_before(now + DAY, after="", limit=1) == ["Case/1"]
        assert unit.upkeep.closed_before(now + DAY, after="Case/1", limit=9) == ["Case/2"]
        assert unit.upkeep.closed_before(0, after="", limit=9) == []


def test_pruned_records_lose_their_history_and_nothing_else(sandbox: Sandbox) -> None:
    closed_and_open(sandbox)
    with sandbox.store.write() as unit:
        before = unit.records.get(["Case/1", "Case/2"])
        gone = unit.upkeep.prune(["Case/1", "Case/2"])
        assert gone["events"] == 6
        assert gone["decisions"] == gone["effects"] == 2
        assert unit.records.get(["Case/1", "Case/2"]) == before
        assert unit.intake.events("Case/1") == []
        assert len(unit.intake.events("Case/3")) == 2
        assert unit.policies.decisions("Case/1") == []
        assert len(unit.policies.decisions("Case/3")) == 1
        assert unit.upkeep.closed_before(1 << 50, after="", limit=9) == []
        assert unit.audit.verify() == []


def test_policies_that_a_decision_names_are_kept(sandbox: Sandbox) -> None:
    closed_and_open(sandbox)
    texts = SMALL_POLICY
    for hours in range(2, 16):
        texts = {**SMALL_POLICY, "rules.yaml": SMALL_POLICY["rules.yaml"].replace("age >= 1h", f"age >= {hours}h")}
        sandbox.publish(texts)
    now = sandbox.clock.now() + 1
    with sandbox.store.write() as unit:
        first = unit.policies.history()[-1].digest
        gone = unit.upkeep.prune_old(now, now)
        left = [one.digest for one in unit.policies.history()]
        assert len(left) + gone["policies"] == 15
        assert 10 <= len(left) <= 12
        assert first in left
        assert all(unit.policies.roster(one.agents) is not None for one in unit.policies.decisions("Case/3"))
        unit.upkeep.prune(["Case/1", "Case/2", "Case/3"])
        assert unit.upkeep.prune_old(now, now)["rosters"] == 0, "the agents as they are may be named any moment"
        unit.related.save_agents([Agent(id="005N")])
        assert unit.upkeep.prune_old(now, now)["rosters"] == 1
        assert first not in [one.digest for one in unit.policies.history()]


def test_events_from_before_the_horizon_are_forgotten_only_of_closed_records(sandbox: Sandbox) -> None:
    closed_and_open(sandbox)
    old = [Event(at=5, type="comment", event_id=name, object="Case", id=name) for name in "123"]
    new = Event(at=500, type="comment", event_id="new", object="Case", id="1")
    keys = ["Case/1", "Case/2", "Case/3"]
    with sandbox.store.write() as unit:
        assert unit.upkeep.forgotten(keys, [*old, new]) == set()
        unit.upkeep.mark(PRUNED, 100)
        assert unit.upkeep.forgotten(keys, [*old, new]) == {"1", "2"}


def test_records_are_found_by_a_value_as_a_whole_and_by_reference(sandbox: Sandbox) -> None:
    sandbox.create("1", AccountId="001A")
    sandbox.create("2", AccountId="001AB", ContactId="003X")
    sandbox.happen("message", "2", direction="in", body="hello", sender="anna@example.com")
    with sandbox.store.read() as unit:
        assert unit.upkeep.concerning("001A") == ["Case/1"]
        assert unit.upkeep.concerning("003X") == ["Case/2"]
        assert unit.upkeep.concerning("anna@example.com") == ["Case/2"]
        assert unit.upkeep.concerning("anna") == []


def test_an_address_is_found_in_any_letters_and_an_id_only_to_the_letter(sandbox: Sandbox) -> None:
    """Salesforce's ids of 15 letters differ in nothing but the case of one; wildcards of LIKE are letters too."""
    sandbox.create("1", AccountId="001AbC%_")
    sandbox.create("2", AccountId="001aBC%_")
    sandbox.create("3", AccountId="001AbCxx")
    sandbox.happen("message", "3", direction="in", body="hello", sender="Anna@Example.com")
    with sandbox.store.write() as unit:
        assert unit.upkeep.concerning("001AbC%_") == ["Case/1"]
        assert unit.upkeep.concerning("anna@example.COM") == ["Case/3"]
        unit.intake.refuse([Refusal(source="s", line=n, reason="r", text=f"x{n} A@B.com 5Ab") for n in (1, 2)])
        assert unit.upkeep.forget_refusals(["5aB"]) == 0
        assert unit.upkeep.forget_refusals(["x2 a@b.com"]) == 1


def test_events_effects_facts_refusals_and_related_are_rewritten(sandbox: Sandbox) -> None:
    sandbox.create("1")
    sandbox.after(HOUR)
    with sandbox.store.write() as unit:
        assert unit.upkeep.rewrite_events("Case/1", lambda event: replace(event, body="x")) == 2
        assert {event.body for event in unit.intake.events("Case/1")} == {"x"}
        assert unit.upkeep.rewrite_effects("Case/1", lambda one: replace(one, error="gone", before={})) == 1
        assert unit.upkeep.forget_facts("Case/1") == 1
        assert [one.facts for one in unit.policies.decisions("Case/1")] == [""]
        refused = [Refusal(source="s", line=1, reason="r", record="1"), Refusal(source="s", line=2, reason="r")]
        unit.intake.refuse([*refused, Refusal(source="s", line=3, reason="r", text='{"id":"1x"}')])
        assert unit.upkeep.forget_refusals(["1"]) == 2
        unit.related.merge(("Account", "9"), {"Name": "Anna"}, 0)
        assert unit.upkeep.rewrite_related("9", lambda _, values: dict.fromkeys(values, "x")) == ["Account/9"]
        assert unit.related.get([("Account", "9")]) == {("Account", "9"): {"Name": "x"}}
    (effect,) = sandbox.effects()
    assert (effect.error, effect.before, effect.state) == ("gone", {}, "done")


def test_the_oldest_event_is_the_first_one_kept(sandbox: Sandbox) -> None:
    with sandbox.store.read() as unit:
        assert unit.upkeep.oldest_event() is None
    start = sandbox.clock.now()
    sandbox.create("1")
    sandbox.clock.move(DAY)
    sandbox.create("2")
    with sandbox.store.write() as unit:
        assert unit.upkeep.oldest_event() == start
