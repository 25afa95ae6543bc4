"""The command line of training: fit, evaluate. Errors are one sentence and exit code 2, never a stack trace."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml
from threadpoolctl import threadpool_limits

from training.checks import COMMANDS
from training.options import Greedy, Many
from training.prepare import Request
from triage.errors import IntakeError, TriageError

BAD_INPUT = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """Fit, judge and compare models. Exit codes: 0 all well, 1 something was found, 2 the input was refused."""


for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line; the process ends with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Return the exit code of one command."""
    try:
        code = cli.main(args=arguments, prog_name="triage-train", standalone_mode=False)
    except TriageError as cause:
        click.echo(str(cause), err=True)
        code = BAD_INPUT
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as cause:
        cause.show()
        code = BAD_INPUT
    except MemoryError:
        click.echo(
            "the memory of this machine is not enough for this table: fit on fewer rows or shorter texts", err=True
        )
        code = BAD_INPUT
    except OSError as cause:
        click.echo(f"{cause.filename}: {cause.strerror}" if cause.filename else str(cause), err=True)
        code = BAD_INPUT
    return code if isinstance(code, int) else 0


@cli.command("fit", cls=Greedy)
@click.argument("task", type=click.Choice(["urgency", "lead-value", "sentiment"]))
@click.option(
    "--data",
    cls=Many,
    required=True,
    help="FILE.. or an export's folder: the first is the row set, others join on the id.",
)
@click.option("--target", default="", help="The column to learn.")
@click.option(
    "--label",
    default="",
    help="Instead of a target: sla_violated, escalated, slow:p90, priority_raised, converted, won.",
)
@click.option("--id", "id_", default="", help="The column that names a record, the same in each file.")
@click.option("--time", default=None, help="The column of the instant at which a row was known.")
@click.option("--tz", default="UTC", show_default=True, help="Zone of instants that carry none.")
@click.option("--text", cls=Many, help="Columns of free text; others are found.")
@click.option("--amount", default="", help="The column of money won, for lead-value.")
@click.option("--history", cls=Many, help="Field history files: the record's own past.")
@click.option("--also", cls=Many, help="More training rows of the same meaning.")
@click.option("--exclude", cls=Many, help="Columns (patterns) that are no features.")
@click.option("--keep", cls=Many, help="Columns to keep though the guard names them; needs --because.")
@click.option("--because", default="", help="Why a kept column is known before the outcome.")
@click.option("--as-of", default="", help="Ages to score at, as 0h,4h,24h,72h; needs --history or --label.")
@click.option(
    "--immutable", cls=Many, help="With --label: fields that nobody edits, kept though no history tells them."
)
@click.option(
    "--own", cls=Many, help="With --label: ids of the users that triage writes as; their records are left out."
)
@click.option(
    "--cut", default="", help="Learn only what was known at this instant, by the column that says when a row ended."
)
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False), default=None, help="YAML with any of these options."
)
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--coverage",
    type=click.FloatRange(0.5, 0.999),
    default=0.9,
    show_default=True,
    help="Share of outcomes that abstention promises to hold.",
)
@click.option(
    "--segment", default="", help="Category whose segments get thresholds of their own [default: one is picked]."
)
@click.option("--high-first", is_flag=True, help="On a scale the first class is the urgent one.")
@click.option("--base", default="", help="Sentiment: the folder to start from [default: the shipped model].")
@click.option("--note", default="", help="A sentence for the card, such as where the rows come from.")
@click.option("--out", required=True, type=click.Path(file_okay=False), help="The model folder to write.")
def fit_command(task: str, **options: Any) -> None:
    """Fit a model unattended: leaking columns are dropped by name, candidates compete, the best is sealed in --out."""
    options = _with_config(options)
    if task == "sentiment":
        _fit_sentiment(options)
        return
    from training.fit import fit
    from training.summary import summary

    request = _request(task, options)
    with progress() as tell, threadpool_limits(1):
        fitted = fit(request, tell)
    click.echo(summary(fitted))


