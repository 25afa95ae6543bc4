"""Commands about language models: try one, what asking has cost, what it will cost."""

from __future__ import annotations

import uuid

import click
from msgspec import to_builtins

from triage.cli.common import (
    FINDINGS,
    OK,
    as_json,
    cell,
    counted,
    instant_cell,
    opened_store,
    policy_option,
    print_json,
    print_table,
    read_policy,
    store_option,
)  # fmt: skip
from triage.config import Settings, read_secret
from triage.domain.instant import DAY
from triage.domain.work import Event, WorkItem
from triage.errors import ConfigError
from triage.llm.asking import Asker, Outcome
from triage.llm.figures import SEEN, UsageReport, forecast, usage_report
from triage.llm.health import FIXES, LlmHealth, dollars, health_of, limits_of
from triage.llm.prompting import Question, prompt_of, question
from triage.llm.providers.opening import key_of, open_provider
from triage.rules.llm_policy import MESSAGES, LlmPolicy
from triage.store.memory import MemoryStore
from triage.wiring import SystemClock

EXAMPLE = (
    "Since this morning nobody in our office can log in, error 7. Call me on +49 30 901820 or write to "
    "jane.doe@example.com. If this is not solved by noon we lose the day's orders."
)

_TEXTS = ("description", "latest_message", "text")


@click.group()
def llm() -> None:
    """Try the language model of the policy, and see what asking it costs."""


@llm.command("test")
@click.option("--object", "object_name", default="", help="Which object's fields and tasks [default: the first one].")
@click.option("--text", default=EXAMPLE, help="What the customer says in the test.")
@click.option("--dry", is_flag=True, help="Show what would be sent, and send nothing.")
@policy_option
@as_json
def llm_test(object_name: str, text: str, dry: bool, folder: str | None, as_json: bool) -> int:
    """
    Ask once about an invented record: what is sent (masked), the answer, tokens and cost, or which setting is wrong.

    It costs one call; the stored ledger is not touched.
    """
    policy, clock = _policy(folder), SystemClock()
    org = Settings.from_environment().org
    asked = _example(policy, object_name, text)
    prompt = prompt_of(asked, policy, "…")
    shown: dict[str, object] = {
        "provider": policy.provider, "endpoint": policy.endpoint, "model": policy.model, "key": key_of(policy, org),
        "fields": asked.sent, "masked": asked.masked, "prompt": asked.prompt, "system": prompt.system,
        "sent": prompt.user,
    }  # fmt: skip
    if not as_json:
        _show_question(shown)
    if dry:
        print_json(shown) if as_json else click.echo("nothing was sent")
        return OK
    asker = Asker(
        policy, MemoryStore(org), clock, lambda: open_provider(policy, org, read_secret, clock.now), _ids
    )  # fmt: skip
    try:
        outcome = asker.ask(asked, "test")
    finally:
        asker.close()
    if as_json:
        print_json(shown | _outcome(outcome))
    else:
        _show_outcome(outcome)
    return OK if outcome.answered else FINDINGS


