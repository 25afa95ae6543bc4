"""What a fit and an evaluation say to a person at the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.fit import Fitted


def summary(fitted: Fitted) -> str:
    """Return what was fitted on what, what was dropped and why, how good it is, and what to do next; plain text."""
    prepared, choice, about = fitted.prepared, fitted.choice, fitted.manifest
    spec = fitted.model.spec
    what = about["label"] or about["target"]
    lines = [f"{spec.task} {fitted.model.version}: {len(prepared.table):,} rows, target {what}, {fitted.folder}"]
    lines += [f"  note: {note}" for note in prepared.notes]
    for found in prepared.findings:
        what = "dropped" if found.drop and found.column in prepared.excluded else "looked at"
        lines.append(f"  {what} {found.column}: {'; '.join(found.evidence[:2])}")
    lines += [f"  left out {name}: {why}" for name, why in prepared.columns.left_out.items()]
    if fitted.with_leaks is not None:
        before, after = fitted.with_leaks
        what = "AUC" if len(spec.classes) == 2 else "minus log loss"
        lines.append(
            f"  a linear model with the dropped columns: {what} {before:.3f}; without, which is true: {after:.3f}"
        )
    life = f"half-life {choice.half_life:.1f} days" if choice.half_life else "all rows weigh the same"
    lines.append(
        f"  chosen: {choice.share:.0%} linear, {1 - choice.share:.0%} trees ({choice.iterations} x {choice.leaves} "
        f"leaves), {life}, calibrated by {spec.calibrator.kind}"
    )
    if not spec.signal:
        lines.append("  NO SIGNAL: the outcome cannot be told better than by chance; records are ranked by amount")
    lines.append("  on the latest slice, which fitted nothing:")
    lines += [f"    {line}" for line in _figures(fitted.metrics)]
    lines += [f"  not promotable: {why}" for why in about["not_promotable_because"]]
    return "\n".join(lines)


def figures_text(found: dict[str, Any]) -> str:
    """Return an evaluation as a small table."""
    head = f"{found['task']}: {found['rows']:,} rows" + ("" if found["signal"] else ", no signal")
    return "\n".join([head, *(f"  {line}" for line in _figures(found["metrics"]))])


def _figures(metrics: dict[str, dict[str, float | None]]) -> list[str]:
    shown = {name: {key: _plain(value) for key, value in row.items()} for name, row in metrics.items()}
    return [
        f"{name:18} {row['value']}  ({row['low']} to {row['high']}; floor {row['floor']})"
        for name, row in shown.items()
    ]


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4f}"