@cli.command("evaluate", cls=Greedy)
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--data", cls=Many, required=True, help="FILE..: the first is the row set, others join on the id.")
@click.option("--target", required=True)
@click.option("--id", "id_", default="", help="[default: as in training]")
@click.option("--time", default=None, help="[default: as in training]")
@click.option("--tz", default="", help="[default: as in training]")
@click.option("--history", cls=Many, help="Field history files.")
@click.option("--as-of", default="", help="Ages to score at.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate_command(folder: str, as_json: bool, **options: Any) -> None:
    """Score rows the model has not seen and compare with what came of them."""
    from training.summary import figures_text
    from triage.scoring.folder import read_manifest

    if read_manifest(Path(folder)).get("kind") != "tabular":
        _evaluate_sentiment(folder, as_json, options)
        return
    from training.evaluate import evaluate

    with threadpool_limits(1):
        found = evaluate(
            Path(folder), options["data"], options["target"], id=options["id_"], time=options["time"],
            tz=options["tz"], history=options["history"], as_of=_ages(options["as_of"]),
        )  # fmt: skip
    click.echo(msgspec.json.encode(found).decode() if as_json else figures_text(found))


@cli.command("sample-models")
@click.option("--out", default="models", show_default=True, type=click.Path(file_okay=False))
def sample_models_command(out: str) -> None:
    """Fit the models that ship, on sample organisations of ours: urgency/sample-1 and lead-value/sample-1."""
    from training.sample import fit_sample
    from training.summary import summary

    for task in ("urgency", "lead-value"):
        with progress() as tell, threadpool_limits(1):
            fitted = fit_sample(task, Path(out), tell)
        click.echo(summary(fitted))


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Give what is told a moving line on a terminal, and plain lines elsewhere; both on the error stream."""
    if not sys.stderr.isatty():
        yield lambda line: click.echo(f"  {line}", err=True)
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        job = bar.add_task("starting", total=None)
        yield lambda line: bar.update(job, description=line)


def _request(task: str, options: dict[str, Any]) -> Request:
    if bool(options["target"]) == bool(options["label"]):
        raise IntakeError("name what to learn: either --target COLUMN or --label LABEL")
    if options["target"] and not options["id_"]:
        raise IntakeError("--id is missing: name the column that tells records apart")
    return Request(
        task=task, data=tuple(options["data"]), id=options["id_"], out=options["out"], target=options["target"],
        label=options["label"], time=options["time"], tz=options["tz"], text=tuple(options["text"]),
        amount=options["amount"], history=tuple(options["history"]), also=tuple(options["also"]),
        exclude=tuple(options["exclude"]), keep=tuple(options["keep"]), because=options["because"],
        as_of=_ages(options["as_of"]), cut=options["cut"],
        immutable=tuple(options["immutable"]), own=tuple(options["own"]), seed=options["seed"],
        coverage=options["coverage"], segment=options["segment"], high_first=options["high_first"],
        note=options["note"],
    )  # fmt: skip


def _ages(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _with_config(options: dict[str, Any]) -> dict[str, Any]:
    """Return *options* with those of the YAML file where the command line says nothing."""
    path = options.pop("config")
    if path is None:
        return options
    try:
        told = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as cause:
        raise IntakeError(f"{path}: not YAML: {str(cause).splitlines()[0]}") from cause
    if not isinstance(told, dict):
        raise IntakeError(f"{path}: write options as `name: value`")
    for name, value in told.items():
        key = {"id": "id_"}.get(str(name), str(name).replace("-", "_"))
        if key not in options or key == "out":
            raise IntakeError(f"{path}: there is no option {name!r}")
        if not options[key] or options[key] == {"tz": "UTC", "seed": 0, "coverage": 0.9}.get(key):
            options[key] = _told(path, key, value)
    return options


def _told(path: str, key: str, value: Any) -> Any:
    """Return *value* of the YAML file as the command line would give the option *key*."""
    option = next(option for option in fit_command.params if option.name == key)
    words = [str(part) for part in value] if isinstance(value, list) else [] if value is None else [str(value)]
    if isinstance(option, click.Option) and (option.multiple or isinstance(option, Many)):
        return tuple(words)
    if value is None:
        return option.get_default(click.Context(fit_command))
    try:
        return option.type.convert(",".join(words), option, None)
    except click.BadParameter as cause:
        raise IntakeError(f"{path}: {key.strip('_')}: {cause.message}") from cause


def _fit_sentiment(options: dict[str, Any]) -> None:
    try:
        from training.sentiment_run import fit_from_options
    except ImportError as cause:
        raise IntakeError(f"fitting sentiment needs the extra: pip install 'triage[sentiment]' ({cause})") from cause
    fit_from_options(options)


def _evaluate_sentiment(folder: str, as_json: bool, options: dict[str, Any]) -> None:
    try:
        from training.sentiment_run import evaluate_from_options
    except ImportError as cause:
        raise IntakeError(f"judging sentiment needs the extra: pip install 'triage[sentiment]' ({cause})") from cause
    evaluate_from_options(folder, as_json, options)
