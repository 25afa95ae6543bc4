"""The fuse before an endpoint."""

from __future__ import annotations

import threading

from triage.domain.instant import MINUTE, SECOND
from triage.llm.breaker import FAULT_REST, IN_A_ROW, LONGEST, Breaker
from triage.testing import ManualClock


def opened(clock: ManualClock) -> Breaker:
    fuse = Breaker(MINUTE, clock.now)
    for _ in range(IN_A_ROW):
        assert fuse.allows()
        fuse.failed("timeout")
    return fuse


def test_it_opens_after_failures_in_a_row() -> None:
    clock = ManualClock(1000)
    fuse = opened(clock)
    assert not fuse.allows()
    assert (fuse.code, fuse.since, fuse.until) == ("timeout", 1000, 1000 + MINUTE)


def test_a_success_in_between_starts_the_count_anew() -> None:
    fuse = Breaker(MINUTE, ManualClock(0).now)
    for _ in range(3 * IN_A_ROW):
        fuse.failed("timeout")
        fuse.succeeded()
    assert fuse.allows()


def test_a_wrong_setting_opens_at_once_and_for_longer() -> None:
    clock = ManualClock(0)
    fuse = Breaker(MINUTE, clock.now)
    fuse.failed("auth")
    assert not fuse.allows()
    assert fuse.until == FAULT_REST


def test_one_call_probes_after_the_rest_and_its_success_closes() -> None:
    clock = ManualClock(0)
    fuse = opened(clock)
    clock.move(MINUTE)
    assert fuse.allows()
    assert not fuse.allows()
    fuse.succeeded()
    assert fuse.allows()
    assert fuse.until == 0


def test_a_probe_that_fails_doubles_the_rest_up_to_an_end() -> None:
    clock = ManualClock(0)
    fuse = opened(clock)
    rests = []
    for _ in range(8):
        clock.set(fuse.until)
        assert fuse.allows()
        fuse.failed("timeout")
        rests.append(fuse.until - clock.now())
    assert rests[:3] == [2 * MINUTE, 4 * MINUTE, 8 * MINUTE]
    assert rests[-1] == LONGEST
    assert fuse.since == 0


def test_a_probe_that_was_never_sent_leaves_the_next_one_free() -> None:
    clock = ManualClock(0)
    fuse = opened(clock)
    clock.move(MINUTE + SECOND)
    assert fuse.allows()
    fuse.let_go()
    assert fuse.allows()


def test_of_many_threads_one_probes() -> None:
    clock = ManualClock(0)
    fuse = opened(clock)
    clock.move(MINUTE)
    allowed: list[bool] = []
    threads = [threading.Thread(target=lambda: allowed.append(fuse.allows())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(allowed) == 1
