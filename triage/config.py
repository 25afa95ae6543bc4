"""
A folder of policy files into one checked document, and the settings that come from the environment.

Every fault of every file is reported in one error. This module is the only one that reads the environment.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from triage.calendars.definition import CalendarDefinition
from triage.errors import ConfigError, Fault
from triage.rules.check import Known
from triage.rules.document import Directory, ObjectConfig, PolicyDocument, Routing, Safety, Template
from triage.rules.grammar import FILE
from triage.rules.hours import read_calendar
from triage.rules.language import At, RuleSet
from triage.rules.llm_policy import read_llm, without_secret
from triage.rules.load import read_rule_set
from triage.rules.positions import MOST_BYTES, Node, Page, Scalar, read_tree
from triage.rules.sections import (
    read_agent,
    read_closing,
    read_milestone,
    read_object,
    read_routing,
    read_safety,
    read_template,
    read_words,
)  # fmt: skip
from triage.rules.shapes import Entry, read, unknown
from triage.rules.standard import STANDARD

DEFAULT_DATABASE = "sqlite:///triage-data/triage.db"


class Settings(Struct, frozen=True, kw_only=True):
    """
    What the environment says: where the store is, whose policy it is, where models lie, where effects go.

    `models` is empty where nobody named a folder: see `triage.wiring.find_models`.
    """

    database_url: str = DEFAULT_DATABASE
    org: str = "default"
    policy: str = "configs/example"
    sink: str = "store"
    models: str = ""
    sentiment: str = "local"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """
        Return the settings of TRIAGE_DATABASE_URL, TRIAGE_ORG, TRIAGE_POLICY, TRIAGE_SINK, TRIAGE_MODELS and
        TRIAGE_SENTIMENT; empty or unset means the default.

        Args:
            environment: Read instead of the process's own, for tests and embedding.
        """
        given = os.environ if environment is None else environment
        names = {"database_url": "TRIAGE_DATABASE_URL", "org": "TRIAGE_ORG", "policy": "TRIAGE_POLICY"}
        names |= {"sink": "TRIAGE_SINK", "models": "TRIAGE_MODELS", "sentiment": "TRIAGE_SENTIMENT"}
        return cls(**{key: given[name] for key, name in names.items() if given.get(name)})


def read_folder(path: str | Path) -> dict[str, str]:
    """
    Return the text of every *.yaml file below *path* by its relative posix name, sorted.

    Raises:
        ConfigError: no such folder, none in it, a link that leaves it, a file that is not UTF-8 or larger than 2 MiB.
    """
    root = Path(path)
    if not root.is_dir():
        raise ConfigError(f"{root} is not a folder: name the folder that holds the policy's *.yaml files")
    texts: dict[str, str] = {}
    faults: list[Fault] = []
    for file in sorted(root.rglob("*.yaml"), key=lambda file: file.relative_to(root).as_posix()):
        name = file.relative_to(root).as_posix()
        try:
            texts[name] = _read_file(file, root.resolve())
        except (_Unreadable, OSError) as cause:
            place = cause.place if isinstance(cause, _Unreadable) else (1, 1)
            faults.append(Fault(name, *place, str(cause)))
    if faults:
        raise ConfigError(faults)
    if not texts:
        unread = unread_files(root)
        fix = f"rename {unread[0]} to end in .yaml" if unread else "name the folder that holds the policy's files"
        raise ConfigError(f"{root} holds no *.yaml file: {fix}")
    return texts


def unread_files(path: str | Path) -> tuple[str, ...]:
    """Return the files below *path*, hidden folders apart, that look like policy files and are not read: *.yml."""
    root = Path(path)
    found = (file.relative_to(root) for file in root.rglob("*") if file.suffix.casefold() in (".yml", ".yaml"))
    named = (name for name in found if name.suffix != ".yaml" and not any(part[0] == "." for part in name.parts))
    return tuple(sorted(name.as_posix() for name in named))


def read_file(path: str | Path) -> str:
    """Return the text of one settings file; raise ConfigError where it is missing, not UTF-8 or larger than 2 MiB."""
    file = Path(path)
    if not file.exists():
        raise ConfigError(f"{file} does not exist: name the file of settings")
    try:
        return _read_file(file, file.resolve().parent)
    except (_Unreadable, OSError) as cause:
        place = cause.place if isinstance(cause, _Unreadable) else (1, 1)
        raise ConfigError([Fault(str(path), *place, getattr(cause, "strerror", None) or str(cause))]) from None


SALESFORCE = "TRIAGE_SALESFORCE_"


def salesforce_settings(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    Return what TRIAGE_SALESFORCE_* says about the connection, by setting; empty where nothing is connected.

    TRIAGE_SALESFORCE_FILE names a file of lines `name=value`; the environment goes before it. A value `env:NAME` or
    `file:PATH` is looked up there.

    Raises:
        ConfigError: the file cannot be read, a line of it is none, or what a value refers to is not there.
    """
    given = os.environ if environment is None else environment
    found: dict[str, str] = {}
    path = given.get(f"{SALESFORCE}FILE", "")
    for number, line in enumerate(read_file(path).splitlines() if path else (), start=1):
        name, equals, value = line.partition("=")
        if line.strip() and not line.lstrip().startswith("#"):
            if not equals:
                raise ConfigError([Fault(path, number, 1, "write NAME=value", line)])
            found[name.strip().removeprefix("export ").removeprefix(SALESFORCE).casefold()] = value.strip().strip("'\"")
    found |= {
        name.removeprefix(SALESFORCE).casefold(): value
        for name, value in given.items()
        if name.startswith(SALESFORCE) and name != f"{SALESFORCE}FILE" and value
    }
    return {
        name: read_secret(value, given) if value.startswith(("env:", "file:")) else value
        for name, value in found.items()
    }


