"""The one place that joins seams to real things, and the only one that reads the clock."""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from triage.config import Settings, load_policy, read_file, read_secret, salesforce_settings
from triage.engine import PureEngine
from triage.errors import ConfigError, StoreError
from triage.fleet import Fleet
from triage.intaking import Door
from triage.logs import JsonJournal, NamedJournal
from triage.metrics import serve_metrics
from triage.ports import Engine, Journal, Scorer, Sink, Store, Unit
from triage.sending import Pace
from triage.sinks import JsonlSink, StoreSink
from triage.sinks.opening import open_sinks
from triage.sinks.routed import RoutedSink
from triage.sinks.settings import read_sinks
from triage.store.database import SqlStore
from triage.store.restoring import restore_file
from triage.watching import Watcher
from triage.worker import Worker

if TYPE_CHECKING:
    from triage.llm.following import FollowingScorer
    from triage.llm.scorer import LlmScorer
    from triage.rules.llm_policy import LlmPolicy
    from triage.salesforce.client import Client
    from triage.salesforce.deployment import Deployment
    from triage.salesforce.setup_rules import Rules
    from triage.scoring.opening import OpeningScorer
    from triage.scoring.together import Scorers
    from triage.store.postgres import PostgresStore

SQLITE = "sqlite:///"
POSTGRES = ("postgresql://", "postgresql+psycopg://", "postgres://")
SINKS_FILE = (".yaml", ".yml")

FLEET_CONNECTIONS = 64
"""The most connections that a process with several organisations opens."""


class SystemClock:
    """The machine's clock, in ms UTC."""

    def __init__(self) -> None:
        self._woken = threading.Condition()
        self._times = 0
        self._heard = threading.local()

    def now(self) -> int:
        """Return the instant now."""
        return time.time_ns() // 1_000_000

    def wait(self, millis: int) -> None:
        """Come back after *millis* ms, or sooner where `wake` was called since this thread last came back."""
        heard = getattr(self._heard, "times", 0)
        with self._woken:
            self._woken.wait_for(lambda: self._times != heard, millis / 1000)
            self._heard.times = self._times

    def wake(self) -> None:
        """End every wait."""
        with self._woken:
            self._times += 1
            self._woken.notify_all()


def ticks() -> float:
    """Return milliseconds that only ever grow, for how long something took."""
    return time.monotonic_ns() / 1e6


def open_store(url: str, org: str, *, must_exist: bool = False) -> Store:
    """
    Return the store at *url*: `postgresql://user@host/name`, `sqlite:///path`, or a plain path (a file is made).

    Raises:
        ConfigError: *url* names another kind of database.
        StoreError: *must_exist*, and there is no file; nothing is made then. Or the schema of a PostgreSQL database is
            not up to date: it names `triage db upgrade`.
    """
    if url.startswith(POSTGRES):
        return open_postgres(url, org)
    if "://" in url and not url.startswith(SQLITE):
        raise ConfigError(f"{url.split('://')[0]} is no database this version knows: write sqlite:///path/to/triage.db")
    path = Path(url.removeprefix(SQLITE))
    if must_exist and not path.exists():
        raise StoreError(f"no store at {path}: `triage policy publish` makes one, --db or TRIAGE_DATABASE_URL names it")
    return SqlStore(path, org)


def upgrade_store(url: str, org: str) -> None:
    """Bring the schema at *url* up to date, or make it; a file is copied first."""
    if url.startswith(POSTGRES):
        from triage.store.postgres import upgrade_postgres

        upgrade_postgres(url)
    else:
        open_store(url, org).close()


def open_postgres(url: str, org: str, *, connections: int = 16) -> PostgresStore:
    """Return the store at *url* on PostgreSQL. Its driver takes a while to import, and a file does not need it."""
    from triage.store.postgres import PostgresStore

    return PostgresStore(url, org, connections=connections)


def same_database(store: Store, org: str) -> Store:
    """Return the store of *org* in the database of *store*, on its connections; a file's other: ConfigError."""
    if org == store.org:
        return store
    if not store.tells:
        raise ConfigError(f"this file holds organisation {store.org}, not {org}")
    from triage.store.postgres import PostgresStore

    assert isinstance(store, PostgresStore)
    return store.for_org(org)


