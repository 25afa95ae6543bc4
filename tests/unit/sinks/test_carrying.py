"""How the worker carries out what the other side cannot tell apart: one by one, each noted down before the next."""

from __future__ import annotations

from collections.abc import Callable

from triage.domain.decision import Action
from triage.domain.instant import HOUR, MINUTE
from triage.errors import SinkBusy
from triage.sending import Pace
from triage.testing import RecordingSink, Sandbox
from triage.worker import Worker


class Forgetful(RecordingSink):
    """Knows no keys, as mail and chat."""

    def remembers(self, action: Action) -> bool:
        return False


def carried(answer: Callable[[Action], None], *names: str) -> tuple[Sandbox, Worker]:
    """Return a sandbox with one effect due for each of *names*, and a worker that sends them to a forgetful sink."""
    sandbox = Sandbox()
    sandbox.create(*names)
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    sink = Forgetful(answer, live=False)
    return sandbox, Worker(sandbox.store, sink, sandbox.engine, sandbox.clock, pace=Pace(threads=4))


def test_each_is_done_in_the_store_before_the_next_is_sent() -> None:
    done_before: list[int] = []
    sandbox, worker = carried(lambda _: done_before.append(len(sandbox.effects("done"))), *"1234")
    assert worker.act(sandbox.clock.now()).done == 4
    assert done_before == [0, 1, 2, 3]


def test_one_that_fails_does_not_keep_the_others() -> None:
    def answer(action: Action) -> None:
        if action.id == "2":
            raise SinkBusy("greylisted")

    sandbox, worker = carried(answer, *"123")
    found = worker.act(sandbox.clock.now())
    assert (found.claimed, found.done, found.retried) == (3, 2, 1)
    assert [effect.action.id for effect in sandbox.effects("ready")] == ["2"]


def test_the_wait_that_the_other_side_asks_for_is_the_least() -> None:
    def answer(_: Action) -> None:
        raise SinkBusy("429", after=10 * MINUTE)

    sandbox, worker = carried(answer, "1")
    worker.act(sandbox.clock.now())
    (waiting,) = sandbox.effects("ready")
    assert waiting.run_at == sandbox.clock.now() + 10 * MINUTE
    assert SinkBusy("429").after == 0


def test_an_effect_travels_with_the_words_of_the_policy_in_force() -> None:
    sandbox = Sandbox()
    sandbox.create("1", Priority="High")
    sandbox.after(3 * HOUR)
    by_kind = dict(zip((call.kind for call in sandbox.sink.calls), sandbox.sink.messages, strict=True))
    assert (by_kind["notify"].subject, by_kind["notify"].to) == ("late", ("boss@example.com",))
    assert by_kind["notify"].limits.recipient_domains == ("example.com",)
    assert by_kind["reassign"].subject == ""
