"""Seeded random policies and histories, dense enough that clocks run out every few seconds to minutes."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from random import Random
from typing import Any, NamedTuple

from msgspec.structs import replace

from tests.property.calendars.oracle import zone_of
from tests.property.decide.case import Case
from tests.property.decide.oracle import RECORD, on_event
from tests.property.decide.tuning import Tuning
from triage.calendars import read_definition
from triage.domain.instant import parse_instant
from triage.domain.schema import FieldSpec, ObjectSpec, RelatedSpec
from triage.domain.work import Event
from triage.rules.document import MilestoneSpec, ObjectConfig, PolicyDocument, Safety, TargetTime
from triage.rules.language import (
    ActionSpec,
    AllOf,
    AnyOf,
    Change,
    ClockLeaf,
    Condition,
    Leaf,
    Negation,
    Repeat,
    Rule,
    RuleSet,
    Step,
    Target,
)

PRIORITIES = ("Low", "Medium", "High")
TIERS = ("Silver", "Gold")
STATUSES = ("New", "Working", "Waiting", "Done", "Closed")
OWNERS = ("005a", "005b", "005c", "00Gq", "queue:Tier2")
TAGS = ("vip", "legal", "spam")
LABELS = ("negative", "neutral", "positive")
RELATED = {("Account", "A1"): {"SLA__c": "Gold"}, ("Account", "A2"): {"SLA__c": "Silver"}, ("Account", "A3"): {}}

SPEC = ObjectSpec.of(
    "Case",
    (
        FieldSpec(name="priority", source="Priority", type="picklist", values=PRIORITIES, ordered=True),
        FieldSpec(name="status", source="Status"),
        FieldSpec(name="owner", source="OwnerId", type="reference"),
        FieldSpec(name="amount", source="Amount", type="number"),
        FieldSpec(name="calendar", source="Hours__c"),
        FieldSpec(name="tags", source="Tags__c", type="multipicklist", values=TAGS),
    ),
    (
        RelatedSpec(
            alias="account",
            object="Account",
            by="AccountId",
            fields=(FieldSpec(name="account.tier", source="SLA__c", type="picklist", values=TIERS, ordered=True),),
        ),
    ),
)

SCENES = (
    # zone, a minute UTC near which something happens on its clocks
    ("Europe/London", "2026-03-29T00:20:00Z"),
    ("Europe/Berlin", "2026-10-25T00:10:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T14:25:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:00:00Z"),
    ("America/New_York", "2026-03-08T06:20:00Z"),
    ("America/New_York", "2026-11-01T05:10:00Z"),
    ("Asia/Kolkata", "2026-06-15T17:50:00Z"),
    ("UTC", "2026-01-12T09:00:00Z"),
    ("Africa/Casablanca", "2026-02-15T01:30:00Z"),
    ("Europe/Berlin", "2026-05-13T21:20:00Z"),
)

SHORT, LONG = 7_200, 4 * 86_400


class Scene(NamedTuple):
    """Where and when a history plays: its zone, its first minute (seconds UTC) and its length in seconds."""

    zone: str
    begin: int
    length: int


def some(rng: Random, chance: float) -> bool:
    """Say yes with this chance."""
    return rng.random() < chance


def random_scene(rng: Random, long: bool = False) -> Scene:
    """Return a scene of two hours, or of four days."""
    zone, text = rng.choice(SCENES)
    begin = parse_instant(text) // 1000 - 60 * rng.randrange(30)
    return Scene(zone, begin - (86_400 * rng.randrange(3) if long else 0), LONG if long else SHORT)


def _clock_text(minute: int) -> str:
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def random_calendar(rng: Random, scene: Scene) -> dict[str, Any]:
    """Return a calendar that opens and closes every few minutes of a short scene, every day of a long one."""
    here = datetime.fromtimestamp(scene.begin, zone_of(scene.zone))
    minute = here.hour * 60 + here.minute + 60 * rng.choice((0, 0, 0, -1, 1))
    windows, breaks = [], []
    if scene.length == SHORT:
        start = minute - rng.randrange(30)
        for _ in range(rng.randrange(2, 6)):
            opens, start = start, start + rng.randrange(2, 45)
            windows.append((_clock_text(opens), _clock_text(start)))
            start += rng.randrange(1, 25)
        if some(rng, 0.3):
            at = minute + rng.randrange(0, 100)
            if (at % 1440) < 1400:
                breaks.append((_clock_text(at), _clock_text(at + rng.randrange(1, 15))))
    else:
        windows = rng.choice(
            ([("09:00", "17:00")], [("08:30", "12:00"), ("13:00", "18:15")], [("22:00", "06:00")], [("00:00", "24:00")])
        )
    found: dict[str, Any] = {"tz": scene.zone, "weekly": {day: windows for day in DAYS if not some(rng, 0.1)}}
    if breaks:
        found["breaks"] = {"daily": breaks}
    today = datetime.fromtimestamp(scene.begin + rng.randrange(scene.length + 1), UTC).date().isoformat()
    if some(rng, 0.2):
        found["holidays"] = [
            {"date": today, "start": _clock_text(minute % 1380), "end": _clock_text(minute % 1380 + 9)}
        ]
    if some(rng, 0.15):
        found["overrides"] = {today: windows[:1]}
    if not found["weekly"]:
        found["weekly"] = {"mon": windows}
    return found


def static_leaf(rng: Random) -> Leaf:
    """Return one leaf on a field, negated now and then."""
    negate = some(rng, 0.15)
    pick = rng.randrange(13)
    if pick < 3:
        op = rng.choice(("==", "!=", "in", "<=", ">=", "<", ">"))
        values = tuple(rng.sample(PRIORITIES, 2)) if op == "in" else (rng.choice(PRIORITIES),)
        return Leaf(field="priority", op=op, values=values, negate=negate)
    if pick < 6:
        op = rng.choice(("==", "!=", "in", "not in", "starts_with", "contains"))
        values = tuple(rng.sample(STATUSES, 2)) if op in ("in", "not in") else (rng.choice(STATUSES[:4]),)
        return Leaf(field="status", op=op, values=tuple(rng.choice((v, v.upper())) for v in values), negate=negate)
    if pick < 8:
        op = rng.choice(("<", "<=", ">", ">=", "==", "is missing", "is present"))
        return Leaf(field="amount", op=op, values=() if op.startswith("is") else (rng.choice(AMOUNTS),), negate=negate)
    if pick == 8:
        return Leaf(field="account.tier", op="==", values=("Gold",), negate=negate)
    if pick == 9:
        return Leaf(field="urgency.score", op=rng.choice((">=", "<")), values=(rng.choice((0.3, 0.5)),), negate=negate)
    if pick == 10:
        return Leaf(field="tags", op=rng.choice(("includes", "excludes")), values=(rng.choice(TAGS),), negate=negate)
    if pick == 11:
        return Leaf(field="reopen_count", op=">=", values=(1,), negate=negate)
    name = rng.choice(("is_contacted", "awaiting_reply", "owner_is_queue"))
    return Leaf(field=name, op=rng.choice(("is true", "is false")), negate=negate)


AMOUNTS = (0, 10, 50.5, 100)
PLAIN_CLOCKS = (
    *("created", "last_modified", "last_contact") * 2,
    *("created_until_modified", "assigned", "queued"),
)


class Names(NamedTuple):
    """What conditions may refer to, and how long amounts of time are."""

    calendars: tuple[str, ...]
    milestones: tuple[str, ...]
    scale: int


def seconds(rng: Random, names: Names) -> int:
    """Return an amount of time in ms, of whole seconds."""
    return 1000 * rng.choice((0, 1, rng.randrange(20, 600), *(rng.randrange(60, names.scale) for _ in range(9))))


def share(rng: Random) -> Fraction:
    """Return a share of a target."""
    return rng.choice((Fraction(0), Fraction(1, 10), Fraction(1, 2), Fraction(3, 4), Fraction(4, 5), Fraction(2, 3)))


def clock_leaf(rng: Random, names: Names, clocks: tuple[str, ...] = ()) -> ClockLeaf:
    """Return one leaf on a clock or milestone."""
    of_milestone = (*(f"milestone:{name}" for name in names.milestones), "sla")
    clock = rng.choice(of_milestone if names.milestones and some(rng, 0.5) else clocks or PLAIN_CLOCKS)
    until = some(rng, 0.3)
    if clock in of_milestone:
        remaining = some(rng, 0.4)
        over = 0 if remaining else rng.choice((0, 0, 0, 1, Fraction(1, 2)))
        amount: Any = share(rng) + over if some(rng, 0.7) else seconds(rng, names)
        return ClockLeaf(clock=clock, amount=amount, of_remaining=remaining, until=until)
    hours = rng.choice(("", "", "none", "record", *names.calendars))
    return ClockLeaf(clock=clock, amount=seconds(rng, names), until=until, hours=hours)


def condition(rng: Random, names: Names | None, depth: int = 0) -> Condition:
    """Return a random condition; of static leaves alone without *names*."""
    roll = rng.random()
    if depth == 0 and names is not None:
        parts = (clock_leaf(rng, names), *(condition(rng, names, 1) for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))))
        return AllOf(tuple(rng.sample(parts, len(parts))))
    if depth < 3 and roll < 0.3:
        parts = tuple(condition(rng, names, depth + 1) for _ in range(rng.randrange(1, 4)))
        return AllOf(parts) if some(rng, 0.35) else AnyOf(parts)
    if depth < 4 and roll < 0.4:
        return Negation(condition(rng, names, depth + 1))
    if names is not None and some(rng, 0.65):
        return clock_leaf(rng, names)
    return static_leaf(rng)


def change(rng: Random) -> Change:
    """Return a change trigger."""
    if some(rng, 0.4):
        return Change(raised=rng.choice(("priority", "amount")))
    return Change(became=condition(rng, None, 2))


NOTIFY = ActionSpec(kind="notify", target=Target(kind="user", name="boss"), params={"text": "look"})


def random_rule(rng: Random, number: int, names: Names, first: bool) -> Rule:
    """Return an all-matches rule, or with *first* an entry with steps."""
    common: dict[str, Any] = {
        "id": f"{'entry' if first else 'rule'}{number}",
        "hours": rng.choice(("none", "none", "record", *names.calendars)),
        "while_closed": some(rng, 0.15),
    }
    if first:
        ids = range(1, rng.randrange(1, 5))
        when = AllOf(()) if some(rng, 0.35) else condition(rng, None, 1)
        return Rule(when=when, steps=tuple(random_step(rng, str(i), names) for i in ids), **common)
    common["once"] = rng.choice(("per_clock", "per_clock", "per_record", "per_milestone", "per_episode"))
    when = condition(rng, names)
    if some(rng, 0.15):
        when = AllOf((change(rng), when)) if some(rng, 0.5) else AllOf((change(rng),))
    elif some(rng, 0.1):
        common["on"] = tuple(rng.sample(("created", "updated", "message", "scored", "related"), 2))
    return Rule(when=when, do=(NOTIFY,) * rng.randrange(1, 3), **common)


def random_step(rng: Random, step_id: str, names: Names) -> Step:
    """Return one step on any clock or milestone."""
    leaf = clock_leaf(rng, names)
    hours = "none" if leaf.clock == "sla" or leaf.clock.startswith("milestone:") else leaf.hours or "none"
    return Step(
        id=step_id, clock=leaf.clock, over=leaf.amount, hours=hours, of_remaining=leaf.of_remaining, do=(NOTIFY,)
    )


def random_milestone(rng: Random, name: str, names: Names) -> MilestoneSpec:
    """Return one milestone with some of its conditions."""
    targets = [TargetTime(allowed=1000 * rng.randrange(60, names.scale), when=condition(rng, None, 2))]
    if some(rng, 0.85):
        targets.append(TargetTime(allowed=rng.choice((None, 0, *[1000 * rng.randrange(90, names.scale)] * 9))))
    status = {"complete": ("Done", "Closed"), "pause": ("Waiting",), "stop": ("Closed",)}
    found = {
        key: Leaf(field="status", op="in", values=values) if some(rng, 0.6) else condition(rng, None, 2)
        for key, values in status.items()
        if some(rng, {"complete": 0.8, "pause": 0.6, "stop": 0.2}[key])
    }
    if some(rng, 0.5):
        found["start"] = rng.choice((Leaf(field="awaiting_reply", op="is true"), condition(rng, None, 2)))
    return MilestoneSpec(
        name=name,
        object="Case",
        targets=tuple(targets[some(rng, 0.5) :]),
        hours=rng.choice(("record", "record", "none", *names.calendars)),
        recurrence=rng.choice(("none", "none", "independent", "chained")),
        **found,
    )


def random_document(rng: Random, scene: Scene) -> PolicyDocument:
    """Return a policy of up to two calendars and milestones, some rules and some entries."""
    calendars = {name: read_definition(random_calendar(rng, scene), name) for name in ("east", "west")}
    scale = scene.length // 3
    names = Names(tuple(calendars), ("first", "fix")[: rng.randrange(3)], scale)
    sets = []
    if some(rng, 0.85):
        rules = tuple(random_rule(rng, n, names, False) for n in range(rng.randrange(2, 8)))
        sets.append(RuleSet(id="all", object="Case", rules=rules))
    if some(rng, 0.7) or not sets:
        entries = tuple(random_rule(rng, n, names, True) for n in range(rng.randrange(1, 4)))
        again = rng.choice(("related", "record"))
        sets.append(RuleSet(id="entries", object="Case", match="first_match", reevaluate_on=again, rules=entries))
    closed = Leaf(field="status", op="==", values=("Closed",))
    return PolicyDocument(
        objects={"Case": ObjectConfig(spec=SPEC, closed_when=closed, calendar=rng.choice(("none", "east", "west")))},
        calendars=calendars,
        milestones=tuple(random_milestone(rng, name, names) for name in names.milestones),
        rule_sets=tuple(sets),
        safety=Safety(),
    )


def random_changes(rng: Random) -> dict[str, Any]:
    """Return what one update changes, by CRM name; often nothing."""
    found: dict[str, Any] = {}
    for source, values, chance in (
        ("Priority", (*PRIORITIES, None), 0.3),
        ("Status", (*STATUSES, *STATUSES[:4]), 0.4),
        ("OwnerId", (*OWNERS, None), 0.2),
        ("Amount", (*AMOUNTS, 7, 250.25, None), 0.2),
        ("Hours__c", ("east", "west", "nowhere", None), 0.04),
        ("Tags__c", (["vip"], ["legal", "spam"], None), 0.1),
    ):
        if some(rng, chance):
            found[source] = rng.choice(values)
    return found


def random_event(rng: Random, at: int, number: int) -> Event:
    """Return the *number*th event of the record, at second *at*."""
    common: dict[str, Any] = {"at": at * 1000, "event_id": f"e{number}", "object": "Case", "id": RECORD}
    if number == 0:
        start = random_changes(rng) | {"Status": rng.choice(("New", "New", "Waiting"))}
        if some(rng, 0.5):
            start["AccountId"] = rng.choice(("A1", "A2", "A3"))
        return Event(type="created", changes={"OwnerId": rng.choice(OWNERS)} | start, **common)
    roll = rng.random()
    if roll < 0.55:
        origin = rng.choice(("user", "user", "system", "triage"))
        return Event(type="updated", changes=random_changes(rng), origin=origin, **common)
    if roll < 0.75:
        direction = rng.choice(("in", "out"))
        return Event(type="message", direction=direction, auto=some(rng, 0.2), sender="c@example.org", **common)
    if roll < 0.82:
        return Event(type="scored", scores={"urgency.score": rng.choice((0.2, 0.3, 0.5, 0.9, None))}, **common)
    if roll < 0.9:
        changes = {"SLA__c": rng.choice((*TIERS, None))}
        return Event(
            type="related", changes=changes, **(common | {"object": "Account", "id": rng.choice(("A1", "A2"))})
        )
    if roll < 0.95:
        return Event(type=rng.choice(("comment", "activity")), **common)
    return Event(type=rng.choice(("deleted", "undeleted", "undeleted")), **common)


def random_events(rng: Random, scene: Scene) -> tuple[Event, ...]:
    """Return a history: one creation, then a handful of events, two of them in one second now and then."""
    first = scene.begin + rng.randrange(300)
    times = sorted(first + 1 + rng.randrange(scene.length - 400) for _ in range(rng.randrange(10)))
    for place in range(1, len(times)):
        if some(rng, 0.08):
            times[place] = times[place - 1]
    return tuple(random_event(rng, at, number) for number, at in enumerate([first, *times]))


def random_case(seed: int, long: bool = False) -> Case:
    """Return the first case of *seed*."""
    return random_cases(seed, 1, long)[0]


def random_cases(seed: int, count: int, long: bool = False) -> list[Case]:
    """Return *count* histories of one record under one policy, most of whose clocks run out in the course of them."""
    rng = Random(seed)
    scene = random_scene(rng, long)
    document, events, end = random_document(rng, scene), random_events(rng, scene), scene.begin + scene.length
    document = Tuning(rng, document, events, end, RELATED).document()
    histories = [events, *(_shaken(rng, events, end) for _ in range(count - 1))]
    return [Case(seed, document, history, end) for history in histories]


def waiting(case: Case) -> Case:
    """Return *case* with rules that repeat, cool down and wait for hours, and people's overrides among its events."""
    rng = Random(case.seed)
    sets = tuple(
        replace(rule_set, rules=tuple(_waiting_rule(rng, rule, rule_set.match) for rule in rule_set.rules))
        for rule_set in case.document.rule_sets
    )
    names = [rule.id for rule_set in sets for rule in rule_set.rules]
    first = case.events[0].at // 1000
    orders = [override(rng, first + 1 + rng.randrange(SHORT), n, names) for n in range(rng.choice((0, 0, 1, 2, 3)))]
    events = tuple(sorted([*case.events, *(order for order in orders if order.at < case.end * 1000)], key=_at))
    return case._replace(document=replace(case.document, rule_sets=sets), events=events)


