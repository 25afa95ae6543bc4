"""Drafted parts as commented YAML: the field map, and first rules for the fields that there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from triage.init.parts import TODO, Mapped, Part
from triage.init.vocabulary import CLOSED
from triage.intake.text import show

_MOST_UNMAPPED = 60


def fields_page(parts: Sequence[Part], zone: str, now_text: str) -> str:
    """Return the field map of *parts* as YAML: each field with confidence, samples and settings, open ones as TODO."""
    lines = [
        f"# Field map, drafted by 'triage init' from {', '.join(_word(part.file) for part in parts)}{_on(now_text)}.",
        "# Read it before use. The number on a field is how sure its meaning is, 0 to 1. A TODO is a question that the",
        "# export leaves open: the policy does not load until it is answered, here or with --answer.",
        "objects:",
    ]
    for part in parts:
        lines += _object(part)
    lines += _calendar(zone)
    return "\n".join(lines) + "\n"


def rules_page(part: Part, now_text: str) -> str:
    """Return first milestones, templates and rules for *part*, in mode observe, using only fields it has."""
    name = part.object or TODO
    lines = [
        f"# First rules for {name}, drafted by 'triage init'{_on(now_text)}. All are in mode observe: they tell what",
        "# they would have done and send nothing, until 'triage rules promote RULE notify' (or act).",
        *_milestones(part, name),
        *_templates(part),
        f"object: {_quoted(name)}",
        f"rule_set: {part.page}-first-rules",
        "rules:",
    ]
    for rule in _rules(part):
        lines += rule
    return "\n".join(lines) + "\n"


def _object(part: Part) -> Iterator[str]:
    yield f"  {_quoted(part.object or TODO)}:  # {part.rows:,} rows of {_word(part.file)}"
    if not part.object:
        yield "    # TODO: which object are these records? --answer object=Case"
    if part.created and part.object:
        yield f"    created: {_quoted(part.created)}  # the instant a record came into being"
    elif part.object:
        yield f"    created:  # TODO which column says when a record came into being? --answer created.{part.object}=.."
    else:
        yield "    created:  # TODO first of all: which object are these records? --answer object=Case"
    yield "    calendar: none  # or one of the calendars below: then milestones count its hours only"
    yield from _closing(part)
    yield from _fields(part)
    yield from _unmapped(part)
    if part.relations:
        yield "    related:"
    for relation in part.relations:
        yield f"      {relation.alias}:  # {_word(relation.file)}"
        yield f"        object: {relation.object}"
        yield f"        by: {relation.by}"
        yield "        fields:"
        for one in relation.columns:
            yield from _field(one, " " * 10)


def _closing(part: Part) -> Iterator[str]:
    status = part.field("status") or part.field("stage")
    if "is_closed" in part.names:
        yield "    # closed: where is_closed is true"
        return
    values = [value for value in status.values if value.isprintable()] if status else []
    closed = [value for value in values if value.casefold().split(" ")[0] in CLOSED]
    if status and closed:
        listed = ", ".join(_constant(value) for value in closed)
        yield "    closed_when:  # check: are these all the values that mean closed?"
        yield f"      - {_single(f'{status.name} in [{listed}]')}"
    else:
        yield "    # closed_when: no column says what is closed; write for example"
        yield "    #   - status in [Closed]"


def _fields(part: Part) -> Iterator[str]:
    mapped = [one for one in part.columns if one.name and not (one.name == "id" and one.column.header == "Id")]
    if not mapped and part.id:
        yield "    fields: {}"
        return
    yield "    fields:"
    if not part.id:
        yield "      id:"
        yield "        from:  # TODO which column tells records apart? --answer id=COLUMN"
    for one in mapped:
        yield from _field(one, " " * 6)


def _field(one: Mapped, indent: str) -> Iterator[str]:
    column = one.column
    examples = ", ".join(show(sample) for sample in column.samples)
    told = f"{one.confidence:.2f}, filled in {column.filled:,} of {column.rows:,}"
    yield f"{indent}# {told}{': ' if examples else ''}{examples}"
    for note in column.notes:
        yield f"{indent}# note: {note}"
    yield f"{indent}{one.name}:"
    yield f"{indent}  from: {_quoted(column.header)}"
    yield f"{indent}  type: {one.type}"
    yield from (f"{indent}  {line}" for line in _settings(one))


def _settings(one: Mapped) -> Iterator[str]:
    if one.values:
        yield f"values: [{', '.join(_quoted(value) for value in one.values)}]"
    if one.ordered:
        yield "ordered: true  # ascending, as listed"
    elif one.name in ("priority", "severity") and one.type == "picklist":
        yield "# ordered: true  # after putting the values into ascending order"
    if one.zone:
        yield f"zone: {one.zone}{_todo(one.zone, 'which time zone? --answer zone=Europe/Berlin')}"
    if one.date_order:
        yield f"date_order: {one.date_order}{_todo(one.date_order, 'day or month first? --answer date_order=DMY')}"
    if one.unit == TODO:
        # A unit is free text to the loader: only an empty one is refused.
        yield f"unit:  # TODO which unit? --answer {_word(f'unit.{one.column.header}')}=.."
    elif one.unit:
        yield f"unit: {_quoted(one.unit)}"


def _todo(value: str, question: str) -> str:
    return f"  # TODO {question}" if value == TODO else ""


def _unmapped(part: Part) -> Iterator[str]:
    rest = [one for one in part.columns if not one.name and one.column.header not in ("Id", part.created)]
    if rest:
        yield f"    # Not mapped: {len(rest)} columns. Move what rules need into 'fields', under the name you like."
    for one in rest[:_MOST_UNMAPPED]:
        examples = ", ".join(show(sample) for sample in one.column.samples) or "always empty"
        settings = [f"from: {_quoted(one.column.header)}", f"type: {one.type}"]
        settings += [f"values: [{', '.join(_quoted(value) for value in one.values)}]"] if one.values else []
        settings += [f"unit: {one.unit}"] if one.unit else []
        yield f"    #   {one.suggestion}: {{{', '.join(settings)}}}  # {examples}"
    if len(rest) > _MOST_UNMAPPED:
        names = ", ".join(_quoted(one.column.header) for one in rest[_MOST_UNMAPPED:])
        yield f"    #   and: {names}"


def _calendar(zone: str) -> Iterable[str]:
    return [
        "# Opening hours are not in an export. Take away the marks, put yours in, and name it above: calendar: office",
        "# calendars:",
        "#   office:",
        f"#     tz: {zone or 'Europe/Berlin'}",
        "#     weekly: {mon-fri: ['09:00-17:30']}",
    ]


def _milestones(part: Part, name: str) -> list[str]:
    target = "1h" if part.object == "Lead" else "8h"
    lines = [
        "milestones:",
        f"  {part.page}_first_response:",
        f"    object: {_quoted(name)}",
        "    target:",
        f"      default: {target}  # yours: how long may a first answer take?",
    ]
    top = _top_priority(part)
    if top:
        lines += ["      by:", f"        - {{when: [{_leaf('priority', top)}], target: 2h}}"]
    return [*lines, "    complete: [is_contacted]", "    hours: record"]


def _templates(part: Part) -> list[str]:
    told = next((name for name in ("subject", "number", "company") if name in part.names), "")
    what = f"{{{told}}}" if told else "a record of yours"
    name = part.page
    return [
        "templates:",
        f"  {name}-at-risk:",
        f"    subject: {_quoted(f'Answer soon: {what}')}",
        f"    body: {_quoted(f'Most of the time for a first answer to {what} is used up.')}",
        "    pre_breach: true",
        f"  {name}-waiting:",
        f"    subject: {_quoted(f'Still waiting: {what}')}",
        f"    body: {_quoted(f'Nobody has answered {what} yet. Please see to it.')}",
    ]


def _rules(part: Part) -> Iterator[list[str]]:
    name = part.page
    clock = f"milestone.{name}_first_response"
    who = "owner" if "owner" in part.names else "manager"
    yield _rule(f"{name}-first-response-at-risk", [f"{clock}.used >= 80%"], who, f"{name}-at-risk", "per_milestone")
    yield _rule(
        f"{name}-first-response-missed", [f"{clock}.used >= 100%"], "manager", f"{name}-waiting", "per_milestone"
    )
    top = _top_priority(part)
    if top:
        when = [_leaf("priority", top), "not is_contacted", "age >= 1h"]
        yield _rule(f"{name}-top-priority-unanswered", when, "manager", f"{name}-waiting", "per_record")
    if "owner" in part.names:
        yield _rule(
            f"{name}-nobody-owns-it", ["owner is missing", "age >= 4h"], "manager", f"{name}-waiting", "per_record"
        )
    if part.object == "Case":
        yield _rule("case-reopened-thrice", ["reopen_count >= 3"], "manager", f"{name}-waiting", "per_record")
    if part.object == "Opportunity":
        yield _rule("opportunity-neglected", ["since_modified >= 14d"], who, f"{name}-waiting", "per_clock")


def _rule(name: str, when: Sequence[str], who: str, template: str, once: str) -> list[str]:
    conditions = [f"      - {line}" for line in when]
    action = f"      - notify: {{who: {who}, template: {template}}}"
    return [f"  - id: {name}", "    mode: observe", "    when:", *conditions, "    do:", action, f"    once: {once}"]


def _top_priority(part: Part) -> str:
    priority = part.field("priority")
    top = priority.values[-1] if priority and priority.ordered and priority.values else ""
    return top if top.isprintable() else ""


def _leaf(name: str, value: str) -> str:
    bare = value.isascii() and value.isalnum()
    return f"{name} == {value}" if bare else _single(f"{name} == {_constant(value)}")


def _constant(text: str) -> str:
    """Return printable *text* as a quoted constant of a condition, where a backslash keeps a quote or itself."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _single(text: str) -> str:
    """Return *text* as a single-quoted YAML scalar, in which only the quote itself needs doubling."""
    return "'" + text.replace("'", "''") + "'"


def _quoted(text: str) -> str:
    """Return *text* as a double-quoted YAML scalar, whatever cannot be printed as an escape."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in ('"', "\\"):
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _word(text: str) -> str:
    return show(text)[1:].removesuffix("'") if len(text) <= 60 else show(text)


def _on(now_text: str) -> str:
    return f" on {show(now_text)[1:-1]}" if now_text else ""
