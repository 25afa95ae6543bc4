"""One PGQueuer worker for the comparison: carries out what is due as ours does, one line a key, until nothing is."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
from pgqueuer import Job, PsycopgDriver, Queries, QueueManager

from tests.support.raw_sink import RawSink
from triage.domain.decision import Action, Reason

BATCH = 100


def action(key: str) -> Action:
    """Return an action with *key*: the sink writes that down and nothing else."""
    return Action(
        kind="notify", target="owner", rule="r", step="", position=0, due=0, object="Case", id="1", episode="e",
        key=key, at=0, reason=Reason(),
    )  # fmt: skip


async def end(manager: QueueManager, path: Path, actions: int) -> None:
    """Let the worker end when all workers together have written *actions* lines: jobs for tomorrow still wait."""
    lines = 0
    with path.open("rb") as written:
        while lines < actions:
            lines += written.read().count(b"\n")
            await asyncio.sleep(0.02)
    manager.shutdown.set()


async def main() -> None:
    """Work on the database and file given; begins when a line comes in."""
    url, path, actions = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sink = RawSink(Path(path))
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        manager = QueueManager(Queries(PsycopgDriver(connection)))

        @manager.entrypoint("act")
        async def act(job: Job) -> None:
            sink.send(action((job.payload or b"").decode()))

        print("ready", flush=True)
        sys.stdin.readline()
        ending = asyncio.create_task(end(manager, Path(path), actions))
        await manager.run(batch_size=BATCH, dequeue_timeout=timedelta(milliseconds=50))
        await ending


asyncio.run(main())
