"""Tables that lose nothing, and names that are looked up before anything is done under them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from triage.cli.commands import cli, run
from triage.cli.common import counted, known_owner, known_rule, print_table, time_to_come
from triage.errors import IntakeError
from triage.testing import START, Sandbox


def printed(columns: int | None) -> str:
    """Return what a process prints into a pipe, COLUMNS set or not."""
    code = "from triage.cli.common import print_table; print_table(('id', 'what'), [('500' * 8, 'x ' * 40)], '')"
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environment |= {} if columns is None else {"COLUMNS": str(columns)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return found.stdout


def test_a_pipe_has_no_width() -> None:
    assert printed(None).splitlines()[1].rstrip() == f"{'500' * 8}  {'x ' * 39}x"


def test_columns_count_in_a_pipe_too() -> None:
    lines = printed(60).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[1].startswith("500" * 8)


def test_where_a_word_has_no_room_each_row_stands_in_lines_of_its_own() -> None:
    assert printed(20).splitlines()[0] == f"id: {'500' * 8}"


def test_an_empty_table_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a",), [], "nothing")
    assert capsys.readouterr().out == "nothing\n"


def test_one_thing_is_not_many() -> None:
    assert [counted(number, "finding") for number in (0, 1, 2000)] == ["0 findings", "1 finding", "2,000 findings"]


def test_a_rule_is_known_by_the_policy_or_by_what_it_did() -> None:
    sandbox = Sandbox()
    with sandbox.store.read() as unit:
        known_rule(unit, "age-1h")
        with pytest.raises(IntakeError, match="did you mean 'age-1h'"):
            known_rule(unit, "age1h")
        with pytest.raises(IntakeError, match="it has age-1h, gold-2h, high-3h"):
            known_rule(unit, "zzz")


@pytest.mark.parametrize("target", ["queue:Tier2", "Tier2", "pool:seniors", "005A", "user:005B", "00GInbox"])
def test_owners_that_are_known_pass(target: str) -> None:
    sandbox = Sandbox()
    sandbox.agent("005B", presence="online")
    sandbox.create("1")
    with sandbox.store.read() as unit:
        known_owner(unit, target)


@pytest.mark.parametrize(
    ("target", "said"),
    [("queue:Tier3", "did you mean 'Tier2'"), ("005Z", "no user '005Z'"), ("role:boss", "is no owner")],
)
def test_owners_that_nobody_knows_are_refused(target: str, said: str) -> None:
    sandbox = Sandbox()
    sandbox.agent("009B", presence="online")
    with sandbox.store.read() as unit, pytest.raises(IntakeError, match=said):
        known_owner(unit, target)


def test_where_nobody_is_known_everybody_passes() -> None:
    with Sandbox().store.read() as unit:
        known_owner(unit, "005ZZZ")


def test_an_end_that_has_passed_is_refused() -> None:
    assert time_to_come(None, START) is None
    assert time_to_come("2026-03-02T09:00:01Z", START) == START + 1000
    with pytest.raises(IntakeError, match="has passed"):
        time_to_come("2026-03-02T09:00:00Z", START)


def test_every_command_prints_json_on_demand() -> None:
    """Programs read what people read: no command is left without the switch."""

    def without(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                part = command.get_command(context, name)
                assert part is not None
                yield from without(part, (*path, name))
        elif not any("--json" in parameter.opts for parameter in command.params):
            yield " ".join(path)

    assert list(without(cli, ())) == []


@pytest.mark.parametrize(
    "command",
    [
        ("keys", "create", "--scope", "read", "--expires"),
        ("keys", "rotate", "zz", "--expires"),
        ("db", "prune", "--older-than"),
        ("ingest", "--watch", "nowhere", "--once", "--settle"),
        ("run", "--drain", "--settle"),
    ],
)
def test_what_is_no_duration_is_answered_in_a_sentence(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every option that takes a duration refuses the same way, before it opens a store."""
    assert run([*command, "soon"]) == 2
    assert "'soon' is no duration: write 30d, 12h or 15m" in capsys.readouterr().err
    assert run([*command, f"{10**30}d"]) == 2
    assert "more than a hundred years" in capsys.readouterr().err
