"""
Figures for Prometheus, over HTTP: of this worker from memory, of the whole store from a few index ranges.

The only labels are a rule's id (of the policy in force, else `other`), an effect's state, a policy's digest, a score's
name, and the organisation where a process serves several: no record, no recipient, no text. What is read from the store
is the same at every worker of the store: take the maximum over workers, not the sum.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from triage.domain.instant import SECOND
from triage.errors import StoreError, TriageError
from triage.lateness import EDGES, Lateness
from triage.llm.following import FollowingScorer
from triage.llm.health import LlmHealth
from triage.ports import SETTLED, Figures, Scorer, Store
from triage.scoring.opening import OpeningScorer
from triage.worker import Worker

FRESH = 5 * SECOND
"""How old, in ms, figures of the store may be: however often somebody asks, it is read no more often than this."""

MICRO = 1_000_000
"""Micro-dollars in a dollar."""

OTHER = "other"
"""The label of rules that the policy in force does not have: people's orders, and rules that are gone."""

MOST_RULES = 1_000
"""How many rules have a label of their own."""

EXPECTED = ("planned", "released", "retried_by_hand")
"""The audit events that make an effect due to be done."""

UNFIRED = ("dead", "cancelled", "superseded")
"""The audit events after which an effect will not be done; it may never have been due."""


class StoreFigures:
    """What the store says, read at most every `FRESH` ms, and counts of audit lines since this process began."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._lock = threading.Lock()
        self._read_at: int | None = None
        self._figures: Figures | None = None
        self._settled_to: int | None = None
        self._marks: deque[tuple[int, int]] = deque()
        self._settled: dict[tuple[str, str], int] = {}
        self._lines: dict[tuple[str, str], int] = {}

    def read(self) -> tuple[Figures | None, dict[tuple[str, str], int]]:
        """Return the figures (None: the store cannot be read), and how many lines there were by (rule, event)."""
        with self._lock:
            now = self._now()
            if self._read_at is None or now - self._read_at >= FRESH:
                self._read_at = now
                self._refresh(now)
            return self._figures, dict(self._lines)

    def _refresh(self, now: int) -> None:
        """Count the new lines; those of the last `SETTLED` ms again next time, as others may come in among them."""
        try:
            with self._store.read() as unit:
                self._figures = unit.upkeep.figures(now)
                settles = self._settled_to
                while self._marks and now - self._marks[0][0] >= SETTLED:
                    settles = self._marks.popleft()[1]
                _, older = unit.upkeep.tally(self._settled_to, settles)
                last, newer = unit.upkeep.tally(settles)
        except StoreError:
            self._figures = None
            return
        for rule in self._figures.rules[:MOST_RULES]:
            self._settled.setdefault((rule, "planned"), 0)
        self._add(self._settled, older)
        self._lines = dict(self._settled)
        self._add(self._lines, newer)
        self._settled_to = last if settles is None else settles
        self._marks.append((now, last))

    def _add(self, counts: dict[tuple[str, str], int], new: Mapping[tuple[str, str], int]) -> None:
        for (rule, event), lines in new.items():
            label = (rule if (rule, "planned") in self._settled else OTHER, event)
            counts[label] = counts.get(label, 0) + lines


class TriageCollector(Collector):
    """Every metric of the workers of one process and their stores, made anew for each scrape."""

    def __init__(self, workers: Callable[[], Mapping[str, Worker]], *, by_org: bool = False) -> None:
        """
        Ask *workers* for the workers by organisation at each scrape.

        Args:
            by_org: Each metric has the label `org`: there may be several.
        """
        self._workers = workers
        self._by_org = by_org
        self._stores: dict[str, StoreFigures] = {}
        self._health: dict[str, tuple[int, LlmHealth | None]] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; those of all organisations stand together under one name, as Prometheus wants it."""
        found: dict[str, Metric] = {}
        for org, worker in sorted(self._workers().items()):
            figures = self._stores.setdefault(org, StoreFigures(worker.store, worker.clock.now))
            for metric in self._of_worker(worker, figures):
                one = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                one.samples += [self._labelled(sample, org) for sample in metric.samples]
        yield from found.values()

    def _of_worker(self, worker: Worker, store: StoreFigures) -> Iterator[Metric]:
        yield lateness_histogram(worker.lateness)
        yield _last_round(worker)
        yield _gauge("triage_healthy", "1 while this worker can do its work, 0 while it cannot.", worker.health.ok)
        yield from _quota(worker)
        yield from score_drift(worker.scorer)
        figures, lines = store.read()
        yield _gauge("triage_store_readable", "1 where the store could be read for these figures.", figures is not None)
        if figures is not None:
            yield from _of_store(figures)
            yield from _of_rules(lines)
            yield from self._of_llm(worker)

    def _of_llm(self, worker: Worker) -> Iterator[Metric]:
        """Yield how asking goes where the policy in force names a language model, read as rarely as the store is."""
        if not isinstance(worker.scorer, FollowingScorer):
            return
        now = worker.clock.now()
        at, health = self._health.get(worker.store.org, (now - FRESH, None))
        if now - at >= FRESH:
            with suppress(TriageError):
                health = worker.scorer.health()
            self._health[worker.store.org] = (now, health)
        if health is not None and health.state != "off":
            yield from llm_metrics(health)

    def _labelled(self, sample: Sample, org: str) -> Sample:
        return sample._replace(labels={"org": org, **sample.labels}) if self._by_org else sample


