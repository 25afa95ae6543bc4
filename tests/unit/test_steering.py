"""People's hands on the outbox: each audited, each refused with a reason where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from triage.domain.decision import Action
from triage.domain.instant import HOUR, MINUTE
from triage.errors import SinkRefused, StoreError
from triage.publishing import promote
from triage.steering import cancel, rederive, release, release_keys, retry, start, stop, stops, waiting
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY, START, Sandbox

CAPPED = {
    **SMALL_POLICY,
    "people.yaml": SMALL_POLICY["people.yaml"].replace(
        "    rule: {per_5_minutes: 0, per_day: 0}", "    rule: {per_5_minutes: 2, per_day: 0}"
    ),
}


@pytest.fixture(params=["memory", "sqlite"])
def capped(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    """Five cases due, of which a cap holds three."""
    store = SqlStore(tmp_path / "t.db", "acme") if request.param == "sqlite" else None
    sandbox = Sandbox(CAPPED, store=store)
    sandbox.create(*"12345")
    sandbox.after(HOUR)
    yield sandbox
    sandbox.store.close()


def refuse(_: object) -> None:
    raise SinkRefused("no such field")


def dead() -> Sandbox:
    sandbox = Sandbox(answer=refuse)
    sandbox.create("1")
    sandbox.after(HOUR)
    return sandbox


def test_what_exceeds_a_cap_is_held_with_one_alert(capped: Sandbox) -> None:
    assert len(capped.effects("done")) == 2
    assert len(capped.effects("held")) == 3
    assert len(capped.audit("alert")) == 1
    assert capped.after(24 * HOUR) == 0


def test_held_effects_are_listed_by_rule_and_recipient(capped: Sandbox) -> None:
    (row,) = waiting(capped.store, "held")
    assert (row.rule, row.count, row.oldest) == ("age-1h", 3, START + HOUR)
    assert waiting(capped.store, "held", rule="other") == []


def test_a_release_lets_as_many_go_as_it_says(capped: Sandbox) -> None:
    let_go = release(
        capped.store, capped.engine, capped.clock.now(), rule="age-1h", limit=2, state="held", actor="me", reason="ok"
    )
    assert len(let_go.released) == 2
    assert capped.after(1) == 2
    assert {(line.actor, line.body["reason"]) for line in capped.audit("released")} == {("me", "ok")}


def test_a_release_by_key_takes_the_beginning_of_a_key(capped: Sandbox) -> None:
    key = capped.effects("held")[0].action.key
    assert release_keys(capped.store, capped.engine, capped.clock.now(), keys=[key[:16]], actor="me").released == (key,)
    with pytest.raises(StoreError, match="this needs one that is held or backlog"):
        release_keys(capped.store, capped.engine, capped.clock.now(), keys=[key], actor="me")


def test_what_no_longer_holds_is_cancelled_at_release(capped: Sandbox) -> None:
    closed = capped.effects("held")[0].action
    capped.happen("updated", closed.id, changes={"Status": "Closed"})
    let_go = release(capped.store, capped.engine, capped.clock.now(), rule="age-1h", limit=9, state="held", actor="me")
    assert let_go.cancelled == {closed.key: "the record is closed"}
    assert capped.after(1) == 2


def test_a_dead_effect_is_sent_again_when_somebody_says_so() -> None:
    sandbox = dead()
    (effect,) = sandbox.effects("dead")
    now, keys = sandbox.clock.now(), [effect.action.key]
    assert retry(sandbox.store, sandbox.engine, now, keys=keys, actor="me", reason="field added") == 1
    assert [one.attempt for one in sandbox.effects("ready")] == [0]
    assert [line.event for line in sandbox.audit() if line.key][-1] == "retried_by_hand"
    sandbox.after(1)
    assert len(sandbox.sink.calls) == 2


def test_a_retried_reassignment_counts_for_whom_it_is_for_until_it_is_done() -> None:
    refused = ["once"]

    def answer(action: Action) -> None:
        if action.kind == "reassign" and refused:
            raise SinkRefused(refused.pop())

    sandbox = Sandbox(answer=answer)
    sandbox.happen("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    sandbox.agent("005B", presence="online", pools=["seniors"])
    sandbox.create("1", AccountId="001A")
    sandbox.after(2 * HOUR)
    (effect,) = sandbox.effects("dead")
    assert sandbox.load("005B") == 0
    now = sandbox.clock.now()
    retry(sandbox.store, sandbox.engine, now, keys=[effect.action.key], actor="me")
    assert sandbox.load("005B") == 1
    sandbox.after(1)
    assert sandbox.load("005B") == 1


def test_only_dead_effects_are_retried() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.after(HOUR)
    key = sandbox.effects("done")[0].action.key
    with pytest.raises(StoreError, match="is done; this needs one that is dead"):
        retry(sandbox.store, sandbox.engine, START, keys=[key], actor="me")
    with pytest.raises(StoreError, match="no effect has a key"):
        retry(sandbox.store, sandbox.engine, START, keys=["zzz"], actor="me")
    with pytest.raises(StoreError, match="is done; this"):
        retry(sandbox.store, sandbox.engine, START, keys=[""], actor="me")


def test_a_cancelled_effect_is_never_sent() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    key = sandbox.effects("ready")[0].action.key
    assert cancel(sandbox.store, sandbox.engine, sandbox.clock.now(), keys=[key], actor="me", reason="no") == 1
    assert sandbox.after(HOUR) == 0
    assert [(line.actor, line.body["reason"]) for line in sandbox.audit("cancelled")] == [("me", "no")]


def held_for(*agents: str) -> tuple[Sandbox, str]:
    """Return a sandbox of two gold cases, and the key of the reassignment that a cap held for 005B."""
    sandbox = Sandbox(CAPPED | {"people.yaml": CAPPED["people.yaml"].replace("per_5_minutes: 2", "per_5_minutes: 1")})
    sandbox.happen("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    sandbox.agent("005B", presence="online", pools=["seniors"])
    sandbox.create("1", "2", AccountId="001A")
    sandbox.after(2 * HOUR)
    key = next(one.action.key for one in sandbox.effects("held") if one.action.target == "user:005B")
    sandbox.agent("005B", presence="offline")
    for name in agents:
        sandbox.agent(name, presence="online", pools=["seniors"])
    return sandbox, key


def test_a_released_reassignment_goes_to_whoever_can_take_it_now() -> None:
    """The one whom it was planned for has gone home meanwhile."""
    sandbox, key = held_for("005C")
    let_go = release_keys(sandbox.store, sandbox.engine, sandbox.clock.now(), keys=[key], actor="me")
    assert (let_go.released, let_go.waiting) == ((key,), ())
    assert sandbox.load("005C") == 1
    sandbox.after(1)
    assert sandbox.sink.done[key].target == "user:005C"
    assert [line.body["target"] for line in sandbox.audit("released")] == ["user:005C"]
    assert sandbox.load("005C") == 1


def test_a_released_reassignment_that_nobody_can_take_waits_for_somebody() -> None:
    """It is not lost: the next who comes online is given it."""
    sandbox, key = held_for()
    let_go = release_keys(sandbox.store, sandbox.engine, sandbox.clock.now(), keys=[key], actor="me")
    assert (let_go.released, let_go.cancelled, let_go.waiting) == ((), {}, (key,))
    sandbox.after(1)
    assert key not in sandbox.sink.done
    sandbox.after(5 * MINUTE)
    sandbox.agent("005C", presence="online", pools=["seniors"])
    sandbox.after(1)
    assert sandbox.sink.done[key].target == "user:005C"


def one_seat() -> Sandbox:
    """Return a sandbox of two gold cases on their way to 005B, who has room for one: the other waits for somebody."""
    sandbox = Sandbox()
    sandbox.happen("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    sandbox.agent("005B", presence="online", pools=["seniors"], capacity=1)
    sandbox.create("1", "2", AccountId="001A")
    sandbox.worker.fire(sandbox.clock.move(2 * HOUR))
    return sandbox


def test_what_is_cancelled_together_takes_no_place_from_itself() -> None:
    """The place that one leaves is not given to the other, which is cancelled with it."""
    sandbox = one_seat()
    keys = [one.action.key for one in sandbox.effects("ready", "held") if one.action.kind == "reassign"]
    assert (len(keys), sandbox.load("005B")) == (2, 1)
    assert cancel(sandbox.store, sandbox.engine, sandbox.clock.now(), keys=keys, actor="me") == 2
    assert sandbox.load("005B") == 0
    assert not [one for one in sandbox.effects("ready", "held") if one.action.kind == "reassign"]


def test_what_waits_for_somebody_uses_up_no_release() -> None:
    """A person's word is asked for what a cap held, not for what nobody can take."""
    sandbox = one_seat()
    (held,) = sandbox.effects("held")
    rule, now = held.action.rule, sandbox.clock.now()
    let_go = release(sandbox.store, sandbox.engine, now, rule=rule, limit=9, state="held", actor="me")
    assert (let_go.released, let_go.waiting) == ((), ())
    assert [one.state for one in sandbox.effects() if one.action.key == held.action.key] == ["held"]


