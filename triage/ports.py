"""
Every seam in one file: the clock, the sink, the deciding engine, and the store with its parts.

Each seam stands three times: here, in the room that does it for real (`store/`, `sinks/`, `wiring.py`), and in
`testing.py`. A contract suite runs over the last two. All instants are ms UTC; a record key is `Object/id`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from triage.domain.decision import Action, AuditEntry, Decision
from triage.domain.facts import Facts
from triage.domain.instant import MINUTE
from triage.domain.message import UNWRITTEN, Message
from triage.domain.work import AT_REST, Agent, Event, Scores, Standing, WorkItem
from triage.policy import RuleMode
from triage.routing.wanted import Burden
from triage.safety import Bucket, Capped

State = Literal[
    "ready", "leased", "done", "dead", "cancelled", "superseded", "would_have", "backlog", "held", "suppressed",
]  # fmt: skip
"""Where an effect stands in the outbox. Only ready ones, and leased ones past their lease, are ever sent."""

UNSENT: tuple[State, ...] = ("ready", "held", "backlog")
"""The states in which an effect can still be overtaken by a newer one."""

SETTLED = MINUTE
"""
How long, in ms, a line of the audit may take from its number to where others see it: a later one may be seen first.

So long a server lets a transaction of ours stand idle (`triage.store.postgres.SETTINGS`) before it ends it.
"""

Compiled = Any
"""A compiled policy: the engine's own business. The rooms above read its `digest` and nothing else."""


def record_key(object_name: str, record_id: str) -> str:
    """Return the key of one record: `Case/500..`."""
    return f"{object_name}/{record_id}"


