"""Options that take one or more values after one name, as `--data a.csv b.csv`."""

from __future__ import annotations

from typing import Any

import click


class Many(click.Option):
    """An option that takes one or more values after one name: `--data a.csv b.csv`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["multiple"] = True
        super().__init__(*args, **kwargs)


class Greedy(click.Command):
    """A command whose `Many` options take every value up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the name of a `Many` option before each of its values, then parse as usual."""
        many = {name for param in self.params if isinstance(param, Many) for name in param.opts}
        spread: list[str] = []
        current = ""
        for arg in args:
            if arg.startswith("--"):
                current = arg if arg in many else ""
                spread.append(arg) if not current else None
            elif current:
                spread += [current, arg]
            else:
                spread.append(arg)
        return super().parse_args(ctx, spread)
