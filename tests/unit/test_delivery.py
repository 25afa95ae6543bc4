"""Carrying out: retries, dead letters, pauses, cancellations, lost leases, and one audit line for each end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from triage.delivery import LETTERS
from triage.domain.decision import Action
from triage.domain.instant import HOUR, MINUTE, SECOND
from triage.engine import PureEngine
from triage.errors import CalendarError, SinkBusy, SinkLimit, SinkRefused
from triage.sending import Pace, Parcel, Sender
from triage.steering import cancel, start, stop
from triage.testing import SMALL_POLICY, START, ManualClock, MemoryStore, RecordingSink, Sandbox
from triage.worker import Worker


def failing(*faults: Exception | None) -> Callable[[Action], None]:
    """Return an answer that raises each of *faults* in turn, then none."""
    left = list(faults)

    def answer(_: Action) -> None:
        fault = left.pop(0) if left else None
        if fault is not None:
            raise fault

    return answer


def due(*faults: Exception | None, pace: Pace | None = None) -> Sandbox:
    """Return a sandbox with one effect due, whose sink fails so."""
    sandbox = Sandbox(answer=failing(*faults), pace=pace)
    sandbox.create("1")
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    return sandbox


def test_a_done_effect_is_audited_once() -> None:
    sandbox = due()
    assert sandbox.worker.act(sandbox.clock.now()).done == 1
    assert sandbox.worker.act(sandbox.clock.now()).claimed == 0
    (line,) = sandbox.audit("done")
    assert (line.rule, line.body) == ("age-1h", {"attempt": 1, "sink": "recording"})


def test_a_busy_other_side_is_tried_again_later() -> None:
    sandbox = due(SinkBusy("429"), SinkBusy("503"))
    first = sandbox.worker.act(sandbox.clock.now())
    (waiting,) = sandbox.effects("ready")
    assert (first.retried, waiting.attempt, waiting.error) == (1, 1, "429")
    assert 0 < waiting.run_at - sandbox.clock.now() <= 2 * SECOND
    assert sandbox.worker.act(waiting.run_at - 1).claimed == 0
    sandbox.after(MINUTE)
    sandbox.after(MINUTE)
    assert [entry.body["attempt"] for entry in sandbox.audit("retry") + sandbox.audit("done")] == [1, 2, 3]


def test_waits_grow_and_differ_between_effects() -> None:
    sandbox = Sandbox(answer=failing(*[SinkBusy("x")] * 500), pace=Pace(attempts=100))
    sandbox.create(*(str(number) for number in range(50)))
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    sandbox.worker.act(sandbox.clock.now())
    first = [one.run_at - sandbox.clock.now() for one in sandbox.effects("ready")]
    assert len(set(first)) > 40
    assert max(first) <= 2 * SECOND
    for _ in range(3):
        sandbox.worker.act(sandbox.clock.move(HOUR))
    assert max(one.run_at - sandbox.clock.now() for one in sandbox.effects("ready")) > 2 * SECOND


def test_an_effect_is_dead_after_its_last_attempt() -> None:
    sandbox = due(*[SinkBusy("timeout")] * 9, pace=Pace(attempts=3))
    for _ in range(5):
        sandbox.after(HOUR)
    (dead,) = sandbox.effects("dead")
    assert (dead.attempt, dead.error) == (3, "timeout")
    assert len(sandbox.sink.calls) == 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [(SinkRefused("INVALID_FIELD: no such user"), "INVALID_FIELD: no such user"), (KeyError("x"), "KeyError: 'x'")],
)
def test_an_effect_is_dead_at_once_when_it_never_will_work(fault: Exception, words: str) -> None:
    sandbox = due(fault)
    assert sandbox.worker.act(sandbox.clock.now()).dead == 1
    (dead,) = sandbox.effects("dead")
    assert dead.error == words
    assert [entry.body["error"] for entry in sandbox.audit("dead")] == [words]


def test_a_limit_pauses_everything_and_burns_no_attempt() -> None:
    sandbox = Sandbox(answer=failing(SinkLimit("REQUEST_LIMIT_EXCEEDED", HOUR)), pace=Pace(threads=1))
    sandbox.create("1", "2")
    now = sandbox.clock.move(HOUR)
    sandbox.worker.fire(now)
    sandbox.worker.act(now, 1)
    assert sandbox.worker.act(now + HOUR - 1).claimed == 0
    assert [one.attempt for one in sandbox.effects("ready")] == [0, 0]
    sandbox.after(HOUR)
    assert len(sandbox.effects("done")) == 2


def test_an_effect_is_cancelled_before_sending_when_the_record_has_closed() -> None:
    sandbox = due()
    sandbox.happen("updated", "1", changes={"Status": "Closed"})
    outcome = sandbox.worker.act(sandbox.clock.now())
    assert (outcome.cancelled, outcome.done, sandbox.sink.calls) == (1, 0, [])
    assert [entry.body for entry in sandbox.audit("cancelled")] == [{"why": "the record is closed"}]


def test_a_retry_is_cancelled_when_an_override_has_come() -> None:
    sandbox = due(SinkBusy("503"))
    sandbox.worker.act(sandbox.clock.now())
    sandbox.happen("override", "1", action="hold", rules=("*",), reason="mine", actor="005M")
    sandbox.after(HOUR)
    assert [one.state for one in sandbox.effects(rule="age-1h")] == ["cancelled"]
    assert len(sandbox.sink.calls) == 1


def test_a_worker_that_comes_back_after_its_lease_writes_nothing() -> None:
    """While it was sending, another took the effect over and finished it."""
    sandbox = Sandbox()

    def overtaken(_: Action) -> None:
        if len(sandbox.sink.calls) == 1:
            other = sandbox.worker_of("other")
            assert other.act(sandbox.clock.now() + HOUR).done == 1

    sandbox = Sandbox(answer=overtaken)
    sandbox.create("1")
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    outcome = sandbox.worker.act(sandbox.clock.now())
    assert (outcome.done, outcome.lost) == (0, 1)
    assert len(sandbox.audit("done")) == 1
    assert sandbox.facts("1").item.fields["priority"] == "Medium"


def test_an_answer_that_was_lost_is_done_once_when_the_key_is_known() -> None:
    """The first worker died after sending: the second hears `already`."""
    sandbox = due()
    (effect,) = sandbox.effects("ready")
    sandbox.sink.send(effect.action)
    sandbox.worker.act(sandbox.clock.now())
    assert [entry.body["already"] for entry in sandbox.audit("done")] == [True]
    assert len(sandbox.sink.done) == 1


def test_what_was_claimed_goes_back_untouched_when_a_stop_comes_meanwhile() -> None:
    sandbox = Sandbox(pace=Pace(threads=1))

    def halt(_: Action) -> None:
        sandbox.clock.move(SECOND)
        stop(sandbox.store, sandbox.clock.now(), actor="me")

    sandbox = Sandbox(answer=halt, pace=Pace(threads=1))
    sandbox.create(*"123")
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    outcome = sandbox.worker.act(sandbox.clock.now())
    assert (outcome.done, outcome.returned) == (1, 2)
    assert [one.attempt for one in sandbox.effects("ready")] == [0, 0]


def test_what_waits_too_long_for_a_thread_goes_back_before_its_lease_ends() -> None:
    sandbox = Sandbox(pace=Pace(threads=1, lease=10 * SECOND))
    sandbox = Sandbox(answer=lambda _: _slow(sandbox), pace=Pace(threads=1, lease=10 * SECOND))
    sandbox.create(*"12345")
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    outcome = sandbox.worker.act(sandbox.clock.now())
    assert (outcome.done, outcome.returned) == (2, 3)


def _slow(sandbox: Sandbox) -> None:
    sandbox.clock.move(3 * SECOND)


def test_owner_changes_of_one_record_arrive_in_order() -> None:
    sandbox = Sandbox()
    sandbox.create("1", Priority="High")
    sandbox.after(3 * HOUR)
    sandbox.after(0)
    kinds = [call.kind for call in sandbox.sink.calls if call.kind in ("reassign", "move")]
    assert kinds == ["reassign"]


def test_an_effect_on_a_record_that_is_gone_is_done_and_says_so() -> None:
    sandbox = due()
    sandbox.happen("deleted", "1")
    outcome = sandbox.worker.act(sandbox.clock.now())
    assert outcome.cancelled == 1


def test_an_effect_that_cannot_be_checked_is_dead_with_the_reason() -> None:
    """Otherwise it would come back for ever, and everything behind it would wait."""

    class Puzzled(PureEngine):
        def still_holds(self, facts, policy, action, now):  # type: ignore[no-untyped-def]
            raise CalendarError("beyond the years this calendar covers")

    sandbox = due()
    worker = Worker(sandbox.store, sandbox.sink, Puzzled(), sandbox.clock)
    worker.act(sandbox.clock.now())
    (dead,) = sandbox.effects("dead")
    assert dead.error == "cannot be checked: beyond the years this calendar covers"
    assert sandbox.sink.calls == []


def test_a_round_is_blocked_when_all_that_is_due_is_halted() -> None:
    sandbox = due()
    stop(sandbox.store, sandbox.clock.now(), rule="age-1h", actor="me")
    assert sandbox.worker.act(sandbox.clock.now()).blocked
    assert not sandbox.worker.act(sandbox.clock.now() - 1).blocked


REPORTS = {
    **SMALL_POLICY,
    "rules.yaml": """