class Clock(Protocol):
    """What time it is, and waiting. Only `wiring.py` has one that reads the machine's."""

    def now(self) -> int:
        """Return the instant now."""

    def wait(self, millis: int) -> None:
        """Come back after *millis* ms, or sooner where `wake` was called."""

    def wake(self) -> None:
        """End a wait that another thread is in."""


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the other side said to an effect; `already`: it had done this key before, and did nothing now."""

    already: bool = False
    detail: str = ""


class Sink(Protocol):
    """Where effects go. `live` sinks reach the outside world: every rule starts there in `observe`."""

    name: str
    live: bool

    def remembers(self, action: Action) -> bool:
        """Tell whether the other side does *action* once however often its key is sent; e-mail and chat do not."""

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """
        Do *action* once, known by its key; *message* is its words for people.

        Raises:
            SinkBusy, SinkLimit, SinkRefused: it was not done, or nobody can tell.
        """

    def close(self) -> None:
        """Let go of files and connections."""


class Listener(Protocol):
    """Somebody outside who is told of decisions as they are taken. `name` is what is kept of how far they were told."""

    name: str

    def wants(self, entry: AuditEntry) -> bool:
        """Tell whether *entry* is a decision that they are told of."""

    def tell(self, row: AuditRow, reach: Message) -> None:
        """
        Tell them of one line of the audit, known by its hash; *reach* holds the policy's addresses and limits.

        Raises:
            SinkBusy, SinkRefused: they were not told, for now or for good.
        """


class Scorer(Protocol):
    """
    Scores records: `triage.scoring.local.LocalScorer` with model folders at hand, language models, or a fake.

    Families are `urgency`, `lead`, `sentiment`, `complexity` and `language`; field names begin with theirs.
    """

    def score(
        self, items: Sequence[tuple[WorkItem, Sequence[Event]]], now: int, wanted: Collection[str] = ()
    ) -> list[Scores]:
        """
        Return one Scores per item, in order, as of *now* (ms UTC); each item comes with its own past in time order.

        *wanted* names families; empty means all that apply to the record's object. A record's scores depend on
        nothing but itself and its past.

        Raises:
            ScoringError: a model or vendor could not be used at all; one record's trouble is an empty Scores.
        """


class Outline(Struct, frozen=True):
    """One rule of a policy in short: the digest of all that it means, and the mode written in its file."""

    digest: str
    mode: str = "observe"


class Engine(Protocol):
    """The pure core as the worker calls it. Same arguments, same answer, byte for byte."""

    def compile(self, texts: Mapping[str, str], modes: Mapping[str, RuleMode], *, virtual: bool) -> Compiled:
        """Return the policy that *texts* and *modes* make (all rules act where *virtual*); raise ConfigError."""

    def outlines(self, texts: Mapping[str, str]) -> Mapping[str, Outline]:
        """Return every rule in *texts* in short, by id; raise ConfigError with every fault."""

    def observe(
        self, facts: Facts | None, event: Event, policy: Compiled, related: Mapping[tuple[str, str], Any], org: str
    ) -> Facts:
        """Return *facts* with *event* folded in; raise IntakeError where it cannot be."""

    def decide(self, facts: Facts, policy: Compiled, now: int, at: int) -> Decision:
        """Return what holds at *now* and what to do; *at* is the clock of the worker, which may be late."""

    def advance(self, facts: Facts, policy: Compiled, upto: int, at: int) -> tuple[Facts, tuple[Decision, ...]]:
        """Return the facts after every crossing up to and including *upto*, and the decision at each."""

    def still_holds(self, facts: Facts, policy: Compiled, action: Action, now: int) -> str:
        """Return "" if *action* may go, else why it is cancelled."""

    def effect_event(self, action: Action, policy: Compiled, at: int) -> Event | None:
        """Return what the done *action* did to its record as an event of origin triage, None for nothing."""

    def catch_up(self, actions: Sequence[Action], now: int, policy: Compiled) -> tuple[Action, ...]:
        """Return *actions* with the stale ones of an outage superseded, and many notices to one recipient gathered."""

    def buckets(self, actions: Sequence[Action], policy: Compiled, now: int, org: str) -> set[Bucket]:
        """Return every counter that `apply_caps` has to know for *actions*."""

    def apply_caps(
        self, actions: Sequence[Action], usage: Mapping[Bucket, int], policy: Compiled, now: int, org: str
    ) -> Capped:
        """Return *actions* with what exceeds a cap held, what that adds to each counter, and alerts."""

    def message(self, action: Action, facts: Facts, policy: Compiled, now: int) -> Message:
        """Return what *action* says to people at *now*, with the addresses and limits that *policy* knows."""

    def reach(self, policy: Compiled, org: str) -> Message:
        """Return a message without words: the addresses and limits that *policy* knows."""

    def is_open(self, facts: Facts, policy: Compiled) -> bool:
        """Tell whether the record is neither closed nor deleted."""

    def place(self, action: Action, facts: Facts, policy: Compiled, now: int) -> Action | None:
        """Return *action*, held because nobody could take it, with whoever can now; None for still nobody."""

    def judged(self, action: Action, facts: Facts, policy: Compiled, now: int) -> Action:
        """Return *action*, planned earlier, for whoever can take it at *now*: held, for nobody, where none can."""

    def references(self, facts: Facts, policy: Compiled) -> tuple[tuple[str, str], ...]:
        """Return the (object, id) pairs of other records that this one's rules may read."""

    def families(self, policy: Compiled, object_name: str) -> tuple[str, ...]:
        """Return the score families (urgency, lead, sentiment, ..) that any rule for *object_name* reads, sorted."""

    def watches_owners(self, policy: Compiled) -> bool:
        """Tell whether any rule looks at a record's owner: then what one of them holds concerns all of theirs."""

    def agents(self, policy: Compiled) -> tuple[Agent, ...]:
        """Return the agents that the policy's own directory names."""

    def contact(self, facts: Facts, event: Event, policy: Compiled) -> tuple[tuple[str, str], dict[str, Any]] | None:
        """Return who wrote to which customer, to be kept as another object's values; None for nobody."""

    def tracks(self, policy: Compiled) -> bool:
        """Tell whether more than their load has to be known of agents: turns taken, idleness, overload, silence."""

    def burden(self, facts: Facts, policy: Compiled) -> Burden:
        """Return what an open record counts for with its owner."""

    def restate(self, agent: Agent, policy: Compiled) -> Agent:
        """Return *agent* overloaded or not, as the policy's limits have it."""

    def place_all(
        self, waiting: Sequence[tuple[Action, Facts]], agents: Sequence[Agent], policy: Compiled, now: int
    ) -> list[Action]:
        """Return those of the held actions that somebody can take now, the highest in rank first, nobody overfilled."""

    def anyone(self, agents: Sequence[Agent], policy: Compiled, now: int) -> bool:
        """Tell whether anybody is there and has room; true where nobody is known at all."""

    def next_change(self, agents: Sequence[Agent], policy: Compiled, now: int) -> int | None:
        """Return when somebody may next take work without any event: a shift begins, an absence ends; None: never."""


