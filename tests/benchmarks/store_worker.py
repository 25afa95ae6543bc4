"""One of our workers for the comparison: fires, or carries out, what is due on a store until nothing is."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.raw_sink import RawSink
from triage.wiring import open_store, open_worker


def main() -> None:
    """Do `fire` or `act` on the store and file given; begins when a line comes in."""
    what, url, path = sys.argv[1:4]
    store = open_store(url, "bench")
    worker = open_worker(store, RawSink(Path(path)))
    with store.read() as unit:
        worker.policy(unit)
    print("ready", flush=True)
    sys.stdin.readline()
    while (
        worker.fire(worker.clock.now()).records if what == "fire" else worker.act(worker.clock.now()).claimed
    ) or left(worker, what):
        pass
    worker.close()
    store.close()


def left(worker: object, what: str) -> bool:
    """Tell whether anything is due that another worker has in hand: it may come back."""
    with worker.store.read() as unit:  # type: ignore[attr-defined]
        if what == "act":
            return bool(unit.outbox.counts().get("ready"))
        due = unit.records.next_due()
    return due is not None and due <= worker.clock.now()  # type: ignore[attr-defined]


main()
