"""Whole replays: a timetable by hand, damaged logs, other machines' settings, and a real company's incidents."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from tests.benchmarks.bench_replay import events, policy
from triage.config import load_policy
from triage.domain.facts import Facts
from triage.domain.instant import HOUR, format_instant, parse_instant
from triage.domain.work import Event
from triage.observe import observe
from triage.pipeline import advance
from triage.policy import compile_policy
from triage.replay.engine import Replayed, run_replay
from triage.replay.foresight import NEVER_ACTED, NOT_BEFORE, foresight
from triage.replay.lines import ActionLine, encode_line
from triage.replay.source import Entry, History, history_of_log, open_history

ROOT = Path(__file__).resolve().parents[2]

LEADS = """
objects:
  Lead:
    fields:
      status: Status
      owner: OwnerId
      value: {from: Value__c, type: money}
directory:
  pools: [sales]
  teams: [emea]
  agents:
    005A: {presence: online, teams: [emea], capacity: 5}
    005B: {presence: online, teams: [emea], capacity: 5}
    005C: {presence: online, teams: [emea], capacity: 5}
    005D: {presence: online, teams: [emea], capacity: 5}
safety: {terminal_pool: sales}
object: Lead
rules:
  - id: untouched
    when: ["value >= 5000", not is_contacted, "since_assignment >= 15m"]
    do:
      - reassign: {to: {team: emea}, exclude: [owner, previous_owners], require: [present]}
    repeat: {every: 15m, at_most: 3, then: [{move: {to: {pool: sales}}}]}
"""

LEAD_LOG = """
{"at":"2026-01-12T09:00:00Z","type":"created","object":"Lead","id":"00Q1","changes":{"Status":"Open","OwnerId":"005A","Value__c":"9000"}}
{"at":"2026-01-12T09:05:00Z","type":"created","object":"Lead","id":"00Q2","changes":{"Status":"Open","OwnerId":"005B","Value__c":"9000"}}
{"at":"2026-01-12T09:12:00Z","type":"message","object":"Lead","id":"00Q2","direction":"out","channel":"email","actor":"005B"}
{"at":"2026-01-12T09:40:00Z","type":"created","object":"Lead","id":"00Q3","changes":{"Status":"Open","OwnerId":"005A","Value__c":"12"}}
"""

MECHANICAL = [
    "09:15 00Q1 reassign user:005C",
    "09:30 00Q1 reassign user:005C",
    "09:45 00Q1 reassign user:005C",
    "10:00 00Q1 move pool:sales",
]
APPLIED = [
    "09:15 00Q1 reassign user:005C",
    "09:30 00Q1 reassign user:005D",
    "09:45 00Q1 reassign user:005B",
    "10:00 00Q1 move pool:sales",
]


@pytest.mark.parametrize(("apply", "expected"), [(False, MECHANICAL), (True, APPLIED)])
def test_a_neglected_lead_goes_from_hand_to_hand_only_where_effects_are_applied(
    apply: bool, expected: list[str]
) -> None:
    made = compile_policy(load_policy({"leads.yaml": LEADS}), virtual=True)
    until = parse_instant("2026-01-12T12:00:00Z")
    replayed = run_replay(history_of_log(LEAD_LOG.strip().splitlines(True)), made, until=until, apply=apply)
    told = [f"{one.at[11:16]} {one.id} {one.action} {one.target}" for one in replayed if isinstance(one, ActionLine)]
    assert told == expected


def as_line(event: Event) -> str:
    """Return *event* as one line of a log."""
    raw = {"at": format_instant(event.at), "type": event.type, "object": event.object, "id": event.id}
    return json.dumps(raw | {"event_id": event.event_id, "changes": event.changes}) + "\n"


@lru_cache
def small_log() -> tuple[str, ...]:
    """A few hundred events of the benchmark's incidents, in time order."""
    return tuple(as_line(event) for event in events(3, 60))