def standing_again(agents: Sequence[Agent], loads: Mapping[str, int | tuple[int, Standing]]) -> tuple[Agent, ...]:
    """Return *agents*, kept at rest, as they stood by *loads*."""
    found = []
    for agent in agents:
        held = loads.get(agent.id, 0)
        load, standing = held if isinstance(held, tuple) else (held, AT_REST)
        found.append(replace(agent, load=load, standing=standing))
    return tuple(found)


class Record(Struct, frozen=True, kw_only=True):
    """One stored record: its facts (without agents), the version to compare and set, and its one timer."""

    key: str
    facts: Facts
    version: int = 0
    open: bool = True
    owner: str = ""
    due: int | None = None
    why: str = ""
    references: tuple[str, ...] = ()


class Effect(Struct, frozen=True, kw_only=True):
    """One row of the outbox. `seq` is the order of planning; `before` what it changed: field -> {"was", "is"}."""

    action: Action
    state: State
    seq: int = 0
    run_at: int = 0
    attempt: int = 0
    owner: str = ""
    lease: str = ""
    error: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    done_at: int | None = None

    @property
    def record(self) -> str:
        """The key of the record that the effect is for."""
        return record_key(self.action.object, self.action.id)


class EffectFilter(Struct, frozen=True, kw_only=True):
    """Which effects to list; an empty part is no limit. `key` may be the beginning of one.

    `since` and `until` bound the instant of their decision, `after` their `seq` from below; with `lock` nobody else
    changes what is found before this transaction ends."""

    states: tuple[State, ...] = ()
    rule: str = ""
    record: str = ""
    key: str = ""
    target: str | None = None
    since: int | None = None
    until: int | None = None
    after: int = 0
    limit: int | None = None
    newest_first: bool = False
    lock: bool = False


class Finish(Struct, frozen=True, kw_only=True):
    """How a leased effect ended; *before*: the field values that it overwrote, {"was", "is"} each."""

    key: str
    state: State
    at: int
    run_at: int = 0
    attempt: int = 0
    error: str = ""
    before: dict[str, Any] = field(default_factory=dict)


class AuditRow(Struct, frozen=True, kw_only=True):
    """One audit line as stored: `erased` lines have lost their body and keep its digest."""

    seq: int
    entry: AuditEntry
    hash: str
    previous: str
    digest: str
    erased: bool = False


class AuditFault(Struct, frozen=True):
    """One place where the audit does not verify."""

    seq: int
    record: str
    what: str


class StoredPolicy(Struct, frozen=True, kw_only=True):
    """One published policy: its texts and modes, from which the engine compiles the same policy again."""

    digest: str
    texts: dict[str, str]
    modes: dict[str, RuleMode]
    outlines: dict[str, Outline] = field(default_factory=dict)
    at: int = 0
    actor: str = ""
    reason: str = ""
    live: bool = False
    virtual: bool = False


class StoredDecision(Struct, frozen=True, kw_only=True):
    """
    All that a decision needs to be derived again, and the sha256 of what it was.

    `call` says which pure function ran (`decide` or `advance`), `now` its instant, `at` the worker's clock. `agents` is
    the digest of the agents without loads, `loads` what each one held, with how they stood where that was asked for.
    """

    id: str
    record: str
    version: int
    policy: str
    call: Literal["decide", "advance"]
    now: int
    at: int
    facts: str
    agents: str
    loads: dict[str, int | tuple[int, Standing]]
    result: str


class SourceState(Struct, frozen=True, kw_only=True):
    """How far one source has been read, and since when it is live."""

    name: str
    live_from: int
    cursor: str = ""
    accepted: int = 0
    repeated: int = 0
    refused: int = 0


class Refusal(Struct, frozen=True, kw_only=True):
    """One line that was not taken in, and why."""

    source: str
    line: int
    reason: str
    record: str = ""
    text: str = ""
    at: int = 0


class Stop(Struct, frozen=True, kw_only=True):
    """A rule (or `*`, everything) whose effects are halted."""

    rule: str
    at: int
    actor: str = ""
    reason: str = ""


