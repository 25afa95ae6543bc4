"""Builders for tests of the deciding core: a policy from text, events in January 2026, a run through the pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triage.actions.effects import effect_event
from triage.config import load_policy
from triage.domain.decision import Action, Decision
from triage.domain.facts import Facts
from triage.domain.instant import parse_instant
from triage.domain.work import Agent, Event
from triage.observe import observe
from triage.pipeline import advance, advancing
from triage.policy import Policy, RuleMode, compile_policy

ORG = "acme"
BASE = """
objects:
  Case:
    calendar: lon
    closed_when: [is_closed]
    fields:
      status: Status
      priority: {from: Priority, type: picklist, values: [Low, Medium, High, Urgent], ordered: true}
      owner: OwnerId
      origin: Origin
      subject: Subject
      description: Description
      country: Country
      customer: ContactEmail
      backup: Backup
      amount: {from: Amount, type: number}
      vip: {from: Vip, type: boolean}
      tags: {from: Tags, type: multipicklist, values: [billing, legal, press]}
      is_closed: {from: IsClosed, type: boolean}
      calendar: Hours
    related:
      account: {object: Account, by: AccountId, fields: {tier: Tier, csm: Csm}}
calendars:
  lon: {tz: Europe/London, weekly: {mon-fri: ["09:00-17:00"]}}
  late: {tz: UTC, weekly: {mon-fri: ["16:00-24:00"]}}
templates:
  note: {subject: A case, body: Please look.}
  warning: {subject: Soon late, body: It will be late., pre_breach: true}
directory:
  queues: [Tier1, Tier2, Tier3]
  pools: [senior, chief, last]
  teams: [desk]
  tiers: [senior, chief]
"""


def make_policy(
    rules: str = "",
    *more: str,
    match: str = "all_matches",
    reevaluate_on: str = "related",
    modes: Mapping[str, RuleMode] | None = None,
    virtual: bool = True,
) -> Policy:
    """Return BASE with *rules* (a YAML list) as one rule set; each of *more* is another policy file."""
    texts = {"base.yaml": BASE} | {f"more{number}.yaml": text for number, text in enumerate(more)}
    if rules:
        lines = "\n".join(f"  {line}" for line in rules.strip("\n").splitlines())
        texts["rules.yaml"] = f"match: {match}\nreevaluate_on: {reevaluate_on}\nrules:\n{lines}\n"
    return compile_policy(load_policy(texts), modes, virtual=virtual)


def at(text: str) -> int:
    """Return `09:00` as that time of Monday 12 January 2026 UTC, `15 09:00` of the 15th; ISO instants as they are."""
    if "T" in text:
        return parse_instant(text)
    day, _, time = text.rpartition(" ")
    return parse_instant(f"2026-01-{int(day or 12):02}T{time}:00Z" if time.count(":") == 1 else f"2026-01-12T{time}Z")


def event(kind: str, when: str, /, *, changes: Mapping[str, Any] | None = None, **more: Any) -> Event:
    """Return one event of case 1 at *when*; its id says what and when, unless one is given."""
    settings: dict[str, Any] = {"object": "Case", "id": "1", "event_id": f"{kind}@{when}"} | more
    return Event(type=kind, at=at(when), changes=dict(changes or {}), **settings)  # type: ignore[arg-type]


def created(when: str = "09:00", **changes: Any) -> Event:
    """Return the creation of case 1 with these CRM fields."""
    return event("created", when, changes={"Status": "New", "OwnerId": "ann", **changes})


def updated(when: str, *, by: str = "user", rule: str = "", actor: str = "", **changes: Any) -> Event:
    """Return a change of case 1 by origin *by*."""
    return event("updated", when, changes=changes, origin=by, rule=rule, actor=actor)


def message(when: str, direction: str = "in", **more: Any) -> Event:
    """Return a message about case 1."""
    return event("message", when, direction=direction, channel="email", **more)


def agent(name: str, /, **more: Any) -> Agent:
    """Return somebody who is online, in team desk and pool senior."""
    return Agent(id=name, **({"presence": "online", "teams": ("desk",), "pools": ("senior",)} | more))


class Outcome(Struct, frozen=True):
    """What a run came to."""

    facts: Facts
    decisions: tuple[Decision, ...]

    @property
    def actions(self) -> list[Action]:
        """Every action of every decision, in order."""
        return [action for decision in self.decisions for action in decision.actions]

    def done(self, status: str = "planned") -> list[Action]:
        """The actions of one status."""
        return [action for action in self.actions if action.status == status]

    def fired(self, status: str = "planned") -> list[tuple[str, str]]:
        """Rule (and step) with the instant of firing, as `12 14:00`, of one status."""
        return [(f"{a.rule}/{a.step}".rstrip("/"), clock(a.at)) for a in self.done(status)]


def clock(instant: int) -> str:
    """Return an instant of January 2026 as `14:00` on the 12th, as `13 14:00` on another day."""
    minutes, rest = divmod(instant - parse_instant("2026-01-01T00:00:00Z"), 60_000)
    day, minute = divmod(minutes, 24 * 60)
    text = f"{minute // 60:02}:{minute % 60:02}" + (f":{rest / 1000:06.3f}" if rest else "")
    return text if day == 11 else f"{day + 1} {text}"


def run(
    policy: Policy,
    events: Iterable[Event],
    until: str,
    *,
    related: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    agents: tuple[Agent, ...] = (),
    apply: bool = False,
    live_from: int = 0,
) -> Outcome:
    """Return what *policy* does with *events* up to *until*; events come before timers. *apply* feeds effects back."""
    facts: Facts | None = None
    decisions: list[Decision] = []
    for instant, group in groupby(sorted(events, key=lambda one: one.at), key=lambda one: one.at):
        if facts is not None:
            facts = _on(facts, policy, instant - 1, decisions, apply)
        for one in group:
            facts = observe(facts, one, policy, related or {}, ORG)
            facts = replace(facts, agents=agents, live_from=live_from)
        assert facts is not None
        facts = _on(facts, policy, instant, decisions, apply)
    assert facts is not None
    return Outcome(_on(facts, policy, at(until), decisions, apply), tuple(decisions))


def known(policy: Policy, *events: Event, agents: tuple[Agent, ...] = ()) -> Facts:
    """Return the facts after *events*, each decided on at its own instant."""
    last = max(one.at for one in events)
    facts: Facts | None = None
    for one in events:
        facts = observe(facts, one, policy, {}, ORG)
        facts, _ = advance(replace(facts, agents=agents), policy, last)
    assert facts is not None
    return facts


def _on(facts: Facts, policy: Policy, upto: int, decisions: list[Decision], apply: bool) -> Facts:
    if not apply:
        facts, more = advance(facts, policy, upto)
        decisions.extend(more)
        return facts
    while (step := next(advancing(facts, policy, upto), None)) is not None:
        facts, decision = step
        decisions.append(decision)
        for action in decision.actions:
            effect = effect_event(action, policy, action.at) if action.status == "planned" else None
            if effect is not None:
                facts = observe(facts, effect, policy, {}, ORG)
    return facts
