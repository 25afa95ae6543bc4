"""`triage demo`: the sample organisation from beginning to end, with its board and its summary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import msgspec
from msgspec.structs import replace
from rich.console import Console

from triage.config import load_policy, read_folder
from triage.demo.board import LiveBoard, PlainBoard
from triage.demo.breaches import stored_facts
from triage.demo.play import ORG, Played, Player
from triage.demo.scores import Scored
from triage.demo.summary import Files, figures, summarise
from triage.domain.instant import format_instant
from triage.domain.work import Event
from triage.errors import ConfigError, ModelRefused
from triage.ports import Scorer, Store, record_key
from triage.sample import DAYS, invent
from triage.store.database import SqlStore
from triage.store.lock import file_lock
from triage.wiring import SystemClock, open_scorer, stop_on_signals

DATABASE = Path("triage-data/demo.db")
INTERRUPTED = 130

_encode = msgspec.json.Encoder(order="sorted").encode


def main(
    seed: int = 7,
    days: int = DAYS,
    plain: bool = False,
    out: TextIO | None = None,
    *,
    policy: Path | None = None,
    database: Path = DATABASE,
    salesforce: bool = False,
    as_json: bool = False,
    models: Callable[[], Scorer] = open_scorer,
) -> int:
    """
    Return the exit code: 0 once all days are played, 130 where Ctrl-C stopped it (its half is summed up all the same).

    The store at *database* is made anew; beside it lies the log of what happened, for `triage replay`.

    Args:
        days: Business days to play, 1 to 6.
        plain: Lines instead of the live table; so it is anyway where *out* is no terminal that can show one.
        policy: The folder of the policy, by default the project's own configs/example.
        salesforce: Play inside the Salesforce sandbox: people write there, and the worker reads and acts through its
            APIs. The policy must read fields that the sandbox has, as the example does.
        as_json: One JSON object at the end, and the lines of the play on standard error.
        models: Opens what scores, by default the models at hand; where it refuses, nothing is scored, and a line says
            why.

    Raises:
        ConfigError: no policy, one with faults, or days out of range.
        StoreBusy: another demo runs on the same file.
    """
    if not 1 <= days <= DAYS:
        raise ConfigError(f"{days} days: the demo plays 1 to {DAYS} business days")
    stream = sys.stdout if out is None else out
    folder = find_policy() if policy is None else policy
    document = load_policy(read_folder(folder))
    database.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(database.with_name(database.name + ".lock"), database):
        store = _fresh_store(database)
        try:
            scorer, refused = _opened(models)
            with TemporaryDirectory(prefix="triage-") as certificates:
                place = Path(certificates) if salesforce else None
                player = Player(document, invent(seed, days), store, scorer, folder=place)
                played = _shown(player, sys.stderr if as_json else stream, plain or as_json)
            if refused:
                played = replace(played, scored=Scored(refused=refused))
            files = Files(str(database), str(_write_log(database, played.events)), str(folder))
            known = {record_key(facts.item.object, facts.item.id): facts for facts in stored_facts(store)}
        finally:
            store.close()
    lines = [msgspec.json.encode(figures(played, files), order="sorted").decode()] if as_json else None
    for line in lines or summarise(played, known, files):
        stream.write(line + "\n")
    stream.flush()
    return 0 if played.finished else INTERRUPTED


def find_policy() -> Path:
    """Return the folder of the example policy: below the current folder, else beside the package."""
    beside = Path(__file__).parents[2] / "configs" / "example"
    for folder in (Path("configs") / "example", beside):
        if folder.is_dir():
            return folder
    raise ConfigError(f"the example policy is neither in configs/example nor in {beside}: name its folder")


def line_of(event: Event) -> bytes:
    """Return *event* as one line of an event log, as `triage ingest` and `triage replay` read it."""
    raw: dict[str, Any] = msgspec.to_builtins(event)
    raw["at"] = format_instant(event.at)
    if event.until is not None:
        raw["until"] = format_instant(event.until)
    return _encode(raw) + b"\n"


def _shown(player: Player, stream: TextIO, plain: bool) -> Played:
    """Play with whatever board the stream can show; a signal ends it between two rounds."""
    console = Console(file=stream, highlight=False)
    live = console.is_terminal and not console.is_dumb_terminal and not plain
    board = LiveBoard(console, SystemClock()) if live else PlainBoard(stream)
    with stop_on_signals(player.worker) as stop, board:
        return player.play(board.watch, stop.is_set)


def _opened(models: Callable[[], Scorer]) -> tuple[Scorer | None, str]:
    """Return the scorer, or None and why there is none."""
    try:
        return models(), ""
    except ModelRefused as cause:
        return None, str(cause)


def _fresh_store(database: Path) -> Store:
    """Return a new store at *database*; what lies there already is removed only where a demo made it."""
    if database.exists() and not _is_demo(database):
        raise ConfigError(f"{database} is not a demo's store, and the demo would write over it: name another file")
    for ending in ("", "-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)
    return SqlStore(database, ORG, durable=False)


def _is_demo(database: Path) -> bool:
    """Tell whether the file is a store in which our organisation plays; a file cut off at its start is none of ours."""
    store = SqlStore(database, ORG)
    try:
        with store.read() as unit:
            live = unit.policies.live()
    finally:
        store.close()
    return live is not None and live.virtual


def _write_log(database: Path, events: Iterable[Event]) -> Path:
    path = database.with_suffix(".jsonl")
    path.write_bytes(b"".join(map(line_of, events)))
    return path