def written(replayed: Replayed) -> bytes:
    """Return what a replay prints: its lines, then its account."""
    return b"\n".join([*(encode_line(one) for one in replayed), encode_line(replayed.summary())])


@pytest.mark.parametrize("seed", range(12))
def test_every_line_is_replayed_or_refused_and_the_counts_add_up_when_a_log_is_damaged(seed: int) -> None:
    rng = random.Random(seed)
    lines = [_damaged(line, rng) for line in small_log()]
    rng.shuffle(lines)
    replayed = run_replay(history_of_log(lines), policy())
    list(replayed)
    summary = replayed.summary()
    (count,) = summary.files.values()
    assert count.rows == len(lines) == count.used + count.refused
    assert count.used == summary.events.read == summary.events.replayed + summary.events.refused
    assert len(replayed.refused) == count.refused + summary.events.refused > 0
    assert all(one.file and one.line and one.reason for one in replayed.refused)
    assert summary.failed == ()


def _damaged(line: str, rng: random.Random) -> str:
    """Return *line*, one time in five hurt in one of the ways that lines are hurt."""
    if rng.random() > 0.2:
        return line
    at = rng.randrange(len(line))
    return rng.choice(
        [
            line[:at],
            line[:at] + "\x00" + line[at:],
            line.replace("Case", "Kase"),
            line.replace("Z", "", 1),
            line.replace('"500', '"501'),
            line.replace('"Status"', '"Status": 1, "Status"'),
            line.replace('"created"', '"updated"'),
            line.replace('"updated"', '"created"'),
            line.replace("2026", "9999", 1),
            line + line,
            "\n",
            "[" * 5000 + "\n",
        ]
    )


