"""
The sink that writes to Salesforce: a log row and the change of the record in one request, all or nothing.

The log row's unique key is the action's, so an action that was done is refused the second time, and read back. What
Salesforce refuses for good is a dead letter with its words. Nothing is decided here.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from triage.domain.decision import Action
from triage.domain.instant import MINUTE, SECOND, format_instant
from triage.domain.message import UNWRITTEN, Message
from triage.errors import (
    KeyTaken,
    LimitReached,
    LoginRefused,
    RecordGone,
    RecordLocked,
    SalesforceError,
    SessionExpired,
    SinkBusy,
    SinkError,
    SinkLimit,
    SinkRefused,
    SinkSilent,
    Unreachable,
)
from triage.policy import FAMILIES
from triage.ports import Receipt, Sink
from triage.salesforce import package
from triage.salesforce.client import Client
from triage.salesforce.deployment import Deployment
from triage.salesforce.queues import Queues
from triage.salesforce.session import NO_ASSIGNMENT
from triage.salesforce.soql import quoted

_encode = msgspec.json.Encoder(order="sorted").encode

CHANGES = frozenset({"reassign", "move", "reprioritise", "set"})
LIMIT_PAUSE = 15 * MINUTE
STRANGER_PAUSE = 5 * MINUTE
LONGEST = 32_000
"""Characters of a long text area."""

TITLE_MOST, BODY_MOST = 250, 750
"""Characters of a custom notification."""

_STARTED, _DONE, _REFUSED = "Started", "Done", "Refused"
_OUTCOMES = {_DONE: package.DONE, _REFUSED: package.REFUSED}
_SCORES = {
    package.SCORE_URGENCY: ("urgency.score",),
    package.SCORE_LEAD: ("lead.probability", "lead.score"),
    package.SCORE_SENTIMENT: ("sentiment.label",),
}
_UNDO = ("override", "undo")
"""Rule and step of an action that takes back another one, whose key its episode names."""


class SalesforceSink:
    """Does actions in one organisation, each once however often its key comes."""

    def __init__(
        self,
        client: Client,
        deployment: Deployment,
        now: Callable[[], int],
        *,
        name: str = "salesforce",
        live: bool = True,
        others: Sink | None = None,
    ) -> None:
        """
        Args:
            live: False where the organisation is a sandbox of ours, in which every rule may act.
            others: Does what Salesforce cannot: letters to customers, webhooks. It is logged there all the same.
        """
        self.name = name
        self.live = live
        self._others = others
        self._client = client
        self._deployment = deployment
        self._now = now
        self._queues = Queues(client)
        self._lock = threading.Lock()
        self._notification = ""

    def remembers(self, action: Action) -> bool:
        """Return True for changes of the record; a notice or a flow may come twice where an answer is lost."""
        return action.kind in CHANGES

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """
        Do *action* once.

        Raises:
            SinkBusy: a locked row, no answer, a server that cannot work: the same key is sent again.
            SinkLimit: no API calls left; or this is not the pinned organisation, or another deployment acts on it.
            SinkRefused: Salesforce's own words, or nothing here does such an action.
        """
        try:
            self._admitted()
            if action.kind in CHANGES:
                return self._change(action, message)
            return self._invoke(action, message)
        except SalesforceError as fault:
            error = _as_sink(fault)
            if isinstance(error, SinkRefused) and not isinstance(fault, RecordGone):
                self._note_refused(action, message)
            raise error from fault

    def close(self) -> None:
        """Let go of every line."""
        self._client.close()
        if self._others is not None:
            self._others.close()

    def _admitted(self) -> None:
        why = self._client.stranger() or self._deployment.refused(self._now())
        if why:
            raise SinkLimit(f"only observing: {why}", STRANGER_PAUSE)

    def _change(self, action: Action, message: Message) -> Receipt:
        changes = {name: self._value(name, value, action) for name, value in message.changes.items()}
        if not changes:
            raise SinkRefused(f"{action.kind} to {action.target} changes no field of {action.object}")
        log = self._log(action, message, _DONE)
        parts = [
            self._part("PATCH", f"sobjects/{action.object}/{action.id}", "record", changes | self._on_record(message)),
            *self._scores(action, message),
            *self._undone(action),
        ]
        try:
            self._client.composite([self._part("POST", f"sobjects/{package.LOG}", "log", log), *parts])
        except KeyTaken:
            row = self._logged(action)
            if row is None or row[package.LOG_STATUS] != _REFUSED or row[package.LOG_RECORD] != action.id:
                return self._read_back(action, row)
            # It was refused before, and somebody has sent it again: its row becomes that of a change that was done.
            path = f"sobjects/{package.LOG}/{row['Id']}"
            self._client.composite([self._part("PATCH", path, "log", log), *parts])
        return Receipt()

    def _note_refused(self, action: Action, message: Message) -> None:
        """Let the log tell what was refused; where that fails, too, the dead letter has its words."""
        body = self._log(action, message, _REFUSED)
        key = body.pop(package.LOG_KEY)
        with contextlib.suppress(SalesforceError):
            self._client.rest("PATCH", f"sobjects/{package.LOG}/{package.LOG_KEY}/{key}", body)

    def _undone(self, action: Action) -> list[dict[str, Any]]:
        """Return the part that marks the log row of the action which *action* takes back, none where there is none."""
        kind, _, key = action.episode.partition(":")
        if (action.rule, action.step) != _UNDO or kind != "event":
            return []
        rows = self._client.query(f"SELECT Id FROM {package.LOG} WHERE {package.LOG_KEY} = {quoted(key)}")  # noqa: S608
        changes = {package.LOG_OUTCOME: package.UNDONE}
        return [self._part("PATCH", f"sobjects/{package.LOG}/{row['Id']}", "undone", changes) for row in rows]

    def _part(self, method: str, path: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        # A part of a composite request does not inherit the header that forbids assignment rules.
        return {
            "method": method, "url": self._client.url(path), "referenceId": name, "body": body,
            "httpHeaders": NO_ASSIGNMENT,
        }  # fmt: skip

    def _read_back(self, action: Action, row: Mapping[str, Any] | None) -> Receipt:
        """Return that the key was done before, as *row* has it; refuse where it stands on another record."""
        if row is None:
            raise Unreachable("the key is taken, and its log row cannot be read", code="DUPLICATE_VALUE")
        if row[package.LOG_RECORD] != action.id:
            raise SinkRefused(f"the key of this action stands on another record, {row[package.LOG_RECORD]}")
        return Receipt(already=True, detail=f"{package.LOG} {row['Id']}")

    def _logged(self, action: Action) -> dict[str, Any] | None:
        wanted = f"SELECT Id, {package.LOG_RECORD}, {package.LOG_STATUS} FROM {package.LOG}"  # noqa: S608
        rows = self._client.query(f"{wanted} WHERE {package.LOG_KEY} = {quoted(action.key)}")
        return rows[0] if rows else None

    def _invoke(self, action: Action, message: Message) -> Receipt:
        """Begin a log row, do what is no change of a record, and close the row: what was closed is not done again."""
        does = self._call(action, message)
        try:
            row = self._client.rest("POST", f"sobjects/{package.LOG}", self._log(action, message, _STARTED))["id"]
        except KeyTaken:
            found = self._logged(action)
            if found is None or found[package.LOG_STATUS] == _DONE:
                return self._read_back(action, found)
            row = found["Id"]
        receipt = does()
        closed = {package.LOG_STATUS: _DONE, package.LOG_OUTCOME: package.DONE}
        self._client.rest("PATCH", f"sobjects/{package.LOG}/{row}", closed)
        return receipt

    def _call(self, action: Action, message: Message) -> Callable[[], Receipt]:
        """Return what does *action*; refuse, before anything is logged, what neither we nor the others do."""
        kind, _, name = action.target.partition(":")
        if action.kind == "custom" and kind in ("flow", "apex"):
            given = {"recordId": action.id, "triageKey": action.key, "triageRule": action.rule}
            return partial(self._run, f"actions/custom/{kind}/{name}", given | dict(action.params.get("with", {})))
        if action.kind == "notify" and kind in ("user", "queue", "pool"):
            return partial(self._run, "actions/standard/customNotificationAction", self._notice(action, message))
        if self._others is None:
            raise SinkRefused(f"salesforce does no {action.kind} to {action.target}: route it to another sink")
        return partial(self._others.send, action, message)

    def _run(self, path: str, inputs: Mapping[str, Any]) -> Receipt:
        self._client.rest("POST", path, {"inputs": [inputs]})
        return Receipt()

    def _notice(self, action: Action, message: Message) -> dict[str, Any]:
        return {
            "customNotifTypeId": self._notification_type(),
            "recipientIds": [self._queues.user_or_queue(action.target)],
            "title": (message.subject or f"{action.object}: {action.rule}")[:TITLE_MOST],
            "body": (message.text or message.reason or action.rule)[:BODY_MOST],
            "targetId": action.id,
        }

    def _notification_type(self) -> str:
        with self._lock:
            if not self._notification:
                wanted = self._client.connection.notification
                where = f" WHERE DeveloperName = {quoted(wanted)}" if wanted else ""
                rows = self._client.query(f"SELECT Id FROM CustomNotificationType{where} LIMIT 1")  # noqa: S608
                if not rows:
                    raise SinkRefused("the organisation has no custom notification type: install the setup package")
                self._notification = rows[0]["Id"]
            return self._notification

    def _value(self, name: str, value: Any, action: Action) -> Any:
        return self._queues.user_or_queue(str(value)) if action.kind in ("reassign", "move") else value

    def _log(self, action: Action, message: Message, status: str) -> dict[str, Any]:
        found = {
            package.LOG_KEY: action.key,
            package.LOG_RECORD: action.id,
            package.LOG_OBJECT: action.object,
            package.LOG_RULE: action.rule,
            package.LOG_STEP: action.step,
            package.LOG_ACTION: action.kind,
            package.LOG_TARGET: action.target[:255],
            package.LOG_TRIGGER: _encode(action.reason).decode()[:LONGEST],
            package.LOG_SCORES: _encode(_scored(message)).decode()[:LONGEST],
            package.LOG_MODEL: _models(message)[:255] or None,
            package.LOG_DUE: format_instant(action.due),
            package.LOG_AT: format_instant(self._now()),
            package.LOG_STATUS: status,
            package.LOG_OUTCOME: _OUTCOMES.get(status),
            package.LOG_TRIGGER_NAME: _trigger(action)[:255] or None,
            package.LOG_TEAM: message.team[:255] or None,
        }
        return found | _lookup(action)

    def _scores(self, action: Action, message: Message) -> list[dict[str, Any]]:
        """Return the part that keeps the child row with the record's scores, none where they live elsewhere."""
        if self._client.connection.scores != "child":
            return []
        path = f"sobjects/{package.SCORE}/{package.SCORE_RECORD}/{action.id}"
        return [self._part("PATCH", path, "scores", _score_fields(message) | _lookup(action))]

    def _on_record(self, message: Message) -> dict[str, Any]:
        if self._client.connection.scores != "record":
            return {}
        fields = _score_fields(message)
        return {f"Triage_{name}": value for name, value in fields.items() if name != package.SCORE_VALUES}


