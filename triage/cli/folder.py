"""What `ingest --watch` and `run --watch` share: a folder of files, read by a worker of this process."""

from __future__ import annotations

from pathlib import Path

from triage.cli.common import FINDINGS, counted, opened_store, say
from triage.intaking import Door
from triage.ports import Journal
from triage.watching import FileTaken, Watcher
from triage.wiring import open_journal, open_sink, open_worker, stop_on_signals
from triage.worker import Worker


def folder_watcher(
    worker: Worker, journal: Journal | None, folder: str | None, source: str | None, settle: int, keep: bool
) -> Watcher | None:
    """Return the watcher of *folder*, as the options of a command say; None for no folder."""
    if folder is None:
        return None
    return Watcher(
        Door(worker), worker.clock, Path(folder), source=source or "", settle=settle, keep=keep,
        journal=journal,
    )  # fmt: skip


def ingest_folder(
    folder: str,
    source: str | None,
    settle: int,
    keep: bool,
    once: bool,
    log_level: str,
    url: str | None,
    as_json: bool,
) -> None:
    """
    Take in what comes into *folder* until Ctrl-C, or, with *once*, what is there.

    Then it says what it took in, and the exit code is 1 where lines were refused.
    """
    journal = open_journal(log_level)
    with opened_store(url) as store:
        worker = open_worker(store, open_sink("store"), journal=journal)
        watcher = folder_watcher(worker, journal, folder, source, settle, keep)
        assert watcher is not None
        with store.read() as unit:
            worker.policy(unit)
        with stop_on_signals(worker) as stop:
            taken = watcher.run_once(stop) if once else None
            if not once:
                watcher.run(stop)
        worker.close()
    if taken is not None:
        _tell(taken, as_json)


def _tell(taken: list[FileTaken], as_json: bool) -> None:
    read, accepted = sum(one.read for one in taken), sum(one.accepted for one in taken)
    refused = sum(one.refused for one in taken)
    text = f"{counted(len(taken), 'file')}, read {read}: {accepted} accepted, {refused} refused"
    say(text, {"files": [one._asdict() for one in taken]}, as_json)
    if refused:
        raise SystemExit(FINDINGS)
