"""Metrics as Prometheus gets them: over HTTP, from a real store, with few labels and no customer's words."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.postgres import Databases
from triage.domain.decision import Action, AuditEntry
from triage.domain.instant import HOUR, SECOND
from triage.errors import SinkRefused
from triage.lateness import Lateness
from triage.metrics import FRESH, StoreFigures, lateness_histogram, serve_metrics
from triage.ports import SETTLED
from triage.steering import cancel
from triage.store.database import SqlStore
from triage.store.postgres import PostgresStore
from triage.testing import ManualClock, Sandbox

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A worker on a file; high-3h's notice is refused by the other side."""

    def answer(action: Action) -> None:
        if action.kind == "notify":
            raise SinkRefused("no such mailbox: Anna's secret words")

    made = Sandbox(store=SqlStore(tmp_path / "t.db", "acme"), answer=answer)
    yield made
    made.store.close()


class Scraped:
    """A server of one worker's metrics, and what it answers."""

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        self.end = serve_metrics(sandbox.worker, "127.0.0.1", port)
        self._url = f"http://127.0.0.1:{port}/metrics"

    def text(self) -> str:
        with urllib.request.urlopen(self._url, timeout=10) as answer:
            return str(answer.read().decode())

    def samples(self) -> Samples:
        families = text_string_to_metric_families(self.text())
        return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def scraped(sandbox: Sandbox) -> Iterator[Scraped]:
    """The worker's metrics over HTTP on loopback."""
    server = Scraped(sandbox, free_port())
    yield server
    server.end()


def test_the_quota_of_a_connected_organisation_is_told_and_of_none_nothing(sandbox: Sandbox, scraped: Scraped) -> None:
    """A worker that reads Salesforce says how much of its calls is used."""
    assert ("triage_salesforce_calls_used", ()) not in scraped.samples()
    sandbox.worker.quota = lambda: (18, 5000)
    found = scraped.samples()
    assert (found["triage_salesforce_calls_used", ()], found["triage_salesforce_calls_allowed", ()]) == (18, 5000)


def test_a_scrape_tells_what_is_due_what_waits_and_which_policy_is_in_force(sandbox: Sandbox, scraped: Scraped) -> None:
    sandbox.create("1", "2")
    sandbox.clock.move(2 * HOUR)
    found = scraped.samples()
    assert found["triage_timers_due", ()] == 2
    assert found["triage_timers_overdue_seconds", ()] == 3600
    assert found["triage_effects", (("state", "dead"),)] == 0
    assert found["triage_healthy", ()] == found["triage_store_readable", ()] == 1
    with sandbox.store.read() as unit:
        digest = unit.policies.live_digest()[:12]
    assert found["triage_policy_info", (("digest", digest),)] == 1


def test_expected_is_fired_plus_dead_once_all_is_done(sandbox: Sandbox, scraped: Scraped) -> None:
    scraped.samples()
    sandbox.create("1", "2", Priority="High")
    sandbox.create("3")
    sandbox.after(4 * HOUR)  # so late that the two notices to one recipient become one
    found = scraped.samples()
    for rule, expected in (("age-1h", 1), ("high-3h", 3)):
        dead = found["triage_rule_unfired_total", (("outcome", "dead"), ("rule", rule))]
        assert found["triage_rule_expected_total", (("rule", rule),)] == expected
        assert found["triage_rule_fired_total", (("rule", rule),)] + dead == expected
    assert found["triage_rule_unfired_total", (("outcome", "dead"), ("rule", "high-3h"))] == 1
    assert found["triage_effects", (("state", "dead"),)] == 1
    assert found["triage_rule_fired_total", (("rule", "gold-2h"),)] == 0


def test_what_was_before_the_process_began_is_not_counted(sandbox: Sandbox, scraped: Scraped) -> None:
    sandbox.create("1")
    sandbox.after(HOUR)
    assert scraped.samples()["triage_rule_fired_total", (("rule", "age-1h"),)] == 0


