"""What `triage doctor` looks at in Salesforce: login, pinned organisation, fields, package, what else acts there."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from triage.domain.instant import DAY
from triage.errors import QueryRefused, RecordGone, SalesforceError
from triage.rules.document import PolicyDocument
from triage.salesforce.client import Client
from triage.salesforce.deployment import Deployment
from triage.salesforce.describe import missing_fields, missing_package, shapes
from triage.salesforce.soql import instant, listed, quoted

SHOWN = 5

_NATIVE = (
    (
        "assignment rules of", "AssignmentRule", "Name", "Active = true AND SobjectType IN {}",
        "our writes forbid them; see that no other integration starts them",
    ),
    (
        "flows on", "FlowDefinitionView", "Label", "IsActive = true AND TriggerObjectOrEventLabel IN {}",
        "see that none of them changes owner or priority after triage did",
    ),
    (
        "Omni-Channel on", "ServiceChannel", "DeveloperName", "RelatedEntity IN {}",
        "let triage move to queues that Omni routes, or to people, never both",
    ),
)  # fmt: skip
"""What of Salesforce's own may act besides us: how it is called, where it stands, and what to do about it."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing looked at: `mark` is ok, warning or fault; `fix` says what to do."""

    name: str
    mark: str = "ok"
    found: str = ""
    fix: str = ""


def examine(client: Client, document: PolicyDocument, deployment: Deployment | None, now: int) -> list[Finding]:
    """Return every finding about the organisation; one that cannot be had is a fault of its own, never an error."""
    try:
        identity = client.identity()
    except SalesforceError as fault:
        return [Finding(name="salesforce login", mark="fault", found=str(fault), fix="mend TRIAGE_SALESFORCE_*")]
    kind = "sandbox" if identity.is_sandbox else "production"
    found = [Finding(name="salesforce login", found=f"{identity.name} ({identity.organization_id}, {kind})")]
    looks: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("salesforce organisation", lambda: [_pinned(client)]),
        ("salesforce fields", lambda: _fields(client, document)),
        ("salesforce package", lambda: _package(client)),
        ("salesforce deployment", lambda: [] if deployment is None else [_deployment(deployment, now)]),
        ("salesforce limits", lambda: [_limits(client)]),
    ]
    looks += [(f"native {name}", lambda name=name: native(client, name, now)) for name in document.objects]  # type: ignore[misc]
    for name, look in looks:
        try:
            found += look()
        except SalesforceError as fault:
            found.append(Finding(name=name, mark="fault", found=str(fault), fix="grant triage the right to see it"))
    return found


def native(client: Client, name: str, now: int) -> list[Finding]:
    """
    Return what of Salesforce's own acts on the object *name* besides us.

    Escalation rules stand in no table that can be queried: that they run shows in cases that somebody else than triage
    has marked as escalated lately.
    """
    found = []
    for title, table, column, where, fix in _NATIVE:
        names = _names(client, f"SELECT {column} FROM {table} WHERE {where.format(listed([name]))}", column)  # noqa: S608
        if names:
            found.append(_both(f"{title} {name}", names, fix))
    if name == "Case":
        us = client.identity().user_id
        recent = f"IsEscalated = true AND IsClosed = false AND LastModifiedDate >= {instant(now - 7 * DAY)}"
        count = client.count(f"SELECT COUNT() FROM Case WHERE {recent} AND LastModifiedById != {quoted(us)}")  # noqa: S608
        if count:
            words = [f"{count} open cases escalated by others in 7 days"]
            found.append(_both("escalation on Case", words, "import the rules, then deactivate them in Setup"))
    return found or [Finding(name=f"native rules of {name}", found="none seen besides ours")]


def _both(name: str, what: list[str], fix: str) -> Finding:
    more = f" and {len(what) - SHOWN} more" if len(what) > SHOWN else ""
    return Finding(name=f"native {name}", mark="warning", found=f"active: {', '.join(what[:SHOWN])}{more}", fix=fix)


def _names(client: Client, soql: str, column: str) -> list[str]:
    try:
        return [str(row[column]) for row in client.query(soql)]
    except (QueryRefused, RecordGone):
        # Not every edition has each of these tables.
        return []


def _pinned(client: Client) -> Finding:
    why = client.stranger()
    if why:
        fix = "set TRIAGE_SALESFORCE_ORGANIZATION_ID and TRIAGE_SALESFORCE_IS_SANDBOX"
        return Finding(name="salesforce organisation", mark="fault", found=f"only observed: {why}", fix=fix)
    return Finding(name="salesforce organisation", found="the pinned one")


def _fields(client: Client, document: PolicyDocument) -> list[Finding]:
    faults = missing_fields(document.objects, shapes(client, document.objects))
    if not faults:
        return [Finding(name="salesforce fields", found="every field of the policy is there")]
    return [_with_fix("salesforce fields", fault) for fault in faults]


def _package(client: Client) -> list[Finding]:
    faults = missing_package(client)
    if not faults:
        return [Finding(name="salesforce package", found="installed")]
    return [_with_fix("salesforce package", fault) for fault in faults]


def _with_fix(name: str, fault: str) -> Finding:
    found, _, fix = fault.rpartition(": ")
    return Finding(name=name, mark="fault", found=found, fix=fix)


def _deployment(deployment: Deployment, now: int) -> Finding:
    why = deployment.other(now)
    if why:
        return Finding(name="salesforce deployment", mark="fault", found=why, fix="triage salesforce take-over")
    return Finding(name="salesforce deployment", found="no other one acts there")


def _limits(client: Client) -> Finding:
    daily = client.rest("GET", "limits")["DailyApiRequests"]
    used, most = daily["Max"] - daily["Remaining"], daily["Max"]
    found = f"{used} of {most} API calls used today"
    if used * 100 >= most * client.connection.limit_share:
        fix = "raise TRIAGE_SALESFORCE_LIMIT_SHARE, or buy calls"
        return Finding(name="salesforce limits", mark="warning", found=found, fix=fix)
    return Finding(name="salesforce limits", found=found)
