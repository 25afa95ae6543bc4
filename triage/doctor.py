"""What may be wrong with an installation, each check with its finding and its fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from triage.actions.message import limits
from triage.config import load_policy, read_folder
from triage.domain.instant import DAY, MINUTE, format_duration, format_instant
from triage.errors import TriageError
from triage.llm.health import FIXES, health_of
from triage.llm.providers.opening import key_of
from triage.policy import compile_policy
from triage.ports import Effect, EffectFilter, Store, Unit
from triage.routing.assign import desk_of
from triage.routing.fit import means_of
from triage.routing.roster import empty_groups, faults, oddities
from triage.rules.analysis import analyse
from triage.rules.document import PolicyDocument
from triage.rules.findings import actions_of
from triage.sinks.chat import ChatSink
from triage.sinks.mail import MailSink
from triage.sinks.opening import Now, Secrets, open_one
from triage.sinks.settings import SinkSettings, SinksFile
from triage.sinks.webhook import WebhookSink
from triage.store.upkeep import PRUNED

LATE = MINUTE
"""A timer this long overdue means that no worker is running."""


SILENT = 5 * MINUTE
"""A worker that has not finished a round for so long is dead or stuck."""

BACKUP_OLD = 7 * DAY
KEPT_LONG = 400 * DAY
PRUNED_LATELY = 40 * DAY
ROOM = 1 << 30
"""Less free disk than this, in bytes, is too little."""


PEOPLE_FIX = "mend the directory, or tell it by `agent` events"


class Check(Struct, frozen=True, kw_only=True):
    """One thing looked at: `mark` is ok, warning or fault; `fix` says what to do."""

    name: str
    mark: str = "ok"
    found: str = ""
    fix: str = ""


RETRYING_SHOWN = 1_000
"""How many waiting effects are looked through for those that failed before."""


def examine(store: Store, folder: str, now: int, *, named: bool = True, file: Path | None = None) -> tuple[Check, ...]:
    """
    Return every check on *store* and the policy files in *folder*, as of *now*.

    Args:
        file: The store's, where it has one: its disk is looked at.
        named: Somebody named *folder*; one that is only the default need not be there.
    """
    checks = [_files(folder, named), _database(store)]
    with store.read() as unit:
        looks: tuple[Callable[[Unit, int], Check], ...] = (
            _policy,
            _people,
            _timers,
            _actions,
            _waiting,
            _stops,
            _audit,
        )
        upkeep: tuple[Callable[[Unit, int], Check], ...] = (_rounds, _refused, _backup, _growth)
        checks += [look(unit, now) for look in (*looks, *upkeep)]
    return tuple(checks if file is None else [*checks, _disk(file)])


def examine_sinks(found: SinksFile, folder: str, org: str, secrets: Secrets, now: Now, file: str) -> tuple[Check, ...]:
    """Return a check of each outside sink: its secrets, its place in the allow-lists, and whether it can be reached."""
    try:
        document = load_policy(read_folder(folder))
    except TriageError:
        # `examine` names what is wrong with the files; without them nothing is allowed anyway.
        document = PolicyDocument(objects={})
    checks = [] if org in found.organisations else [_stranger(org, file)]
    for name, settings in sorted(found.sinks.items()):
        if settings.kind not in ("jsonl", "store", "salesforce"):
            checks.append(_sink(name, settings, document, secrets, now, file))
    return tuple(checks)


def examine_llm(store: Store, folder: str, secrets: Secrets, now: int) -> tuple[Check, ...]:
    """Return how asking the language model of the policy files goes: key, budget, faults; () without one."""
    try:
        policy = load_policy(read_folder(folder)).llm
    except TriageError:
        policy = None
    if policy is None:
        return ()
    title = "language model"
    try:
        secrets(key_of(policy, store.org))
    except TriageError as cause:
        return (Check(name=title, mark="fault", found=f"{cause}; the local model answers", fix=FIXES["no_key"]),)
    with store.read() as unit:
        health = health_of(policy, unit, now)
    mark = "ok" if health.ok else "fault" if health.state == "fault" else "warning"
    return (
        Check(name=title, mark=mark, found=f"{policy.provider} {policy.model}: {health.sentence()}", fix=health.fix),
    )


def _stranger(org: str, file: str) -> Check:
    found = f"organisation {org!r} may not send: it is not in {file}"
    return Check(name="sinks", mark="fault", found=found, fix="add it to organisations there, or set TRIAGE_ORG")


def _sink(name: str, settings: SinkSettings, document: PolicyDocument, secrets: Secrets, now: Now, file: str) -> Check:
    title = f"sink {name}"
    try:
        sink = open_one(settings, secrets, now)
    except TriageError as cause:
        return Check(name=title, mark="fault", found=str(cause), fix=f"set it, or mend {file}")
    wrong, allowed = "", limits(document.safety)
    if isinstance(sink, MailSink):
        wrong = sink.probe()
        if not wrong and settings.sender.casefold() not in document.safety.own_addresses:
            words = f"{settings.sender} is not in safety.own_addresses: its mail would count as contact"
            return Check(name=title, mark="warning", found=words, fix="add it to the policy and publish")
    elif isinstance(sink, WebhookSink):
        wrong = sink.probe(document.directory.webhooks, allowed)
    elif isinstance(sink, ChatSink):
        wrong = sink.probe(allowed)
    if wrong:
        return Check(name=title, mark="fault", found=wrong, fix=f"triage sinks test {name} --sink {file}")
    return Check(name=title, found=f"{settings.kind}, can be reached")


def retrying(unit: Unit) -> list[Effect]:
    """Return effects that wait to be sent again because the sink refused them, the oldest first; not all of a crowd."""
    waiting = unit.outbox.find(EffectFilter(states=("ready", "leased"), limit=RETRYING_SHOWN))
    return [effect for effect in waiting if effect.error]


def _files(folder: str, named: bool) -> Check:
    if not Path(folder).is_dir():
        fix = "name it with --policy or TRIAGE_POLICY"
        found = f"{folder} is not a folder" if named else "not looked at: no folder was named"
        return Check(name="policy files", mark="fault" if named else "ok", found=found, fix=fix)
    try:
        findings = analyse(load_policy(read_folder(folder)))
    except TriageError as cause:
        first = str(cause).splitlines()[0]
        return Check(name="policy files", mark="fault", found=first, fix=f"triage rules check {folder}")
    if findings:
        found = f"{len(findings)} finding" if len(findings) == 1 else f"{len(findings)} findings"
        return Check(name="policy files", mark="warning", found=found, fix=f"triage rules check {folder}")
    return Check(name="policy files", found=f"{folder} is valid")


def _database(store: Store) -> Check:
    faults = store.check()
    if faults:
        return Check(name="database", mark="fault", found=faults[0], fix="triage db check")
    return Check(name="database", found="intact")


def _policy(unit: Unit, now: int) -> Check:
    live = unit.policies.live()
    if live is None:
        return Check(name="policy in force", mark="fault", found="none", fix="triage policy publish")
    modes = [mode.mode for mode in live.modes.values()]
    acting = sum(mode != "observe" for mode in modes)
    found = f"{live.digest[:12]} since {format_instant(live.at)}; {acting} of {len(modes)} rules act or notify"
    return Check(name="policy in force", found=found)


def _people(unit: Unit, now: int) -> Check:
    """Look at who could take work: nobody waits in silence for somebody who is never going to come."""
    live = unit.policies.live()
    if live is None:
        return Check(name="people", found="no policy is in force")
    policy = compile_policy(load_policy(live.texts), live.modes, virtual=live.virtual)
    agents = unit.related.agents() or policy.directory.agents
    desk = desk_of(policy, now)
    wrong = faults(agents, desk)
    there = sum(agent.presence == "online" for agent in agents)
    told = [f"{there} of {len(agents)} are there", *wrong, *oddities(agents, desk, means_of(agents, ()).room)]
    empty = empty_groups((spec for rule in policy.rules.values() for spec in actions_of(rule)), agents)
    if empty:
        told.append(f"nobody is in {', '.join(empty)}: what they are given goes to the queue of that name")
    waiting = len(unit.outbox.find(EffectFilter(states=("held",), target="", limit=RETRYING_SHOWN)))
    if waiting:
        told.append(f"{waiting}{'' if waiting < RETRYING_SHOWN else ' and more'} actions wait for who can take them")
    mark = "warning" if wrong else "ok"
    return Check(name="people", mark=mark, found="; ".join(told), fix=PEOPLE_FIX if wrong else "")


def _timers(unit: Unit, now: int) -> Check:
    due = unit.records.next_due()
    counts = unit.records.count()
    if due is not None and due < now - LATE:
        found = f"the next timer is {format_duration((now - due) // MINUTE * MINUTE)} overdue"
        return Check(name="timers", mark="fault", found=found, fix="start a worker: triage run")
    return Check(name="timers", found=", ".join(f"{count} {name}" for name, count in counts.items()))


def _actions(unit: Unit, now: int) -> Check:
    counts = unit.outbox.counts()
    found = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none yet"
    if counts.get("dead"):
        return Check(name="actions", mark="fault", found=found, fix="triage actions list --state dead")
    failing = retrying(unit)
    if failing:
        found = f"{found}; {len(failing)} being retried: {failing[0].error}"
        return Check(
            name="actions", mark="warning", found=found, fix="mend the sink; triage actions list --state ready"
        )
    return Check(name="actions", found=found)


def _waiting(unit: Unit, now: int) -> Check:
    counts = unit.outbox.counts()
    waiting = {state: counts[state] for state in ("held", "backlog") if counts.get(state)}
    if waiting:
        found = ", ".join(f"{count} {state}" for state, count in waiting.items())
        return Check(name="waiting for a person", mark="warning", found=found, fix="triage backlog list [--state held]")
    return Check(name="waiting for a person", found="nothing")


def _stops(unit: Unit, now: int) -> Check:
    stops = unit.control.stops()
    if stops:
        return Check(name="stops", mark="warning", found=f"halted: {', '.join(sorted(stops))}", fix="triage start")
    return Check(name="stops", found="none")


def _audit(unit: Unit, now: int) -> Check:
    faults = unit.audit.verify()
    if faults:
        return Check(
            name="audit", mark="fault", found=f"{len(faults)} lines do not verify", fix="triage audit --verify"
        )
    return Check(name="audit", found="every chain verifies")


def _rounds(unit: Unit, now: int) -> Check:
    last = max(unit.upkeep.marks("round:").values(), default=None)
    if last is None:
        return Check(name="worker", found="none has run on this store in the last day")
    found = f"the last round ended {format_duration(max(0, now - last) // 1000 * 1000)} ago"
    if now - last > SILENT:
        return Check(name="worker", mark="warning", found=found, fix="start a worker: triage run")
    return Check(name="worker", found=found)


def _refused(unit: Unit, now: int) -> Check:
    count = unit.upkeep.refused_since(now - DAY)
    if count:
        found = f"{count} in the last day"
        return Check(name="refused lines", mark="warning", found=found, fix="triage refused")
    return Check(name="refused lines", found="none in the last day")


def _backup(unit: Unit, now: int) -> Check:
    last = unit.upkeep.marks("backup").get("backup")
    if last is None:
        return Check(name="backup", found="none that triage knows of: triage db backup FILE")
    found = f"{format_duration((now - last) // 1000 * 1000)} old"
    if now - last > BACKUP_OLD:
        return Check(name="backup", mark="warning", found=found, fix="triage db backup FILE")
    return Check(name="backup", found=found)


def _growth(unit: Unit, now: int) -> Check:
    oldest = unit.upkeep.oldest_event()
    lines, _ = unit.upkeep.tally(None)
    kept = f"the audit up to line {lines}, kept for good"
    if oldest is None or now - oldest <= KEPT_LONG:
        return Check(name="growth", found=kept)
    found = f"events since {format_instant(oldest)}; {kept}"
    if now - unit.upkeep.marks(PRUNED).get(PRUNED, 0) <= KEPT_LONG + PRUNED_LATELY:
        return Check(name="growth", found=f"{found}; pruned lately, the oldest belong to what is open or no record")
    return Check(name="growth", mark="warning", found=found, fix="triage db prune --older-than 400d")


def _disk(file: Path) -> Check:
    free = shutil.disk_usage(file.parent).free
    size = sum(path.stat().st_size for path in (file, Path(f"{file}-wal")) if path.exists())
    found = f"{free // 1_000_000} MB free, the store has {size // 1_000_000} MB"
    if free < max(ROOM, 2 * size):
        fix = "free some room: a backup, a migration and an erasure each need as much as the store"
        return Check(name="disk", mark="warning", found=found, fix=fix)
    return Check(name="disk", found=found)