def open_fleet(
    url: str, orgs: Sequence[str], sink: Sink, *, journal: Journal | None = None, scorer: Scorer | None = None
) -> Fleet:
    """
    Return the workers of *orgs*, or of every organisation with a policy in force where none is named, on PostgreSQL.

    Args:
        scorer: The local models, which all of them share; None: nothing is scored.

    Raises:
        ConfigError: *url* is a file, which has one worker for one organisation at a time.
    """
    if not url.startswith(POSTGRES):
        raise ConfigError("several organisations in one process need PostgreSQL: a file has one worker at a time")
    store = open_postgres(url, orgs[0] if orgs else "", connections=FLEET_CONNECTIONS)

    def opened(org: str) -> Worker:
        named = None if journal is None else NamedJournal(journal, org)
        own = store.for_org(org)
        return open_worker(own, sink, journal=named, scorer=scorer and follow_policy(scorer, own, journal=named))

    return Fleet(lambda: orgs or store.orgs(), opened, end=store.close)


def open_sink(spec: str) -> Sink:
    """
    Return the sink that *spec* names: `store` (nothing leaves), `salesforce`, `jsonl:PATH`, or a sinks file `*.yaml`.

    Raises:
        ConfigError: it is none of these, or the file has faults, or a secret is missing.
    """
    if spec.endswith(SINKS_FILE):
        more = {"salesforce": lambda settings: open_salesforce_sink(settings.name)}
        return open_sinks(read_sinks(spec, read_file(spec)), read_secret, SystemClock().now, spec, more)
    kind, _, path = spec.partition(":")
    if kind == "store":
        return StoreSink()
    if spec == "salesforce":
        return open_salesforce_sink("salesforce")
    if kind == "jsonl" and path:
        return JsonlSink(Path(path))
    raise ConfigError(f"{spec!r} is no sink: write store, salesforce or jsonl:PATH, or name a sinks file *.yaml")


def open_salesforce() -> Client:
    """
    Return the client of the connected organisation, not logged in yet; raise ConfigError where none is connected.

    What speaks to Salesforce is imported where it is needed: it takes a second, and most commands do without.
    """
    from triage.salesforce.client import Client
    from triage.salesforce.settings import read_connection

    clock = SystemClock()
    settings = salesforce_settings()
    if not settings:
        raise ConfigError("no Salesforce organisation is connected: set TRIAGE_SALESFORCE_*, see docs/salesforce.md")
    return Client(read_connection(settings), clock.now, clock.wait)


def open_deployment(client: Client) -> Deployment:
    """Return this installation's claim to act: by its name, else by where its store is and whose it is."""
    from triage.salesforce.deployment import Deployment

    settings = Settings.from_environment()
    place = f"{socket_name()}:{Path(settings.database_url.removeprefix(SQLITE)).absolute()}:{settings.org}"
    shared = settings.database_url.startswith(POSTGRES)
    name = f"{settings.database_url.rpartition('@')[2]}:{settings.org}" if shared else place
    return Deployment(client, client.connection.deployment or name)


def socket_name() -> str:
    """Return this machine's name."""
    return os.uname().nodename


def open_salesforce_sink(name: str) -> Sink:
    """Return the sink that writes to the connected organisation."""
    from triage.salesforce.writer import SalesforceSink

    client = open_salesforce()
    return SalesforceSink(client, open_deployment(client), SystemClock().now, name=name)


@contextmanager
def open_setup_rules(store: Store, engine: Engine, journal: Journal | None = None) -> Iterator[Rules]:
    """Yield the rules kept in the setup of the connected organisation, for the policy of *store*."""
    from triage.salesforce.setup_rules import Rules

    client = open_salesforce()
    try:
        yield Rules(client, open_deployment(client), store, engine, journal)
    finally:
        client.close()


