"""Seams joined to real things."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from triage.errors import ConfigError, ModelRefused, StoreError
from triage.sinks import JsonlSink, StoreSink
from triage.testing import Sandbox
from triage.wiring import SystemClock, find_models, open_models, open_sink, open_store, open_worker, stop_on_signals


def test_the_clock_moves_and_a_wait_ends_early_when_woken() -> None:
    clock = SystemClock()
    before = clock.now()
    threading.Timer(0.05, clock.wake).start()
    clock.wait(60_000)
    assert 0 < clock.now() - before < 30_000


@pytest.mark.parametrize("prefix", ["sqlite:///", ""])
def test_a_store_is_opened_by_url_or_path(tmp_path: Path, prefix: str) -> None:
    store = open_store(f"{prefix}{tmp_path}/t.db", "acme")
    assert store.org == "acme"
    store.close()


def test_other_databases_are_refused() -> None:
    with pytest.raises(ConfigError, match="oracle is no database"):
        open_store("oracle://x", "acme")


def test_sinks_are_opened_by_name(tmp_path: Path) -> None:
    assert isinstance(open_sink("store"), StoreSink)
    sink = open_sink(f"jsonl:{tmp_path}/out.jsonl")
    assert isinstance(sink, JsonlSink)
    assert sink.live
    sink.close()


@pytest.mark.parametrize("spec", ["", "jsonl", "jsonl:", "smtp:host"])
def test_other_sinks_are_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="write store, salesforce or jsonl:PATH"):
        open_sink(spec)


def test_two_workers_never_have_the_same_name() -> None:
    store = Sandbox().store
    workers = [open_worker(store, StoreSink()) for _ in range(2)]
    assert workers[0].name != workers[1].name
    for worker in workers:
        worker.close()


def test_a_signal_asks_the_worker_to_stop_and_handlers_are_put_back() -> None:
    worker = open_worker(Sandbox().store, StoreSink())
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals(worker) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        worker.run(stop)
        assert stop.is_set()
    assert signal.getsignal(signal.SIGTERM) is before
    worker.close()


def test_a_store_that_must_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no store at .*triage policy publish"):
        open_store(str(tmp_path / "deep" / "t.db"), "acme", must_exist=True)
    assert list(tmp_path.iterdir()) == []
    open_store(str(tmp_path / "t.db"), "acme").close()
    open_store(str(tmp_path / "t.db"), "acme", must_exist=True).close()


def test_a_store_whose_folder_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="its folder cannot be made"):
        open_store(str(tmp_path / "file" / "deep" / "t.db"), "acme")


def test_without_a_named_folder_models_have_places_to_fall_back_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`models` below here, else the project's own; a named folder that goes later is a model that is missing."""
    monkeypatch.delenv("TRIAGE_MODELS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert (find_models() / "urgency").is_dir()
    (tmp_path / "models").mkdir()
    assert find_models() == Path("models")
    opening = open_models(str(tmp_path / "models"))
    (tmp_path / "models").rmdir()
    with pytest.raises(ModelRefused):
        opening.opened()
    with pytest.raises(ConfigError, match="--models: models is no folder"):
        open_models("models")