object: Case
match: all_matches
rules:
  - id: first
    when: [age >= 1h]
    do:
      - notify: {who: "address:boss@example.com", template: late}
  - id: second
    when: [age >= 1h]
    do:
      - notify: {who: "address:boss@example.com", template: late}
""",
}


def gathered(*identities: str) -> Sandbox:
    """Return a sandbox in which two notices of each case stand in one digest, which is due."""
    sandbox = Sandbox(REPORTS)
    sandbox.create(*identities)
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    return sandbox


def told(sandbox: Sandbox) -> list[list[tuple[str, str]]]:
    return [[(line["id"], line["rule"]) for line in one.params.get("digest", ())] for one in sandbox.sink.calls]


def test_a_digest_goes_without_the_lines_that_ceased() -> None:
    sandbox = gathered("1", "2", "3")
    (carrier,) = sandbox.effects("ready")
    gone = carrier.action.id
    sandbox.happen("updated", gone, changes={"Status": "Closed"})
    assert sandbox.worker.drain(sandbox.clock.now()) == 1
    left = [(name, rule) for name in "123" if name != gone for rule in ("first", "second")]
    assert told(sandbox) == [left]
    assert [(line.id, line.body["why"]) for line in sandbox.audit("cancelled")] == [(gone, "the record is closed")]


def test_a_digest_of_which_nothing_holds_is_cancelled() -> None:
    sandbox = gathered("1", "2", "3")
    for name in "123":
        sandbox.happen("updated", name, changes={"Status": "Closed"})
    assert sandbox.worker.drain(sandbox.clock.now()) == 0
    assert {one.state for one in sandbox.effects()} == {"cancelled"}


def test_lines_of_a_halted_rule_leave_the_digest_and_go_when_it_starts_again() -> None:
    sandbox = gathered("1", "2", "3")
    (carrier,) = sandbox.effects("ready")
    other = "second" if carrier.action.rule == "first" else "first"
    stop(sandbox.store, sandbox.clock.now(), rule=other, actor="me")
    assert sandbox.worker.drain(sandbox.clock.now()) == 1
    assert {rule for _, rule in told(sandbox)[0]} == {carrier.action.rule}
    assert {one.action.rule for one in sandbox.effects("ready")} == {other}
    start(sandbox.store, sandbox.clock.now(), rule=other, actor="me")
    assert sandbox.worker.drain(sandbox.clock.now()) == 3


def test_a_digest_that_is_sent_again_tells_nothing_that_went_alone() -> None:
    sandbox = Sandbox(REPORTS, answer=failing(SinkBusy("429")))
    sandbox.create("1", "2", "3")
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    (carrier,) = sandbox.effects("ready")
    other = "second" if carrier.action.rule == "first" else "first"
    stop(sandbox.store, sandbox.clock.now(), rule=other, actor="me")
    sandbox.worker.drain(sandbox.clock.now())
    start(sandbox.store, sandbox.clock.now(), rule=other, actor="me")
    sandbox.after(MINUTE)
    sent = [line for lines in told(sandbox)[1:] for line in lines if line[1] == other]
    assert sent == []
    assert len(sandbox.sink.done) == 4


@pytest.mark.parametrize("count", [1, 2])
def test_a_digest_goes_on_without_the_message_that_somebody_cancelled(count: int) -> None:
    """One after the other is cancelled; each time the next one carries the rest."""
    sandbox = gathered("1", "2", "3")
    gone = []
    for _ in range(count):
        (carrier,) = sandbox.effects("ready")
        gone.append((carrier.action.id, carrier.action.rule))
        cancel(sandbox.store, sandbox.engine, sandbox.clock.now(), keys=[carrier.action.key], actor="me")
    assert sandbox.worker.drain(sandbox.clock.now()) == 1
    left = [(name, rule) for name in "123" for rule in ("first", "second") if (name, rule) not in gone]
    assert [sorted(lines) for lines in told(sandbox)] == [sorted(left)]
    assert len(sandbox.effects("cancelled")) == count
    assert "carries the digest" in sandbox.audit("planned")[-1].body["why"]


def test_the_last_message_of_a_digest_goes_alone() -> None:
    """Where nothing is left to gather, it is a message like any other."""
    sandbox = gathered("1", "2", "3")
    for _ in range(5):
        (carrier,) = sandbox.effects("ready")
        cancel(sandbox.store, sandbox.engine, sandbox.clock.now(), keys=[carrier.action.key], actor="me")
    assert sandbox.worker.drain(sandbox.clock.now()) == 1
    assert told(sandbox) == [[]]


class SlowPost(RecordingSink):
    """A sink whose mail server does not answer until it is let go, and knows no keys; all else is done at once."""

    def __init__(self) -> None:
        self.go = threading.Event()
        super().__init__(lambda action: self._hang(action), live=False)

    def remembers(self, action: Action) -> bool:
        return action.kind != "notify"

    def _hang(self, action: Action) -> None:
        if action.kind == "notify":
            assert self.go.wait(30)


@pytest.fixture
def posting() -> Iterator[tuple[Sandbox, SlowPost, Worker]]:
    """Forty mails are due and hang at their server."""
    sandbox, sink = Sandbox(MAILS), SlowPost()
    worker = Worker(sandbox.store, sink, sandbox.engine, sandbox.clock)
    sandbox.create(*(f"m{number}" for number in range(40)), Priority="High")
    worker.fire(sandbox.clock.move(HOUR))
    yield sandbox, sink, worker
    sink.go.set()
    worker.close()


MAILS = {
    **SMALL_POLICY,
    "people.yaml": SMALL_POLICY["people.yaml"] + "  digest_over: 1000\n",
    "rules.yaml": """
