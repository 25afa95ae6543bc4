"""What a running worker says by itself: that it cannot work, that it can again, and what does not get through."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from triage.cli.common import counted
from triage.doctor import retrying
from triage.domain.instant import SECOND
from triage.errors import StoreError
from triage.ports import Effect, Store
from triage.worker import Worker

LOOK_EVERY = 1 * SECOND
"""How often the worker's health is looked at, in ms."""

COUNT_EVERY = 30 * SECOND
"""How often dead and failing actions are counted, in ms."""


class Watch:
    """What has been said about one worker so far; `look` returns what is new."""

    def __init__(self, store: Store, worker: Worker) -> None:
        self._store = store
        self._worker = worker
        self._fault = ""
        self._counted_at = 0
        self._said: tuple[str, ...] = ()

    def look(self, now: int) -> list[str]:
        """Return one line for each change since the last look: health at once, counts at most every COUNT_EVERY."""
        lines = []
        fault = "" if self._worker.health.ok else self._worker.health.fault
        if fault != self._fault:
            lines.append(f"cannot work: {fault}" if fault else "working again")
            self._fault = fault
        if not fault and now - self._counted_at >= COUNT_EVERY:
            self._counted_at = now
            lines += self._counts()
        return lines

    def _counts(self) -> list[str]:
        try:
            with self._store.read() as unit:
                found = troubles(unit.outbox.counts().get("dead", 0), retrying(unit))
        except StoreError:
            # The worker meets the same fault, and its health says so.
            return []
        before, self._said = self._said, found
        if found == before:
            return []
        return [line for line in found if line not in before] or ([] if found else ["every action gets through again"])


def troubles(dead: int, failing: Sequence[Effect]) -> tuple[str, ...]:
    """Return what to say of *dead* actions, and of those *failing* that are sent again, with the sink's own words."""
    said = []
    if dead:
        said.append(f"{counted(dead, 'action')} dead: `triage actions list --state dead`")
    if failing:
        said.append(f"{counted(len(failing), 'action')} failing, sent again later: {failing[0].error}")
    return tuple(said)


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Print what *watch* finds on standard error, from a thread of its own, until the end."""
    ended = threading.Event()

    def go_on() -> None:
        now = 0
        while not ended.wait(LOOK_EVERY / 1000):
            now += LOOK_EVERY
            for line in watch.look(now):
                click.echo(line, err=True)

    thread = threading.Thread(target=go_on, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
