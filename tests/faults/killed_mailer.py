"""A worker process for the mail kill test: carries out what is due through an SMTP sink, then exits 0."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from triage.sending import Pace
from triage.sinks.mail import MailSink, Server
from triage.store.database import SqlStore
from triage.wiring import SystemClock, open_worker


def main() -> None:
    """Work on the store given, mailing to the port given."""
    server = Server(host="127.0.0.1", port=int(sys.argv[2]), security="none", timeout=5_000)
    sink = MailSink("mail", server, "triage@example.com", SystemClock().now)
    pace = Pace(lease=1_000, act_batch=32, threads=4, poll=5)
    worker = open_worker(SqlStore(Path(sys.argv[1]), "acme"), sink, pace=pace)
    stop = threading.Event()
    threading.Thread(target=_stop_when_idle, args=(worker, stop), daemon=True).start()
    worker.run(stop)
    worker.close()


def _stop_when_idle(worker, stop) -> None:  # type: ignore[no-untyped-def]
    while not stop.wait(0.05):
        if worker.next_due() is None:
            stop.set()


main()