class Figures(Struct, frozen=True, kw_only=True):
    """
    What a dashboard shows of one store, counted over indexes only and no further than `MOST_COUNTED`.

    `due`: timers that are due now. `overdue`: for how many ms the oldest of them is. `effects`: by state, those in
    which something is still to happen or has gone wrong. `last_round`: when any worker last finished one, 0 for never.
    """

    due: int = 0
    overdue: int = 0
    effects: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    last_round: int = 0
    policy: str = ""
    rules: tuple[str, ...] = ()


MOST_COUNTED = 100_000
"""Where counting stops: a scrape costs the same at a million rows."""


class Journal(Protocol):
    """Where a process says what it does, for people who watch it. Ids and counts only, never a customer's words."""

    def tell(self, what: str, level: str = "info", **said: str | int | bool) -> None:
        """Write one line."""


class Records(Protocol):
    """Records, their timers, and which records read which others."""

    def get(self, keys: Sequence[str], *, lock: bool = False) -> dict[str, Record]:
        """Return the stored ones among *keys*; with *lock* nobody else stores them before this transaction ends."""

    def save(self, changes: Sequence[tuple[Record | None, Record]]) -> None:
        """Store each (before, after) with its timer; raise StaleRecord where *before* is not what is stored."""

    def due(self, now: int, limit: int, *, lock: bool = False) -> list[Record]:
        """
        Return at most *limit* records whose timer is due at *now*, the longest due first.

        With *lock* they are this transaction's, and those that another one works on are left out.
        """

    def next_due(self) -> int | None:
        """Return the earliest timer of all, None where there is none."""

    def keys(self, *, after: str, limit: int, only_open: bool) -> list[str]:
        """Return at most *limit* record keys above *after*, in order."""

    def wake(self, keys: Sequence[str], due: int, why: str) -> None:
        """Move the timers of *keys* to *due* where they are later or absent."""

    def dependents(self, targets: Sequence[str]) -> list[str]:
        """Return the keys of open records that read any of *targets* (related records, or `agent/ID`), in order."""

    def count(self) -> dict[str, int]:
        """Return how many records there are: total, open, timers."""


class Rescores(Protocol):
    """Which records want new scores, and from when: asked for by their events, and again as they age."""

    def ask(self, keys: Sequence[str], due: int) -> None:
        """Let *keys* be scored from *due* on, or sooner where that is asked already."""

    def take(self, now: int, limit: int, until: int) -> list[str]:
        """Return at most *limit* keys due at *now*, the longest due first; nobody else takes them before *until*."""

    def settle(self, taken: Mapping[str, int | None], until: int) -> None:
        """Set when each key taken until *until* is due again (None: never), unless it was asked for meanwhile."""

    def next_due(self) -> int | None:
        """Return the earliest instant at which a record wants scores, None for none."""


