"""The sample organisation moves in: people, queues and customers at once, its events as writes when they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from triage.domain.instant import format_instant
from triage.domain.work import Event
from triage.salesforce import package
from triage.salesforce.sandbox.organisation import ROBOT, Organisation
from triage.salesforce.sandbox.values import Caller
from triage.sample import AGENTS
from triage.sample.organisation import Organisation as Sample
from triage.sample.people import INBOX, MANAGERS, SALES_INBOX

POOLS = ("tier1", "tier2-senior", "tier3-experts", "sales-desk", "sales-senior", "sales-pool", "overflow")
_HOURS = {
    "emea": ("Europe/Berlin", "08:30", "18:00"), "americas": ("America/New_York", "09:00", "18:00"),
    "apac": ("Australia/Sydney", "09:00", "17:30"),
}  # fmt: skip
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_SYSTEM = ("CaseNumber", "ContactEmail")
"""Fields of a story that nobody writes: the organisation works them out."""
WEB = "005WEB00"
"""The user under whom what comes through the web is created."""


def move_in(org: Organisation, sample: Sample) -> None:
    """Put everybody and everything of *sample* there that is there before its story begins."""
    for person in sorted({*MANAGERS.values(), *(account.csm for account in sample.accounts)}):
        _user(org, person, person, "")
    for seat in AGENTS:
        _user(org, seat.agent.id, seat.agent.name, seat.agent.manager)
    org.seed("User", Id=WEB, Name="Web", UserType="AutomatedProcess", Username="web@sandbox.example")
    for number, (identity, name) in enumerate(
        [(INBOX, "Inbox"), (SALES_INBOX, "Sales Inbox"), *((f"00GPOOL{at}", pool) for at, pool in enumerate(POOLS))]
    ):
        org.seed("Group", Id=identity, Name=name, DeveloperName=name.replace(" ", "_").replace("-", "_"), Type="Queue")
        org.seed("QueueSobject", QueueId=identity, SobjectType="Lead" if number == 1 else "Case")
    for seat in AGENTS:
        for pool in seat.agent.pools:
            org.seed("GroupMember", GroupId=f"00GPOOL{POOLS.index(pool)}", UserOrGroupId=seat.agent.id)
    for name, (zone, start, end) in _HOURS.items():
        times = {
            f"{day}{which}Time": f"{at}:00.000Z" for day in _WEEK for which, at in (("Start", start), ("End", end))
        }
        org.seed("BusinessHours", Name=name, TimeZoneSidKey=zone, IsActive=True, IsDefault=name == "emea", **times)
    for account in sample.accounts:
        org.seed(
            "Account", Id=account.id, Name=account.name, Tier__c="Standard" if account.tier is None else account.tier,
            CSM__c=account.csm, OwnerId=account.csm,
        )  # fmt: skip
        org.seed("Contact", Id=f"003{account.id[3:]}", LastName=account.name, AccountId=account.id)


def _user(org: Organisation, identity: str, name: str, manager: str) -> None:
    org.seed(
        "User", Id=identity, Name=name, Username=f"{identity.lower()}@sandbox.example", UserType="Standard",
        ManagerId=manager or None,
    )  # fmt: skip


class Story:
    """Writes events into an organisation, as the people in them would have done it there."""

    def __init__(self, org: Organisation) -> None:
        self._org = org
        self._tell: dict[str, Callable[[Event], None]] = {
            "created": self._created, "updated": self._updated, "message": self._message, "comment": self._comment,
            "activity": self._activity, "related": self._related, "agent": self._agent, "override": self._override,
        }  # fmt: skip

    def write(self, events: Iterable[Event]) -> list[Event]:
        """Let *events* happen in the organisation; return those that do not happen there: scores are our own."""
        left = []
        for event in events:
            tell = self._tell.get(event.type)
            if tell is None:
                left.append(event)
            else:
                tell(event)
        return left

    def _created(self, event: Event) -> None:
        values = {key: value for key, value in event.changes.items() if key not in _SYSTEM}
        system = {key: value for key, value in event.changes.items() if key in _SYSTEM}
        if event.object == "Lead":
            values["LastName"] = values["Company"]
        self._org.create(event.object, values, _by(event), identity=event.id, system=system)

    def _updated(self, event: Event) -> None:
        self._org.update(event.object, event.id, event.changes, _by(event))

    def _message(self, event: Event) -> None:
        headers = "Auto-Submitted: auto-replied" if event.auto else ""
        values = {
            "ParentId": event.id, "Incoming": event.direction == "in", "TextBody": event.body,
            "FromAddress": event.sender, "MessageDate": format_instant(event.at), "Headers": headers,
        }  # fmt: skip
        self._org.create("EmailMessage", values, _by(event))

    def _comment(self, event: Event) -> None:
        self._org.create("CaseComment", {"ParentId": event.id, "CommentBody": event.body}, _by(event))

    def _activity(self, event: Event) -> None:
        kind = {"phone": "Call", "email": "Email"}.get(event.channel, "Task")
        target = {"WhoId": event.id} if event.object == "Lead" else {"WhatId": event.id}
        values: dict[str, Any] = {"Subject": kind, "TaskSubtype": kind, "Status": "Completed", "OwnerId": event.actor}
        self._org.create("Task", values | target, _by(event))

    def _related(self, event: Event) -> None:
        row = self._org.row(event.object, event.id)
        changes = {key: value for key, value in event.changes.items() if row.get(key) != value}
        if changes:
            self._org.update(event.object, event.id, changes, _by(event))

    def _agent(self, event: Event) -> None:
        """Let somebody come or go: the row of their presence until now ends, and another one begins."""
        if "presence" not in event.changes:
            return
        rows = self._org.rows["UserServicePresence"]
        before = next((row for row in rows.values() if row["UserId"] == event.id and row["IsCurrentState"]), None)
        with self._org.transaction():
            if before is not None:
                ended = {"IsCurrentState": False, "StatusEndDate": format_instant(event.at)}
                self._org.update("UserServicePresence", before["Id"], ended, _by(event))
            if event.changes["presence"] != "offline":
                values = {
                    "UserId": event.id, "IsCurrentState": True, "IsAway": event.changes["presence"] != "online",
                    "StatusStartDate": format_instant(event.at), "ConfiguredCapacity": _capacity(event.id),
                }  # fmt: skip
                self._org.create("UserServicePresence", values, _by(event))

    def _override(self, event: Event) -> None:
        """Hold a record by the package's fields; who pulls it back gives it to whom it belonged before."""
        until = None if event.until is None else format_instant(event.until)
        values: dict[str, Any] = {package.HOLD_UNTIL: until, package.HOLD_REASON: event.reason}
        if event.action == "pull_back" and event.object == "Case":
            moves = [row for row in self._org.rows["CaseHistory"].values() if row["CaseId"] == event.id]
            earlier = [row["OldValue"] for row in moves if row["Field"] == "Owner"]
            values |= {"OwnerId": earlier[-1]} if earlier else {}
        self._org.update(event.object, event.id, values, _by(event))


def _capacity(agent: str) -> int | None:
    return next((seat.agent.capacity for seat in AGENTS if seat.agent.id == agent), None)


def _by(event: Event) -> Caller:
    return Caller(event.actor if len(event.actor) >= 7 else WEB if event.actor else ROBOT)
