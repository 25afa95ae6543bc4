"""Many records at once, straight into PostgreSQL's tables: taking them in one by one would take minutes."""

from __future__ import annotations

import json
from collections.abc import Callable

import psycopg

from triage.domain.instant import HOUR
from triage.domain.work import Event
from triage.ports import record_key
from triage.store.codec import encode_facts
from triage.worker import Worker

TEMPLATE_AT = 2_000_000_000_123


def fill(url: str, worker: Worker, rows: int, due_of: Callable[[int], int], prefix: str = "") -> None:
    """Insert *rows* cases that were decided once, at their creation an hour before the n-th's *due_of(n)*."""
    text = _template(worker)
    org = worker.store.org
    keys = [record_key("Case", f"{prefix}{number:015d}") for number in range(rows)]
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY record FROM STDIN") as copy:
            for number, key in enumerate(keys):
                due = due_of(number)
                state = text.replace("TEMPLATE", key[5:]).replace(str(TEMPLATE_AT + HOUR), str(due))
                state = state.replace(str(TEMPLATE_AT), str(due - HOUR))
                copy.write_row((org, key, state, 1, 1, "005A", '["agent/005A"]'))
        with cursor.copy("COPY timer FROM STDIN") as copy:
            for number, key in enumerate(keys):
                copy.write_row((org, key, due_of(number), "age-1h"))
        with cursor.copy("COPY reference FROM STDIN") as copy:
            for key in keys:
                copy.write_row((org, "agent/005A", key))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE record, timer, reference")


def _template(worker: Worker) -> str:
    """Return the facts of a case as they are stored after its first decision, with an id and an instant to replace."""
    changes = {"Status": "New", "Priority": "Low", "OwnerId": "005A"}
    created = Event(at=TEMPLATE_AT, type="created", event_id="template", object="Case", id="TEMPLATE", changes=changes)
    worker.ingest([created], worker.clock.now(), source="template", live_from=0)
    with worker.store.read() as unit:
        found = unit.records.get(["Case/TEMPLATE"])["Case/TEMPLATE"]
    assert json.loads(encode_facts(found.facts))["next_at"] == TEMPLATE_AT + HOUR
    return encode_facts(found.facts)