def test_labels_are_rules_states_and_digests_only(sandbox: Sandbox, scraped: Scraped) -> None:
    scraped.samples()
    sandbox.create("500SECRET", Priority="High", Subject="Anna's secret words")
    with sandbox.store.write() as unit:
        entries = [
            AuditEntry(at=1, org="acme", object="Case", id="1", event="done", rule=f"gone-{number}")
            for number in range(50)
        ]
        unit.audit.append(entries)
    sandbox.after(4 * HOUR)
    text = scraped.text()
    assert "500SECRET" not in text
    assert "secret words" not in text
    assert "gone-" not in text
    found = scraped.samples()
    assert found["triage_rule_fired_total", (("rule", "other"),)] == 50
    labels = {name for _, labelled in found for name, _ in labelled}
    assert labels == {"rule", "outcome", "state", "digest", "half", "le"}


def test_the_store_is_read_at_most_every_few_seconds(sandbox: Sandbox) -> None:
    figures = StoreFigures(sandbox.store, sandbox.clock.now)
    figures.read()
    sandbox.create("1")
    sandbox.clock.move(FRESH - 1)
    before, _ = figures.read()
    sandbox.clock.move(2 * HOUR)
    after, _ = figures.read()
    assert before is not None
    assert after is not None
    assert (before.due, after.due) == (0, 1)


def test_a_store_that_cannot_be_read_says_so_and_the_worker_still_answers(sandbox: Sandbox, scraped: Scraped) -> None:
    sandbox.store.close()
    path = Path(sandbox.store.path)  # type: ignore[attr-defined]
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    path.mkdir()
    found = scraped.samples()
    assert found["triage_store_readable", ()] == 0
    assert ("triage_timers_due", ()) not in found
    assert found["triage_healthy", ()] == 1
    path.rmdir()


def test_the_histogram_is_cumulative_and_in_seconds() -> None:
    late = Lateness()
    for millis in (0, 1, 40, 700, 9_999_999):
        late.add(millis)
    samples = {(s.name, s.labels.get("le", "")): s.value for s in lateness_histogram(late).samples}
    buckets = [value for (name, _), value in samples.items() if name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert samples["triage_lateness_seconds_bucket", "0.001"] == 2
    assert samples["triage_lateness_seconds_bucket", "0.05"] == 3
    assert samples["triage_lateness_seconds_bucket", "+Inf"] == samples["triage_lateness_seconds_count", ""] == 5
    assert samples["triage_lateness_seconds_sum", ""] == pytest.approx(10_000.74)


def test_a_cancelled_effect_counts_as_unfired(sandbox: Sandbox, scraped: Scraped) -> None:
    scraped.samples()
    sandbox.create("1")
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    (effect,) = sandbox.effects("ready")
    cancel(sandbox.store, sandbox.engine, sandbox.clock.move(FRESH), keys=[effect.action.key], actor="me")
    found = scraped.samples()
    assert found["triage_rule_unfired_total", (("outcome", "cancelled"), ("rule", "age-1h"))] == 1


def test_the_last_round_is_told_by_half(sandbox: Sandbox, scraped: Scraped) -> None:
    sandbox.worker.rounds = {"fire": 5 * SECOND}
    found = scraped.samples()
    assert found["triage_last_round_timestamp_seconds", (("half", "fire"),)] == 5
    assert found["triage_last_round_timestamp_seconds", (("half", "act"),)] == 0


def test_a_line_that_comes_to_stand_below_one_seen_before_is_counted(postgres: Databases) -> None:
    """On PostgreSQL a number is taken before the line is seen: of two writers the later one may be first."""
    store, clock = PostgresStore(postgres.new(), "acme"), ManualClock(0)
    figures = StoreFigures(store, clock.now)
    counts = []

    def entry(name: str) -> AuditEntry:
        return AuditEntry(at=1, org="acme", object="Case", id=name, event="done", key=name, rule="r")

    def look(after: int) -> None:
        clock.move(after)
        counts.append(figures.read()[1].get(("other", "done"), 0))

    look(0)
    with store.write() as slow:
        slow.audit.append([entry("1")])
        with store.write() as quick:
            quick.audit.append([entry("2")])
        look(FRESH)
    for after in (FRESH, SETTLED, SETTLED):
        look(after)
    store.close()
    assert counts == [0, 1, 2, 2, 2]
