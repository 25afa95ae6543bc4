"""What asking has cost, what it will cost, and whether it pays: from the ledger alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from triage.domain.instant import DAY
from triage.ports import LlmCall, LlmTally
from triage.rules.llm_policy import LlmPolicy

SEEN = 5_000
"""How many calls are looked through for what both models said."""


class Agreement(Struct, frozen=True, kw_only=True):
    """How often both models said the same of a task; numbers agree within `disagree_over`. `gap` is their mean gap."""

    asked: int
    agreed: int
    gap: float | None = None


class UsageReport(Struct, frozen=True, kw_only=True):
    """Amounts in micro-dollars. `per_thousand`: cost of 1,000 records. `projected`: of a 30-day month at this pace."""

    days: int
    calls: int
    answered: int
    records: int
    spent: int
    shadow_spent: int
    per_thousand: int
    projected: int
    outcomes: dict[str, int] = field(default_factory=dict)
    agreement: dict[str, Agreement] = field(default_factory=dict)


def usage_report(tallies: Sequence[LlmTally], calls: Sequence[LlmCall], policy: LlmPolicy, days: int) -> UsageReport:
    """Return what *tallies* of the last *days* days add up to, and how *calls* compare with the local model."""
    spent = sum(one.cost for one in tallies)
    records = sum(one.records for one in tallies if one.outcome == "answered")
    outcomes: dict[str, int] = {}
    for one in tallies:
        outcomes[one.outcome or "open"] = outcomes.get(one.outcome or "open", 0) + one.calls
    return UsageReport(
        days=days,
        calls=sum(one.calls for one in tallies),
        answered=outcomes.get("answered", 0),
        records=records,
        spent=spent,
        shadow_spent=sum(one.cost for one in tallies if one.purpose == "shadow"),
        per_thousand=-(-spent * 1000 // records) if records else 0,
        projected=spent * 30 // days,
        outcomes=dict(sorted(outcomes.items())),
        agreement=_agreement(calls, policy.disagree_over),
    )


class Forecast(Struct, frozen=True, kw_only=True):
    """The day's spend at this pace, in micro-dollars; `ends` is the instant at which the budget would be used up."""

    spent: int
    expected: int
    budget: int
    ends: int | None = None


def forecast(spent: int, budget: int, past_days: Mapping[int, int], now: int) -> Forecast:
    """
    Return how today will end: at the pace since midnight, or at that of the past days, whichever is dearer.

    Args:
        spent: Of this UTC day so far, reservations included.
        past_days: Spend of earlier days, by UTC day.
    """
    midnight = now - now % DAY
    passed = max(now - midnight, 1)
    pace = max(spent / passed, (sum(past_days.values()) / len(past_days) / DAY) if past_days else 0.0)
    expected = spent + int(pace * (DAY - passed))
    ends = now + int((budget - spent) / pace) if pace and expected > budget else None
    return Forecast(spent=spent, expected=expected, budget=budget, ends=ends)


def _agreement(calls: Sequence[LlmCall], most: int) -> dict[str, Agreement]:
    pairs: dict[str, list[tuple[Any, Any]]] = {}
    for call in calls:
        for task, (local, model) in call.compared.items():
            if local is not None and model is not None:
                pairs.setdefault(task, []).append((local, model))
    return {task: _of(found, most) for task, found in sorted(pairs.items())}


def _of(pairs: Sequence[tuple[Any, Any]], most: int) -> Agreement:
    if any(isinstance(one, str) for pair in pairs for one in pair):
        return Agreement(asked=len(pairs), agreed=sum(local == model for local, model in pairs))
    gaps = [abs(local - model) for local, model in pairs]
    agreed = sum(round(gap * 1000) <= most for gap in gaps)
    return Agreement(asked=len(pairs), agreed=agreed, gap=round(sum(gaps) / len(gaps), 6))