class Related(Protocol):
    """Other objects that records refer to, and agents."""

    def get(self, targets: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the stored field values of *targets*, by CRM name."""

    def merge(self, target: tuple[str, str], changes: Mapping[str, Any], at: int) -> None:
        """Fold *changes* into the stored values of *target*."""

    def agents(self) -> tuple[Agent, ...]:
        """Return all agents with their loads, by id."""

    def save_agents(self, agents: Sequence[Agent]) -> None:
        """Store *agents* with their loads."""

    def lock_agents(self, ids: Sequence[str]) -> dict[str, Agent]:
        """Return those of *ids* as they are stored by now; nobody else stores them before this transaction ends."""


class Intake(Protocol):
    """Events as they came, sources, and refusals."""

    def seen(self, source: str, event_ids: Sequence[str]) -> set[str]:
        """Return which of *event_ids* have been taken in from *source* before."""

    def add(self, source: str, events: Sequence[Event]) -> None:
        """Keep *events*, in the order given; one that is kept already stays as it is."""

    def events(self, record: str, limit: int | None = None) -> list[Event]:
        """Return the events of one record, in the order they were taken in."""

    def scored(self, record: str) -> Event | None:
        """Return the last `scored` event of one record, None where it has never been scored."""

    def source(self, name: str) -> SourceState | None:
        """Return how far *name* has been read."""

    def save_source(self, state: SourceState) -> None:
        """Store how far a source has been read."""

    def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Keep *refusals*; the same line of the same source once for each reason."""

    def refusals(self, source: str = "", limit: int | None = None) -> list[Refusal]:
        """Return what was refused, in order."""


class Outbox(Protocol):
    """Effects from planned to done."""

    def plan(self, effects: Sequence[Effect]) -> list[Effect]:
        """Store those whose key is new, was held and may go now, or was only noted; return them, with their `seq`."""

    def supersede(self, effects: Sequence[Effect]) -> list[Effect]:
        """Overtake older unsent owner and priority effects of the same records; return those overtaken."""

    def claim(
        self,
        now: int,
        *,
        owner: str,
        lease: str,
        until: int,
        limit: int,
        stopped: Sequence[str],
        kinds: Collection[str] = (),
        without: Collection[str] = (),
    ) -> list[Effect]:
        """
        Lease at most *limit* effects that are due, highest priority first, in order per record and kind.

        Those of rules *stopped* and of kinds *without* wait; where *kinds* are named, all others do.
        """

    def leased(self, leases: Mapping[str, str]) -> set[str]:
        """Return the keys in *leases* whose lease still is the one given; they are this transaction's from here on."""

    def renew(self, leases: Mapping[str, str], until: int) -> set[str]:
        """Let *leases*, by key, last until *until*; return the keys whose lease still held."""

    def finish(self, finishes: Sequence[Finish]) -> None:
        """Store how effects ended, whose leases `leased` has found to hold in this transaction."""

    def next_run(self) -> int | None:
        """Return the earliest instant at which something is to be sent, None where nothing is pending."""

    def change(self, keys: Sequence[str], state: State, *, run_at: int, error: str = "") -> None:
        """Put *keys* into *state* by hand; a lease on them ends, and attempts of what is ready again begin anew."""

    def rewrite(self, effect: Effect) -> None:
        """Store *effect*, which is there and not being sent, as it is to be now: what is to be done, state, instant."""

    def find(self, wanted: EffectFilter) -> list[Effect]:
        """Return the effects that *wanted* asks for, oldest first unless it says otherwise."""

    def counts(self) -> dict[str, int]:
        """Return how many effects stand in each state."""

    def usage(self, buckets: Collection[Bucket]) -> dict[Bucket, int]:
        """Return those of *buckets* that count anything."""

    def add_usage(self, added: Mapping[Bucket, int]) -> None:
        """Let counters grow."""


class Audit(Protocol):
    """The append-only log, a hash chain per record."""

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Write *entries* in order."""

    def lines(
        self,
        *,
        record: str = "",
        key: str = "",
        event: str = "",
        after: int = 0,
        limit: int | None = None,
        last: bool = False,
    ) -> list[AuditRow]:
        """Return lines above seq *after*, in order: the first *limit* of them, or the *last*."""

    def erase(self, seqs: Sequence[int]) -> None:
        """Forget the bodies of lines; the chain still verifies."""

    def verify(self) -> list[AuditFault]:
        """Return every place where a line, a body or the chain is not as it was written."""


class Policies(Protocol):
    """Published policies, and the decisions taken under them."""

    def live(self) -> StoredPolicy | None:
        """Return the policy in force."""

    def live_digest(self) -> str:
        """Return the digest of the policy in force, "" where none has been published."""

    def get(self, digest: str) -> StoredPolicy | None:
        """Return one policy."""

    def publish(self, policy: StoredPolicy) -> None:
        """Store *policy* and make it the one in force."""

    def history(self) -> list[StoredPolicy]:
        """Return all policies, the latest published first."""

    def keep(self, decisions: Sequence[StoredDecision], rosters: Mapping[str, tuple[Agent, ...]]) -> None:
        """Store decisions and the agents they looked at."""

    def decision(self, decision_id: str) -> StoredDecision | None:
        """Return one decision."""

    def decisions(self, record: str) -> list[StoredDecision]:
        """Return the kept decisions of one record, in order."""

    def roster(self, digest: str) -> tuple[Agent, ...]:
        """Return the agents of *digest*, loads zero."""


class Control(Protocol):
    """The stop flags, and a pause that the other side asked for."""

    def stops(self) -> dict[str, Stop]:
        """Return what is halted, by rule or `*`."""

    def stop(self, stop: Stop) -> None:
        """Halt a rule, or everything."""

    def start(self, rule: str) -> bool:
        """Take a halt back; False where there was none."""

    def gate(self) -> tuple[dict[str, Stop], int]:
        """Return what is halted, by rule or `*`, and the instant before which nothing is sent, 0 for none."""

    def pause(self, until: int) -> None:
        """Send nothing before *until*."""

    def waking(self) -> tuple[int, str] | None:
        """Return a waking of all open records that has not ended: to which instant, and the last key woken."""

    def set_waking(self, due: int, after: str | None) -> None:
        """Store how far a waking has come; None: it has ended."""


class Upkeep(Protocol):
    """What keeps an installation healthy: signs of life, figures, retention, and erasure of a customer's words."""

    def mark(self, name: str, at: int) -> None:
        """Remember when *name* (`backup`, `round:<worker>`, `pruned`) last was; a day-old `round:` is forgotten."""

    def marks(self, prefix: str = "") -> dict[str, int]:
        """Return when everything whose name begins with *prefix* last was."""

    def figures(self, now: int) -> Figures:
        """Return what a dashboard shows, without reading any table through."""

    def tally(self, after: int | None, upto: int | None = None) -> tuple[int, dict[tuple[str, str], int]]:
        """
        Return the last audit seq, and how many lines above *after* (None: count none) there are by (rule, event).

        Args:
            upto: Count no line above it. Where many write at once, a line may come to stand below one seen before.
        """

    def oldest_event(self) -> int | None:
        """Return the instant of the event taken in first of those that are kept."""

    def refused_since(self, instant: int) -> int:
        """Return how many lines were refused at or after *instant*, counted no further than `MOST_COUNTED`."""

    def closed_before(self, instant: int, *, after: str, limit: int) -> list[str]:
        """Return closed records above *after* without an event since *instant*, nothing pending, and some history."""

    def prune(self, records: Sequence[str]) -> dict[str, int]:
        """Forget the events, decisions and ended effects of *records*; return how many rows of each."""

    def prune_old(self, instant: int, buckets_before: int) -> dict[str, int]:
        """Forget refusals and policies before *instant* that nothing names, unused rosters, and old rate buckets."""

    def prune_counts(self, before: int) -> int:
        """Forget rate buckets that began before *before*; return how many. Nothing waits for it."""

    def forgotten(self, keys: Collection[str], events: Sequence[Event]) -> set[str]:
        """Return the ids of those *events*, of records *keys*, that were pruned: taking them again would be double."""

    def concerning(self, text: str) -> list[str]:
        """Return the records whose state, references or events name *text* as a whole value."""

    def rewrite_events(self, record: str, rewrite: Callable[[Event], Event]) -> int:
        """Put what *rewrite* returns in place of every event of *record*; return how many."""

    def rewrite_effects(self, record: str, rewrite: Callable[[Effect], Effect]) -> int:
        """Put the action, error and `before` that *rewrite* returns in place of those stored; return how many."""

    def forget_facts(self, record: str) -> int:
        """Empty the facts of every decision about *record*; digests stay. Return how many."""

    def forget_refusals(self, texts: Sequence[str]) -> int:
        """Forget refused lines of the records *texts*, or that hold one of *texts*; return how many."""

    def rewrite_related(self, identity: str, rewrite: Callable[[str, dict[str, Any]], dict[str, Any]]) -> list[str]:
        """Put what *rewrite* makes of (object, values) in place for every object *identity*; return their keys."""


class ApiKey(Struct, frozen=True, kw_only=True):
    """Somebody's way in: its secret only as a hash (sha256, hex), until `expires` (ms UTC) or `revoked`."""

    id: str
    org: str
    secret_hash: str
    scopes: tuple[str, ...]
    label: str = ""
    created: int
    expires: int
    revoked: int | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """What a request with an idempotency key was answered: told again where the same request comes again."""

    request_hash: str
    status: int
    body: str
    at: int


class Access(Protocol):
    """Who may ask the API, and what it answered to requests that may be sent again."""

    def add(self, key: ApiKey) -> None:
        """Keep a new key."""

    def find(self, key_id: str) -> ApiKey | None:
        """Return the key *key_id*, of whichever organisation."""

    def listed(self) -> list[ApiKey]:
        """Return the keys of this organisation, the oldest first."""

    def revoke(self, key_id: str, at: int) -> bool:
        """End a key of this organisation at once; False where it has none such that still works."""

    def answer(self, key_id: str, idem_key: str) -> Answer | None:
        """Return what the request *idem_key* of a key was answered."""

    def remember(self, key_id: str, idem_key: str, given: Answer, forget_before: int) -> None:
        """Keep an answer, and forget those from before an instant."""


class Limit(Struct, frozen=True):
    """One budget that a call draws on: its scope (day, org, record), whose it is, the UTC day (0: for good), micro."""

    scope: str
    name: str
    day: int
    most: int


class LlmCall(Struct, frozen=True, kw_only=True):
    """
    One attempt to ask a language model. Amounts are micro-dollars. No text of the record, the prompt or the key.

    `cost` is None until it is settled: then what was reserved counts as spent. `outcome` is `answered` or the code of
    what went wrong; `purpose` says what for: answer, shadow, test or batch. `compared` is task to [local, model].
    """

    id: str
    at: int
    record: str
    provider: str
    model: str
    prompt: str
    purpose: str = "answer"
    reserved: int = 0
    cost: int | None = None
    input: int = 0
    cached: int = 0
    output: int = 0
    outcome: str = ""
    request: str = ""
    millis: int = 0
    compared: dict[str, tuple[Any, Any]] = field(default_factory=dict)


class LlmTally(Struct, frozen=True, kw_only=True):
    """Calls of one UTC day, model, purpose and outcome added up; what is not settled counts as reserved."""

    day: int
    model: str
    purpose: str
    outcome: str
    calls: int
    cost: int
    input: int
    cached: int
    output: int
    records: int


class LlmLedger(Protocol):
    """What asking language models has cost and said."""

    def reserve(self, call: LlmCall, limits: Sequence[Limit]) -> str:
        """Keep *call*, drawing `reserved` on each budget; where one would be passed, keep nothing, return its scope."""

    def settle(self, calls: Sequence[LlmCall]) -> None:
        """Store how reserved calls ended, and give back to the budgets what they did not cost; settled ones stay."""

    def spent(self, limit: Limit) -> int:
        """Return what is drawn on the budget of *limit*."""

    def answers(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the kept answers among *keys*."""

    def keep(self, key: str, record: str, at: int, answer: str) -> None:
        """Keep a validated answer under *key*; the first one stays."""

    def calls(self, *, since: int = 0, limit: int = 100) -> list[LlmCall]:
        """Return at most *limit* calls at or after *since*, the latest first."""

    def tally(self, since: int) -> list[LlmTally]:
        """Return the calls at or after *since*, added up by day, model, purpose and outcome."""

    def forget(self, record: str) -> int:
        """Forget the answers kept for *record*; return how many."""

    def prune(self, before: int) -> dict[str, int]:
        """Forget calls and answers older than *before*, and budgets of days that ended by then; return how many."""


class Unit(Protocol):
    """One transaction, and the parts of the store inside it."""

    org: str
    records: Records
    related: Related
    intake: Intake
    outbox: Outbox
    audit: Audit
    policies: Policies
    control: Control
    upkeep: Upkeep
    rescores: Rescores
    access: Access
    llm: LlmLedger


class Store(Protocol):
    """Where everything is kept. `tells`: `watch` hears what other processes change, so that nobody has to ask often."""

    org: str
    tells: bool

    def write(self, *, lasting: bool = True) -> AbstractContextManager[Unit]:
        """
        Begin the one write transaction: all of it is stored at the end, or nothing where an error leaves it.

        Args:
            lasting: False: it does not wait for the disk. A process that dies takes nothing of it along, a power cut
                may, and with it whatever was stored so after it.
        """

    def read(self) -> AbstractContextManager[Unit]:
        """Begin a reading transaction: one snapshot, and never the write lock."""

    def hold(self) -> AbstractContextManager[None]:
        """Be a worker of this store; raise StoreBusy where there may be one only and another is."""

    def watch(self, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Call *wake*, from another thread, when somebody else has changed what a worker waits for."""

    def backup(self, path: Path) -> None:
        """Write a complete copy of the store to the new file *path*."""

    def compact(self) -> None:
        """Give back the room of what was deleted, so that no trace of it is left in the store's own files."""

    def check(self) -> list[str]:
        """Return what is wrong with the database itself, as it finds it; nothing where it is intact."""

    def close(self) -> None:
        """Let go of connections."""