def read_secret(reference: str, environment: Mapping[str, str] | None = None) -> str:
    """
    Return what `env:NAME` or `file:PATH` holds, without blanks around it. The value stands in no error.

    Raises:
        ConfigError: the variable is not set, the file cannot be read, or there is nothing in it.
    """
    kind, _, name = reference.partition(":")
    if kind not in ("env", "file"):
        raise ConfigError("a secret is named as env:NAME or file:PATH")
    if kind == "env":
        value = (os.environ if environment is None else environment).get(name, "").strip()
        missing = "is not set in the environment"
    else:
        value, missing = _first_text(Path(name)), "cannot be read, or holds nothing"
    if not value:
        raise ConfigError(f"the secret {reference} {missing}")
    return value


def _first_text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


class _Unreadable(Exception):
    """A file is no policy text: why, and where that shows."""

    def __init__(self, text: str, line: int = 1, column: int = 1) -> None:
        super().__init__(text)
        self.place = (line, column)


def _read_file(file: Path, root: Path) -> str:
    """Return the text of one file; raise _Unreadable where it is none of the policy."""
    if not file.resolve().is_relative_to(root):
        raise _Unreadable("a link that leaves the policy's folder: copy the file instead")
    if not file.is_file():
        raise _Unreadable("not a file: a policy's *.yaml are plain files")
    if file.stat().st_size > MOST_BYTES:
        raise _Unreadable("the file is larger than 2 MiB: split it")
    raw = file.read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as cause:
        before = raw[: cause.start]
        line, column = before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1
        raise _Unreadable("not UTF-8: save the file as UTF-8", line, column) from None


def load_policy(texts: Mapping[str, str]) -> PolicyDocument:
    """
    Return the policy that *texts* (file name to text) state together, typed and checked.

    Sections may stand in any file; a name declared twice is refused, naming both places. Where one file cannot be read
    at all, names are not looked up: what it declares would be missing everywhere else.

    Raises:
        ConfigError: with every fault of every file, by file and line.
    """
    files = _Files(texts)
    if files.unread:
        raise _faults_of(files)
    document = _with_llm(_with_rules(_with_milestones(_base(files), files), files), files)
    if any(page.faults for page in files.pages):
        raise _faults_of(files)
    return structs.replace(document, texts=dict(sorted(texts.items())))


def _faults_of(files: _Files) -> ConfigError:
    faults = (without_secret(fault) for page in files.pages for fault in page.faults)
    return ConfigError(sorted(faults, key=lambda fault: (fault.file, fault.line, fault.column, fault.text)))


class _Named(Struct, frozen=True):
    """One named entry of a section: its value as read, and where it stands."""

    value: Any
    key: Scalar
    node: Node
    page: Page