def _lookup(action: Action) -> dict[str, str]:
    """Return the field that refers to the record, nothing for an object that the package does not know."""
    name = package.LOOKUPS.get(action.object)
    return {} if name is None else {name: action.id}


def _trigger(action: Action) -> str:
    """Return the clock or the first condition that made the rule act, as it is written there; else what was noted."""
    reason = action.reason
    return reason.clock or next((one.leaf for one in reason.evidence), reason.note)


def _models(message: Message) -> str:
    """Return which model of each family gave the record its scores: `lead=2026-01, urgency=2026-03`."""
    return ", ".join(f"{family}={version}" for family, version in sorted(message.model_versions.items()))


def _scored(message: Message) -> dict[str, Any]:
    return {name: value for name, value in message.values.items() if name.partition(".")[0] in FAMILIES}


def _score_fields(message: Message) -> dict[str, Any]:
    scores = _scored(message)
    found = {field: next((scores[name] for name in names if name in scores), None) for field, names in _SCORES.items()}
    due = None if message.next_at is None else format_instant(message.next_at)
    return found | {package.SCORE_NEXT: due, package.SCORE_VALUES: _encode(scores).decode()[:LONGEST]}


def _as_sink(fault: SalesforceError) -> SinkError:
    """Return what *fault* means to the outbox."""
    if isinstance(fault, LimitReached):
        return SinkLimit(str(fault), LIMIT_PAUSE)
    if isinstance(fault, SessionExpired | LoginRefused):
        # Somebody has to mend the credentials; until then nothing is lost and no attempt is burnt.
        return SinkLimit(str(fault), MINUTE)
    if isinstance(fault, RecordLocked):
        return SinkBusy(str(fault))
    if isinstance(fault, Unreachable):
        return SinkSilent(str(fault), SECOND)
    return SinkRefused(str(fault))
