"""
Rules that operations keep in Salesforce's setup, made live: read, published, and answered in `Triage_Rule_Status__c`.

What was good the last time is kept in the store, so that a record that turns bad, or an organisation that cannot be
reached, leaves the rules in force as they are. Only `metadata_rules.py` knows what a record means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from triage.domain.instant import MINUTE, format_instant
from triage.errors import ConfigError, RecordGone, SalesforceError
from triage.ports import Engine, Journal, SourceState, Store
from triage.publishing import Published, publish
from triage.salesforce import package
from triage.salesforce.client import Client
from triage.salesforce.deployment import Deployment
from triage.salesforce.metadata_rules import FIELDS, OBJECT, RuleStatus, SetupRules, with_setup_rules

SOURCE = "salesforce rules"
"""The name under which the store keeps what was read last."""

EVERY = MINUTE
"""How often, in ms, a worker looks for records that changed."""

_GONE = "the record is gone or not active: no rule of it is in force"
_NO_TYPE = f"custom metadata type {OBJECT} is not there, or triage may not see it: install the setup package"


class Kept(Struct, frozen=True, kw_only=True):
    """
    What was read last: the files as people wrote them, the good rules, and the states that Salesforce shows.

    `made` are digests of the files with the rules in them: two while one takes the place of the other.
    """

    texts: dict[str, str] = field(default_factory=dict)
    good: dict[str, str] = field(default_factory=dict)
    statuses: tuple[RuleStatus, ...] = ()
    made: tuple[str, ...] = ()


class Rules:
    """The rules of one organisation, for the policy of one store."""

    def __init__(
        self, client: Client, deployment: Deployment, store: Store, engine: Engine, journal: Journal | None = None
    ) -> None:
        """Nothing is read before the first call."""
        self._client = client
        self._deployment = deployment
        self._store = store
        self._engine = engine
        self._journal = journal
        self._looked_at: int | None = None

    def publish(
        self,
        texts: Mapping[str, str],
        now: int,
        *,
        actor: str,
        reason: str = "",
        progress: Callable[[int], None] | None = None,
    ) -> tuple[Published, tuple[RuleStatus, ...]]:
        """
        Make *texts*, with the rules of Salesforce in them, the policy in force; return what became of each record.

        Raises:
            ConfigError: the files are faulty whatever the records say, or the setup package is not installed.
            SalesforceError: the organisation cannot be reached: what is in force stays.
        """
        before = kept(self._store)
        found = with_setup_rules(texts, self._records(), before.good)
        published = publish(
            self._store, self._engine, found.texts, now, actor=actor, reason=reason, progress=progress
        )  # fmt: skip
        self._answer(texts, found, before, now)
        return published, found.statuses

    def poll(self, now: int) -> Published | None:
        """
        Publish what has changed in Salesforce's setup, once a minute; return it, None where nothing has.

        A policy that was published without these rules, or rolled back, is left alone. A fault is told and waited for.
        """
        if self._looked_at is not None and 0 <= now - self._looked_at < EVERY:
            return None
        self._looked_at = now
        before = kept(self._store)
        with self._store.read() as unit:
            live = unit.policies.live()
        if not before.texts or live is None or _digest(live.texts) not in before.made:
            return None
        try:
            found = with_setup_rules(before.texts, self._records(), before.good)
            published = None
            if found.texts != live.texts:
                self._keep(replace(before, made=(_digest(live.texts), _digest(found.texts))), now)
                why = "rules changed in Salesforce's setup"
                published = publish(
                    self._store, self._engine, found.texts, now, actor="salesforce", reason=why, virtual=live.virtual
                )  # fmt: skip
            if published is not None or _told(found.statuses, before.statuses):
                self._answer(before.texts, found, before, now)
        except (SalesforceError, ConfigError) as fault:
            if self._journal is not None:
                self._journal.tell("salesforce_rules_unread", "error", fault=str(fault))
            return None
        return published

    def _records(self) -> list[dict[str, Any]]:
        described = {one["name"] for one in self._description()["fields"]}
        columns = [name for name in FIELDS if name in described]
        return self._client.query(f"SELECT {', '.join(columns)} FROM {OBJECT}")  # noqa: S608

    def _description(self) -> dict[str, Any]:
        try:
            return self._client.describe(OBJECT)
        except RecordGone as fault:
            raise ConfigError(_NO_TYPE) from fault

    def _answer(self, texts: Mapping[str, str], found: SetupRules, before: Kept, now: int) -> None:
        """Keep what was read, then say in Salesforce what became of each record, else at the next poll."""
        made = (_digest(found.texts),)
        self._keep(Kept(texts=dict(texts), good=found.good, statuses=before.statuses, made=made), now)
        if self._client.stranger() or self._deployment.refused(now):
            return
        for status in _told(found.statuses, before.statuses):
            path = f"sobjects/{package.RULE_STATUS}/{package.STATUS_KEY}/{status.name}"
            self._client.rest("PATCH", path, _row(status, before, now))
        self._keep(Kept(texts=dict(texts), good=found.good, statuses=found.statuses, made=made), now)

    def _keep(self, value: Kept, now: int) -> None:
        with self._store.write() as unit:
            state = unit.intake.source(SOURCE) or SourceState(name=SOURCE, live_from=now)
            cursor = msgspec.json.encode(value, order="deterministic").decode()
            unit.intake.save_source(replace(state, cursor=cursor))


def kept(store: Store) -> Kept:
    """Return what was read last, nothing where rules never came from Salesforce."""
    with store.read() as unit:
        state = unit.intake.source(SOURCE)
    return msgspec.json.decode(state.cursor, type=Kept) if state is not None and state.cursor else Kept()


def _told(now: Sequence[RuleStatus], before: Sequence[RuleStatus]) -> list[RuleStatus]:
    """Return the states that Salesforce does not show yet; a record that is gone is refused."""
    known = {one.name: one for one in before}
    names = {one.name for one in now}
    state: Literal["refused"] = "refused"
    gone = [
        RuleStatus(name=one.name, rule=one.rule, state=state, error=_GONE)
        for one in before
        if one.name not in names and one.error != _GONE
    ]
    return [one for one in now if known.get(one.name) != one] + gone


def _row(status: RuleStatus, before: Kept, now: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        package.STATUS_RULE: status.rule, package.STATUS_STATE: status.state,
        package.STATUS_ERROR: status.error or None, package.STATUS_CHECKED: format_instant(now),
    }  # fmt: skip
    if status.state == "good":
        row[package.STATUS_SINCE] = format_instant(now)
    elif status.state == "refused" and status.name in before.good:
        row[package.STATUS_SINCE] = None
    return row


def _digest(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(msgspec.json.encode(dict(texts), order="deterministic")).hexdigest()
