"""The tables of the policy language: every section, key and word it has. The loader and the JSON Schema read these."""

from __future__ import annotations

from typing import get_args

from triage.calendars.definition import Instance, RecurrenceType
from triage.domain.schema import FieldType
from triage.domain.work import EventType
from triage.rules.language import CLOCKS, Mode, Once
from triage.rules.llm_policy import LLM
from triage.rules.shapes import (
    ByKind,
    Choice,
    Flag,
    ListOf,
    MapOf,
    Named,
    OneKey,
    Record,
    Shape,
    Span,
    Split,
    Text,
    Whole,
)  # fmt: skip

ANY = Text()
NAME = Text(r"[^\W_][\w .-]*", "a name of letters, digits, ' ', '_', '-' and '.'")
LABEL = Text(r"[^\W_]([^\x00-\x1f\x7f]{0,120}[^\s\x00-\x1f\x7f])?", "a name that begins with a letter or digit")
"""A name that is somebody else's label: Salesforce's business hours and queues may hold brackets, colons, accents."""
RULE_ID = Text(r"[^\W_][^\x00-\x1f\x7f#]{0,199}", "an id that begins with a letter or digit and holds no '#'")
STEP_ID = Text(r"[^\W_][\w .-]{0,99}", "an id of letters, digits, '_', '-' and '.'")
FIELD = Text(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", "a field name such as 'account.tier'")
INVOCABLE = Text(r"[A-Za-z][A-Za-z0-9_]*", "the API name of an autolaunched flow or an invocable Apex class")
AMOUNT = Text(r"[\d.]+\s*(%|[a-z]+[\da-z. ]*)", "a duration such as 6h or a percentage such as 80%")
WINDOW = Text(r"\d{1,2}:\d{2}(:\d{2})?\s*-\s*\d{1,2}:\d{2}(:\d{2})?", "a window such as '09:00-17:30'")
DATE = Text(r"\d{4}-\d{2}-\d{2}", "a date such as 2026-12-24")
CLOCK_TIME = Text(r"\d{1,2}:\d{2}(:\d{2})?", "a time such as '12:00'")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "(" + "|".join(DAYS) + ")"
DAYS_KEY = Text(rf"{_DAY}(-{_DAY})?(,\s*{_DAY}(-{_DAY})?)*", "days such as 'mon-fri' or 'sat'")
BREAK_KEY = Text(rf"daily|\d{{4}}-\d{{2}}-\d{{2}}|{DAYS_KEY.pattern}", "'daily', days such as 'mon-fri', or a date")

CONDITION = Named("condition")
CONDITIONS = Named("condition")
ACTIONS = ListOf(Named("action"))

CLOCK_CONDITION = Record("a clock condition", {"clock": ANY, "over": AMOUNT, "hours": ANY}, ("clock", "over"))
CONDITION_WORD = OneKey(
    "a condition",
    {
        "all": ListOf(CONDITION),
        "any": ListOf(CONDITION, least=1),
        "not": CONDITION,
        "became": CONDITION,
        "raised": FIELD,
    },
)
REASSIGN_TO = ("user", "queue", "pool", "team", "role")
MOVE_TO = ("pool", "queue")
MATCHES = ("first_available", "round_robin", "least_loaded", "longest_idle", "best", "sticky", "optimal")
_LEVEL = "([ABC][12]|[1-6])"
EXCLUDES = Text(r"owner|previous_owners|user:\S+|team:\S.*", "owner, previous_owners, user:ID or team:NAME")
REQUIRES = Text(
    rf"present|free_capacity|on_shift|skill:[^\s:]+(:\d+)?|tier:\d+|team:\S.*|language(:[^\s:]+)?(:{_LEVEL})?"
    r"|region(:\S.*)?|experience:\d+",
    "present, free_capacity, on_shift, language, language:NAME, language:NAME:C1, region, region:NAME, skill:NAME, "
    "skill:NAME:LEVEL, tier:N, experience:MONTHS or team:NAME",
)
RECIPIENT = Text(
    r"owner|manager|customer|(role|address|user|queue|team|pool):\S.*|[A-Za-z_]\w*(\.[A-Za-z_]\w*)+|[A-Za-z_]\w*",
    "owner, manager, role:NAME, address:a@b.c, queue:NAME, user:ID or a field such as account.csm",
)
REASSIGN = Record(
    "reassign",
    {
        "to": OneKey("the target of reassign", dict.fromkeys(REASSIGN_TO, ANY)),
        "match": Choice(MATCHES),
        "respect_capacity": Flag(),
        "if_none": Choice(("next_eligible", "hold")),
        "exclude": ListOf(EXCLUDES, lone=True),
        "require": ListOf(REQUIRES, lone=True),
        "else": ACTIONS,
    },
    ("to",),
)
ACTION = OneKey(
    "an action",
    {
        "reassign": REASSIGN,
        "move": Record(
            "move", {"to": OneKey("the target of move", dict.fromkeys(MOVE_TO, ANY)), "else": ACTIONS}, ("to",)
        ),
        "reprioritise": OneKey("reprioritise", {"to": ANY, "raise": Whole(1, 100)}),
        "notify": Record(
            "notify", {"who": ListOf(RECIPIENT, lone=True, least=1), "template": ANY, "else": ACTIONS},
            ("who", "template"),
        ),
        "acknowledge": Record("acknowledge", {"template": ANY}, ("template",)),
        "set": Record("set", {"field": FIELD, "value": ANY}, ("field", "value")),
        "custom": Record(
            "custom", {"webhook": ANY, "flow": INVOCABLE, "apex": INVOCABLE, "with": MapOf(Named("data"), ANY)}
        ),
    },
    {"re-prioritise": "reprioritise"},
)  # fmt: skip
AFTER = Record("after", {"clock": ANY, "over": AMOUNT, "remaining": AMOUNT, "hours": ANY}, ("clock",))
STEP = Record("a step", {"id": STEP_ID, "after": AFTER, "do": ACTIONS}, ("after", "do"))
RULE = Record(
    "a rule",
    {
        "id": RULE_ID,
        "description": Text(empty=True),
        "when": CONDITIONS,
        "do": ACTIONS,
        "steps": ListOf(STEP),
        "boost": ListOf(Record("a boost", {"when": CONDITION, "add": Whole(-1000, 1000)}, ("when", "add")), lone=True),
        "on": ListOf(Choice(get_args(EventType)), lone=True),
        "once": Choice(get_args(Once)),
        "repeat": Record(
            "repeat", {"every": Span(1), "at_most": Whole(1, 1000), "then": ACTIONS}, ("every", "at_most")
        ),
        "cool_down": Span(),
        "deliver": Choice(("now", "in_hours")),
        "hours": ANY,
        "mode": Choice(get_args(Mode)),
        "while_closed": Flag(),
        "pre_breach": Flag(),
        "else": ACTIONS,
    },
    ("id", "when"),
)
FIELD_MAP = ByKind(
    "a CRM field name or a mapping with from, type, values",
    scalar=ANY,
    mapping=Record(
        "a field",
        {
            "from": ANY,
            "type": Choice(get_args(FieldType)),
            "values": ListOf(ANY, least=1),
            "ordered": Flag(),
            "unit": ANY,
            "zone": ANY,
            "date_order": Choice(("DMY", "MDY", "YMD")),
            "immutable": Flag(),
        },
        ("from",),
    ),
)
RELATED = Record("a related object", {"object": ANY, "by": ANY, "fields": MapOf(FIELD_MAP, FIELD)}, ("object", "by"))
OBJECT = Record(
    "an object",
    {
        "calendar": ANY,
        "closed_when": CONDITIONS,
        "fields": MapOf(FIELD_MAP, FIELD),
        "related": MapOf(RELATED, Text(r"[A-Za-z_]\w*", "a short name such as 'account'")),
        "created": ANY,
        "link": Text(r"https?://[^\s/]+/\S*", "a web address such as https://crm.example.com/cases/{id}"),
    },
)
MILESTONE = Record(
    "a milestone",
    {
        "object": ANY,
        "target": ByKind(
            "a duration, 'none', or a mapping with default and by",
            scalar=Named("target_time"),
            mapping=Record(
                "a target",
                {
                    "default": Named("target_time"),
                    "by": ListOf(
                        Record("a target by condition", {"when": CONDITIONS, "target": Named("target_time")},
                               ("when", "target"))
                    ),
                },
            ),
        ),
        "start": CONDITIONS,
        "complete": CONDITIONS,
        "pause": CONDITIONS,
        "stop": CONDITIONS,
        "hours": ANY,
        "recurrence": Choice(("none", "independent", "chained")),
    },
    ("object", "target"),
)  # fmt: skip
WORDS = ByKind(
    "a list of words, or a mapping from languages to lists",
    sequence=ListOf(ANY, least=1),
    mapping=MapOf(ListOf(ANY), Text(r"[a-z]{2,3}(-[A-Za-z]+)?", "a language such as 'en'")),
)
TEMPLATE = Record("a template", {"subject": ANY, "body": ANY, "pre_breach": Flag()}, ("subject", "body"))
AGENT = Record(
    "an agent",
    {
        "name": ANY,
        "manager": ANY,
        "email": ANY,
        "presence": Choice(("online", "break", "away", "offline")),
        "capacity": Whole(),
        "load": Whole(),
        "skills": MapOf(Whole(0, 100)),
        "teams": ListOf(ANY),
        "pools": ListOf(ANY),
        "tier": Whole(0, 100),
        "shift": ANY,
        "languages": MapOf(Text(_LEVEL, "a level from A1 to C2")),
        "regions": ListOf(ANY),
        "max_per_hour": Whole(),
        "months": Whole(0, 1200),
        "away": ListOf(Record("a span out of office", {"from": ANY, "to": ANY}, ("from",))),
        "track": MapOf(
            Record("a track record", {"n": Whole(1), "won": Whole(), "value": Whole(), "seconds": Whole()}, ("n",)),
            Text(r"\S.*", "what it is about, such as 'Lead' or 'Case/product=Mobile'"),
        ),
    },
)
_PERCENT = Whole(0, 10_000)
OVERLOAD = Record("limits", {"load": _PERCENT, "urgent": Whole(), "missed": Whole()})
ROUTING = Record(
    "routing",
    {
        "match": Choice(MATCHES),
        "groups": MapOf(Choice(MATCHES), NAME),
        "weights": MapOf(
            Record("a weight", {"default": Whole(1, 1000), "by": MapOf(Whole(1, 1000), Text(r"\S.*", "a priority"))})
        ),
        "costs": Record("costs", {"load": Whole(0, 1000), "fairness": Whole(0, 1000)}),
        "shrink": Whole(0, 10_000),
        "stale_after": Span(1),
        "sticky": ListOf(FIELD, lone=True),
        "worth": ListOf(FIELD, lone=True),
        "worth_half": Whole(1),
        "queue": Record("queue", dict.fromkeys(("urgency", "value", "sla", "sentiment"), Whole(0, 1000))),
        "urgent": Whole(1, 100),
        "urgent_from": ANY,
        "overloaded": Record("overloaded", {"when": OVERLOAD, "clears": OVERLOAD}, ("when",)),
        "won": ListOf(ANY, lone=True),
        "figures": Flag(),
        "least_cases": Whole(20),
    },
)
DIRECTORY = Record(
    "the directory",
    {
        "queues": ListOf(LABEL),
        "pools": ListOf(NAME),
        "teams": ListOf(NAME),
        "tiers": ListOf(NAME),
        "webhooks": MapOf(Text(r"https?://[^\s/]+\S*", "a web address that begins with https://"), NAME),
        "agents": MapOf(AGENT, Text(r"\S+", "an agent's id")),
    },
)
CAPS = Record("caps", {"per_5_minutes": Whole(), "per_day": Whole()})
_ADDRESS = Text(r"[^@\s]+@[^@\s]+", "a mail address such as help@example.com")
_HOST = Text(r"[A-Za-z0-9.-]+", "a host name such as example.com")
_HOST_PORT = Text(r"[A-Za-z0-9.-]+(:\d+)?", "a host name such as hooks.example.com")
SAFETY = Record(
    "safety",
    {
        "caps": Record("caps", {"rule": CAPS, "recipient": CAPS, "organisation": CAPS}),
        "recipient_domains": ListOf(_HOST),
        "webhook_hosts": ListOf(_HOST_PORT),
        "allow_private_hosts": ListOf(_HOST_PORT),
        "own_addresses": ListOf(_ADDRESS),
        "allow_customer_contact": Flag(),
        "hop_limit": Whole(0, 1000),
        "terminal_pool": ANY,
        "manager": ANY,
        "digest_over": Whole(),
        "late_after": Span(1),
    },
)
RECURRENCE = Record(
    "a recurrence",
    {
        "type": Choice(get_args(RecurrenceType)),
        "start": DATE,
        "end": DATE,
        "interval": Whole(1, 10000),
        "days": ListOf(ANY, lone=True),
        "day": Whole(1, 31),
        "month": ANY,
        "instance": Choice(get_args(Instance)),
    },
    ("type",),
)
HOLIDAY = Record(
    "a holiday", {"date": DATE, "recurrence": RECURRENCE, "from": CLOCK_TIME, "to": CLOCK_TIME, "name": ANY}
)
CALENDAR = Record(
    "a calendar",
    {
        "tz": ANY,
        "weekly": MapOf(ListOf(WINDOW), DAYS_KEY),
        "holidays": ListOf(Named("holiday")),
        "public_holidays": Record(
            "public_holidays", {"country": ANY, "subdivision": ListOf(ANY, lone=True)}, ("country",)
        ),
        "overrides": MapOf(ListOf(WINDOW), DATE),
        "breaks": MapOf(ListOf(WINDOW), BREAK_KEY),
    },
    ("tz",),
)
SECTIONS: dict[str, Shape] = {
    "objects": MapOf(OBJECT),
    "calendars": MapOf(CALENDAR, LABEL),
    "milestones": MapOf(MILESTONE, Text(r"[A-Za-z_][\w-]*", "a name of letters, digits, '_' and '-'")),
    "words": MapOf(WORDS),
    "templates": MapOf(TEMPLATE),
    "directory": DIRECTORY,
    "safety": SAFETY,
    "routing": ROUTING,
    "llm": LLM,
}
RULE_FILE: dict[str, Shape] = {
    "object": ANY,
    "rule_set": RULE_ID,
    "match": Choice(("all_matches", "first_match")),
    "reevaluate_on": Choice(("related", "record")),
    "rules": ByKind(
        "a list of rules, or {source: salesforce}",
        sequence=ListOf(RULE),
        mapping=OneKey("where rules come from", {"source": Choice(("salesforce",))}),
    ),
}
FILE = Record("a policy file", {**SECTIONS, **RULE_FILE})

DEFINITIONS: dict[str, Shape] = {
    "condition": ByKind(
        "a condition",
        scalar=Text(wanted="a condition such as 'priority == High'"),
        sequence=ListOf(CONDITION),
        mapping=Split("clock", CLOCK_CONDITION, CONDITION_WORD),
    ),
    "action": ACTION,
    "target_time": Text(r"none|0|\d.*", "a duration of open time such as 8h (1d is 24 open hours), or none"),
    "holiday": ByKind("a date or a mapping with date", scalar=DATE, mapping=HOLIDAY),
    "data": ByKind(
        "text, a list or a mapping", scalar=Text(empty=True), sequence=ListOf(Named("data")),
        mapping=MapOf(Named("data"), ANY),
    ),
}  # fmt: skip
CLOCK_NAMES = (*CLOCKS, "sla")