class _Files:
    """All files as read by shape, and their sections merged by name; `unread` where one of them is no YAML."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.unread = False
        self.pages: list[Page] = []
        self.entries: list[tuple[Entry, Page]] = []
        self._sections: dict[tuple[str, ...], dict[str, _Named]] = {}
        for name in sorted(texts):
            node, page = read_tree(name, texts[name])
            self.pages.append(page)
            self.unread = self.unread or (node is None and bool(page.faults))
            entry = read(FILE, node, page) if node is not None else None
            if entry is not None:
                self.entries.append((entry, page))
            elif not page.faults:
                page.fault_at(1, 1, "the file is empty: write a section or remove the file")

    def section(self, *path: str) -> dict[str, _Named]:
        """Return the entries of a section by name, over all files; a name that stands twice is a fault."""
        if path in self._sections:
            return self._sections[path]
        found = self._sections[path] = {}
        for entry, page in self._parts(path):
            for name, value in entry.values.items():
                self._add(found, name, _Named(value, entry.keys[name], entry.nodes[name], page), path[-1])
        return found

    def names(self, *path: str) -> dict[str, _Named]:
        """Return the names of a section that is a list of names; one that stands twice is a fault."""
        found: dict[str, _Named] = {}
        for entry, page in self._parts(path[:-1]):
            nodes = getattr(entry.nodes.get(path[-1]), "items", ())
            for node in nodes:
                if isinstance(node, Scalar) and node.text in entry.get(path[-1], ()):
                    self._add(found, node.text, _Named(node.text, node, node, page), path[-1])
        return found

    def _parts(self, path: tuple[str, ...]) -> Iterator[tuple[Entry, Page]]:
        """Yield the mapping at *path* of every file that has one."""
        for entry, page in self.entries:
            part: Entry | None = entry
            for key in path:
                part = part.get(key) if part is not None else None
            if part is not None:
                yield part, page

    def _add(self, found: dict[str, _Named], name: str, named: _Named, section: str) -> None:
        """Keep *named* under its name, or report that the name stands twice."""
        if name not in found:
            found[name] = named
            return
        first = found[name]
        named.page.fault(
            named.key,
            f"{name!r} stands twice in {section!r}: first at {first.page.file}:{first.key.line}:{first.key.column}",
            len(name),
        )


def _base(files: _Files) -> PolicyDocument:
    """
    Return the document with everything that conditions may name: fields, calendars, words, templates, people.

    A calendar or template with a fault of its own is kept empty: its name is known, and the load fails anyway.
    """
    objects = files.section("objects")
    calendars = files.section("calendars")
    templates = files.section("templates")
    document = PolicyDocument(
        objects=_standard(files, objects)
        | {name: read_object(name, found.value, found.page) for name, found in objects.items()},
        calendars={
            name: read_calendar(name, found.value, found.page) or CalendarDefinition(tz="UTC", name=name)
            for name, found in calendars.items()
        },
        words={name: read_words(found.value) for name, found in files.section("words").items()},
        templates={
            name: read_template(name, found.value, found.page) or Template(name=name, subject="", body="")
            for name, found in templates.items()
        },
    )
    for found in objects.values():
        _check_calendar(found, document.calendars)
    directory = _directory(files, Known.of(document, ""))
    return structs.replace(
        document, directory=directory, safety=_safety(files, directory), routing=_routing(files, directory)
    )


def _standard(files: _Files, declared: Collection[str]) -> dict[str, ObjectConfig]:
    """Return the standard objects that rules or milestones are for and no file declares."""
    named = {entry.get("object", "Case") for entry, _ in files.entries if "rules" in entry.keys}
    named |= {found.value.get("object") for found in files.section("milestones").values()}
    return {name: config for name, config in STANDARD.items() if name in named and name not in declared}


def _check_calendar(found: _Named, calendars: Collection[str]) -> None:
    """Report an object whose calendar is not declared."""
    name = found.value.get("calendar", "none")
    if name != "none" and name not in calendars:
        found.page.fault(found.value.nodes["calendar"], unknown("calendar", name, ["none", *calendars]), len(name))


def _directory(files: _Files, known: Known) -> Directory:
    """Return who there is, merged over all files; tiers must be pools or queues."""
    lists = {key: files.names("directory", key) for key in ("queues", "pools", "teams", "tiers")}
    webhooks = files.section("directory", "webhooks")
    directory = Directory(
        queues=tuple(lists["queues"]),
        pools=tuple(lists["pools"]),
        teams=tuple(lists["teams"]),
        tiers=tuple(lists["tiers"]),
        webhooks={name: found.value for name, found in webhooks.items()},
    )
    for name, found in lists["tiers"].items():
        if name not in (*directory.pools, *directory.queues):
            found.page.fault(found.key, unknown("pool", name, (*directory.pools, *directory.queues)), len(name))
    agents = files.section("directory", "agents")
    people = (read_agent(name, found.value, directory, known, found.page) for name, found in agents.items())
    return structs.replace(directory, agents=tuple(people))


def _safety(files: _Files, directory: Directory) -> Safety:
    """Return the safety limits, their keys merged over all files."""
    found = files.section("safety")
    if not found:
        return Safety()
    merged = _merged(found)
    pages = {key: named.page for key, named in found.items()}
    return read_safety(merged, directory, pages.get("terminal_pool", next(iter(pages.values()))))


def _routing(files: _Files, directory: Directory) -> Routing:
    """Return how people are chosen, its keys merged over all files."""
    found = files.section("routing")
    if not found:
        return Routing()
    page = found["groups"].page if "groups" in found else next(iter(found.values())).page
    return read_routing(_merged(found), directory, page)


def _merged(found: Mapping[str, _Named]) -> Entry:
    """Return the keys of one section, which may stand in several files, as one mapping."""
    return Entry(
        next(iter(found.values())).node,
        {key: named.value for key, named in found.items()},
        {key: named.node for key, named in found.items()},
        {key: named.key for key, named in found.items()},
    )


def _with_milestones(document: PolicyDocument, files: _Files) -> PolicyDocument:
    """Return *document* with its milestones and what counts as closed: conditions over the fields it declares."""
    milestones = []
    for name, found in files.section("milestones").items():
        owner = found.value.get("object", "")
        if owner and owner not in document.objects:
            place = found.value.nodes["object"]
            found.page.fault(place, unknown("object", owner, document.objects), len(owner))
        spec = read_milestone(name, found.value, Known.of(document, owner), found.page)
        milestones += [spec] if spec else []
    objects = dict(document.objects)
    for name, found in files.section("objects").items():
        closing = read_closing(found.value, Known.of(document, name), found.page)
        objects[name] = structs.replace(document.objects[name], closed_when=closing)
    return structs.replace(document, milestones=tuple(milestones), objects=objects)


def _with_rules(document: PolicyDocument, files: _Files) -> PolicyDocument:
    """Return *document* with the rule sets of all files; ids of sets and of rules are unique over all of them."""
    sets: list[RuleSet] = []
    seen: dict[tuple[str, str], At] = {}
    for entry, page in files.entries:
        found = read_rule_set(entry, page, document)
        if found is None:
            continue
        sets.append(found)
        for kind, name, at in (("rule set", found.id, found.at), *(("rule", rule.id, rule.at) for rule in found.rules)):
            first = seen.setdefault((kind, name), at)
            if first is not at:
                where = f"{first.file}:{first.line}:{first.column}"
                page.fault(at, f"the {kind} {name!r} stands twice: first at {where}", len(name))
    return structs.replace(document, rule_sets=tuple(sets))


def _with_llm(document: PolicyDocument, files: _Files) -> PolicyDocument:
    """Return *document* with the language model that may be asked; the section stands in one file."""
    sections = [(entry, page) for entry, page in files.entries if "llm" in entry.keys]
    for entry, page in sections[1:]:
        first = sections[0]
        where = f"{first[1].file}:{first[0].keys['llm'].line}:{first[0].keys['llm'].column}"
        page.fault(entry.keys["llm"], f"'llm' stands in one file: first at {where}", len("llm"))
    body: Entry | None = sections[0][0].get("llm") if sections else None
    if body is None:
        return document
    objects = {name: config.spec for name, config in document.objects.items()}
    sets = {one.id: one.object for one in document.rule_sets}
    found = read_llm(body, objects, sets, document.safety.allow_private_hosts, sections[0][1])
    return structs.replace(document, llm=found)