@llm.command("usage")
@click.option("--days", default=30, type=click.IntRange(1, 400), help="How far back.")
@store_option
@policy_option
@as_json
def llm_usage(days: int, url: str | None, folder: str | None, as_json: bool) -> int:
    """Show calls, tokens, cost and reasons by day and model, and how far both models agree."""
    policy, now = _policy(folder), SystemClock().now()
    with opened_store(url) as store, store.read() as unit:
        since = (now // DAY - days + 1) * DAY
        tallies, calls = unit.llm.tally(since), unit.llm.calls(since=since, limit=SEEN)
        health = health_of(policy, unit, now)
    report = usage_report(tallies, calls, policy, days)
    if as_json:
        print_json({"report": to_builtins(report), "rows": to_builtins(tallies), "health": to_builtins(health)})
        return OK if health.ok else FINDINGS
    columns = ("day", "model", "for", "outcome", "calls", "tokens in", "cached", "out", "cost")
    rows = [
        (instant_cell(one.day * DAY)[:10], one.model, one.purpose, one.outcome or "open", one.calls, one.input,
         one.cached, one.output, dollars(one.cost)) for one in tallies
    ]  # fmt: skip
    print_table(columns, rows, "nothing was asked")
    _show_report(report)
    _show_health(health)
    return OK if health.ok else FINDINGS


@llm.command("forecast")
@store_option
@policy_option
@as_json
def llm_forecast(url: str | None, folder: str | None, as_json: bool) -> int:
    """Show what today will have cost by midnight UTC, and when the budget ends at this pace."""
    policy, now = _policy(folder), SystemClock().now()
    with opened_store(url) as store, store.read() as unit:
        today = limits_of(policy, unit.org, "", now)[1]
        spent = unit.llm.spent(today)
        tallies = unit.llm.tally((now // DAY - 7) * DAY)
    past: dict[int, int] = {}
    for one in tallies:
        if one.day < now // DAY:
            past[one.day] = past.get(one.day, 0) + one.cost
    found = forecast(spent, today.most, past, now)
    if as_json:
        print_json(found)
    else:
        ending = f"by midnight UTC {dollars(found.expected)}"
        click.echo(f"spent today {dollars(found.spent)} of {dollars(found.budget)}; {ending}")
        if found.ends is not None:
            click.echo(f"the budget ends at {instant_cell(found.ends)}: the local model answers from then on")
    return OK if found.ends is None else FINDINGS


def _ids() -> str:
    return uuid.uuid4().hex


def _policy(folder: str | None) -> LlmPolicy:
    found = read_policy(folder).llm
    if found is None:
        raise ConfigError(
            "the policy has no section llm: it names provider, endpoint, model, key, fields, tasks, budget"
        )
    return found


def _example(policy: LlmPolicy, object_name: str, text: str) -> Question:
    """Return the question about an invented record whose every field that may be sent says *text*."""
    name = object_name or next(iter(policy.fields))
    tasks = policy.tasks_of(name)
    if not tasks:
        raise ConfigError(f"nothing is asked about {name!r}: see llm.fields and llm.tasks")
    fields = policy.fields[name]
    first = next((one for one in (*_TEXTS, MESSAGES) if one in fields), fields[0])
    values = {} if first == MESSAGES else {"latest_message" if first == "text" else first: text}
    item = WorkItem(object=name, id="TEST", created_at=0, fields=dict(values))
    said = Event(at=0, type="message", event_id="test", object=name, id="TEST", direction="in", body=text)
    asked = question(item, (said,), tasks, policy)
    if asked is None:
        raise ConfigError(f"none of llm.fields of {name} says anything: add description")
    return asked


def _show_question(shown: dict[str, object]) -> None:
    click.echo(f"{shown['provider']} {shown['model']} at {shown['endpoint']}, key from {shown['key']}")
    masked = shown["masked"]
    counts = ", ".join(f"{count} {mark}" for mark, count in masked.items()) if isinstance(masked, dict) else ""
    click.echo(f"masked: {counts or 'nothing'}\n--- sent ---\n{shown['sent']}\n---")


def _outcome(outcome: Outcome) -> dict[str, object]:
    last = outcome.calls[-1] if outcome.calls else None
    return {
        "outcome": outcome.code,
        "answer": to_builtins(outcome.found),
        "attempts": len(outcome.calls),
        "tokens": {"input": last.input, "cached": last.cached, "output": last.output} if last else None,
        "cost_micro_usd": sum(call.cost or 0 for call in outcome.calls),
        "request": last.request if last else "",
        "fix": "" if outcome.answered else FIXES.get(outcome.code, ""),
        "said": outcome.said,
    }


def _show_outcome(outcome: Outcome) -> None:
    said = _outcome(outcome)
    for task, finding in outcome.found.items():
        score = "" if finding.score is None else f" {finding.score / 1000:g}"
        click.echo(f"{task}: {cell(finding.label)}{score}  {cell(finding.reason)}".rstrip())
    if outcome.calls:
        spent = dollars(sum(call.cost or 0 for call in outcome.calls))
        click.echo(f"{counted(len(outcome.calls), 'attempt')}, tokens {said['tokens']}, cost {spent}")
    if not outcome.answered:
        click.echo(f"not answered: {cell(outcome.said or outcome.code)}", err=True)
        if said["fix"]:
            click.echo(f"fix: {said['fix']}", err=True)


def _show_report(report: UsageReport) -> None:
    click.echo(
        f"{report.calls:,} calls, {report.answered:,} answered, {dollars(report.spent)} in {report.days} days "
        f"({dollars(report.per_thousand)} per 1,000 records, {dollars(report.projected)} a month at this pace; "
        f"{dollars(report.shadow_spent)} of it in shadow)"
    )
    for task, found in report.agreement.items():
        gap = "" if found.gap is None else f", mean gap {found.gap:.3f}"
        click.echo(f"{task}: both models agree on {found.agreed:,} of {found.asked:,}{gap}")


def _show_health(health: LlmHealth) -> None:
    click.echo(health.sentence(), err=not health.ok)
    if health.fix:
        click.echo(f"fix: {health.fix}", err=True)
