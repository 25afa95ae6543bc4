"""
Many records at once through a vendor's batch endpoint: cheaper, answered within a day, the same prompts and checks.

Anthropic has one here (`providers/anthropic.py`); another vendor needs `submit` and `collect` and nothing else. What
comes back is kept like any answer, so that the next ordinary scoring of the same text finds it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from triage.errors import AnswerRefused, BudgetSpent, ScoringError, StoreError, VendorError
from triage.llm.asking import Asker, checked
from triage.llm.prompting import Prompt, Question
from triage.llm.vendor import BatchProvider, Reply, Usage
from triage.ports import LlmCall
from triage.rules.llm_policy import LlmPolicy

SHARE = 2
"""A batch costs one part in so many of what single calls do."""


class Batch(Struct, frozen=True, kw_only=True):
    """A batch that was handed in: the vendor's id, its questions by call id, and those left out with the reason."""

    id: str
    calls: dict[str, tuple[LlmCall, Question]]
    left_out: dict[str, str]


class Collected(Struct, frozen=True, kw_only=True):
    """What came of a batch: how many answers were kept, and how many failed by code."""

    answered: int
    failed: dict[str, int]


def submit(asker: Asker, provider: BatchProvider, asked: Sequence[Question]) -> Batch:
    """
    Hand in *asked*, each reserved like a single call; where a budget ends, the rest is left out.

    Raises:
        VendorError: the vendor did not take the batch; what was reserved is given back where that is free.
    """
    calls: dict[str, tuple[LlmCall, Question]] = {}
    prompts: dict[str, Prompt] = {}
    left_out: dict[str, str] = {}
    for one in asked:
        try:
            call, prompts_of = asker.reserve(one, "batch")
        except (BudgetSpent, StoreError) as cause:
            left_out[one.record] = f"budget_{cause.scope}" if isinstance(cause, BudgetSpent) else "ledger"
            continue
        calls[call.id], prompts[call.id] = (call, one), prompts_of
    if not calls:
        return Batch(id="", calls={}, left_out=left_out)
    try:
        name = provider.submit(prompts)
    except VendorError as cause:
        for call, one in calls.values():
            asker.failed(one, call, cause)
        raise
    return Batch(id=name, calls=calls, left_out=left_out)


def collect(asker: Asker, provider: BatchProvider, batch: Batch, policy: LlmPolicy) -> Collected | None:
    """Keep what came of *batch* and settle its calls; None while it is not ended."""
    found = provider.collect(batch.id, list(batch.calls))
    if found is None:
        return None
    failed: dict[str, int] = {}
    for name, (call, one) in batch.calls.items():
        code = _take(asker, call, one, found[name], policy)
        if code:
            failed[code] = failed.get(code, 0) + 1
    return Collected(answered=len(batch.calls) - sum(failed.values()), failed=failed)


def _take(asker: Asker, call: LlmCall, one: Question, reply: Reply | VendorError, policy: LlmPolicy) -> str:
    """Settle one call; return "" where its answer was kept, else the code of what is wrong."""
    if isinstance(reply, ScoringError):
        asker.failed(one, call, reply)
        return reply.code
    usage = reply.usage and discounted(reply.usage)
    try:
        found = checked(reply, one, policy)
    except AnswerRefused as cause:
        asker.failed(one, call, cause, usage)
        return cause.code
    asker.keep(one, call, found, usage=usage)
    return ""


def discounted(usage: Usage) -> Usage:
    """Return tokens as they are billed in a batch, rounded up."""
    return Usage(*(-(-count // SHARE) for count in (usage.input, usage.cached, usage.output)))