object: Case
match: all_matches
rules:
  - id: mail
    when: [age >= 1h, priority == High]
    do:
      - notify: {who: "address:boss@example.com", template: late}
  - id: raise
    when: [age >= 1h, priority == Low]
    do:
      - reprioritise: {raise: 1}
""",
}


def done_by(sandbox: Sandbox, worker: Worker, rule: str, wanted: int) -> bool:
    """Pump until so many effects of *rule* are done; tell whether they were, however slow the threads that send are."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        worker._delivery.pump(sandbox.clock.now())
        if sum(one.state == "done" for one in sandbox.effects(rule=rule)) >= wanted:
            return True
        time.sleep(0.001)
    return False


def test_a_mail_server_that_hangs_delays_nothing_but_mail(posting: tuple[Sandbox, SlowPost, Worker]) -> None:
    sandbox, sink, worker = posting
    worker._delivery.pump(sandbox.clock.now())
    for turn in range(3):
        sandbox.create(*(f"{turn}-{number}" for number in range(30)))
        worker.fire(sandbox.clock.move(HOUR))
        assert done_by(sandbox, worker, "raise", 30 * (turn + 1))
    hanging = [one for one in sandbox.effects("leased") if one.action.kind == "notify"]
    assert 0 < len(hanging) <= LETTERS
    assert len([call for call in sink.calls if call.kind == "notify"]) == 1
    sink.go.set()
    assert done_by(sandbox, worker, "mail", 40)
    assert len([call for call in sink.calls if call.kind == "notify"]) == 40


