"""Which objects and fields the sandbox organisation has, and how it describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from triage.salesforce import package


class Column(Struct, frozen=True, kw_only=True):
    """
    One field. `type` is Salesforce's own word; `to` and `by` are the object and the relationship name of a reference.

    `system` fields are set by the organisation only; `default` fills a new record; `parts` make a compound name.
    """

    name: str
    type: str = "string"
    to: tuple[str, ...] = ()
    by: str = ""
    values: tuple[str, ...] = ()
    required: bool = False
    system: bool = False
    unique: bool = False
    external: bool = False
    default: Any = None
    length: int = 255
    fixed: bool = False
    parts: tuple[str, ...] = ()


class Table(Struct, frozen=True, kw_only=True):
    """One object: its columns by API name, the beginning of its ids, and what can be done with it."""

    name: str
    prefix: str
    columns: dict[str, Column] = field(default_factory=dict)
    tracked: tuple[str, ...] = ()
    history: str = ""
    writable: bool = True
    changes: bool = False
    soft: bool = True

    def column(self, name: str) -> Column | None:
        """Return the column called *name*, whatever its case."""
        found = self.columns.get(name)
        if found is not None:
            return found
        folded = name.casefold()
        return next((one for key, one in self.columns.items() if key.casefold() == folded), None)


def text(name: str, **more: Any) -> Column:
    """Return a text column."""
    return Column(name=name, **more)


def reference(name: str, *to: str, by: str = "", **more: Any) -> Column:
    """Return a column that refers to a record of one of *to*."""
    return Column(name=name, type="reference", to=to, by=by or name.removesuffix("Id").replace("__c", "__r"), **more)


def choice(name: str, *values: str, **more: Any) -> Column:
    """Return a picklist column."""
    return Column(name=name, type="picklist", values=values, **more)


def typed(kind: str, *names: str, **more: Any) -> tuple[Column, ...]:
    """Return columns of one type."""
    return tuple(Column(name=name, type=kind, **more) for name in names)


_SYSTEM: tuple[Column, ...] = (
    Column(name="Id", type="id", system=True, length=18, fixed=True),
    Column(name="IsDeleted", type="boolean", system=True, default=False),
    Column(name="CreatedDate", type="datetime", system=True),
    reference("CreatedById", "User", by="CreatedBy", system=True),
    Column(name="LastModifiedDate", type="datetime", system=True),
    reference("LastModifiedById", "User", by="LastModifiedBy", system=True),
    Column(name="SystemModstamp", type="datetime", system=True),
)
_HOLD: tuple[Column, ...] = (
    Column(name=package.HOLD_UNTIL, type="datetime"),
    Column(name=package.HOLD_REASON, type="string"),
)
_RECORD_TYPE = reference("RecordTypeId", "RecordType")
_HOURS = choice("Support_Hours__c", "emea", "americas", "apac")


def table(name: str, prefix: str, columns: Iterable[Column], **more: Any) -> Table:
    """Return the object *name* with the system's columns in front of its own."""
    every = (*_SYSTEM, *columns)
    return Table(name=name, prefix=prefix, columns={one.name: one for one in every}, **more)


