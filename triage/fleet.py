"""
Several organisations served by one process: each has a worker of its own, so that none waits for another's backlog.

Any number of such processes may run on one PostgreSQL. An organisation that fails is begun again; the others go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

from triage.errors import StoreError
from triage.worker import Health, Worker

LOOK_EVERY = 5.0
"""How often, in s, new organisations are looked for, and workers that failed are begun again."""


class Fleet:
    """The workers of one process. `health` is the worst of theirs."""

    def __init__(
        self,
        orgs: Callable[[], Sequence[str]],
        open_worker: Callable[[str], Worker],
        *,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Serve whatever organisations *orgs* names, asked again and again.

        Args:
            open_worker: Called with an organisation; each worker needs a clock of its own to be woken by.
            end: Called by `close`: what all of them share ends there.
        """
        self._orgs = orgs
        self._open = open_worker
        self._end = end
        self._threads: dict[str, threading.Thread] = {}
        self._fault = Health()
        self.workers: dict[str, Worker] = {}
        self.failed: dict[str, str] = {}

    @property
    def health(self) -> Health:
        """Return the first fault among the workers, or that all is well."""
        if not self._fault.ok:
            return self._fault
        for org, fault in sorted(self.failed.items()):
            return Health(ok=False, fault=f"{org}: {fault}")
        return next((worker.health for _, worker in sorted(self.workers.items()) if not worker.health.ok), Health())

    def run(self, stop: threading.Event) -> None:
        """Serve until *stop* is set; what has been begun is finished first."""
        try:
            while not stop.is_set():
                self._begin(stop)
                stop.wait(LOOK_EVERY)
        finally:
            stop.set()
            for worker in list(self.workers.values()):
                worker.clock.wake()
            for thread in self._threads.values():
                thread.join()

    def close(self) -> None:
        """End the workers' threads, and what all of them share."""
        with ExitStack() as closing_all:
            # Called from the last to the first, each whatever another raises.
            closing_all.callback(self._end)
            for worker in self.workers.values():
                closing_all.callback(worker.close)

    def drain(self) -> dict[str, int]:
        """Do for every organisation what is due now, one after the other; return how many effects of each were done."""
        done = {}
        for org in self._orgs():
            with closing(self.workers.pop(org) if org in self.workers else self._open(org)) as worker:
                done[org] = worker.drain(worker.clock.now())
        return done

    def _begin(self, stop: threading.Event) -> None:
        """Begin every organisation that nobody here works for."""
        try:
            orgs = self._orgs()
            self._fault = Health()
        except StoreError as fault:
            self._fault = Health(ok=False, fault=str(fault))
            return
        for org in orgs:
            if org in self._threads and self._threads[org].is_alive():
                continue
            if org not in self.workers:
                self.workers[org] = self._open(org)
            self._threads[org] = threading.Thread(target=self._serve, args=(org, stop), name=f"org {org}")
            self._threads[org].start()

    def _serve(self, org: str, stop: threading.Event) -> None:
        own = threading.Event()
        relay = threading.Thread(target=_relay, args=(stop, own, self.workers[org]), daemon=True)
        relay.start()
        try:
            self.failed.pop(org, None)
            self.workers[org].run(own)
        except Exception as fault:  # one organisation's fault must not stop the others
            self.failed[org] = f"{type(fault).__name__}: {fault}"
        finally:
            own.set()


def _relay(stop: threading.Event, own: threading.Event, worker: Worker) -> None:
    """Hand the stop of all on to one worker, whose own failure stops nobody else."""
    while not own.is_set():
        if stop.wait(0.2):
            own.set()
            worker.clock.wake()