@contextmanager
def feeding_salesforce(
    worker: Worker, stop: threading.Event, journal: Journal | None, seen: Callable[[Collection[str]], object]
) -> Iterator[None]:
    """
    Read the connected organisation in a thread of its own until the end; where that breaks, *stop* is set.

    Args:
        seen: As in `Feed`: hears the keys of actions that the organisation shows as done.
    """
    from triage.salesforce.availability import Availability
    from triage.salesforce.feed import Feed
    from triage.salesforce.presence import Presence
    from triage.salesforce.reading import Reader
    from triage.salesforce.setup_rules import Rules

    client = open_salesforce()
    worker.quota = lambda: (client.gate.usage.used, client.gate.usage.allowed)
    with worker.store.read() as unit:
        document = load_policy(live.texts if (live := unit.policies.live()) else {})
    reader = Reader(client, document)
    clock = SystemClock()
    rules = Rules(client, open_deployment(client), worker.store, worker.engine, journal)
    available = Availability(client, open_deployment(client), worker.store, journal)
    presence = Presence(client, weights=document.routing.weights, read=reader.objects, journal=journal)

    def besides(now: int) -> None:
        rules.poll(now)
        available.poll(now)

    feed = Feed(client, reader, Door(worker), clock, presence=presence, journal=journal, seen=seen, besides=besides)

    def read() -> None:
        try:
            feed.run(stop)
        finally:
            stop.set()
            worker.clock.wake()

    with ThreadPoolExecutor(1, thread_name_prefix="salesforce") as pool:
        running = pool.submit(read)
        try:
            yield
        finally:
            stop.set()
        running.result()
    client.close()


def store_file(url: str) -> Path | None:
    """Return the file of the store at *url*, None where a server keeps it."""
    return None if "://" in url and not url.startswith(SQLITE) else Path(url.removeprefix(SQLITE))


def restore_store(url: str, backup: Path, note: Callable[[Unit], None], *, org: str, replace: bool) -> str:
    """
    Put *backup* in the place of the store at *url*; return where what stood there is kept, "" for nowhere.

    Args:
        note: What to store with it, for *org* and every organisation with a policy, before any worker can see it.
        replace: A server's database may hold something. A file is always replaced. See `restore_postgres`,
            `restore_file`.
    """
    file = store_file(url)
    if file is not None:
        kept = restore_file(backup, file, note, org=org)
        return "" if kept is None else str(kept)
    from triage.store.server_restoring import restore_postgres

    kept_in = restore_postgres(url, backup, note, org=org, replace=replace)
    return kept_in and f"schema {kept_in}"


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of *text* (`127.0.0.1:9464`, `[::1]:9464`, `:9464`); raise ConfigError where it is none."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"{text!r} is no address: write HOST:PORT, such as 127.0.0.1:9464")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - whoever leaves the host out means every interface


def open_journal(level: str) -> Journal:
    """Return the journal of this process: JSON lines on standard error."""
    return JsonJournal(SystemClock().now, level)


@contextmanager
def serving_metrics(workers: Worker | Fleet, address: str) -> Iterator[None]:
    """Serve the metrics of *workers* at *address* until the end ("": nowhere); raise ConfigError where it is taken."""
    if not address:
        yield
        return
    host, port = address_of(address)
    try:
        served = workers if isinstance(workers, Worker) else lambda: dict(workers.workers)
        end = serve_metrics(served, host, port)
    except OSError as cause:
        raise ConfigError(f"metrics cannot be served at {address}: {cause.strerror or cause}") from cause
    try:
        yield
    finally:
        end()


@contextmanager
def watching_folder(watcher: Watcher | None, stop: threading.Event) -> Iterator[None]:
    """Let *watcher* run in a thread of its own until the end; where it breaks, *stop* is set, and its error is ours."""
    if watcher is None:
        yield
        return

    def watch() -> None:
        try:
            watcher.run(stop)
        finally:
            stop.set()

    with ThreadPoolExecutor(1, thread_name_prefix="watch") as pool:
        running = pool.submit(watch)
        try:
            yield
        finally:
            stop.set()
        running.result()


