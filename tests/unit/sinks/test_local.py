"""The JSONL file: once a key, on disk before it says so, mended after a crash."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from triage.domain.decision import Action
from triage.errors import ConfigError, SinkBusy
from triage.ports import Sink
from triage.sinks import JsonlSink, StoreSink
from triage.testing import RecordingSink


def action(key: str) -> Action:
    return Action(
        object="Case", id="1", rule="r", step="s", position=0, kind="notify", target="owner", due=0, at=1_500,
        episode="e", key=key,
    )  # fmt: skip


def keys(path: Path) -> list[str]:
    return [json.loads(line)["key"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("make", [RecordingSink, lambda: None])
def test_every_sink_that_remembers_says_already_to_a_key_it_has_done(
    make: Callable[[], Sink | None], tmp_path: Path
) -> None:
    sink = make() or JsonlSink(tmp_path / "out.jsonl")
    assert [sink.send(action("a")).already, sink.send(action("b")).already, sink.send(action("a")).already] == [
        False,
        False,
        True,
    ]
    sink.close()


def test_a_line_says_what_is_to_be_done_and_why(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "deep" / "out.jsonl")
    sink.send(action("a"))
    line = json.loads((tmp_path / "deep" / "out.jsonl").read_text())
    assert (line["at"], line["due"]) == ("1970-01-01T00:00:01.500Z", "1970-01-01T00:00:00Z")
    assert (line["object"], line["id"], line["rule"], line["step"], line["action"]) == ("Case", "1", "r", "s", "notify")
    sink.close()


def test_keys_are_known_again_after_a_restart(tmp_path: Path) -> None:
    first = JsonlSink(tmp_path / "out.jsonl")
    first.send(action("a"))
    first.close()
    second = JsonlSink(tmp_path / "out.jsonl")
    assert second.send(action("a")).already
    assert not second.send(action("b")).already
    second.close()
    assert keys(tmp_path / "out.jsonl") == ["a", "b"]


@pytest.mark.parametrize("torn", ['{"key":"b","obj', '{"key":"b"}', "\x00\x00"])
def test_a_torn_last_line_is_cut_away(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text('{"key":"a"}\n' + torn)
    sink = JsonlSink(path)
    assert not sink.send(action("b")).already
    sink.close()
    assert keys(path) == ["a", "b"]


def test_a_sink_that_never_sends_cuts_nothing_off(tmp_path: Path) -> None:
    """Another worker is just writing that line; this one is about to be told that the store is taken."""
    path = tmp_path / "out.jsonl"
    path.write_text('{"key":"a"}\n{"key":"b","obj')
    JsonlSink(path).close()
    assert path.read_text() == '{"key":"a"}\n{"key":"b","obj'


def test_somebody_elses_lines_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text('hello\n[1]\n{"no":"key"}\n')
    sink = JsonlSink(path)
    sink.send(action("a"))
    sink.close()
    assert path.read_text().startswith('hello\n[1]\n{"no":"key"}\n{')


def test_many_threads_write_whole_lines_once_each(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "out.jsonl")
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(sink.send, [action(str(number % 300)) for number in range(600)]))
    sink.close()
    assert sum(receipt.already for receipt in receipts) == 300
    assert sorted(keys(tmp_path / "out.jsonl"), key=int) == [str(number) for number in range(300)]


def test_a_refused_write_is_busy_and_can_be_sent_again(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "out.jsonl")
    real = sink._file
    sink._file = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises((SinkBusy, OSError)):
        sink.send(action("a"))
    os.close(sink._file)
    sink._file = real
    assert not sink.send(action("a")).already
    sink.close()
    assert keys(tmp_path / "out.jsonl") == ["a"]


def test_the_store_sink_touches_nothing() -> None:
    sink = StoreSink()
    assert not sink.live
    assert not sink.send(action("a")).already
    sink.close()


def test_a_folder_is_no_file_to_write_to(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory: the sink jsonl:PATH needs a file"):
        JsonlSink(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="needs a file"):
        JsonlSink(tmp_path / "file" / "out.jsonl")


def test_a_line_that_is_there_is_on_disk_before_already_is_said(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "out.jsonl")
    sink.send(action("z"))
    real = sink._file
    reading, writing = os.pipe()
    sink._file = writing
    # A pipe takes the line and cannot be flushed.
    for _ in range(2):
        with pytest.raises(SinkBusy, match="Invalid argument"):
            sink.send(action("a"))
    sink._file = real
    assert sink.send(action("a")).already
    os.close(reading)
    os.close(writing)
    sink.close()