def _last_round(worker: Worker) -> Metric:
    rounds = GaugeMetricFamily(
        "triage_last_round_timestamp_seconds",
        "When this worker last finished a round without an error, by half (fire, act): alert on its age.",
        labels=["half"],
    )
    for half in ("fire", "act"):
        rounds.add_metric([half], worker.rounds.get(half, 0) / SECOND)
    return rounds


def lateness_histogram(lateness: Lateness) -> Metric:
    """Return how late this worker's timers fired, in seconds, cumulative as Prometheus has it."""
    total, buckets = 0, []
    for edge, count in zip([*(f"{edge / SECOND:g}" for edge in EDGES), "+Inf"], list(lateness.counts), strict=True):
        total += count
        buckets.append((edge, float(total)))
    found = HistogramMetricFamily("triage_lateness_seconds", "How long after their due instant timers were fired.")
    found.add_metric([], buckets, lateness.sum / SECOND)
    return found


def serve_metrics(workers: Worker | Callable[[], Mapping[str, Worker]], host: str, port: int) -> Callable[[], None]:
    """
    Serve metrics at http://host:port/metrics from a thread of its own; return what ends that.

    Args:
        workers: One worker, or what names those of several organisations: then each metric has the label `org`.

    Raises:
        OSError: the address cannot be had.
    """
    registry = CollectorRegistry(auto_describe=False)
    if isinstance(workers, Worker):
        only = {workers.store.org: workers}
        registry.register(TriageCollector(lambda: only))
    else:
        registry.register(TriageCollector(workers, by_org=True))
    server, thread = start_http_server(port, host, registry)

    def end() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    return end


def _of_store(figures: Figures) -> Iterator[Metric]:
    yield _gauge("triage_timers_due", "Timers that are due and not fired, counted to 100,000.", figures.due)
    overdue = "How long ago the oldest timer that is not fired was due."
    yield _gauge("triage_timers_overdue_seconds", overdue, figures.overdue / SECOND)
    effects = GaugeMetricFamily("triage_effects", "Effects not yet done, by state, to 100,000 each.", labels=["state"])
    for state, count in figures.effects.items():
        effects.add_metric([state], count)
    yield effects
    refused = CounterMetricFamily("triage_refused_lines", "Lines of sources that were refused, since the beginning.")
    refused.add_metric([], figures.refused)
    yield refused
    yield _gauge(
        "triage_store_last_round_timestamp_seconds",
        "When any worker of this store last said that it finished a round.",
        figures.last_round / SECOND,
    )
    yield InfoMetricFamily("triage_policy", "The policy in force.", {"digest": figures.policy[:12]})


def _of_rules(lines: dict[tuple[str, str], int]) -> Iterator[Metric]:
    expected = CounterMetricFamily(
        "triage_rule_expected", "Effects decided and due to be done, since this process began.", labels=["rule"]
    )
    fired = CounterMetricFamily("triage_rule_fired", "Effects done, since this process began.", labels=["rule"])
    unfired = CounterMetricFamily(
        "triage_rule_unfired",
        "Effects never to be done, also those found pointless as they were decided.",
        labels=["rule", "outcome"],
    )
    for rule in sorted({rule for rule, _ in lines}):
        expected.add_metric([rule], sum(lines.get((rule, event), 0) for event in EXPECTED))
        fired.add_metric([rule], lines.get((rule, "done"), 0))
        for outcome in UNFIRED:
            unfired.add_metric([rule, outcome], lines.get((rule, outcome), 0))
    yield from (expected, fired, unfired)


def _quota(worker: Worker) -> Iterator[Metric]:
    """Yield what is used of the API calls of the organisation that this worker reads; nothing where it reads none."""
    if worker.quota is None:
        return
    used, allowed = worker.quota()
    yield _gauge("triage_salesforce_calls_used", "API calls used in the organisation in 24 hours, by all.", used)
    yield _gauge("triage_salesforce_calls_allowed", "How many there are in 24 hours; 0: not heard yet.", allowed)


def score_drift(scorer: Scorer | None) -> Iterator[Metric]:
    """Yield how far live scores have moved from what their models were calibrated on; nothing where none were given."""
    local = scorer.local if isinstance(scorer, FollowingScorer) else scorer
    moved = local.drifts() if isinstance(local, OpeningScorer) else {}
    if not moved:
        return
    drift = GaugeMetricFamily(
        "triage_score_drift",
        "Population stability index of this process's latest scores: from 0.25 on fit the model again.",
        labels=["score"],
    )
    counted = GaugeMetricFamily(
        "triage_score_drift_rows", "How many scores that is of; below 100 it says nothing.", labels=["score"]
    )
    for family, one in sorted(moved.items()):
        drift.add_metric([family], one.psi)
        counted.add_metric([family], one.rows)
    yield from (drift, counted)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, float(value))


def llm_metrics(health: LlmHealth) -> Iterator[Metric]:
    """Yield what dashboards and alarms need of a language model; its only label is a reason code of ours."""
    yield _gauge("triage_llm_ok", "1 while nobody has to mend how the language model is asked.", health.ok)
    yield _gauge("triage_llm_spent_dollars", "Spent today (UTC), reservations included.", health.spent / MICRO)
    yield _gauge("triage_llm_budget_dollars", "What may be spent today.", health.budget / MICRO)
    calls = GaugeMetricFamily("triage_llm_calls", "The latest calls of the last hour.", labels=["outcome"])
    for outcome, count in sorted(health.outcomes.items()):
        calls.add_metric([outcome], count)
    yield calls
