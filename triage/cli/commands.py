"""The commands together, and errors turned into one sentence and an exit code."""

from __future__ import annotations

import os
import sys

import click

from triage.cli import (
    history,
    importing,
    llm,
    models,
    offline,
    operate,
    route,
    salesforce,
    score,
    serve,
    sinks,
    upkeep,
    work,
)  # fmt: skip
from triage.cli.common import BAD_INPUT, fail
from triage.errors import TriageError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="triage")
def cli() -> None:
    """
    Escalation before the breach.

    Exit codes: 0 all well, 1 something was found, 2 the input was refused. Settings come from TRIAGE_DATABASE_URL,
    TRIAGE_ORG, TRIAGE_POLICY, TRIAGE_SINK and TRIAGE_MODELS.
    """


for command in (history.rules_preview, operate.rules_promote, operate.rules_rollback):
    offline.rules.add_command(command)
for command in (upkeep.db_restore, upkeep.db_prune):
    operate.db.add_command(command)
for command in (
    *(offline.demo, offline.deadline, offline.calendar, offline.decide, offline.rules),
    *(history.init_policy, history.replay, importing.import_, importing.tryout),
    *(work.ingest, work.run, work.pending, work.explain_record, work.actions, work.audit, work.override),
    *(operate.policy, operate.stop_effects, operate.start_effects, operate.backlog, operate.undo_rule),
    *(salesforce.sandbox, salesforce.salesforce),
    *(route.route, route.queue, route.next_record, route.redistribute, route.people),
    *(operate.db, operate.doctor, sinks.sinks, llm.llm, upkeep.erase_words, upkeep.refused),
    *(models.models, score.score_file, serve.serve, serve.keys),
):
    cli.add_command(command)


def run(arguments: list[str]) -> int:
    """Return the exit code of one command: no error of ours, no refused input and no closed pipe is a stack trace."""
    try:
        code = cli.main(args=arguments, prog_name="triage", standalone_mode=False)
    except TriageError as cause:
        fail(cause, json="--json" in arguments)
        code = BAD_INPUT
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.Abort:
        # Click's own name for a Ctrl-C.
        raise KeyboardInterrupt from None
    except click.ClickException as cause:
        cause.show()
        code = BAD_INPUT
    except BrokenPipeError:
        # The reader has gone (`triage replay | head`): nothing is left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as cause:
        # A file or folder that cannot be read or written, wherever it was named.
        click.echo(f"{cause.filename}: {cause.strerror}" if cause.filename else str(cause), err=True)
        code = BAD_INPUT
    return code if isinstance(code, int) else 0
