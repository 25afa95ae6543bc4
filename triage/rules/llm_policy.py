"""The section `llm`: which language model may be asked, about what, with which fields, and for how much money."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from msgspec import Struct, field

from triage.domain.instant import MINUTE, SECOND
from triage.domain.schema import BUILTIN_FIELDS, ObjectSpec
from triage.errors import Fault
from triage.rules.positions import Page
from triage.rules.shapes import Choice, Entry, ListOf, MapOf, Record, Shape, Span, Text, Whole, unknown

Vendor = Literal["openai", "azure", "anthropic", "google"]
TaskName = Literal["sentiment", "urgency", "complexity", "intent", "product_line", "language"]
ScoreMode = Literal["local", "llm", "llm_with_local_floor", "shadow", "escalate_to_llm"]
Wire = Literal["responses", "chat"]

TASKS: tuple[TaskName, ...] = get_args(TaskName)
CHOSEN: tuple[TaskName, ...] = ("intent", "product_line")
"""The tasks whose answer is one of the policy's own words."""

MESSAGES = "messages"
"""The field name that stands for what the customer has written so far, oldest first: a shift of mood needs it."""

_TEXTS = ("text", "reference")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MONEY = Text(r"\d{1,9}(\.\d{1,6})? ?USD", "an amount such as 25 USD or 0.002 USD")
_SHARE = Text(r"\d{1,2}(\.\d)?%|100%", "a share such as 30%")
_SECRET = Text(r"env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*", "env:NAME or file:PATH: a key never stands in the file")
_FIELD = Text(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", "a field name such as 'description'")
_FIELDS = MapOf(ListOf(_FIELD, least=1), Text(r"[A-Za-z]\w*", "an object such as Case"))
LLM: Shape = Record(
    "llm",
    {
        "provider": Choice(get_args(Vendor)),
        "endpoint": Text(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", "a web address such as https://api.openai.com/v1"),
        "model": Text(r"[\w.:/@-]{1,200}", "a model's name such as gpt-5-mini"),
        "api": Choice(get_args(Wire)),
        "api_version": Text(r"[\w.-]+", "an API version such as 2025-04-01-preview"),
        "key": _SECRET,
        "keys": MapOf(_SECRET, Text(r"\S+", "an organisation")),
        "fields": _FIELDS,
        "mask": _FIELDS,
        "tasks": MapOf(
            Record(
                "a task",
                {
                    "mode": Choice(get_args(ScoreMode)),
                    "sample": _SHARE,
                    "values": ListOf(Text(r"[^\W_][\w /-]{0,59}", "a short word such as 'refund'"), least=2),
                    "rule_sets": ListOf(Text(), lone=True, least=1),
                },
            ),
            Text("|".join(TASKS), f"one of {', '.join(TASKS)}"),
        ),
        "languages": ListOf(Text(r"[a-z]{2,3}", "a language such as 'en'"), lone=True, least=1),
        "budget": Record("budget", {"per_day": _MONEY, "per_org": _MONEY, "per_record": _MONEY}, ("per_day",)),
        "prices": Record(
            "prices, each for a million tokens", {"input": _MONEY, "cached": _MONEY, "output": _MONEY},
            ("input", "output"),
        ),
        "max_raise": _SHARE,
        "disagree_over": _SHARE,
        "most_characters": Whole(200, 100_000),
        "most_output": Whole(64, 32_000),
        "deadline": Span(1),
        "attempt": Span(1),
        "parallel": Whole(1, 64),
        "rest": Span(1),
    },
    ("provider", "endpoint", "model", "key", "fields", "tasks", "budget"),
)  # fmt: skip


class Task(Struct, frozen=True, kw_only=True):
    """One thing to ask. `sample` is a share of 1,000 records; `rule_sets` () is all; `values` are the allowed words."""

    name: TaskName
    mode: ScoreMode = "llm_with_local_floor"
    sample: int = 1000
    values: tuple[str, ...] = ()
    rule_sets: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()


class Budget(Struct, frozen=True, kw_only=True):
    """
    What may be spent, in micro-dollars: all organisations in a UTC day, one of them in a day, one record for good.

    They are laws: a call whose worst case would pass one of them is not made.
    """

    per_day: int
    per_org: int
    per_record: int


class Price(Struct, frozen=True, kw_only=True):
    """Micro-dollars for a million tokens: read, read from the vendor's cache, and written."""

    input: int
    cached: int
    output: int


class LlmPolicy(Struct, frozen=True, kw_only=True):
    """
    All of the section. Spans are ms; `max_raise` and `disagree_over` thousandths of a score's range.

    `fields` and `mask` are by object: what may be sent, and whose values are masked wherever they stand. `deadline`
    bounds one record's question with all its attempts, `attempt` one of them. `rest` is the breaker's first pause.
    """

    provider: Vendor
    endpoint: str
    model: str
    key: str
    fields: dict[str, tuple[str, ...]]
    tasks: dict[TaskName, Task]
    budget: Budget
    api: Wire = "responses"
    api_version: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    mask: dict[str, tuple[str, ...]] = field(default_factory=dict)
    languages: tuple[str, ...] = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ja", "zh")
    prices: Price | None = None
    max_raise: int = 300
    disagree_over: int = 400
    most_characters: int = 6_000
    most_output: int = 2_000
    deadline: int = 20 * SECOND
    attempt: int = 10 * SECOND
    parallel: int = 4
    rest: int = MINUTE

    def tasks_of(self, object_name: str) -> tuple[Task, ...]:
        """Return the tasks for records of *object_name* that may be sent at all, those left to the local model out."""
        if object_name not in self.fields:
            return ()
        found = (task for task in self.tasks.values() if task.mode != "local")
        return tuple(task for task in found if not task.rule_sets or object_name in task.objects)


def read_llm(
    entry: Entry, objects: Mapping[str, ObjectSpec], rule_sets: Mapping[str, str], private: Collection[str], page: Page
) -> LlmPolicy | None:
    """
    Return the section; None after a fault.

    Args:
        rule_sets: The object of each rule set, by its id.
        private: Hosts that may have private addresses (`safety.allow_private_hosts`): only they may be asked openly.
    """
    before = len(page.faults)
    _check_endpoint(entry, private, page)
    fields = _fields(entry, "fields", objects, page)
    mask = _fields(entry, "mask", objects, page)
    tasks = _tasks(entry, rule_sets, page)
    budget = _budget(entry, page)
    if entry.get("provider") == "azure" and "api_version" not in entry.keys and "endpoint" in entry.nodes:
        page.fault(entry.node, "azure needs api_version, such as api_version: 2025-04-01-preview")
    if len(page.faults) > before or budget is None or not fields or not tasks:
        return None
    if any(entry.get(key) is None for key in ("provider", "endpoint", "model", "key")):
        return None
    plain = {key: entry.values[key] for key in _PLAIN if key in entry.values}
    shares: dict[str, Any] = {key: share(entry.values[key]) for key in _SHARES if key in entry.values}
    keys: Entry | None = entry.get("keys")
    prices: Entry | None = entry.get("prices")
    return LlmPolicy(
        fields=fields,
        mask={name: _masked(name, spec, fields, mask) for name, spec in objects.items() if name in fields},
        tasks=tasks,
        budget=budget,
        keys=dict(keys.values) if keys else {},
        prices=_price(prices) if prices else None,
        **plain,
        **shares,
    )


_PLAIN = (
    "provider", "endpoint", "model", "key", "api", "api_version", "languages", "most_characters", "most_output",
    "deadline", "attempt", "parallel", "rest",
)  # fmt: skip

_SHARES = ("max_raise", "disagree_over")


def micro(text: str) -> int:
    """Return an amount such as `0.25 USD` in micro-dollars."""
    whole, _, part = text.removesuffix("USD").strip().partition(".")
    return int(whole) * 1_000_000 + int(part.ljust(6, "0") or "0")


def share(text: str) -> int:
    """Return a share such as `12.5%` in thousandths."""
    whole, _, part = text.removesuffix("%").partition(".")
    return int(whole) * 10 + int(part or "0")


def _check_endpoint(entry: Entry, private: Collection[str], page: Page) -> None:
    """Report an address that would carry a key over an open line to a host that nobody named as ours."""
    text = entry.get("endpoint", "")
    try:
        parts = urlsplit(text)
        host, netloc = parts.hostname or "", parts.netloc.casefold()
    except ValueError:
        page.fault(entry.nodes["endpoint"], "the endpoint is no web address", len(text))
        return
    if parts.scheme == "http" and host not in _LOOPBACK and not {host, netloc} & set(private):
        words = f"a key does not go over an open line: use https, or name {host} in safety.allow_private_hosts"
        page.fault(entry.nodes["endpoint"], words, len(text))


def _fields(entry: Entry, key: str, objects: Mapping[str, ObjectSpec], page: Page) -> dict[str, tuple[str, ...]]:
    """Return field names by object; each must be declared, or one that every record has."""
    part: Entry | None = entry.get(key)
    found: dict[str, tuple[str, ...]] = {}
    for name, fields in (part.values if part else {}).items():
        if name not in objects:
            page.fault(part.keys[name], unknown("object", name, objects), len(name))  # type: ignore[union-attr]
            continue
        known = [*objects[name].by_name, "latest_message", MESSAGES, "text"]
        items = getattr(part.nodes[name], "items", ())  # type: ignore[union-attr]
        for text, node in zip(fields, items, strict=False):
            if text not in known:
                page.fault(node, unknown("field", text, known), len(text))
        found[name] = fields
    return found


def _masked(
    name: str, spec: ObjectSpec, fields: Mapping[str, tuple[str, ...]], mask: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the fields whose values are masked: those named, and every text or reference that may not be sent."""
    own = {one.name for one in BUILTIN_FIELDS}
    silent = (one.name for one in spec.by_name.values() if one.type in _TEXTS and one.name not in own)
    kept = set(fields[name])
    return tuple(dict.fromkeys([*mask.get(name, ()), *(one for one in silent if one not in kept)]))


def _tasks(entry: Entry, rule_sets: Mapping[str, str], page: Page) -> dict[TaskName, Task]:
    part: Entry | None = entry.get("tasks")
    found: dict[TaskName, Task] = {}
    for name in (one for one in TASKS if part is not None and one in part.values):
        body: Entry = part.values[name]  # type: ignore[union-attr]
        for fault, place, length in _task_faults(name, body, rule_sets):
            page.fault(place, fault, length)
        wanted: tuple[str, ...] = body.get("rule_sets", ())
        found[name] = Task(
            name=name,
            mode=body.get("mode", "llm_with_local_floor"),
            sample=share(body.values["sample"]) if "sample" in body.values else 1000,
            values=body.get("values", ()),
            rule_sets=wanted,
            objects=tuple(dict.fromkeys(rule_sets[one] for one in wanted if one in rule_sets)),
        )
    return found


def _task_faults(name: str, body: Entry, rule_sets: Mapping[str, str]) -> Iterator[tuple[str, Any, int]]:
    if name in CHOSEN and "values" not in body.keys:
        yield f"{name} is one of a few words: list them under values", body.node, 1
    if name not in CHOSEN and "values" in body.keys:
        yield f"{name} has its own values: remove this list", body.keys["values"], len("values")
    if "sample" in body.keys and body.get("mode") != "shadow":
        yield "only mode shadow asks about a sample", body.keys["sample"], len("sample")
    node = body.nodes.get("rule_sets")
    for at, one in enumerate(body.get("rule_sets", ())):
        if one not in rule_sets:
            items = getattr(node, "items", (node,))
            yield unknown("rule set", one, rule_sets), items[min(at, len(items) - 1)], len(one)


def _budget(entry: Entry, page: Page) -> Budget | None:
    part: Entry | None = entry.get("budget")
    if part is None or "per_day" not in part.values:
        return None
    day = micro(part.values["per_day"])
    amounts = {key: micro(part.values[key]) if key in part.values else day for key in ("per_org", "per_record")}
    for key, amount in amounts.items():
        if amount > day:
            page.fault(part.nodes[key], f"{key} is above per_day, which holds for all of them", 1)
    return Budget(per_day=day, **amounts)


def _price(part: Entry) -> Price | None:
    if not {"input", "output"} <= set(part.values):
        return None
    found = {key: micro(text) for key, text in part.values.items()}
    return Price(input=found["input"], cached=found.get("cached", found["input"]), output=found["output"])


def without_secret(fault: Fault) -> Fault:
    """Return *fault* without the words of its line where they may be a key written there by mistake."""
    if not fault.text.startswith(_SECRET.wanted):
        return fault
    return fault._replace(text=f"{_SECRET.wanted} (what stands here is not shown)", source="", length=0)
