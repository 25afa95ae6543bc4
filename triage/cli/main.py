"""
The entry point of the `triage` script. It imports nothing heavy before Ctrl-C is taken care of.

Everything else is in `commands.py`, which takes a second or two to import.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit. Ctrl-C ends it with one word and code 130, however early it comes."""
    # A job in the background, or one beneath nohup, has Ctrl-C ignored, and keeps it so.
    mine = threading.current_thread() is threading.main_thread()
    usual = mine and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    before = _take_over() if usual else None
    try:
        from triage.cli.commands import run

        code = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(INTERRUPTED)
    if before is not None:
        signal.signal(signal.SIGINT, before)
    sys.exit(code)


def _take_over() -> Callable[[int, FrameType | None], object] | int | None:
    """Let the first Ctrl-C end the command in good order, and a second one end the process at once, without a trace."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise KeyboardInterrupt

    return signal.signal(signal.SIGINT, interrupt)


if __name__ == "__main__":
    main()