_WORK = (
    table(
        "Case", "500",
        (
            text("CaseNumber", system=True), text("Subject"), Column(name="Description", type="textarea",
            length=32_000),
            choice("Status", "New", "Working", "Waiting on Customer", "Escalated", "Closed", default="New"),
            choice("Priority", "Low", "Medium", "High", "Critical", default="Medium"),
            choice("Origin", "Email", "Phone", "Web", "Chat"), choice("Type", "Question", "Problem", "Incident"),
            choice("Reason", "Installation", "Performance", "Other"), choice("Product__c", "Billing", "Platform",
            "Mobile"),
            *typed("boolean", "IsEscalated", "IsStopped", default=False),
            Column(name="IsClosed", type="boolean", system=True, default=False),
            Column(name="ClosedDate", type="datetime", system=True), Column(name="StopStartDate", type="datetime",
            system=True),
            reference("OwnerId", "User", "Group", by="Owner"), reference("ContactId", "Contact"),
            reference("AccountId", "Account"), reference("ParentId", "Case"), reference("MasterRecordId", "Case",
            system=True),
            reference("BusinessHoursId", "BusinessHours", by="BusinessHours"), reference("EntitlementId",
            "Entitlement"), _RECORD_TYPE, *typed("datetime", "SlaStartDate", "SlaExitDate"),
            text("SuppliedEmail"), text("ContactEmail", system=True), _HOURS, *_HOLD,
        ),
        tracked=("OwnerId", "Priority", "Status"), history="CaseHistory", changes=True,
    ),
    table(
        "Lead", "00Q",
        (
            Column(name="Name", type="string", system=True, parts=("Salutation", "LastName", "FirstName")),
            text("LastName", required=True, length=80), text("FirstName", length=40), choice("Salutation", "Mr.",
            "Ms."),
            text("Company", required=True), text("Email"), text("Country"), text("Phone"),
            choice("Status", "Open", "Working", "Qualified", "Unqualified", default="Open"),
            choice("LeadSource", "Web", "Event", "Referral", "List"), choice("Rating", "Hot", "Warm", "Cold"),
            Column(name="Description", type="textarea", length=32_000),
            Column(name="IsConverted", type="boolean", system=True, default=False),
            reference("OwnerId", "User", "Group", by="Owner"), reference("MasterRecordId", "Lead", system=True),
            _RECORD_TYPE,
            _HOURS, *_HOLD,
        ),
        changes=True,
    ),
    table(
        "Opportunity", "006",
        (
            text("Name", required=True, length=120),
            choice(
                "StageName", "Prospecting", "Qualification", "Proposal", "Negotiation", "Closed Won", "Closed Lost",
                required=True,
            ),
            Column(name="Amount", type="currency"), Column(name="Probability", type="percent"),
            Column(name="CloseDate", type="date", required=True), choice("Type", "New Business", "Renewal"),
            Column(name="Description", type="textarea", length=32_000),
            *typed("boolean", "IsClosed", "IsWon", system=True, default=False),
            reference("OwnerId", "User", by="Owner"), reference("AccountId", "Account"), _RECORD_TYPE, _HOURS, *_HOLD,
        ),
        changes=True,
    ),
    table(
        "Shipment__c", "a0S",
        (
            text("Name"), choice("Status__c", "Planned", "Under way", "Late", "Delivered", default="Planned"),
            choice("Priority__c", "Low", "High", default="Low"), Column(name="Weight__c", type="double"),
            reference("OwnerId", "User", "Group", by="Owner"), reference("Account__c", "Account"), *_HOLD,
        ),
        changes=True,
    ),
)  # fmt: skip
_PEOPLE = (
    table(
        "Account", "001",
        (
            text("Name", required=True), choice("Tier__c", "Standard", "Gold", "Enterprise"), text("CSM__c"),
            text("Industry"), reference("OwnerId", "User", by="Owner"), reference("ParentId", "Account"),
        ),
        changes=True,
    ),
    table(
        "Contact", "003",
        (
            Column(name="Name", type="string", system=True, parts=("Salutation", "LastName", "FirstName")),
            text("LastName", required=True, length=80), text("FirstName", length=40), choice("Salutation", "Mr.",
            "Ms."),
            text("Email"), reference("AccountId", "Account"), reference("OwnerId", "User", by="Owner"),
        ),
        changes=True,
    ),
    table(
        "User", "005",
        (
            text("Name"), text("Username", unique=True), text("Email"), choice("UserType", "Standard",
            "AutomatedProcess"),
            Column(name="IsActive", type="boolean", default=True), reference("ManagerId", "User", by="Manager"),
            text("Alias"), Column(name=package.AVAILABLE, type="boolean", default=False),
        ),
        soft=False,
    ),
    table(
        "Group", "00G",
        (text("Name"), text("DeveloperName"), choice("Type", "Queue", "Regular"), text("Email")), soft=False,
    ),
    table(
        "GroupMember", "011",
        (reference("GroupId", "Group"), reference("UserOrGroupId", "User", "Group", by="UserOrGroup")), soft=False,
    ),
    table(
        "RecordType", "012",
        (text("Name"), text("DeveloperName"), text("SobjectType"), Column(name="IsActive", type="boolean",
        default=True)), writable=False, soft=False,
    ),
    table("QueueSobject", "03g", (reference("QueueId", "Group", by="Queue"), text("SobjectType")), soft=False),
    table(
        "Organization", "00D",
        (
            text("Name"), Column(name="IsSandbox", type="boolean"), text("InstanceName"), text("TimeZoneSidKey"),
            text("OrganizationType"),
        ),
        writable=False, soft=False,
    ),
)  # fmt: skip
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_SERVICE = (
    table(
        "BusinessHours", "01m",
        (
            text("Name"), text("TimeZoneSidKey"), *typed("boolean", "IsActive", "IsDefault", default=False),
            *typed("time", *(f"{day}{end}Time" for day in _DAYS for end in ("Start", "End"))),
        ),
        soft=False,
    ),
    table(
        "Holiday", "0C0",
        (
            text("Name"), Column(name="ActivityDate", type="date"), *typed("boolean", "IsAllDay", "IsRecurrence"),
            text("RecurrenceType"),
        ),
        soft=False,
    ),
    table(
        "CaseHistory", "017",
        (reference("CaseId", "Case"), text("Field"), text("OldValue"), text("NewValue"), text("DataType")),
        writable=False, soft=False,
    ),
    table(
        "CaseComment", "00a",
        (
            reference("ParentId", "Case", by="Parent", required=True), Column(name="CommentBody", type="textarea",
            length=4_000),
            Column(name="IsPublished", type="boolean", default=False),
        ),
    ),
    table(
        "EmailMessage", "02s",
        (
            reference("ParentId", "Case", by="Parent"), text("Subject"), Column(name="TextBody", type="textarea",
            length=32_000),
            text("FromAddress"), text("ToAddress"), Column(name="Incoming", type="boolean", default=False),
            Column(name="MessageDate", type="datetime"), Column(name="Headers", type="textarea", length=32_000),
            choice("Status", "0", "1", "2", "3", default="0"),
        ),
        changes=True,
    ),
    table(
        "Task", "00T",
        (
            text("Subject"), choice("Status", "Open", "Completed", default="Open"), choice("TaskSubtype", "Task",
            "Call", "Email"),
            reference("WhoId", "Lead", "Contact", by="Who"), reference("WhatId", "Opportunity", "Case", by="What"),
            reference("OwnerId", "User", by="Owner"),
        ),
        changes=True,
    ),
    table(
        "CaseMilestone", "555",
        (
            reference("CaseId", "Case"), reference("MilestoneTypeId", "MilestoneType"), *typed("datetime", "StartDate"),
            *typed("datetime", "TargetDate", system=True), Column(name="CompletionDate", type="datetime"),
            *typed("boolean", "IsCompleted", "IsViolated", system=True, default=False), text("TimeRemainingInMins",
            system=True),
        ),
        soft=False,
    ),
    table("MilestoneType", "557", (text("Name"), text("RecurrenceType")), soft=False),
    table(
        "Entitlement", "550",
        (text("Name"), reference("AccountId", "Account"), reference("BusinessHoursId", "BusinessHours"),
        text("Status"), reference("SlaProcessId", "SlaProcess")),
    ),
    table("SlaProcess", "552", (text("Name"), text("SobjectType"), Column(name="IsActive", type="boolean",
    default=True)), writable=False, soft=False),
    table(
        "UserServicePresence", "0N5",
        (
            reference("UserId", "User"), *typed("boolean", "IsCurrentState", "IsAway", default=False),
            Column(name="ConfiguredCapacity", type="double"), *typed("datetime", "StatusStartDate", "StatusEndDate"),
            reference("ServicePresenceStatusId", "ServicePresenceStatus"),
        ),
        soft=False,
    ),
    table("ServicePresenceStatus", "0N4", (text("DeveloperName"), text("MasterLabel")), soft=False),
    table(
        "AgentWork", "0Bz",
        (
            reference("UserId", "User"), reference("WorkItemId", "Case", "Lead", "Opportunity", by="WorkItem"),
            choice("Status", "Assigned", "Opened", "Closed", "Declined"), Column(name="CapacityWeight", type="double"),
        ),
        soft=False,
    ),
)  # fmt: skip
_AUTOMATION = (
    table(
        "AssignmentRule", "01Q",
        (text("Name"), text("SobjectType"), Column(name="Active", type="boolean", default=False)), writable=False,
        soft=False,
    ),
    table(
        "FlowDefinitionView", "3dd",
        (
            text("ApiName"), text("Label"), text("ProcessType"), text("TriggerType"), text("TriggerObjectOrEventLabel"),
            Column(name="IsActive", type="boolean", default=False),
        ),
        writable=False, soft=False,
    ),
    table("ServiceChannel", "0N9", (text("DeveloperName"), text("RelatedEntity")), writable=False, soft=False),
    table("CustomNotificationType", "0ML", (text("DeveloperName"),), writable=False, soft=False),
)  # fmt: skip
_LOOKUPS = tuple(reference(column, name) for name, column in package.LOOKUPS.items())
_OURS = (
    table(
        package.LOG, "a0L",
        (
            text("Name", system=True), text(package.LOG_KEY, unique=True, external=True, length=64, required=True),
            text(package.LOG_RECORD, length=18), *(text(name) for name in (package.LOG_OBJECT, package.LOG_RULE,
            package.LOG_STEP)),
            text(package.LOG_ACTION), text(package.LOG_TARGET), text(package.LOG_MODEL), text(package.LOG_STATUS),
            *typed("textarea", package.LOG_TRIGGER, package.LOG_SCORES, length=32_000),
            *typed("datetime", package.LOG_DUE, package.LOG_AT), *_LOOKUPS,
            *(text(name) for name in (package.LOG_TRIGGER_NAME, package.LOG_TEAM, package.LOG_OUTCOME)),
        ),
        changes=True,
    ),
    table(
        package.SCORE, "a0R",
        (
            text("Name", system=True), text(package.SCORE_RECORD, unique=True, external=True, length=18, required=True),
            *typed("double", package.SCORE_URGENCY, package.SCORE_LEAD), text(package.SCORE_SENTIMENT),
            Column(name=package.SCORE_NEXT, type="datetime"), Column(name=package.SCORE_VALUES, type="textarea",
            length=32_000), *_LOOKUPS,
        ),
    ),
    table(
        package.DEPLOYMENT, "a0D",
        (
            text("Name", system=True), text(package.DEPLOYMENT_KEY, unique=True, external=True, length=64,
            required=True),
            text(package.DEPLOYMENT_NAME), Column(name=package.DEPLOYMENT_SEEN, type="datetime"),
        ),
    ),
    table(
        package.RULE_STATUS, "a0U",
        (
            text("Name", system=True), text(package.STATUS_KEY, unique=True, external=True, length=80, required=True),
            text(package.STATUS_RULE), choice(package.STATUS_STATE, "good", "kept", "refused", default="good"),
            Column(name=package.STATUS_ERROR, type="textarea", length=32_000),
            *typed("datetime", package.STATUS_CHECKED, package.STATUS_SINCE),
        ),
    ),
    table(
        package.RULES, "m0R",
        (
            *(text(name) for name in (
                "DeveloperName", "MasterLabel", "Object__c", "Trigger__c", "Milestone__c", "Trigger_Field__c",
                "Threshold_Unit__c", "Tier__c", "Action__c", "Target_Kind__c", "Target__c", "Template__c", "Mode__c",
                "Description__c",
            )),
            *typed("textarea", "Secondary__c", length=4_000), *typed("boolean", "Active__c", default=True),
            *typed("double", "Threshold__c", "Repeat_Minutes__c", "Repeat_At_Most__c"),
        ),
        writable=False, soft=False,
    ),
)  # fmt: skip

