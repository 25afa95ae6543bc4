"""A sinks file read and checked: which sinks there are, and which one takes which actions. Secrets stay references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from msgspec import Struct, field

from triage.domain.decision import ActionKind
from triage.domain.instant import SECOND
from triage.errors import ConfigError, Fault
from triage.rules.positions import Mapping as MappingNode
from triage.rules.positions import Page, Scalar, read_tree
from triage.rules.shapes import Choice, Entry, ListOf, MapOf, Named, Record, Shape, Span, Text, Whole, read, unknown
from triage.sinks.mail import ADDRESS

Kind = Literal["smtp", "webhook", "chat", "jsonl", "store", "salesforce"]

ABLE: Mapping[str, frozenset[str]] = {
    "smtp": frozenset({"notify", "acknowledge"}),
    "chat": frozenset({"notify"}),
    "webhook": frozenset(get_args(ActionKind)),
    "jsonl": frozenset(get_args(ActionKind)),
    "store": frozenset(get_args(ActionKind)),
    "salesforce": frozenset({"reassign", "move", "reprioritise", "set", "notify", "custom"}),
}
"""What a sink of each kind can do."""

DECIDED = ("planned", "would_have", "backlog", "held", "suppressed")
"""What may become of an action as it is decided; see `triage.domain.decision.Status`."""

_REFERENCE = Text(r"env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*", "env:NAME or file:PATH: a secret never stands in the file")
_HOST = Text(r"[A-Za-z0-9.-]+", "a host name such as smtp.example.com")
_MAIL = Text(ADDRESS.pattern, "a mail address such as triage@example.com")
_TARGET = Text(r"[a-z]+(:\S.*)?", "a target such as role:duty-manager, team:*, customer")
_NAME = Text(r"[^\W_][\w-]*", "a name of letters, digits, '_' and '-'")
_SINKS: dict[str, Shape] = {
    "smtp": Record(
        "an smtp sink",
        {
            "kind": Choice(("smtp",)), "host": _HOST, "port": Whole(1, 65535),
            "security": Choice(("starttls", "tls", "none")), "username": Text(), "password": _REFERENCE, "from": _MAIL,
            "ca": Text(), "timeout": Span(1), "recipients": MapOf(ListOf(_MAIL, lone=True, least=1), _TARGET),
        },
        ("kind", "host", "from"),
    ),
    "webhook": Record(
        "a webhook sink",
        {
            "kind": Choice(("webhook",)), "secrets": MapOf(_REFERENCE, Text()), "webhook": Text(),
            "fields": ListOf(Text(), lone=True), "ca": Text(), "timeout": Span(1),
        },
        ("kind", "secrets"),
    ),
    "chat": Record(
        "a chat sink",
        {"kind": Choice(("chat",)), "url": _REFERENCE, "ca": Text(), "timeout": Span(1)},
        ("kind", "url"),
    ),
    "jsonl": Record("a jsonl sink", {"kind": Choice(("jsonl",)), "path": Text()}, ("kind", "path")),
    "store": Record("a store sink", {"kind": Choice(("store",))}, ("kind",)),
    "salesforce": Record("a salesforce sink", {"kind": Choice(("salesforce",))}, ("kind",)),
}  # fmt: skip
_ROUTE = Record(
    "a route",
    {
        "kinds": ListOf(Choice(get_args(ActionKind)), lone=True, least=1),
        "to": ListOf(_TARGET, lone=True, least=1),
        "sink": Text(),
    },
    ("sink",),
)
_DECISIONS = Record(
    "a listener",
    {"sink": Text(), "webhook": Text(), "events": ListOf(Choice(DECIDED), lone=True, least=1),
     "rules": ListOf(Text(), lone=True, least=1)},
    ("sink", "webhook"),
)  # fmt: skip
_FILE = Record(
    "a sinks file",
    {
        "decisions": ListOf(_DECISIONS),
        "organisations": ListOf(Text(), lone=True, least=1),
        "sinks": MapOf(Named("sink"), _NAME),
        "routes": ListOf(_ROUTE),
    },
    ("organisations", "sinks", "routes"),
)


class SinkSettings(Struct, frozen=True, kw_only=True):
    """One sink as its file states it; what belongs to another kind is at its default. `timeout` is ms."""

    name: str
    kind: Kind
    host: str = ""
    port: int = 0
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: str = ""
    sender: str = ""
    recipients: dict[str, tuple[str, ...]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    webhook: str = ""
    fields: tuple[str, ...] = ()
    url: str = ""
    path: str = ""
    ca: str = ""
    timeout: int = 10 * SECOND


class Route(Struct, frozen=True, kw_only=True):
    """Which actions go to which sink; empty `kinds` or `to` leave that open. `team:*` is every team."""

    sink: str
    kinds: tuple[str, ...] = ()
    to: tuple[str, ...] = ()

    def takes(self, kind: str, target: str) -> bool:
        """Tell whether an action of *kind* for *target* goes this way."""
        return (not self.kinds or kind in self.kinds) and (not self.to or any(_fits(one, target) for one in self.to))


class Listening(Struct, frozen=True, kw_only=True):
    """Which decisions a webhook is told of: by what became of the action, and by rule; without `rules` those of all."""

    sink: str
    webhook: str
    events: tuple[str, ...] = DECIDED
    rules: tuple[str, ...] = ()


class SinksFile(Struct, frozen=True, kw_only=True):
    """
    All of a sinks file.

    The organisations that may send through it, the sinks by name, the routes in order, and who is told of decisions.
    """

    organisations: tuple[str, ...]
    sinks: dict[str, SinkSettings]
    routes: tuple[Route, ...]
    decisions: tuple[Listening, ...] = ()


def read_sinks(file: str, text: str) -> SinksFile:
    """Return what the sinks file *text* states; raise ConfigError with every fault, by line and column of *file*."""
    node, page = read_tree(file, text)
    entry: Entry | None = read(_FILE, node, page) if node is not None else None
    if entry is None and not page.faults:
        page.fault_at(1, 1, "the file is empty: write organisations, sinks and routes")
    found = _file(entry, page) if entry is not None else None
    if found is None or page.faults:
        raise ConfigError([_hidden(fault) for fault in page.faults])
    return found


def _hidden(fault: Fault) -> Fault:
    """Return *fault* without the words of its line where they may be a secret written there by mistake."""
    if not fault.text.startswith(_REFERENCE.wanted):
        return fault
    return fault._replace(text=f"{_REFERENCE.wanted} (what stands here is not shown)", source="", length=0)


def _file(entry: Entry, page: Page) -> SinksFile:
    named: Entry | None = entry.get("sinks")
    sinks = {}
    for name, node in (named.values if named is not None else {}).items():
        sink = _sink(name, node, page)
        if sink is not None:
            sinks[name] = sink
    names = list(named.keys) if named is not None else []
    routes = [_route(one, sinks, names, page) for one in entry.get("routes", ())]
    told = [_listening(one, sinks, names, page) for one in entry.get("decisions", ())]
    return SinksFile(
        organisations=entry.get("organisations", ()), sinks=sinks, routes=tuple(routes), decisions=tuple(told)
    )


def _sink(name: str, node: Any, page: Page) -> SinkSettings | None:
    """Return one sink, read by the shape of its kind; None after a fault."""
    kind = node.get("kind") if isinstance(node, MappingNode) else None
    if not isinstance(kind, Scalar) or kind.text not in _SINKS:
        where = kind if isinstance(kind, Scalar) else node
        page.fault(where, unknown("kind of sink", kind.text if isinstance(kind, Scalar) else "", _SINKS))
        return None
    entry: Entry | None = read(_SINKS[kind.text], node, page)
    if entry is None:
        return None
    values = dict(entry.values)
    for key in ("recipients", "secrets"):
        if key in values:
            values[key] = values[key].values
    if kind.text == "smtp":
        _check_login(entry, page)
        values["sender"] = values.pop("from", "")
        values.setdefault("port", 465 if values.get("security") == "tls" else 587)
        values.setdefault("timeout", 30 * SECOND)
    return SinkSettings(name=name, **values)


def _check_login(entry: Entry, page: Page) -> None:
    """Report half a login, and one that would cross the network in the clear."""
    both = {"username", "password"} & set(entry.keys)
    if len(both) == 1:
        page.fault(entry.keys[both.pop()], "a login is a username and a password: write both or neither")
    elif both and entry.get("security") == "none":
        page.fault(entry.nodes["security"], "a password does not go over an open line: use starttls or tls", 4)


def _route(entry: Entry, sinks: Mapping[str, SinkSettings], names: list[str], page: Page) -> Route:
    route = Route(sink=entry.get("sink", ""), kinds=entry.get("kinds", ()), to=entry.get("to", ()))
    if route.sink and route.sink not in names:
        page.fault(entry.nodes["sink"], unknown("sink", route.sink, names), len(route.sink))
    sink = sinks.get(route.sink)
    if sink is not None:
        unable = sorted(set(route.kinds or get_args(ActionKind)) - ABLE[sink.kind])
        if unable:
            able = ", ".join(sorted(ABLE[sink.kind]))
            page.fault(entry.node, f"{route.sink!r} is of kind {sink.kind} and can do {able}, not {', '.join(unable)}")
    return route


def _listening(entry: Entry, sinks: Mapping[str, SinkSettings], names: list[str], page: Page) -> Listening:
    found = Listening(**{name: entry.values[name] for name in entry.values})
    if found.sink not in names:
        page.fault(entry.nodes["sink"], unknown("sink", found.sink, names), len(found.sink))
    sink = sinks.get(found.sink)
    if sink is not None and sink.kind != "webhook":
        page.fault(entry.nodes["sink"], f"{found.sink!r} is of kind {sink.kind}: only a webhook is told of decisions")
    elif sink is not None and found.webhook not in sink.secrets:
        page.fault(entry.nodes["webhook"], f"{found.sink!r} has no secret for {found.webhook!r}: add it to its secrets")
    return found


def _fits(pattern: str, target: str) -> bool:
    kind, _, name = pattern.partition(":")
    found, _, rest = target.partition(":")
    return kind == found and name in ("", "*", rest)
