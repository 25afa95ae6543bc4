"""
What a model said, bounded by what the local model says: the only way its answer reaches a score.

Urgency rises by at most `max_raise` and never falls below the local score, in every mode. Where the mode is
`llm_with_local_floor`, the same holds for complexity, and a mood may only be worse than the local one, by as much.
Whole millionths inside, so that nothing depends on rounding.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from triage.domain.work import Scores, Value
from triage.llm.answers import LABELS, Finding
from triage.rules.llm_policy import LlmPolicy, Task

FAMILY = "llm"
"""The family under which a score's reasons say what came of asking: codes, no sentences."""

_FIELDS = {"intent": "intent.label", "product_line": "product_line.label", "language": "language.code"}
_ONE = 1_000_000
_FINE = 1_000
_EDGE = 200_000
"""From here on, of a million, a bounded mood is no longer neutral."""


class Merged(Struct, frozen=True, kw_only=True):
    """Scores, and what both models said of each task: [local, model], None where one said nothing."""

    scores: Scores
    compared: dict[str, tuple[Value | None, Value | None]] = field(default_factory=dict)


def merge(
    local: Scores, found: Mapping[str, Finding], tasks: tuple[Task, ...], policy: LlmPolicy, version: str
) -> Merged:
    """Return *local* with the findings of *tasks* in it; those in mode shadow are compared and used for nothing."""
    values, versions, reasons = dict(local.values), dict(local.model_versions), dict(local.reasons)
    compared: dict[str, tuple[Value | None, Value | None]] = {}
    codes = list(reasons.get(FAMILY, ()))
    for task in tasks:
        finding = found[task.name]
        compared[task.name] = _pair(task, finding, local)
        if _far(*compared[task.name], policy.disagree_over):
            codes.append(f"disagrees:{task.name}")
        if task.mode == "shadow":
            continue
        values |= _values(task, finding, local, policy)
        versions[task.name] = version
        if finding.reason:
            reasons[task.name] = (f"model: {finding.reason}", *local.reasons.get(task.name, ()))[:3]
    if codes:
        reasons[FAMILY] = tuple(codes)
    return Merged(scores=Scores(values=values, model_versions=versions, reasons=reasons), compared=compared)


def fallen_back(local: Scores, code: str) -> Scores:
    """Return *local* with the *code* that says why no model was heard."""
    return Scores(
        values=local.values,
        model_versions=local.model_versions,
        reasons=local.reasons | {FAMILY: (*local.reasons.get(FAMILY, ()), code)},
    )


def _values(task: Task, finding: Finding, local: Scores, policy: LlmPolicy) -> dict[str, Value]:
    if task.name in _FIELDS:
        return {_FIELDS[task.name]: finding.label}
    if task.name == "sentiment":
        return _mood(task, finding, local, policy.max_raise)
    name = f"{task.name}.score"
    score = _FINE * (finding.score or 0)
    if task.name == "urgency" or task.mode == "llm_with_local_floor":
        score = bounded(score, _millionths(local, name), _FINE * policy.max_raise, _ONE)
    return {name: score / _ONE, f"{task.name}.abstained": False}


def bounded(score: int, floor: int, most: int, top: int) -> int:
    """Return *score* between *floor* and *floor* + *most*, and no more than *top*."""
    return max(floor, min(score, floor + most, top))


def _mood(task: Task, finding: Finding, local: Scores, most: int) -> dict[str, Value]:
    """Return the mood. What alarms is a low one: bounded means as good as the local one at best."""
    score, shift, label = _FINE * (finding.score or 0), _FINE * (finding.shift or 0), finding.label
    if task.mode == "llm_with_local_floor":
        alarm = bounded(-score, -_millionths(local, "sentiment.score"), _FINE * most, _ONE)
        shift = -bounded(-shift, -_millionths(local, "sentiment.shift"), _FINE * most, 2 * _ONE)
        if -alarm != score:
            label = LABELS[0] if alarm >= _EDGE else LABELS[1] if alarm > -_EDGE else LABELS[2]
        own = str(local.values.get("sentiment.label", LABELS[1]))
        label = min(label, own, key=LABELS.index) if own in LABELS else label
        score = -alarm
    found: dict[str, Value] = {"sentiment.label": label, "sentiment.score": score / _ONE}
    return found | {"sentiment.shift": shift / _ONE, "sentiment.abstained": False}


def _millionths(local: Scores, name: str) -> int:
    """Return a local score in millionths, to which scores are rounded; 0 where there is none."""
    value = local.values.get(name)
    return round(value * _ONE) if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _pair(task: Task, finding: Finding, local: Scores) -> tuple[Value | None, Value | None]:
    if task.name in _FIELDS:
        return local.values.get(_FIELDS[task.name]), finding.label
    if task.name == "sentiment":
        return local.values.get("sentiment.label"), finding.label
    return local.values.get(f"{task.name}.score"), (finding.score or 0) / 1000


def _far(local: Value | None, model: Value | None, most: int) -> bool:
    """Tell whether two opinions differ: labels at all, numbers by more than *most* thousandths."""
    if local is None or model is None:
        return False
    if isinstance(local, str) or isinstance(model, str):
        return local != model
    if isinstance(local, tuple) or isinstance(model, tuple):
        return local != model
    return abs(local - model) * 1000 > most