TABLES: dict[str, Table] = {one.name: one for one in (*_WORK, *_PEOPLE, *_SERVICE, *_AUTOMATION, *_OURS)}
"""Every object of the sandbox, by API name."""

_PLURALS = {
    "Opportunity": "Opportunities", "CaseHistory": "Histories", "Entitlement": "Entitlements",
    "BusinessHours": "BusinessHours",
}  # fmt: skip


def children_of(parent: str, tables: Mapping[str, Table]) -> list[tuple[str, str, str]]:
    """Return the relationships to children of *parent*: its name, the child's object, and the column that refers."""
    return [
        (_children_name(table.name), table.name, column.name)
        for table in tables.values()
        for column in table.columns.values()
        if parent in column.to and _primary(parent, column)
    ]


def _children_name(table: str) -> str:
    return f"{table.removesuffix('__c')}s__r" if table.endswith("__c") else _PLURALS.get(table, f"{table}s")


def _primary(parent: str, column: Column) -> bool:
    """Return whether *column* is the one that the relationship is named for: owners and editors have none."""
    return column.by.removesuffix("__r") in (parent, "Parent", "What", "Who") or column.name in (
        f"{parent}Id",
        "ParentId",
    )


_SOAP = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "double": "xsd:double", "currency": "xsd:double",
    "percent": "xsd:double", "date": "xsd:date", "datetime": "xsd:dateTime", "time": "xsd:time", "int": "xsd:int",
}  # fmt: skip