def find_models(folder: str = "") -> Path:
    """
    Return the folder of models: *folder*, TRIAGE_MODELS, `models` below here, or the project's own.

    Raises:
        ConfigError: there is no such folder as was named: no other one takes its place.
    """
    settings = Settings.from_environment()
    if named := folder or settings.models:
        if not Path(named).is_dir():
            option = "--models" if folder else "TRIAGE_MODELS"
            raise ConfigError(f"{option}: {named} is no folder: name the one that holds the folders of the models")
        return Path(named)
    here, own = Path("models"), Path(__file__).parents[1] / "models"
    return here if here.is_dir() or not own.is_dir() else own


def open_scorer(folder: str = "", *, journal: Journal | None = None) -> Scorers:
    """
    Return the scorer of the models in *folder* (see `find_models`): urgency, lead value, and what customers wrote.

    A challenger that cannot be opened is told in *journal*; the model in charge scores without it.
    TRIAGE_SENTIMENT names who reads sentiment: `local`, or `transformers:` and any id of the hub or folder.

    Raises:
        ConfigError: the folder that was named does not exist.
        ModelRefused: there is none, or one is changed, incomplete, or says other than it said.
    """
    return _scorer_of(find_models(folder), journal)


def _scorer_of(root: Path, journal: Journal | None) -> Scorers:
    # Models are opened where somebody scores; most commands do not.
    from triage.scoring.customer_scores import FAMILIES, SentimentScorer
    from triage.scoring.local import LocalScorer
    from triage.scoring.together import Scorers

    scorers: dict[Scorer, tuple[str, ...]] = {LocalScorer.open(root, journal): ("urgency", "lead")}
    provider = Settings.from_environment().sentiment
    if (root / "sentiment").is_dir() or provider != "local":
        scorers[SentimentScorer.load(root, provider=provider)] = FAMILIES
    return Scorers(scorers)


def open_models(folder: str = "", *, journal: Journal | None = None) -> OpeningScorer:
    """
    Return the scorer of `open_scorer`, which opens the models when something is first scored, once for all.

    A folder that was named and does not exist is a ConfigError at once.
    """
    from triage.scoring.opening import OpeningScorer

    root = find_models(folder)
    return OpeningScorer(lambda: _scorer_of(root, journal), journal)


def follow_policy(local: Scorer, store: Store, *, journal: Journal | None = None) -> FollowingScorer:
    """Return *local* with the language model around it that the policy in force in *store* names, if it names one."""
    from triage.llm.following import FollowingScorer
    from triage.llm.scorer import LlmScorer

    clock = SystemClock()

    def around(scorer: Scorer, policy: LlmPolicy) -> LlmScorer:
        return LlmScorer(scorer, policy, store, clock, secrets=read_secret, ids=lambda: uuid.uuid4().hex)

    return FollowingScorer(local, store, clock, around, journal=journal)


def open_worker(
    store: Store,
    sink: Sink,
    *,
    pace: Pace | None = None,
    journal: Journal | None = None,
    scorer: Scorer | None = None,
) -> Worker:
    """Return a worker on *store* that sends to *sink*, by the machine's clock. Its name is new each time."""
    name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    listeners = sink.listeners(store.org) if isinstance(sink, RoutedSink) else ()
    return Worker(
        store, sink, PureEngine(), SystemClock(), name=name, pace=pace, journal=journal, scorer=scorer,
        listeners=listeners,
    )  # fmt: skip


@contextmanager
def stop_on_signals(worker: Worker | None = None) -> Iterator[threading.Event]:
    """
    Yield an event that SIGINT and SIGTERM set, for `Worker.run` and `Fleet.run`: what has been begun is finished first.

    Whoever says that it runs says so inside: a signal sent at once must find this in place.

    Args:
        worker: Woken at once; a fleet wakes its own.
    """
    stop = threading.Event()

    def tell() -> None:
        stop.set()
        if worker is not None:
            worker.clock.wake()

    def ask(_signal: int, _frame: object) -> None:
        # In a thread of its own, begun without a lock: the one that was interrupted may hold the lock that `set` takes.
        _thread.start_new_thread(tell, ())

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
