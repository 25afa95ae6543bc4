"""The demo from beginning to end: on the real store, by its command, stopped half way, and the same every time."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from triage.config import load_policy, read_folder
from triage.demo.breaches import stored_facts
from triage.demo.main import INTERRUPTED, find_policy, line_of, main
from triage.demo.play import ORG, TICK, Played, Player
from triage.demo.summary import Files, summarise
from triage.engine import PureEngine
from triage.errors import ConfigError, StoreBusy
from triage.intake.event import parse_event
from triage.policy import compile_policy
from triage.ports import EffectFilter, Store, record_key
from triage.publishing import publish
from triage.replay.engine import run_replay
from triage.replay.lines import ActionLine
from triage.sample import START, invent
from triage.scoring.local import LocalScorer
from triage.store.database import SqlStore
from triage.store.lock import file_lock
from triage.store.memory import MemoryStore
from triage.testing import SMALL_POLICY, FixedScorer
from triage.wiring import open_store

ROOT = Path(__file__).parents[2]
_PLAY = """
import hashlib, msgspec
from triage.config import load_policy, read_folder
from triage.demo.breaches import stored_facts
from triage.demo.main import find_policy
from triage.demo.play import Player
from triage.sample import invent
from triage.store.memory import MemoryStore
from triage.wiring import open_scorer
played = Player(load_policy(read_folder(find_policy())), invent(7, 1), MemoryStore("default"), open_scorer()).play()
print(hashlib.sha256(msgspec.json.encode(played, order="sorted")).hexdigest())
"""


def scorer() -> FixedScorer:
    """The same of every record: for plays whose models do not matter."""
    return FixedScorer(
        urgency__score=0.9, sentiment__label="neutral", complexity__score=0.3, lead__value=12_000.0, lead__signal=False,
    )  # fmt: skip


def player(store: Store | None = None, days: int = 1, seed: int = 7) -> Player:
    organisation = invent(seed, days)
    return Player(load_policy(read_folder(find_policy())), organisation, store or MemoryStore(ORG), scorer())


@pytest.fixture(scope="module")
def two_days() -> tuple[Player, Played]:
    """Two days played on a store in memory."""
    found = player(days=2)
    return found, found.play()


def test_a_played_organisation_is_counted_to_the_last_event(two_days):
    """Every event of the script and every score is taken in; every effect planned stands somewhere."""
    found, played = two_days
    assert played.finished
    assert played.scored.events == sum(event.type == "scored" for event in played.events)
    assert (
        played.given == len(played.events) - played.scored.events == played.accepted + played.repeated + played.refused
    )
    assert (played.repeated, played.refused) == (0, 0)
    assert played.states["done"] == len(played.actions) == len({action.key for action in played.actions})
    with found.store.read() as unit:
        assert sum(played.states.values()) == len(unit.outbox.find(EffectFilter()))
    assert played.records["total"] == sum(event.type == "created" for event in played.events)


def test_nothing_that_is_due_stays_behind(two_days):
    """Nothing is ready or on its way when the play has ended, and every timer lies beyond."""
    found, played = two_days
    assert not played.states.keys() & {"ready", "leased", "dead"}
    due = found.worker.next_due()
    assert due is None or due >= played.ended


def test_timers_fire_within_one_round_of_their_due_instant(two_days):
    """Virtual lateness is the size of a round and no more."""
    _, played = two_days
    assert played.lateness["count"] == played.fired > 50
    assert played.lateness["worst"] <= TICK


def test_people_react_and_their_reactions_are_events(two_days):
    """What escalation sets going comes in like everything else."""
    _, played = two_days
    came = sum(event.event_id.startswith("reaction/") for event in played.events)
    assert 0 < came <= played.reactions


def test_what_was_missed_lies_within_the_play(two_days):
    """Each promise missed was due by the end, and belongs to a record of the play."""
    _, played = two_days
    records = {f"{event.object}/{event.id}" for event in played.events if event.type == "created"}
    for breach in (*played.missed, *played.missed_without):
        assert START < breach.due <= played.ended
        assert breach.late >= 0
    assert {breach.record for breach in played.missed} <= records


def test_the_audit_tells_of_every_effect(two_days):
    """One line planned and one line done for each action, and the chain verifies."""
    found, played = two_days
    with found.store.read() as unit:
        lines = Counter(line.entry.event for line in unit.audit.lines())
        assert unit.audit.verify() == []
    assert lines["done"] == len(played.actions)


def test_neither_hash_seed_nor_zone_changes_the_play():
    """Two processes with different surroundings play the same bytes, scored by the shipped models."""
    digests = set()
    for surroundings in ({"PYTHONHASHSEED": "3", "TZ": "Asia/Kolkata"}, {"PYTHONHASHSEED": "99", "TZ": "UTC"}):
        run = subprocess.run(
            [sys.executable, "-c", _PLAY], env=os.environ | surroundings, capture_output=True, text=True, check=True,
            cwd=ROOT,
        )  # fmt: skip
        digests.add(run.stdout)
    assert len(digests) == 1


def test_another_seed_plays_another_organisation():
    """The seed is what decides."""
    assert player(seed=8).play().actions != player(seed=7).play().actions


def test_a_play_that_is_stopped_ends_between_two_rounds_with_its_half():
    """Asked to stop, it finishes what it began and counts what there was."""
    rounds = []
    played = player().play(lambda now, _: rounds.append(now), lambda: len(rounds) == 30)
    assert not played.finished
    assert played.ended == rounds[-1]
    assert played.given == played.accepted > 0
    assert all(breach.due <= played.ended for breach in played.missed_without)


def test_progress_grows_and_its_numbers_agree():
    """What the board is told follows the play."""
    seen = []

    def watch(_now, progress):
        if len(seen) % 20 == 0:
            seen.append(progress())
        else:
            seen.append(seen[-1])

    played = player().play(watch)
    shares = [state.share for state in seen]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    last = seen[-1]
    assert last.effects == sum(last.by_rule.values()) <= len(played.actions)
    assert [one.due for one in last.upcoming] == sorted(one.due for one in last.upcoming)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One day by the command, in plain lines: the store's path and what was printed."""
    database, out = tmp_path_factory.mktemp("demo") / "data" / "demo.db", io.StringIO()
    assert main(7, 1, True, out, database=database, models=scorer) == 0
    return database, out.getvalue()


