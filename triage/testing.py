"""
Seams that live in memory, for your tests and ours: a clock moved by hand, a sink that remembers, a store of dicts.

`SMALL_POLICY` is a policy of a few lines with one rule of each kind that the worker treats differently.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from triage.domain.decision import Action
from triage.ports import Receipt

SMALL_POLICY = {
    "fields.yaml": """
objects:
  Case:
    closed_when:
      - status == Closed
    fields:
      status: {from: Status, values: [New, Working, Closed]}
      priority: {from: Priority, values: [Low, Medium, High], ordered: true}
      owner: OwnerId
    related:
      account:
        object: Account
        by: AccountId
        fields:
          tier: {from: Tier__c, values: [Standard, Gold], ordered: true}
""",
    "people.yaml": """
directory:
  queues: [Tier2]
  pools: [seniors]
templates:
  late: {subject: "late", body: "it is late"}
safety:
  recipient_domains: [example.com]
  caps:
    rule: {per_5_minutes: 0, per_day: 0}
    recipient: {per_5_minutes: 0, per_day: 0}
    organisation: {per_5_minutes: 0, per_day: 0}
""",
    "rules.yaml": """
object: Case
match: all_matches
rules:
  - id: age-1h
    when:
      - age >= 1h
    do:
      - reprioritise: {raise: 1}
  - id: high-3h
    when:
      - priority == High
      - age >= 3h
    do:
      - reassign: {to: {queue: Tier2}}
      - notify: {who: "address:boss@example.com", template: late}
  - id: gold-2h
    when:
      - account.tier == Gold
      - age >= 2h
    do:
      - reassign: {to: {pool: seniors}, require: [present]}
""",
}
"""Cases rise at one hour, go to Tier2 at three where High, and a Gold account's to a senior at two."""


class ManualClock:
    """A clock that stands until it is moved; waiting moves it."""

    def __init__(self, now: int = 0) -> None:
        self._now = now
        self._lock = threading.Lock()

    def now(self) -> int:
        """Return the instant it was moved to."""
        return self._now

    def wait(self, millis: int) -> None:
        """Move on by *millis*."""
        self.move(millis)

    def wake(self) -> None:
        """Do nothing: nobody waits."""

    def move(self, millis: int) -> int:
        """Move on by *millis* ms and return the instant."""
        with self._lock:
            self._now += millis
            return self._now

    def set(self, instant: int) -> int:
        """Stand at *instant*."""
        self._now = instant
        return instant


class RecordingSink:
    """A sink that remembers every call. *answer*, where given, may raise what the other side would."""

    def __init__(
        self, answer: Callable[[Action], None] | None = None, *, live: bool = True, name: str = "recording"
    ) -> None:
        self.name = name
        self.live = live
        self.calls: list[Action] = []
        self.done: dict[str, Action] = {}
        self._answer = answer
        self._lock = threading.Lock()

    def send(self, action: Action) -> Receipt:
        """Remember *action*; `already` where its key was done before."""
        with self._lock:
            self.calls.append(action)
        if self._answer is not None:
            self._answer(action)
        with self._lock:
            already = action.key in self.done
            self.done.setdefault(action.key, action)
        return Receipt(already=already)

    def close(self) -> None:
        """Hold nothing, so let go of nothing."""
