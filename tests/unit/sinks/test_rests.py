"""A host that hangs costs one wait, not one for each effect."""

from __future__ import annotations

import time

import pytest

from tests.unit.sinks.letters import SECRET, hook, message
from tests.unit.sinks.receivers import answer, hang, receiver
from triage.domain.instant import SECOND
from triage.errors import SinkBusy, SinkSilent
from triage.sinks.rests import Rests
from triage.sinks.webhook import WebhookSink
from triage.testing import ManualClock


def test_a_silent_host_rests_and_is_asked_again_afterwards() -> None:
    clock = ManualClock()
    rests = Rests(clock.now)
    with pytest.raises(SinkSilent), rests.unless("a"):
        raise SinkSilent("a: no answer within 10 s")
    clock.move(10 * SECOND)
    with pytest.raises(SinkBusy, match="a: no answer within 10 s; not asked again so soon") as found, rests.unless("a"):
        raise AssertionError("asked")
    assert found.value.after == 20 * SECOND
    with rests.unless("b"):
        pass
    clock.move(20 * SECOND)
    with rests.unless("a"):
        pass


def test_a_host_that_says_no_does_not_rest() -> None:
    rests = Rests(ManualClock().now)
    for _ in range(2):
        with pytest.raises(SinkBusy, match="503"), rests.unless("a"):
            raise SinkBusy("503")


def test_many_effects_for_a_host_that_hangs_cost_one_wait() -> None:
    clock = ManualClock()
    sink = WebhookSink("hooks", {"page": SECRET}, clock.now, timeout=300)
    with receiver(hang) as one:
        begun = time.monotonic()
        for number in range(50):
            with pytest.raises(SinkBusy, match=r"no answer within 0\.3 s"):
                sink.send(hook(str(number)), message(webhooks={"page": one.url}))
        assert time.monotonic() - begun < 1
        assert len(one.requests) == 1
        one.behaviours = [answer(200)]
        clock.move(30 * SECOND)
        assert sink.send(hook("0"), message(webhooks={"page": one.url})).detail == "hooks/page: 200"
