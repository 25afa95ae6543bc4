"""
Every error this package raises on purpose, as one tree.

    TriageError
    ├── ConfigError            a policy, calendar, field map or setting is wrong (all faults of a load at once)
    ├── IntakeError            a record, event, log line or export row is refused, with its reason
    │   └── NaiveTimeError     an instant without a zone
    ├── CalendarError          an impossible calendar or an instant outside the years calendars cover
    ├── ScoringError           a score could not be had
    │   └── ModelRefused       a model folder is changed, incomplete, of another format, or says other than it said
    │   ├── BudgetSpent        the call's worst case would pass a budget: it was not made
    │   └── VendorError        a language model did not answer as asked; `code` says how
    │       ├── VendorBusy     it may work later: 408, 409, 429, 5xx, 529
    │       │   └── VendorTimeout    nothing was heard in time, or the line broke: what it cost is not known
    │       ├── VendorRefused  a setting is wrong or the account is empty: never tried again by itself
    │       └── AnswerRefused  an answer came and cannot be used: refusal, length, safety, malformed, out of range
    ├── AccessError            a key that opens nothing, or not this
    ├── StoreError             the store cannot be used as asked
    │   ├── SchemaTooNew       the store was written by a newer version
    │   ├── StoreBusy          a second worker holds the same SQLite file
    │   ├── StoreFull          the disk refused the write; nothing was half written
    │   ├── StoreLost          the database server cannot be reached: tried again until it is back
    │   └── StaleRecord        somebody else stored a newer version of the record in between
    ├── SalesforceError        Salesforce did not do what was asked; its own words are kept
    │   ├── LoginRefused       nobody is let in with these credentials
    │   ├── SessionExpired     the session ended, and a new one was not taken either
    │   ├── LimitReached       the organisation has no API calls left, or we keep what is left
    │   ├── RecordLocked       somebody else writes the record right now
    │   ├── RecordGone         the record is deleted, or was never there
    │   ├── KeyTaken           a unique value is there already: it was done before
    │   ├── QueryRefused       a query names what there is not, or cannot be read
    │   ├── WriteRefused       a validation rule, a missing right or a wrong value: no use to try again
    │   ├── Unreachable        no answer, or the server cannot work now
    │   └── ReplayLost         events before this point are no longer kept: read the records again
    └── SinkError              an effect did not reach the other side
        ├── SinkBusy           it may work later: a timeout, 429, 5xx, a locked row
        │   └── SinkSilent     nothing was heard from the other side in time
        ├── SinkLimit          the whole organisation is over a limit: everything waits, no attempt is burnt
        └── SinkRefused        it never will: the other side's own words are kept
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class TriageError(Exception):
    """The root; its text is one sentence that a user can act on."""


class Fault(NamedTuple):
    """One thing wrong in a file, with where it stands and what would mend it."""

    file: str
    line: int
    column: int
    text: str
    source: str = ""
    length: int = 0

    def __str__(self) -> str:
        head = f"{self.file}:{self.line}:{self.column}: {self.text}"
        if not self.source:
            return head
        marker = " " * (self.column - 1) + "^" * max(1, self.length)
        return f"{head}\n    {self.source}\n    {marker}"


class ConfigError(TriageError):
    """A configuration is wrong; carries every fault found, in file order."""

    def __init__(self, faults: Sequence[Fault] | str) -> None:
        self.faults: tuple[Fault, ...] = () if isinstance(faults, str) else tuple(faults)
        super().__init__(faults if isinstance(faults, str) else "\n".join(str(fault) for fault in self.faults))


class IntakeError(TriageError):
    """A record, event or row is refused; carries the record id where one is known."""

    def __init__(self, reason: str, record_id: str = "") -> None:
        self.reason = reason
        self.record_id = record_id
        super().__init__(f"{record_id}: {reason}" if record_id else reason)


class NaiveTimeError(IntakeError):
    """An instant has no zone, so it names no point in time."""


class CalendarError(TriageError):
    """A calendar cannot be compiled, or was asked about years it does not cover."""


class ScoringError(TriageError):
    """A score could not be had."""


class ModelRefused(ScoringError):
    """A model folder cannot be served: the text names the file, what is wrong with it and what to do."""


class AccessError(TriageError):
    """A key opens nothing, or not what was asked for."""


class BudgetSpent(ScoringError):
    """The worst case of a call would pass the budget *scope* (`day`, `org` or `record`)."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__(f"the budget per {scope} does not allow another call")


