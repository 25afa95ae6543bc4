"""Salesforce misbehaving: no action is lost, none stands twice in the log, and its own words are kept."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from tests.support.org import ANN, BOB, Place, place
from triage.domain.instant import DAY, HOUR, MINUTE, SECOND
from triage.salesforce.package import LOG, LOG_KEY, LOG_RECORD, LOG_STATUS
from triage.salesforce.sandbox.pubsub import TOO_OLD
from triage.salesforce.writer import LIMIT_PAUSE
from triage.undo import preview, undo


@pytest.fixture
def here() -> Iterator[Place]:
    """An organisation with a worker that reads its change events."""
    with place() as found:
        yield found.open()


def once_each(here: Place) -> None:
    """Check that every action that was done stands in the log, and none twice."""
    keys = [row[LOG_KEY] for row in here.log() if row[LOG_STATUS] == "Done"]
    assert sorted(keys) == sorted(effect.action.key for effect in here.effects("done"))
    assert len(keys) == len(set(keys))


def assigning(here: Place) -> None:
    """Let the organisation have an assignment rule that gives every saved case to Bob."""
    here.org.assignment["Case"] = BOB


def test_an_action_is_one_log_row_and_one_change(here: Place) -> None:
    """Reading by change events, acting by one composite request."""
    case = here.case()
    here.after(HOUR)
    assert here.row(case)["Priority"] == "Medium"
    assert [row[LOG_RECORD] for row in here.log()] == [case]
    once_each(here)


def test_sessions_that_expire_in_the_middle_lose_nothing(here: Place) -> None:
    """The login is renewed once for all threads, and the retried write still forbids assignment rules."""
    assigning(here)
    cases = [here.case() for _ in range(20)]
    here.clock.move(HOUR)
    here.read()
    before = here.client.logins
    here.sandbox.faults.add("expire", "POST .*composite", after=5)
    here.worker.drain(here.clock.now())
    assert here.client.logins == before + 1
    assert {here.row(case)["Priority"] for case in cases} == {"Medium"}
    assert {here.row(case)["OwnerId"] for case in cases} == {ANN}
    once_each(here)


def test_a_session_that_stays_refused_ends_in_a_pause_and_not_in_a_loop(here: Place) -> None:
    """Nothing burns attempts while nobody is let in; once somebody is, all is done."""
    case = here.case()
    here.clock.move(HOUR)
    here.read()
    here.sandbox.faults.add("html", "POST .*composite", times=2)
    here.worker.drain(here.clock.now())
    (effect,) = here.effects("ready")
    assert effect.attempt == 0
    here.after(2 * MINUTE)
    assert here.row(case)["Priority"] == "Medium"
    once_each(here)


def test_a_locked_row_is_tried_again(here: Place) -> None:
    """UNABLE_TO_LOCK_ROW is no answer for good."""
    case = here.case()
    here.org.locked[case] = 2
    here.after(HOUR)
    (effect,) = here.effects("ready")
    assert "UNABLE_TO_LOCK_ROW" in effect.error
    here.after(10 * SECOND, rounds=3)
    assert here.row(case)["Priority"] == "Medium"
    once_each(here)


def test_a_server_that_cannot_work_is_tried_again(here: Place) -> None:
    """503 on a write is not repeated by the transport, which cannot know; the outbox does, by key."""
    case = here.case()
    here.clock.move(HOUR)
    here.read()
    here.sandbox.faults.add("unavailable", "composite", times=2)
    here.after(10 * SECOND, rounds=3)
    assert here.row(case)["Priority"] == "Medium"
    once_each(here)


def test_reads_are_repeated_by_the_transport(here: Place) -> None:
    """503 on a query is gone by the third time."""
    here.sandbox.faults.add("unavailable", "GET .*query", times=2)
    assert here.client.query("SELECT Id FROM User WHERE Name = 'Ann'") == [{"Id": ANN}]


def test_a_limit_pauses_everything_and_burns_no_attempt(here: Place) -> None:
    """REQUEST_LIMIT_EXCEEDED is the whole organisation's."""
    cases = [here.case() for _ in range(5)]
    here.clock.move(HOUR)
    here.read()
    here.sandbox.faults.add("limit", "composite", times=5)
    here.worker.drain(here.clock.now())
    waiting = here.effects("ready")
    assert {effect.attempt for effect in waiting} == {0}
    assert all("REQUEST_LIMIT_EXCEEDED" in effect.error for effect in waiting)
    here.sandbox.faults.clear()
    here.after(LIMIT_PAUSE + SECOND)
    assert {here.row(case)["Priority"] for case in cases} == {"Medium"}
    once_each(here)