def _at(event: Event) -> int:
    return event.at


def _waiting_rule(rng: Random, rule: Rule, match: str) -> Rule:
    repeat = None
    if match == "all_matches" and not on_event(rule) and some(rng, 0.4):
        then = (NOTIFY,) if some(rng, 0.5) else ()
        repeat = Repeat(every=1000 * rng.randrange(5, 900), at_most=rng.randrange(1, 5), then=then)
    return replace(
        rule,
        repeat=repeat,
        cool_down=1000 * rng.randrange(30, 2000) if some(rng, 0.3) else 0,
        deliver="in_hours" if some(rng, 0.35) else "now",
    )


def override(rng: Random, at: int, number: int, names: list[str]) -> Event:
    """Return somebody's word on some rules of the record, for a while, for good, or taken back."""
    return Event(
        at=at * 1000,
        type="override",
        event_id=f"o{number}",
        object="Case",
        id=RECORD,
        action=rng.choice(("hold", "hold", "hold", "pull_back", "release")),
        until=rng.choice((None, (at + rng.randrange(1, 2000)) * 1000, (at + rng.randrange(1, 2000)) * 1000)),
        rules=rng.choice((("*",), (), tuple(rng.sample(names, 1)))),
        reason="known",
        actor="005m",
    )


def _shaken(rng: Random, events: tuple[Event, ...], end: int) -> tuple[Event, ...]:
    """Return the history with events some seconds to and fro, and one or two left out."""
    kept = [event for event in events[1:] if not some(rng, 0.15)]
    first = events[0].at // 1000
    times = sorted(min(end - 1, max(first + 1, event.at // 1000 + rng.randrange(-200, 200))) for event in kept)
    return (events[0], *(replace(event, at=at * 1000) for event, at in zip(kept, times, strict=True)))