def test_leases_of_what_is_under_way_are_renewed(posting: tuple[Sandbox, SlowPost, Worker]) -> None:
    """Nobody else takes a mail over while its server thinks about it for ten minutes."""
    sandbox, sink, worker = posting
    other = sandbox.worker_of("other")
    worker._delivery.pump(sandbox.clock.now())
    first = sink.calls[0].key
    for _ in range(40):
        now = sandbox.clock.move(15 * SECOND)
        worker._delivery.pump(now)
        (hanging,) = [one for one in sandbox.effects("leased") if one.action.key == first]
        assert hanging.run_at > now
    other.act(sandbox.clock.now())
    assert first not in [call.key for call in sandbox.sink.calls]
    sink.go.set()
    assert done_by(sandbox, worker, "mail", 40)


def test_what_has_not_begun_goes_back_when_the_worker_ends(posting: tuple[Sandbox, SlowPost, Worker]) -> None:
    sandbox, sink, worker = posting
    worker._delivery.pump(sandbox.clock.now())
    threading.Timer(0.1, sink.go.set).start()
    worker._delivery.end()
    states = [one.state for one in sandbox.effects(rule="mail")]
    assert (states.count("done"), states.count("leased")) == (1, 0)
    assert done_by(sandbox, worker, "mail", 40)


def test_fewer_are_taken_in_hand_where_calls_take_long() -> None:
    clock = ManualClock(START)
    sender = Sender(MemoryStore("acme"), RecordingSink(lambda _: clock.move(SECOND)), clock, Pace())  # type: ignore[arg-type, return-value]
    sandbox = due()
    (effect,) = sandbox.effects("ready")
    quick = sender.room()
    sender.lease([effect.action.key], START + HOUR)
    for _ in range(50):
        assert sender.send(Parcel(effect)).state == "done"
    assert quick > sender.room() == 2 * Pace().threads