def test_the_command_prints_lines_a_summary_and_what_to_try(command):
    """At most a few lines for one day, then the summary, at last three commands."""
    lines = command[1].splitlines()
    assert 2 < sum(line.startswith(("Wed", "Thu")) for line in lines) <= 5
    assert any(line.startswith("Played") for line in lines)
    assert lines[-4] == "Try next:"


def test_the_command_leaves_a_store_and_a_log(command):
    """The store holds the records and a virtual policy; the log is what happened."""
    database, _ = command
    events = [parse_event(line) for line in database.with_suffix(".jsonl").read_bytes().splitlines()]
    store = SqlStore(database, ORG)
    with store.read() as unit:
        assert unit.records.count()["total"] == sum(event.type == "created" for event in events)
        live = unit.policies.live()
    store.close()
    assert live is not None
    assert live.virtual


def test_the_store_on_disk_plays_as_the_one_in_memory(command):
    """SQLite and memory come to the same summary, word for word."""
    database, text = command
    found = player()
    played = found.play()
    known = {record_key(one.item.object, one.item.id): one for one in stored_facts(found.store)}
    files = Files(str(database), str(database.with_suffix(".jsonl")), str(find_policy()))
    assert text.endswith("\n".join(summarise(played, known, files)) + "\n")


def test_a_second_run_begins_anew(command):
    """The file of the run before is overwritten, and the text is the same."""
    database, text = command
    again = io.StringIO()
    assert main(7, 1, True, again, database=database, models=scorer) == 0
    assert again.getvalue() == text