GREETING = SMALL_POLICY | {
    "fields.yaml": SMALL_POLICY["fields.yaml"].replace("owner: OwnerId", "owner: OwnerId\n      customer: Mail"),
    "people.yaml": SMALL_POLICY["people.yaml"].replace("safety:", "safety:\n  allow_customer_contact: true"),
    "rules.yaml": """
object: Case
match: all_matches
rules:
  - id: greet
    when: [status == New]
    on: [created]
    do:
      - acknowledge: {template: late}
""",
}


def test_a_release_acknowledges_nobody_twice_a_day() -> None:
    sandbox = Sandbox(GREETING)
    sandbox.create("1", "2", "3", Mail="c@example.com")
    assert sandbox.after(1) == 1
    now = sandbox.clock.now()
    done = release(sandbox.store, sandbox.engine, now, rule="greet", limit=1, state="held", actor="me")
    assert list(done.cancelled.values()) == ["the customer has been acknowledged today"]
    now = sandbox.clock.move(24 * HOUR)
    done = release(sandbox.store, sandbox.engine, now, rule="greet", limit=9, state="held", actor="me")
    assert (len(done.released), sandbox.after(1)) == (1, 1)


def test_stops_are_listed_and_taken_back() -> None:
    sandbox = Sandbox()
    stop(sandbox.store, 5, rule="age-1h", actor="me", reason="x")
    assert [(one.rule, one.at, one.actor, one.reason) for one in stops(sandbox.store)] == [("age-1h", 5, "me", "x")]
    assert start(sandbox.store, 6, rule="age-1h", actor="me")
    assert not start(sandbox.store, 7, rule="age-1h", actor="me")
    assert [line.event for line in sandbox.audit()][-2:] == ["stopped", "started"]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_every_kept_decision_is_derived_again_byte_for_byte(kind: str, tmp_path: Path) -> None:
    """Across a restart, another policy, and agents whose loads have moved on since."""
    store = SqlStore(tmp_path / "t.db", "acme") if kind == "sqlite" else None
    sandbox = Sandbox(store=store)
    sandbox.agent("a", presence="online", capacity=3, pools=["seniors"])
    sandbox.happen("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    sandbox.create("1", "2", AccountId="001A", Priority="High")
    for _ in range(5):
        sandbox.after(HOUR)
    sandbox.publish({**SMALL_POLICY, "rules.yaml": SMALL_POLICY["rules.yaml"].replace("age >= 1h", "age >= 7h")})
    sandbox.after(HOUR)
    with sandbox.store.read() as unit:
        kept = [*unit.policies.decisions("Case/1"), *unit.policies.decisions("Case/2")]
    assert len(kept) >= 4
    assert any(one.loads for one in kept)
    again = [rederive(sandbox.store, sandbox.engine, one.id) for one in kept]
    assert all(same for _, same, _ in again)
    assert all('"actions":[{' in text for _, _, text in again)
    sandbox.store.close()


def test_an_unknown_decision_is_refused() -> None:
    sandbox = Sandbox()
    with pytest.raises(StoreError, match="no decision x"):
        rederive(sandbox.store, sandbox.engine, "x")


def test_the_longest_due_go_first_and_one_firing_goes_together() -> None:
    """High cases both move and tell the boss: a release of three takes one whole case, not half of the next."""
    sandbox = Sandbox(virtual=False)
    sandbox.create("1", Priority="High")
    sandbox.clock.move(HOUR)
    sandbox.create("2", Priority="High")
    sandbox.after(4 * HOUR)
    promote(sandbox.store, sandbox.engine, "high-3h", "act", sandbox.clock.now(), actor="me", reason="seen")
    sandbox.after(1)
    assert len(sandbox.effects("backlog")) == 4
    now = sandbox.clock.now()
    done = release(sandbox.store, sandbox.engine, now, rule="high-3h", limit=3, actor="me")
    assert len(done.released) == 2
    assert {one.record for one in sandbox.effects("ready")} == {"Case/1"}
