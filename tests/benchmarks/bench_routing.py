"""Who takes what: 5,000 waiting records x 500 people, and one presence change among 100,000 open records. One core."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace

from triage.domain.instant import DAY, HOUR
from triage.domain.work import Agent, Event, Track
from triage.publishing import publish
from triage.routing.batch import Batch, prepare
from triage.routing.eligible import Desk
from triage.routing.wanted import Wanted
from triage.rules.document import Routing
from triage.sinks import StoreSink
from triage.store.codec import encode_facts
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY
from triage.wiring import open_worker
from triage.worker import Worker

Figure = tuple[str, float, str]
RECORDS, PEOPLE, OPEN, WAITING = 5_000, 500, 100_000, 200
LANGUAGES, PRODUCTS, REGIONS = ("de", "en", "fr", "es"), ("billing", "platform", "mobile"), ("emea", "amer", "apac")
POLICY = SMALL_POLICY | {
    "rules.yaml": """
object: Case
match: all_matches
rules:
  - {id: age-1h, when: [age >= 1h], do: [{reassign: {to: {pool: seniors}, match: best}}]}
"""
}


def run() -> list[Figure]:
    """Return (name, value, unit) of each figure, in CPU time of this process: the median of five."""
    items, agents = _desk(random.Random(7))
    desk = Desk(Routing(), {}, 1_000_000_000_000)
    start = time.process_time()
    batch = prepare(items, agents, desk)
    figures = [(f"set-up, {RECORDS:,} x {PEOPLE}", _since(start), "ms")]
    for match in ("best", "round_robin", "least_loaded"):
        figures.append((f"{match}, after set-up", _median(lambda match=match: batch._one_by_one(match)), "ms"))
    figures.append(("best, with reasons for every record", _median(lambda: batch.plan("best")), "ms"))
    figures.append(("optimal (OR-tools), after set-up", _median(batch._together), "ms"))
    figures.append(("optimal, with reasons and the comparison", _median(lambda: batch.plan("optimal")), "ms"))
    figures += _gap(batch)
    return figures + _presence()


def _gap(batch: Batch) -> list[Figure]:
    plan = batch.plan("optimal")
    gap = 100 * (1 - plan.greedy_total / plan.total)
    return [("served", float(len(plan.placed)), f"of {RECORDS:,}"), ("best falls short of optimal by", gap, "%")]


def _desk(rng: random.Random) -> tuple[list[Wanted], list[Agent]]:
    agents = [
        Agent(
            id=f"a{number:04}", presence="online", capacity=rng.randint(4, 18), load=rng.randint(0, 4),
            skills={name: rng.randint(1, 5) for name in rng.sample(PRODUCTS, 2)}, regions=(rng.choice(REGIONS),),
            languages={name: rng.randint(3, 6) for name in rng.sample(LANGUAGES, 2)},
            track={"Lead": Track(40, rng.randint(4, 20), rng.random() * 1e5)},
        )
        for number in range(PEOPLE)
    ]  # fmt: skip
    items = []
    for number in range(RECORDS):
        product = rng.choice(PRODUCTS)
        items.append(
            Wanted(
                key=f"Lead/{number:05}", object="Lead", worth=round(rng.uniform(0.05, 1), 2), urgent=rng.random() < 0.1,
                language=rng.choice(LANGUAGES), region=rng.choice(REGIONS), skills=(product,), about=("Lead",),
                require=("language:B2", f"skill:{product}"),
            )
        )  # fmt: skip
    return items, agents


def _presence() -> list[Figure]:
    """Somebody comes: what they own is woken, and ten of those that wait for somebody are theirs."""
    with tempfile.TemporaryDirectory() as folder:
        worker = open_worker(SqlStore(Path(folder) / "bench.db", "bench"), StoreSink())
        now = worker.clock.now()
        publish(worker.store, worker.engine, POLICY, now - DAY, actor="bench", virtual=True)
        people = [_told(f"005{n:04}", now - 2 * HOUR, presence="offline", capacity=210) for n in range(PEOPLE)]
        worker.ingest(people, now, source="bench", live_from=0)
        _fill(worker, now)
        late = [_created(f"w{n:04}", now - HOUR, "00GQUEUE") for n in range(WAITING)]
        worker.ingest(late, now, source="bench", live_from=0)
        worker.fire(now)
        times = []
        for number in range(5):
            start = time.process_time()
            worker.ingest([_told(f"005{number:04}", now + number, presence="online")], now, source="bench")
            times.append(_since(start))
        with worker.store.read() as unit:
            counts = unit.outbox.counts()
            placed, held = counts.get("ready", 0), counts.get("held", 0)
        worker.close()
        worker.store.close()
    assert (placed, held) == (50, WAITING - 50), counts
    return [(f"presence change, {OPEN:,} open, {WAITING} wait, 10 placed", sorted(times)[2], "ms")]


def _told(identity: str, at: int, **changes: object) -> Event:
    more = {"pools": ["seniors"]} if "capacity" in changes else {}
    return Event(at=at, type="agent", event_id=f"{identity}@{at}", id=identity, changes={**changes, **more})


def _created(identity: str, at: int, owner: str) -> Event:
    changes = {"Status": "New", "Priority": "Low", "OwnerId": owner}
    return Event(at=at, type="created", event_id=f"c{identity}", object="Case", id=identity, changes=changes)


def _fill(worker: Worker, now: int) -> None:
    """Insert the open records, 200 to each person, straight into the tables; their timers are a day ahead."""
    created = now + DAY
    worker.ingest([_created("TEMPLATE", created, "005OWNER")], now, source="bench", live_from=0)
    with worker.store.read() as unit:
        text = encode_facts(unit.records.get(["Case/TEMPLATE"])["Case/TEMPLATE"].facts)
        loads = list(unit.related.agents())
    assert isinstance(worker.store, SqlStore)
    records, timers, references = [], [], []
    for number in range(OPEN):
        owner, key = f"005{number % PEOPLE:04}", f"Case/{number:015d}"
        state = text.replace("TEMPLATE", key[5:]).replace("005OWNER", owner)
        records.append(("bench", key, state, 1, 1, owner, f'["agent/{owner}"]'))
        timers.append(("bench", key, created + HOUR, "age-1h"))
        references.append(("bench", f"agent/{owner}", key))
    with worker.store.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        raw = connection.connection.cursor()
        raw.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", records)
        raw.executemany("INSERT INTO timer VALUES (?, ?, ?, ?)", timers)
        raw.executemany("INSERT INTO reference VALUES (?, ?, ?)", references)
        connection.commit()
    with worker.store.write() as unit:
        unit.related.save_agents([replace(one, load=OPEN // PEOPLE) for one in loads])


def _median(what: object) -> float:
    times = []
    for _ in range(5):
        start = time.process_time()
        what()  # type: ignore[operator]
        times.append(_since(start))
    return sorted(times)[2]


def _since(start: float) -> float:
    return (time.process_time() - start) * 1_000
