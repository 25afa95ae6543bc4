"""What an entry does once it holds a record: its tiers, its assignment, its answer, as the steps of a rule."""

from __future__ import annotations

import re
from typing import Any

from triage.intake.text import show
from triage.salesforce.criteria import Untranslatable
from triage.salesforce.drafting import flow, minutes
from triage.salesforce.hours import Hours, calendar_name, stand_in
from triage.salesforce.importing_coverage import Coverage
from triage.salesforce.labels import MOST_LETTERS, label
from triage.salesforce.metadata_model import Entry, EscalationAction, NativeRule, Note, Spot

_MAIL = re.compile(r"[^@\s:]+@[^@\s:]+\.[^@\s:]+")


class Steps:
    """Drafts steps, and keeps what they name: queues, templates, business hours, the most changes of owner."""

    def __init__(self, hours: dict[str, Hours], labels: dict[str, str], notes: list[Note], coverage: Coverage) -> None:
        self.hours = hours
        self.queues: dict[str, str] = {}
        self.templates: dict[str, tuple[str, str]] = {}
        self.most_moves = 4
        self._labels = labels
        self._notes = notes
        self._coverage = coverage
        self._told = False
        self._queue_names: dict[str, str] = {}
        self._template_names: dict[tuple[str, str], str] = {}

    def of_entry(self, rule: NativeRule, entry: Entry, name: str) -> list[str]:
        """Return the steps of one entry as lines; raise Untranslatable where its clock or hours are not known."""
        if rule.kind == "escalation":
            return self._tiers(entry, name)
        deeds = self._deeds_at_creation(rule, entry)
        for team in entry.team:
            self._notes.append(Note("check", entry.spot, f"{name} adds the case team {show(team)}: not translated"))
        if not deeds:
            return ["    # matches, and does nothing"]
        lines = ["    steps:", "      - after: {clock: created_until_modified, over: 0s}", "        do:"]
        return lines + [f"          - {flow(deed)}" for deed in deeds]

    def _deeds_at_creation(self, rule: NativeRule, entry: Entry) -> list[dict[str, Any]]:
        if rule.kind == "auto-response":
            return [{"acknowledge": {"template": self._template(entry.template, "auto-response")}}]
        deeds: list[dict[str, Any]] = []
        if self._somebody(entry.assigned_to, entry.assigned_type, entry.spot):
            target = self._assignee(entry.assigned_to, entry.assigned_type, entry.spot)
            deeds.append({"reassign": {"to": target}})
            if entry.template:
                who = ":".join(next(iter(target.items())))
                deeds.append({"notify": {"who": who, "template": self._template(entry.template, "assignment")}})
        return deeds

    def _tiers(self, entry: Entry, name: str) -> list[str]:
        """Return the steps of an escalation entry, all from the same clock start, in its hours."""
        known = entry.hours_source in ("None", "Case", "Static") and entry.start in ("CaseCreation", "CaseLastModified")
        if not known:
            raise Untranslatable("its hours or its clock are of no known kind", "write its steps by hand", entry.spot)
        clock = "created" if entry.start == "CaseCreation" else "last_modified"
        clock = "created_until_modified" if entry.until_modified else clock
        hours = {"None": "none", "Case": "record"}.get(entry.hours_source) or self._static(entry)
        if hours == "record" and not self.hours and not self._told:
            self._told = True
            text = "entries run in each case's own business hours, of which none are imported: they run round the clock"
            self._notes.append(Note("check", entry.spot, text, "import settings/BusinessHours.settings with the rules"))
        lines = ["    steps:"] if entry.actions else ["    # matches, and does nothing: it keeps entries below from it"]
        moves = 0
        for action in entry.actions:
            self._coverage.count("escalation actions", True)
            after = {"clock": clock, "over": minutes(action.minutes)} | ({"hours": hours} if hours != "none" else {})
            lines += [f"      - after: {flow(after)}  # line {action.spot.line}", "        do:"]
            lines += [f"          - {flow(deed)}" for deed in self._deeds(action, name)]
            moves += bool(action.assigned_to)
        for _ in range(entry.unread_actions):
            self._coverage.count("escalation actions", False)
        self.most_moves = max(self.most_moves, moves)
        return lines

    def _static(self, entry: Entry) -> str:
        if not entry.hours:
            raise Untranslatable("its business hours are static and not named", "name them", entry.spot)
        return self.hours_called(entry.hours, entry.spot)

    def hours_called(self, name: str, spot: Spot) -> str:
        """Return the calendar called *name*; one that was not imported is stood in for, and noted once."""
        written, name = name, calendar_name(name)
        if name not in self.hours:
            self.hours[name] = stand_in(name, spot)
            text = f"the business hours {show(written)} are not among what was imported: round the clock stands in"
            fix = "import settings/BusinessHours.settings together with this file"
            self._notes.append(Note("check", spot, text, fix))
        return name

    def _deeds(self, action: EscalationAction, name: str) -> list[dict[str, Any]]:
        """Return what one tier does; what does nothing but escalate ticks IsEscalated."""
        deeds: list[dict[str, Any]] = []
        if self._somebody(action.assigned_to, action.assigned_type, action.spot):
            target = self._assignee(action.assigned_to, action.assigned_type, action.spot)
            deeds.append({"reassign": {"to": target}})
            if action.assigned_template:
                who = ":".join(next(iter(target.items())))
                deeds.append(
                    {"notify": {"who": who, "template": self._template(action.assigned_template, "escalation")}}
                )
        who_else = ["owner"] if action.notify_owner else []
        who_else += [f"user:{action.notify_to}"] if action.notify_to else []
        who_else += [f"address:{mail}" for mail in action.notify_emails if _MAIL.fullmatch(mail)]
        for mail in action.notify_emails:
            if not _MAIL.fullmatch(mail):
                self._notes.append(
                    Note("check", action.spot, f"{name} writes to {show(mail)}, which is no mail address")
                )
        if who_else:
            template = self._template(action.notify_template, "escalation")
            deeds.append({"notify": {"who": who_else if len(who_else) > 1 else who_else[0], "template": template}})
        return deeds or [{"set": {"field": "is_escalated", "value": True}}]

    def _assignee(self, name: str, kind: str, spot: Spot) -> dict[str, str]:
        if kind.casefold() == "user":
            return {"user": name}
        return {"queue": self.queue_called(name, spot, self._labels.get(name, ""))}

    def _somebody(self, name: str, kind: str, spot: Spot) -> bool:
        """Return whether a user or a queue is named; what is neither, and a type without a name, is noted."""
        if name and kind.casefold() in ("user", "queue", ""):
            return True
        if name or kind:
            who = f"{show(name)}, a {show(kind)}, is neither a user nor a queue" if name else f"no {kind} is named"
            self._notes.append(Note("untranslated", spot, f"{who}: nobody is given the record", "name who gets it"))
        return False

    def queue_called(self, name: str, spot: Spot, remark: str) -> str:
        """Return our name of the queue *name*, which is its own wherever a policy file takes it."""
        if name not in self._queue_names:
            ours = self._queue_names[name] = label(name, "queue", self.queues)
            self.queues[ours] = remark
            if ours != name:
                text = f"the queue {show(name)} is called {show(ours)} here"
                self._notes.append(Note("check", spot, text, "give it a DeveloperName of letters and digits"))
        return self._queue_names[name]

    def _template(self, native: str, kind: str) -> str:
        """Return our name of a template: two of Salesforce's never share one."""
        if (native, kind) not in self._template_names:
            plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", native).strip("-.")[:MOST_LETTERS] or f"salesforce-{kind}"
            plain = name = plain if plain[0].isalpha() else f"t-{plain}"
            number = 1
            while self.templates.get(name, (native, ""))[0] != native:
                number += 1
                name = f"{plain}-{number}"
            self.templates.setdefault(name, (native, kind))
            self._template_names[native, kind] = name
        return self._template_names[native, kind]
