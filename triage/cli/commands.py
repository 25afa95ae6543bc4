"""The commands together, and errors turned into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from triage.errors import TriageError

BAD_INPUT = 2
"""The exit code of input that was refused; see `triage.cli.common`."""

PLACES = {
    "actions": "work:actions",
    "audit": "work:audit",
    "backlog": "operate:backlog",
    "calendar": "offline:calendar",
    "db": "operate:db",
    "deadline": "offline:deadline",
    "decide": "offline:decide",
    "demo": "offline:demo",
    "doctor": "operate:doctor",
    "erase": "upkeep:erase_words",
    "explain": "work:explain_record",
    "import": "importing:import_",
    "ingest": "work:ingest",
    "init": "history:init_policy",
    "keys": "serve:keys",
    "llm": "llm:llm",
    "models": "models:models",
    "next": "route:next_record",
    "override": "work:override",
    "pending": "work:pending",
    "people": "route:people",
    "policy": "operate:policy",
    "queue": "route:queue",
    "redistribute": "route:redistribute",
    "refused": "upkeep:refused",
    "replay": "history:replay",
    "route": "route:route",
    "rules": "offline:rules",
    "run": "work:run",
    "salesforce": "salesforce:salesforce",
    "sandbox": "salesforce:sandbox",
    "score": "score:score_file",
    "serve": "serve:serve",
    "sinks": "sinks:sinks",
    "start": "operate:start_effects",
    "stop": "operate:stop_effects",
    "tryout": "importing:tryout",
    "undo": "operate:undo_rule",
}
"""Where each command stands: its module below `triage.cli`, and its name there."""

MORE = {
    "rules": ("history:rules_preview", "operate:rules_promote", "operate:rules_rollback"),
    "db": ("upkeep:db_restore", "upkeep:db_prune"),
}
"""What stands in a group and was written elsewhere."""


class Commands(click.Group):
    """All commands by name. Each is imported when it is asked for: one of them does not wait for all the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, sorted."""
        return sorted(PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command *cmd_name*; None where there is none."""
        if cmd_name not in PLACES:
            return None
        found = _command(PLACES[cmd_name])
        for place in MORE.get(cmd_name, ()):
            assert isinstance(found, click.Group)
            found.add_command(_command(place))
        return found


def _command(place: str) -> click.Command:
    module, _, name = place.partition(":")
    found: click.Command = getattr(import_module(f"triage.cli.{module}"), name)
    return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="triage")
def cli() -> None:
    """
    Escalation before the breach.

    Exit codes: 0 all well, 1 something was found, 2 the input was refused. Settings come from TRIAGE_DATABASE_URL,
    TRIAGE_ORG, TRIAGE_POLICY, TRIAGE_SINK and TRIAGE_MODELS.
    """


def run(arguments: list[str]) -> int:
    """Return the exit code of one command: no error of ours, no refused input and no closed pipe is a stack trace."""
    name = next((one for one in arguments if not one.startswith("-")), "")
    if name in PLACES:
        # Here, not inside of click: it answers a Ctrl-C that comes while a module is imported with a line of its own.
        _command(PLACES[name])
    try:
        code = cli.main(args=arguments, prog_name="triage", standalone_mode=False)
    except TriageError as cause:
        from triage.cli.common import fail

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
