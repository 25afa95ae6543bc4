"""How asking the language model goes, for readiness, `doctor` and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct, field

from triage.domain.instant import DAY, HOUR, format_instant
from triage.llm.vendor import SETTING_FAULTS
from triage.ports import Limit, LlmCall, Unit
from triage.rules.llm_policy import LlmPolicy

LATELY = HOUR
"""What happened longer ago than this says nothing about now, in ms."""

FIXES: Mapping[str, str] = {
    "auth": "the key is refused: put a valid one where llm.key points",
    "no_key": "set the secret that llm.key names",
    "forbidden": "the key may not use this model or endpoint: give it the right, or change llm.model",
    "unknown_model": "the endpoint does not know llm.model (on Azure: the deployment): mend llm.model or llm.endpoint",
    "quota": "the account is out of money or quota: top it up, or raise its limit with the vendor",
    "bad_request": "the endpoint refuses the request: mend llm.api, llm.model or llm.api_version",
    "redirected": "the endpoint answers with another address: write that one as llm.endpoint",
    "no_sdk": "install the vendor's package: pip install 'triage[llm]'",
    "no_price": "write llm.prices",
    "budget_day": "nothing is asked until the next UTC day: raise llm.budget.per_day, or let it be",
    "budget_org": "nothing is asked until the next UTC day: raise llm.budget.per_org, or let it be",
}
_DEFAULT_FIX = "the vendor does not answer well: see triage llm usage; the local model answers meanwhile"


class LlmHealth(Struct, frozen=True, kw_only=True):
    """
    `state`: `off` (no policy asks), `asking`, `resting` (the fuse is open; it mends itself), `spent` (a budget is used
    up), `fault` (a setting a person has to mend). Scores are given in every one of them, by the local model.

    Amounts are micro-dollars of this UTC day for this organisation; `outcomes` counts calls by reason code.
    """

    state: Literal["off", "asking", "resting", "spent", "fault"] = "off"
    code: str = ""
    fix: str = ""
    since: int = 0
    until: int = 0
    spent: int = 0
    budget: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nobody has to do anything."""
        return self.state in ("off", "asking")

    def sentence(self) -> str:
        """Return what there is to say, as one line without any key, address or text of a record."""
        if self.state == "off":
            return "no language model is asked"
        money = f"{dollars(self.spent)} of {dollars(self.budget)} spent today"
        if self.state == "asking":
            return f"asking; {money}"
        since = f" since {format_instant(self.since)}" if self.since else ""
        return f"{self.code}{since}, the local model answers; {money}"


def health_of(policy: LlmPolicy | None, unit: Unit, now: int) -> LlmHealth:
    """Return how it goes by what is stored: what any process may say of all workers together."""
    if policy is None:
        return LlmHealth()
    limits = limits_of(policy, unit.org, "", now)[:2]
    spent = {limit.scope: unit.llm.spent(limit) for limit in limits}
    calls = unit.llm.calls(since=now - LATELY, limit=200)
    counted: dict[str, int] = {}
    for call in calls:
        counted[call.outcome or "open"] = counted.get(call.outcome or "open", 0) + 1
    found = LlmHealth(state="asking", spent=spent["org"], budget=policy.budget.per_org, outcomes=counted)
    code = _fault_in(calls)
    if code:
        return told(found, "fault", code, since=next(call.at for call in calls if call.outcome == code))
    used_up = next((limit.scope for limit in limits if spent[limit.scope] >= limit.most * 99 // 100), "")
    return told(found, "spent", f"budget_{used_up}") if used_up else found


def told(
    found: LlmHealth, state: Literal["resting", "spent", "fault"], code: str, *, since: int = 0, until: int = 0
) -> LlmHealth:
    """Return *found* in *state*, with the fix for *code*."""
    fix = FIXES.get(code, _DEFAULT_FIX)
    return LlmHealth(
        state=state, code=code, fix=fix, since=since, until=until, spent=found.spent, budget=found.budget,
        outcomes=found.outcomes,
    )  # fmt: skip


def limits_of(policy: LlmPolicy, org: str, record: str, now: int) -> tuple[Limit, ...]:
    """Return the budgets that a call for *record* draws on at *now*."""
    day, budget = now // DAY, policy.budget
    return (
        Limit("day", "*", day, budget.per_day),
        Limit("org", org, day, budget.per_org),
        Limit("record", record, 0, budget.per_record),
    )


def dollars(micro: int) -> str:
    """Return micro-dollars for people: cents, or as many places as a small amount needs."""
    whole, part = divmod(abs(micro), 1_000_000)
    digits = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micro < 0 else ''}${whole:,}.{digits}"


def _fault_in(calls: Sequence[LlmCall]) -> str:
    """Return the code of a fault of the settings after which no call was answered."""
    last = next((call.outcome for call in calls if call.outcome == "answered" or call.outcome in SETTING_FAULTS), "")
    return "" if last == "answered" else last