def test_a_replay_of_a_part_is_the_beginning_of_the_whole() -> None:
    lines = small_log()
    whole = [one for one in run_replay(history_of_log(lines), policy()) if isinstance(one, ActionLine)]
    until = parse_instant(whole[len(whole) // 2].at)
    part = list(run_replay(history_of_log(lines), policy(), until=until))
    assert part == [one for one in whole if parse_instant(one.at) <= until]
    assert len(part) > 20


def test_lines_come_by_instant() -> None:
    instants = [
        parse_instant(one.at) for one in run_replay(history_of_log(small_log()), policy()) if hasattr(one, "at")
    ]
    assert instants == sorted(instants)


def test_records_do_not_disturb_each_other_when_replayed_apart() -> None:
    together = [one for one in run_replay(history_of_log(small_log()), policy()) if isinstance(one, ActionLine)]
    until = parse_instant(json.loads(small_log()[-1])["at"])
    apart: list[object] = []
    for record in sorted({json.loads(line)["id"] for line in small_log()}):
        own = [line for line in small_log() if json.loads(line)["id"] == record]
        apart += run_replay(history_of_log(own), policy(), until=until)
    assert sorted(map(encode_line, together)) == sorted(map(encode_line, apart))  # type: ignore[arg-type]


def test_lines_are_what_each_record_would_have_had_from_the_core_alone() -> None:
    made = policy()
    history = events(3, 60)
    until = history[-1].at
    walked: list[str] = []
    for record in {event.id for event in history}:
        facts: Facts | None = None
        for event in (one for one in history if one.id == record):
            if facts is not None:
                facts, decisions = advance(facts, made, event.at - 1)
                walked += [action.key for decision in decisions for action in decision.actions]
            facts, decisions = advance(observe(facts, event, made, {}, "default"), made, event.at)
            walked += [action.key for decision in decisions for action in decision.actions]
        assert facts is not None
        walked += [action.key for decision in advance(facts, made, until)[1] for action in decision.actions]
    replayed = run_replay(history_of_log(small_log()), made)
    assert sorted(one.key for one in replayed if isinstance(one, ActionLine)) == sorted(set(walked))


PRINT = """
import sys
from tests.end_to_end.test_replay import policy, run_replay, history_of_log, small_log, written
for apply in (False, True):
    replayed = run_replay(history_of_log(small_log()), policy(), milestones=True, apply=apply)
    sys.stdout.buffer.write(written(replayed))
"""
SETTINGS = [
    {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0"},
    {"TZ": "Pacific/Apia", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "1"},
    {"TZ": "America/St_Johns", "LC_ALL": "de_DE.UTF-8", "PYTHONHASHSEED": "4242"},
]


def printed(code: str, settings: dict[str, str]) -> bytes:
    """Return what *code* prints in a process of its own with other *settings*."""
    environment = os.environ | settings
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True
    ).stdout


def test_bytes_are_the_same_whatever_zone_locale_and_hash_seed() -> None:
    outputs = {printed(PRINT, settings) for settings in SETTINGS}
    assert len(outputs) == 1
    (output,) = outputs
    assert output.count(b"\n") > 100


INCIDENTS = """
from pathlib import Path
import sys
from tests.end_to_end.test_replay import first_days, open_history, policy, run_replay, written
made = policy()
history = open_history(Path("../shared/data/sf_export"), made)
sys.stdout.buffer.write(written(run_replay(history, made, until=first_days(history), milestones=True)))
"""


def first_days(history: History, days: int = 4) -> int:
    """Return the instant that many *days* after the first event of *history*."""
    return history.entries[0].event.at + days * 24 * HOUR


@pytest.fixture(scope="module")
def incidents(shared: Path) -> History:
    """Every incident of a real company, and whatever else its administrator exported."""
    return open_history(shared / "data" / "sf_export", policy())


def assert_accounted_for(replayed: Replayed) -> None:
    """Check that every row and every event is used or refused, once, and every breach has its lead time."""
    summary = replayed.summary()
    events = summary.events
    assert all(count.rows == count.used + count.refused for count in summary.files.values())
    assert events.read == events.replayed + events.refused + events.after_until == 103_387
    assert sum(summary.refused.values()) == sum(c.refused for c in summary.files.values()) + events.refused
    assert len(summary.refused) < 20
    assert summary.failed == ()
    for one in foresight(replayed).milestones:
        lines = [line for line in replayed.milestone_lines() if line.milestone == one.milestone]
        assert one.breaches == sum(line.violated for line in lines) == sum(one.by_lead.values())
        assert one.runs == sum(line.target is not None for line in lines)
        assert one.foreseen == one.breaches - one.by_lead[NOT_BEFORE] - one.by_lead[NEVER_ACTED] > 0.9 * one.breaches


@pytest.mark.shared
def test_every_row_of_a_real_export_is_accounted_for_when_its_first_days_are_replayed(incidents: History) -> None:
    replayed = run_replay(incidents, policy(), until=first_days(incidents))
    lines = [one for one in replayed if isinstance(one, ActionLine)]
    assert_accounted_for(replayed)
    assert replayed.summary().events.after_until > 50_000
    assert len({one.key for one in lines}) == len(lines) > 100
    assert all(parse_instant(one.due) <= parse_instant(one.at) for one in lines)


@pytest.mark.shared
@pytest.mark.laws
def test_every_row_of_a_real_export_is_accounted_for_when_all_of_it_is_replayed(incidents: History) -> None:
    replayed = run_replay(incidents, policy())
    assert_accounted_for(replayed)
    assert (replayed.summary().records, replayed.summary().events.after_until) == (19_934, 0)


@pytest.mark.shared
def test_bytes_of_a_real_export_are_the_same_in_another_process(incidents: History) -> None:
    here = written(run_replay(incidents, policy(), until=first_days(incidents), milestones=True))
    assert printed(INCIDENTS, SETTINGS[1]) == here


def test_history_given_as_events_is_the_same_as_its_log() -> None:
    entries = tuple(Entry(event, "events.jsonl", number) for number, event in enumerate(events(3, 60), 1))
    direct = run_replay(History(entries=entries), policy())
    assert list(direct) == list(run_replay(history_of_log(small_log()), policy()))