def test_the_last_calls_of_the_day_are_left_to_others(here: Place) -> None:
    """At 90 % of the quota nothing is sent; when the day has moved on, it is."""
    case = here.case()
    here.clock.move(HOUR)
    here.read()
    site = here.sandbox.site.resources
    site.used, site.allowed = 95, 100
    here.client.count("SELECT COUNT() FROM User")
    here.worker.drain(here.clock.now())
    assert here.row(case)["Priority"] == "Low"
    assert site.used < 100
    site.used, site.allowed = 0, 100_000
    here.clock.move(LIMIT_PAUSE + MINUTE)
    here.client.count("SELECT COUNT() FROM User")
    here.worker.drain(here.clock.now())
    assert here.row(case)["Priority"] == "Medium"
    once_each(here)


def test_an_answer_that_is_lost_after_the_commit_is_read_back(here: Place) -> None:
    """The second time the key is taken, and that is success."""
    assigning(here)
    case = here.case()
    here.clock.move(HOUR)
    here.read()
    here.sandbox.faults.add("lost_answer", "composite")
    here.worker.drain(here.clock.now())
    assert here.row(case)["Priority"] == "Medium"
    assert here.effects("ready")[0].error.startswith("the line was cut")
    here.after(10 * SECOND, rounds=2)
    assert len(here.log()) == 1
    assert here.row(case)["OwnerId"] == ANN
    once_each(here)


def test_what_was_done_although_its_answer_was_lost_can_be_undone(here: Place) -> None:
    """Its change came back as an event: what the field was before is known all the same."""
    case = here.case()
    begun = here.clock.now()
    here.clock.move(HOUR)
    here.read()
    here.sandbox.faults.add("lost_answer", "composite")
    here.worker.drain(here.clock.now())
    here.after(10 * SECOND, rounds=2)
    (done,) = here.effects("done")
    store, engine, rule = here.worker.store, here.worker.engine, done.action.rule
    (one,) = preview(store, rule, begun, here.clock.now())
    assert (one.field, one.now, one.again, one.kept) == ("priority", "Medium", "Low", "")
    undo(store, engine, rule, begun, here.clock.now(), actor="me", reason="too soon")
    here.after(10 * SECOND, rounds=2)
    assert here.row(case)["Priority"] == "Low"
    assert preview(store, rule, begun, here.clock.now()) == []


def test_a_request_that_never_came_is_sent_again(here: Place) -> None:
    """Nobody can tell it from a lost answer, and nobody has to."""
    case = here.case()
    here.clock.move(HOUR)
    here.read()
    here.sandbox.faults.add("lost_request", "composite")
    here.after(10 * SECOND, rounds=2)
    assert here.row(case)["Priority"] == "Medium"
    once_each(here)


def test_a_validation_rule_that_refuses_the_owner_keeps_its_words_and_the_next_action_goes_on(here: Place) -> None:
    """The escalation does not hang: the owner stays, and the notice goes out."""
    here.org.rules["Case"].append(
        lambda before, after: (
            "Only a manager may give this case away" if before and before["OwnerId"] != after["OwnerId"] else ""
        )
    )
    case = here.case(Priority="High")
    here.after(3 * HOUR)
    (dead,) = here.effects("dead")
    assert dead.error == "FIELD_CUSTOM_VALIDATION_EXCEPTION: Only a manager may give this case away"
    assert here.row(case)["OwnerId"] == ANN
    assert [action.kind for action in here.post.calls] == ["notify"]
    assert [row[LOG_STATUS] for row in here.log() if row[LOG_KEY] == dead.action.key] == ["Refused"]
    once_each(here)


