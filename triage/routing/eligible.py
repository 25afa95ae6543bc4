"""Who may take a record at an instant, and why everybody else may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from triage.calendars.calendar import Calendar
from triage.domain.instant import HOUR, format_duration, format_instant
from triage.domain.work import Agent
from triage.intake.agent import LEVELS, language_level, level_name
from triage.routing.wanted import Wanted
from triage.rules.document import Routing

UNLIMITED = 1_000
"""A capacity from here on is a way of saying that there is none."""

NAMES = {
    "de": "german", "en": "english", "es": "spanish", "fr": "french", "it": "italian", "ja": "japanese",
    "nl": "dutch", "pl": "polish", "pt": "portuguese", "zh": "chinese",
}  # fmt: skip
"""Languages that a record names by code and people by name."""


class Desk(Struct, frozen=True):
    """What is asked besides the agents: how the policy routes, its calendars, and the instant."""

    routing: Routing
    calendars: Mapping[str, Any]
    now: int


def why_not(agent: Agent, wanted: Wanted, desk: Desk) -> str:
    """Return why *agent* cannot take the record now, or an empty string."""
    return barred(agent, wanted) or absent(agent, desk) or full(agent, wanted) or busy(agent, desk) or lacks(
        agent, wanted
    )  # fmt: skip


def barred(agent: Agent, wanted: Wanted) -> str:
    """Return why this record may never go to *agent* as things are: it comes from there, or a rule says so."""
    if agent.id == wanted.owner:
        return "owns it"
    if agent.id in wanted.had:
        return "had it within 24 h"
    if not wanted.exclude:
        return ""
    return "excluded by the rule" if any(_names(other, agent) for other in wanted.exclude) else ""


def absent(agent: Agent, desk: Desk) -> str:
    """Return why *agent* is not there: presence, no word of it for too long, out of office."""
    if agent.presence != "online":
        return agent.presence
    if silent := stale(agent, desk):
        return f"presence not told for {format_duration(silent // 1000 * 1000)}"
    for start, end in agent.away:
        if start <= desk.now and (end is None or desk.now < end):
            return "out of office" + ("" if end is None else f" until {format_instant(end)}")
    return ""


def stale(agent: Agent, desk: Desk) -> int:
    """Return for how long, in ms, nothing has been told of *agent*'s presence, where that is too long; else 0."""
    if not desk.routing.stale_after or not agent.standing.seen_at:
        return 0
    silent = desk.now - agent.standing.seen_at
    return silent if silent >= desk.routing.stale_after else 0


def full(agent: Agent, wanted: Wanted) -> str:
    """Return why there is no room for the record, or an empty string."""
    if agent.capacity is None or not wanted.respect_capacity or agent.load + wanted.weight <= agent.capacity:
        return ""
    needs = f", needs {wanted.weight}" if wanted.weight > 1 else ""
    return f"at capacity ({agent.load} of {agent.capacity}{needs})"


def busy(agent: Agent, desk: Desk) -> str:
    """Return why *agent*, who is there and has room, takes nothing more now: shift, limit an hour, overload."""
    if not on_shift(agent, desk.calendars, desk.now):
        return "off shift"
    if agent.max_per_hour is not None:
        taken = taken_within_hour(agent, desk.now)
        if taken >= agent.max_per_hour:
            return f"took {taken} in the last hour (at most {agent.max_per_hour})"
    return agent.standing.overloaded


def on_shift(agent: Agent, calendars: Mapping[str, Any], now: int) -> bool:
    """Return whether *agent*'s shift is open; somebody without one is judged by presence alone."""
    shift = calendars.get(agent.shift) if agent.shift else None
    return not isinstance(shift, Calendar) or shift.is_open(now)


def has_room(agent: Agent) -> bool:
    """Return whether *agent* is below capacity."""
    return agent.capacity is None or agent.load < agent.capacity


def open_for_work(agent: Agent, desk: Desk) -> bool:
    """Return whether *agent* is there, has room and may be given more now, whatever the record."""
    return has_room(agent) and not absent(agent, desk) and not busy(agent, desk)


def taken_within_hour(agent: Agent, now: int) -> int:
    """Return how many records came to *agent* in the hour before *now*."""
    return sum(instant > now - HOUR for instant in agent.standing.given)


def lacks(agent: Agent, wanted: Wanted) -> str:
    """Return what *agent* lacks of all that is required: `lacks billing:3, german C1`."""
    lacking = [_label(need, wanted) for need in wanted.require if not _meets(agent, need, wanted)]
    return f"lacks {', '.join(lacking)}" if lacking else ""


def spoken(agent: Agent, language: str) -> int:
    """Return how well *agent* speaks *language*, by code or name, 0 for not at all; a skill of that name counts too."""
    name = language.casefold()
    code = name.partition("-")[0]
    names = {name, code, NAMES.get(code, name), *(known for known, other in NAMES.items() if other == name)}
    levels = [level for known, level in agent.languages.items() if known.casefold() in names]
    levels += [level for known, level in agent.skills.items() if known.casefold() in names]
    return max(levels, default=0)


def language_need(need: str, wanted: Wanted) -> tuple[str, int]:
    """Return the language that *need* asks for (its own where *need* names none; "": any), and the level, 1 to 6."""
    parts = need.split(":")[1:]
    level = 1
    if parts and (parts[-1].upper() in LEVELS or parts[-1].isdigit()):
        level = language_level(parts.pop())
    return (parts[0] if parts else wanted.language), level


def _names(other: str, agent: Agent) -> bool:
    kind, _, name = other.partition(":")
    return (kind == "user" and name == agent.id) or (kind == "team" and name in agent.teams)


def _meets(agent: Agent, need: str, wanted: Wanted) -> bool:
    """Return whether *agent* has what `require` names; presence, capacity and shift are asked of everybody anyway."""
    kind, _, name = need.partition(":")
    if kind == "skill":
        skill, _, level = name.partition(":")
        return agent.skills.get(skill, 0) >= int(level or 1)
    if kind == "tier":
        return agent.tier >= int(name)
    if kind == "team":
        return name in agent.teams or name in agent.pools
    if kind == "experience":
        return agent.months >= int(name)
    if kind == "region":
        asked = name or wanted.region
        return not asked or asked in agent.regions
    if kind == "language":
        language, least = language_need(need, wanted)
        return not language or spoken(agent, language) >= least
    return True


def _label(need: str, wanted: Wanted) -> str:
    kind, _, name = need.partition(":")
    if kind == "language" and name:
        language, level = language_need(need, wanted)
        return f"{language} {level_name(level)}" if level > 1 else language
    if kind == "region":
        return f"region {name or wanted.region}"
    return f"{name} months of experience" if kind == "experience" else need.removeprefix("skill:")
