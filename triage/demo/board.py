"""How the play looks while it runs: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from triage.demo.play import Progress
from triage.domain.instant import HOUR, MINUTE, format_duration, format_instant
from triage.ports import Clock
from triage.sample import START

EVERY = 6 * HOUR
"""Virtual time between two plain lines: 33 lines for the whole play."""

REFRESH = 400
"""Wall ms between two pictures of the live table."""

_RULES_SHOWN = 12


class PlainBoard:
    """One line every six virtual hours."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._due = START + EVERY

    def __enter__(self) -> PlainBoard:
        """Begin; nothing is shown yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End; the summary follows."""

    def watch(self, now: int, progress: Callable[[], Progress]) -> None:
        """Print a line if one is due."""
        if now >= self._due:
            self._out.write(plain_line(progress()) + "\n")
            self._out.flush()
            self._due = now - (now - START) % EVERY + EVERY


class LiveBoard:
    """A table that is drawn anew a few times a second. *clock* paces the drawing and nothing else."""

    def __init__(self, console: Console, clock: Clock, least: int = 12_000) -> None:
        """Show the play on *console*, slowed down to *least* wall ms so that a quick machine's can be followed."""
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._clock = clock
        self._least = least
        self._began = self._shown = 0

    def __enter__(self) -> LiveBoard:
        """Begin to draw."""
        self._began = self._clock.now()
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the table away; the summary follows."""
        self._live.stop()

    def watch(self, _now: int, progress: Callable[[], Progress]) -> None:
        """Draw where the last picture is old enough, and wait where the play is too quick to be followed."""
        wall = self._clock.now()
        if wall - self._shown < REFRESH:
            return
        state = progress()
        self._live.update(picture(state), refresh=True)
        self._shown = wall
        ahead = self._began + int(self._least * state.share) - wall
        if ahead > 0:
            self._clock.wait(ahead)


def plain_line(state: Progress) -> str:
    """Return the state of things as one line."""
    top = ", ".join(f"{rule} {count}" for rule, count in _top(state, 3))
    following = state.upcoming[0] if state.upcoming else None
    ahead = f"; next {format_instant(following.due)[11:16]} {following.record}" if following else ""
    return (
        f"{_day(state.now)}  open {state.records_open:>3}  effects {state.effects:>4}  missed {state.missed:>3} "
        f"(without escalation {state.missed_without:>3}){ahead}" + (f"; {top}" if top else "")
    )


def picture(state: Progress) -> RenderableType:
    """Return the state of things as a table."""
    head = Text.assemble(
        ("Virtual time ", "dim"), (_day(state.now), "bold"), ("   nothing outside is touched; Ctrl-C stops", "dim")
    )
    bar = Table.grid()
    bar.add_row(ProgressBar(total=1.0, completed=state.share, width=76))
    return Group(head, bar, _numbers(state), _columns(state))


def _numbers(state: Progress) -> Table:
    table = Table.grid(padding=(0, 3))
    worst = format_duration(state.lateness["worst"] // MINUTE * MINUTE) if state.lateness["worst"] else "0s"
    table.add_row(
        f"events {state.events}", f"open records {state.records_open}", f"timers fired {state.fired}",
        f"effects {state.effects}", f"late at most {worst} virtual",
    )  # fmt: skip
    table.add_row(
        Text(f"promises missed {state.missed}", style="bold"),
        Text(f"without escalation {state.missed_without}", style="bold red"),
    )
    return table


def _columns(state: Progress) -> Table:
    rules = Table("escalations by rule", "", box=None, pad_edge=False, header_style="bold cyan")
    for rule, count in _top(state, _RULES_SHOWN):
        rules.add_row(rule, str(count))
    timers = Table("due next", "record", "for", box=None, pad_edge=False, header_style="bold cyan")
    for one in state.upcoming:
        timers.add_row(_day(one.due)[4:], one.record, one.why)
    table = Table.grid(padding=(0, 4))
    table.add_row(rules, timers)
    return table


def _top(state: Progress, most: int) -> list[tuple[str, int]]:
    return sorted(state.by_rule.items(), key=lambda pair: (-pair[1], pair[0]))[:most]


def _day(instant: int) -> str:
    """Return an instant as `Wed 2026-09-02 14:05Z`."""
    text = format_instant(instant)
    weekday = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")[instant // (24 * HOUR) % 7]
    return f"{weekday} {text[:10]} {text[11:16]}Z"