class VendorError(ScoringError):
    """
    A language model did not answer as asked.

    *code* is the reason that a score carries; *after* is Retry-After in ms (0: none); *free* says that the vendor
    does not bill for it, so that nothing is booked; *request* is the vendor's own id of the call.
    """

    def __init__(self, code: str, said: str = "", *, after: int = 0, free: bool = False, request: str = "") -> None:
        self.code = code
        self.after = after
        self.free = free
        self.request = request
        super().__init__(f"{code}: {said}" if said else code)


class VendorBusy(VendorError):
    """It may work later."""


class VendorTimeout(VendorBusy):
    """Nothing was heard in time, or the line broke."""


class VendorRefused(VendorError):
    """A setting is wrong or the account is empty."""


class AnswerRefused(VendorError):
    """An answer came and cannot be used."""


class StoreError(TriageError):
    """The store cannot be used as asked."""


class SchemaTooNew(StoreError):
    """The store was written by a newer version of this package."""


class StoreBusy(StoreError):
    """Another worker holds the same SQLite file."""


class StoreFull(StoreError):
    """The disk refused a write; the transaction was rolled back whole."""


class StoreLost(StoreError):
    """The database server cannot be reached; nothing was half written, and it is tried again."""


class StaleRecord(StoreError):
    """A record was stored by somebody else since it was read; the transaction was rolled back whole."""


class SalesforceError(TriageError):
    """
    Salesforce did not do what was asked. `code` is its own, `status` the HTTP status, `fields` those it names.

    Errors are told apart by class and code, never by the words.
    """

    def __init__(self, text: str, *, code: str = "", status: int = 0, fields: Sequence[str] = ()) -> None:
        self.code = code
        self.status = status
        self.fields = tuple(fields)
        super().__init__(text)


class LoginRefused(SalesforceError):
    """Nobody is let in with these credentials."""


class SessionExpired(SalesforceError):
    """The session ended, and a new one was refused as well."""


class LimitReached(SalesforceError):
    """The organisation has no API calls left, or only the share that we leave to others."""


class RecordLocked(SalesforceError):
    """Somebody else writes the record right now; it may work in a moment."""


class RecordGone(SalesforceError):
    """The record is deleted, or was never there."""


class KeyTaken(SalesforceError):
    """A unique value is there already: what was asked has been done before."""


class QueryRefused(SalesforceError):
    """A query names an object or field that there is not, or cannot be read."""


class WriteRefused(SalesforceError):
    """A validation rule, a missing right or a wrong value refuses the change for good."""


class Unreachable(SalesforceError):
    """No answer came, or the server cannot work now; whether it did what was asked may not be known."""


class ReplayLost(SalesforceError):
    """Events after the point that was reached are no longer kept, or were never written: the records are read again."""


class SinkError(TriageError):
    """An effect did not reach the other side."""


class SinkBusy(SinkError):
    """The other side cannot take the effect now; the same key is sent again later, in *after* ms at the earliest."""

    def __init__(self, reason: str, after: int = 0) -> None:
        self.after = after
        super().__init__(reason)


class SinkSilent(SinkBusy):
    """Nothing was heard from the other side in time; whether it did the effect is not known."""


class SinkLimit(SinkError):
    """The organisation is over a limit of the other side: nothing is sent for *pause* ms, and no attempt is burnt."""

    def __init__(self, reason: str, pause: int) -> None:
        self.pause = pause
        super().__init__(reason)


class SinkRefused(SinkError):
    """The other side says no for good, in its own words."""