def describe(found: Table) -> dict[str, Any]:
    """Return the describe result of one object."""
    return {
        **brief(found),
        "fields": [_described(column, found) for column in found.columns.values()],
        "childRelationships": [
            {"relationshipName": name, "childSObject": child, "field": column}
            for name, child, column in children_of(found.name, TABLES)
        ],
        "recordTypeInfos": [],
    }


def brief(found: Table) -> dict[str, Any]:
    """Return the object as the list of all objects has it."""
    custom = found.name.endswith("__c")
    return {
        "name": found.name,
        "label": found.name.removesuffix("__c").replace("_", " "),
        "keyPrefix": found.prefix,
        "custom": custom,
        "queryable": True,
        "createable": found.writable,
        "updateable": found.writable,
        "deletable": found.writable,
        "urls": {"sobject": f"/services/data/v59.0/sobjects/{found.name}"},
    }


def _described(column: Column, found: Table) -> dict[str, Any]:
    open_ = found.writable and not column.system
    return {
        "name": column.name,
        "label": column.name.removesuffix("__c").replace("_", " "),
        "type": column.type,
        "soapType": _SOAP.get(column.type, "xsd:string"),
        "length": column.length if column.type in ("string", "textarea", "picklist") else 0,
        "custom": column.name.endswith("__c"),
        "createable": open_,
        "updateable": open_,
        "nillable": not column.required and not column.system,
        "unique": column.unique,
        "externalId": column.external,
        "idLookup": column.external or column.name == "Id",
        "referenceTo": list(column.to),
        "relationshipName": column.by or None,
        "filterable": column.type != "textarea",
        "picklistValues": [
            {"active": True, "defaultValue": value == column.default, "label": value, "value": value}
            for value in column.values
        ],
        "restrictedPicklist": bool(column.values),
    }
