"""Workers killed with SIGKILL just as the mail server takes a mail: none is lost, one comes twice at most a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.unit.sinks.receivers import PostOffice, mail_server
from triage.domain.instant import HOUR
from triage.engine import PureEngine
from triage.ports import EffectFilter
from triage.publishing import promote, publish
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY, Sandbox
from triage.wiring import SystemClock

SCRIPT = Path(__file__).with_name("killed_mailer.py")
RULES = """
object: Case
rules:
  - id: late
    when:
      - age >= 1h
    do:
      - notify: {who: "address:boss@example.com", template: late}
"""
SAFETY = SMALL_POLICY["people.yaml"] + "  digest_over: 1000\n  late_after: 1000d\n"
MAILS, KILLS = 60, 5


def prepare(database: Path) -> None:
    """Let *MAILS* mails be ready to go, under a policy whose one rule is promoted."""
    clock, store = SystemClock(), SqlStore(database, "acme")
    sandbox = Sandbox(SMALL_POLICY, store=store)
    sandbox.clock.set(clock.now() - 2 * HOUR)
    publish(
        store,
        PureEngine(),
        {**SMALL_POLICY, "people.yaml": SAFETY, "rules.yaml": RULES},
        sandbox.clock.now(),
        actor="t",
    )
    promote(store, PureEngine(), "late", "act", sandbox.clock.now(), actor="t", reason="test")
    sandbox.create(*(f"{number:03}" for number in range(MAILS)))
    sandbox.worker.fire(clock.now())
    assert len(sandbox.effects("ready")) == MAILS
    store.close()


def run_and_kill(database: Path, office: PostOffice, port: int) -> int:
    """Run workers until all is sent, killing the first *KILLS* while the server takes a mail; return how many fell."""
    fell = 0
    for kill in range(KILLS + 1):
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(database), str(port)], env={**os.environ, "PYTHONWARNINGS": "error"}
        )
        until = len(office.mails) + 1 + (kill * 7) % 13

        def strike(process: subprocess.Popen[bytes] = process, until: int = until, kill: int = kill) -> None:
            if kill < KILLS and len(office.mails) >= until:
                process.send_signal(signal.SIGKILL)

        office.on_data = strike
        fell += process.wait(timeout=120) == -signal.SIGKILL
    return fell


def test_a_killed_worker_repeats_one_mail_at_most(tmp_path: Path) -> None:
    """60 mails, 5 kills between the server's taking a mail and the worker's noting it down."""
    database = tmp_path / "t.db"
    prepare(database)
    with mail_server() as (office, port):
        fell = run_and_kill(database, office, port)
    raw = Counter(str(mail["Message-ID"]) for mail in office.mails)
    assert fell == KILLS
    assert len(raw) == MAILS
    assert sum(raw.values()) - MAILS <= KILLS
    assert max(raw.values()) <= 2
    store = SqlStore(database, "acme")
    with store.read() as unit:
        assert unit.outbox.counts() == {"done": MAILS}
        sent = {f"<{effect.action.key}@example.com>" for effect in unit.outbox.find(EffectFilter())}
    store.close()
    assert sent == set(raw)