def test_a_replay_of_the_log_decides_by_the_scores_in_it(command):
    """No model is asked again: what scores were a reason for comes out as it was played."""
    database, _ = command
    policy = compile_policy(load_policy(read_folder(find_policy())), virtual=True)
    replay = run_replay(database.with_suffix(".jsonl"), policy, apply=True)
    lines = [line for line in replay if isinstance(line, ActionLine)]
    replayed = {(line.id, line.rule) for line in lines if line.rule == "urgent-by-score"}
    played = {(one.id, one.rule) for one in player().play().actions if one.rule == "urgent-by-score"}
    assert played
    assert played <= replayed
    assert all("urgency.score" in line.reason for line in lines if line.rule == "urgent-by-score")


def test_without_models_the_demo_says_so_and_plays(tmp_path):
    """A folder without models: one line says why, in words and in figures, and the rest is played."""
    out = io.StringIO()
    models = partial(LocalScorer.open, tmp_path / "none")
    assert main(7, 1, True, out, database=tmp_path / "demo.db", as_json=True, models=models) == 0
    told = json.loads(out.getvalue())
    assert "no model of urgency or lead-value" in told["scoring"]["refused"]
    assert (told["scoring"]["events"], told["scoring"]["models"]) == (0, {})
    assert told["carried_out"]
    assert b'"scored"' not in (tmp_path / "demo.jsonl").read_bytes()


def test_two_demos_do_not_share_a_file(tmp_path):
    """While one runs, a second on the same file is refused by name."""
    database = tmp_path / "demo.db"
    with (
        file_lock(database.with_name("demo.db.lock"), database),
        pytest.raises(StoreBusy, match=r"demo\.db"),
    ):
        main(7, 1, True, io.StringIO(), database=database)


@pytest.mark.parametrize("days", [0, 7])
def test_days_out_of_range_are_refused_with_what_is_possible(days, tmp_path):
    """A sentence, and no file."""
    with pytest.raises(ConfigError, match="1 to 6"):
        main(7, days, True, io.StringIO(), database=tmp_path / "demo.db")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_stops_the_command_with_a_half_summary(tmp_path):
    """The first plain line is answered with SIGINT: the summary still comes, and the exit code is 130."""

    class Interrupting(io.StringIO):
        """Sends Ctrl-C to this process at the first line, from another thread as a terminal would."""

        def write(self, text: str) -> int:
            if not self.getvalue():
                threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()
            return super().write(text)

    before = signal.getsignal(signal.SIGINT)
    out = Interrupting()
    assert main(7, 2, True, out, database=tmp_path / "demo.db", models=scorer) == INTERRUPTED
    assert "Stopped half way" in out.getvalue()
    assert "Try next:" in out.getvalue()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_line_of_the_log_reads_as_the_event_it_was():
    """Instants, nested scores and overrides survive."""
    for event in invent(7, 1).events:
        assert parse_event(line_of(event)) == event
    held = next(event for event in invent(7).events if event.type == "override")
    assert parse_event(line_of(held)) == held
    assert parse_event(line_of(replace(held, until=None))).until is None


def test_the_example_policy_is_found_from_any_folder(tmp_path):
    """Beside the package where the current folder has none."""
    with contextlib.chdir(tmp_path):
        assert (find_policy() / "fields.yaml").is_file()


def test_a_store_that_no_demo_made_is_left_as_it_is(tmp_path):
    """A demo pointed at the team's own store must not write over it."""
    real = tmp_path / "real.db"
    store = open_store(str(real), "default")
    publish(store, PureEngine(), SMALL_POLICY, 1, actor="me")
    store.close()
    before = real.read_bytes()
    with pytest.raises(ConfigError, match="not a demo's store"):
        main(7, 1, True, io.StringIO(), database=real)
    assert real.read_bytes() == before