def test_a_record_that_was_deleted_meanwhile_is_a_dead_letter(here: Place) -> None:
    """ENTITY_IS_DELETED is for good."""
    case = here.case()
    here.clock.move(HOUR)
    here.read()
    here.worker.fire(here.clock.now())
    row = here.org.rows["Case"][case]
    row["IsDeleted"] = True
    here.worker.act(here.clock.now())
    (dead,) = here.effects("dead")
    assert "ENTITY_IS_DELETED" in dead.error
    assert here.log() == []


def test_replay_ids_that_are_too_old_are_read_again_by_modstamp(here: Place) -> None:
    """After five days away: nothing is missed, nothing comes twice."""
    case = here.case()
    here.read()
    here.feed.close()
    here.clock.move(MINUTE)
    here.change(case, Priority="High")
    here.clock.move(5 * DAY)
    late = here.case(Status="Working")
    here.again()
    here.read()
    assert here.facts(case).item.fields["priority"] == "High"
    assert here.facts(late).item.fields["status"] == "Working"
    created = [event for event in here.events(case) if event.type == "created"]
    assert len(created) == 1


def test_the_vendor_refusing_a_replay_id_is_survived(here: Place) -> None:
    """The subscription begins anew from now, and what lies between is read."""
    here.read()
    here.feed.close()
    missed = here.case()
    assert here.sandbox.bus is not None
    here.sandbox.bus.refuse.append((grpc.StatusCode.INVALID_ARGUMENT, TOO_OLD))
    here.again()
    here.read()
    assert here.facts(missed).item.fields["status"] == "New"


def test_an_overflow_is_read_again(here: Place) -> None:
    """GAP_OVERFLOW says only that something happened."""
    case = here.case()
    here.read()
    here.org.rows["Case"][case] |= {
        "Priority": "High", "LastModifiedDate": here.clock.now() + SECOND, "SystemModstamp": here.clock.now() + SECOND,
        "LastModifiedById": BOB,
    }  # fmt: skip
    here.clock.move(MINUTE)
    here.org.gap("Case", "GAP_OVERFLOW")
    here.read()
    assert here.facts(case).item.fields["priority"] == "High"


@pytest.mark.parametrize("kind", ["GAP_UPDATE", "GAP_CREATE"])
def test_a_gap_event_is_read_again(here: Place, kind: str) -> None:
    """GAP_* name the record and say no more."""
    case = here.org.seed("Case", Status="Working", Priority="High", OwnerId=ANN)
    here.org.gap("Case", kind, case)
    here.read()
    assert here.facts(case).item.fields["status"] == "Working"


def test_a_gap_of_a_deletion_deletes(here: Place) -> None:
    """The row is read from the recycle bin."""
    case = here.case()
    here.read()
    here.org.rows["Case"][case]["IsDeleted"] = True
    here.org.gap("Case", "GAP_DELETE", case)
    here.read()
    assert here.facts(case).item.deleted


def test_a_stream_that_ends_goes_on_where_it_was(here: Place) -> None:
    """The Pub/Sub API refuses the session: a new one is taken, and no event is lost."""
    here.read()
    assert here.sandbox.bus is not None
    case = here.case()
    here.sandbox.bus.refuse.append((grpc.StatusCode.UNAUTHENTICATED, "sfdc.platform.eventbus.grpc.service.auth.error"))
    here.read()
    here.change(case, Priority="High")
    here.read()
    assert here.facts(case).item.fields["priority"] == "High"
    assert [event.type for event in here.events(case)] == ["created", "updated"]


def test_everything_at_once_is_still_once_each(here: Place) -> None:
    """Forty cases under expiring sessions, locks, 503s, lost answers and limits."""
    cases = [here.case() for _ in range(40)]
    here.org.locked |= dict.fromkeys(cases[:6], 1)
    for number, kind in enumerate(("unavailable", "lost_answer", "expire", "lost_request", "limit", "lost_answer")):
        here.sandbox.faults.add(kind, "POST .*composite", after=3 * number)
    here.after(HOUR)
    here.after(20 * MINUTE, rounds=3)
    assert {here.row(case)["Priority"] for case in cases} == {"Medium"}
    assert len(here.org.rows[LOG]) == 40
    once_each(here)
