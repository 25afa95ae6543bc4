"""A whole policy as data: objects, calendars, milestones, words, rule sets, templates, people and safety limits."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from triage.calendars.definition import CalendarDefinition
from triage.domain.schema import ObjectSpec
from triage.domain.work import Agent
from triage.rules.language import At, Condition, RuleSet
from triage.rules.llm_policy import LlmPolicy


class ObjectConfig(Struct, frozen=True, kw_only=True):
    """
    One object: its fields, what counts as closed, and the calendar of a record whose `calendar` field names none.

    `closed_when` None means: the field `is_closed` is true. `link` is the web address of a record, `{id}` in it.
    """

    spec: ObjectSpec
    closed_when: Condition | None = None
    calendar: str = "none"
    link: str = ""


class TargetTime(Struct, frozen=True, kw_only=True):
    """How long a milestone may take where *when* holds (None: always); ms of open time, None for no deadline."""

    allowed: int | None
    when: Condition | None = None


class MilestoneSpec(Struct, frozen=True, kw_only=True):
    """
    One milestone. Conditions hold static leaves only. `start` None: with the record's creation.

    `targets` are tried in order. `hours`: record, none or a calendar's name. `recurrence` as Salesforce has it.
    """

    name: str
    object: str
    targets: tuple[TargetTime, ...]
    start: Condition | None = None
    complete: Condition | None = None
    pause: Condition | None = None
    stop: Condition | None = None
    hours: str = "record"
    recurrence: Literal["none", "independent", "chained"] = "none"
    at: At = At()


class Template(Struct, frozen=True, kw_only=True):
    """A message: subject and body with `{field}` placeholders, and whether it speaks of a breach still to come."""

    name: str
    subject: str
    body: str
    pre_breach: bool = False
    at: At = At()


class Caps(Struct, frozen=True, kw_only=True):
    """How many effects may leave in 5 minutes and in a day; the excess is held for a person. 0 is no cap."""

    per_5_minutes: int = 0
    per_day: int = 0


class Safety(Struct, frozen=True, kw_only=True):
    """
    The limits on what this worker may do to the world.

    `recipient_domains` and `webhook_hosts` are allow-lists (empty: nothing outside). `own_addresses` are ours: their
    mail never counts as contact. `allow_private_hosts` are those of `webhook_hosts` that may have private addresses.
    `terminal_pool` takes a record that has used up its hops, `manager` hears of it.
    `digest_over`: more messages than this to one recipient in one go become a digest. `late_after` ms is an outage.
    """

    rule: Caps = Caps(per_5_minutes=200, per_day=2000)
    recipient: Caps = Caps(per_5_minutes=20, per_day=200)
    organisation: Caps = Caps(per_5_minutes=1000, per_day=20000)
    recipient_domains: tuple[str, ...] = ()
    webhook_hosts: tuple[str, ...] = ()
    allow_private_hosts: tuple[str, ...] = ()
    own_addresses: tuple[str, ...] = ()
    allow_customer_contact: bool = False
    hop_limit: int = 4
    terminal_pool: str = ""
    manager: str = ""
    digest_over: int = 5
    late_after: int = 15 * 60 * 1000


class ItemWeight(Struct, frozen=True, kw_only=True):
    """How much of somebody's capacity one open record of an object takes: by its priority, else `default`."""

    default: int = 1
    by: dict[str, int] = field(default_factory=dict)


class Overload(Struct, frozen=True, kw_only=True):
    """
    When somebody takes nothing more although there is room, and when again: any limit reached, then all cleared.

    `load` and `clear_load` are percent of capacity; `urgent` and `missed` count open records held. 0 sets no limit.
    """

    load: int = 0
    urgent: int = 0
    missed: int = 0
    clear_load: int = 0
    clear_urgent: int = 0
    clear_missed: int = 0


class Routing(Struct, frozen=True, kw_only=True):
    """
    How somebody is chosen among those who may take a record, and how a queue is ranked.

    `match` holds where neither the rule nor the group (`groups`) names a policy. `costs` are hundredths of a record's
    worth: what a full load, and the most of the hot ones, count against somebody. `shrink`: this many cases of the
    team's mean are added to everybody's own. `stale_after` ms without word of presence is no presence (0: never).
    `sticky` fields name the person who is asked first. `worth` fields hold the money, of which `worth_half` makes a
    record worth half of the most. `queue` are the powers, in hundredths, of what ranks a queue. `urgent` percent of
    urgency, or priority `urgent_from`, makes a record urgent. A closed record whose status or stage is one of `won` was
    won. `figures` about a person: only where true, and from
    `least_cases` on.
    """

    match: str = "least_loaded"
    groups: dict[str, str] = field(default_factory=dict)
    weights: dict[str, ItemWeight] = field(default_factory=dict)
    costs: dict[str, int] = field(default_factory=dict)
    shrink: int = 20
    stale_after: int = 0
    sticky: tuple[str, ...] = ("last_agent",)
    worth: tuple[str, ...] = ("lead.value", "amount")
    worth_half: int = 10_000
    queue: dict[str, int] = field(default_factory=dict)
    urgent: int = 80
    urgent_from: str = ""
    overloaded: Overload | None = None
    won: tuple[str, ...] = ()
    figures: bool = False
    least_cases: int = 20


class Directory(Struct, frozen=True, kw_only=True):
    """Who there is: queues, pools, teams and webhooks by name, pools' fall-backs in order, agents known beforehand."""

    queues: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    webhooks: dict[str, str] = field(default_factory=dict)
    agents: tuple[Agent, ...] = ()


class PolicyDocument(Struct, frozen=True, kw_only=True):
    """Everything a folder of policy files says, typed and checked; `texts` keeps the files themselves by name."""

    objects: dict[str, ObjectConfig]
    calendars: dict[str, CalendarDefinition] = field(default_factory=dict)
    milestones: tuple[MilestoneSpec, ...] = ()
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rule_sets: tuple[RuleSet, ...] = ()
    templates: dict[str, Template] = field(default_factory=dict)
    directory: Directory = Directory()
    safety: Safety = Safety()
    routing: Routing = Routing()
    llm: LlmPolicy | None = None
    texts: dict[str, str] = field(default_factory=dict)
