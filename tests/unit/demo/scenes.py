"""A play that never happened, for tests of what is said about it."""

from __future__ import annotations

from msgspec.structs import replace

from triage.demo.breaches import Breach
from triage.demo.play import Played, Progress, Upcoming
from triage.demo.scores import Scored
from triage.domain.decision import Action, Evidence, Reason
from triage.domain.facts import Facts
from triage.domain.instant import HOUR, MINUTE
from triage.domain.work import WorkItem
from triage.sample import START

NOW = START + 10 * HOUR


def action(rule: str = "gold-waiting", record: str = "50001", number: int = 1, priority: int = 0) -> Action:
    return Action(
        object="Case", id=record, rule=rule, step="", position=0, kind="reassign", target="user:005EM03", due=NOW,
        at=NOW, episode="e", key=f"{rule}{record}{number}", priority=priority,
        reason=Reason(evidence=(Evidence("account.tier == Gold", "Gold"),)),
    )  # fmt: skip


def breach(record: str = "50001", milestone: str = "first_response", late: int = HOUR, due: int = NOW) -> Breach:
    return Breach(due, f"Case/{record}", milestone, START, late)


def played(**parts) -> Played:
    base = Played(
        seed=7, began=START, ended=START + 24 * HOUR, finished=True, given=12, accepted=9, repeated=2, refused=1,
        reactions=3, records={"total": 4, "open": 1, "timers": 1}, fired=5, actions=(action(),),
        states={"done": 1, "held": 2}, lateness={"count": 5, "p50": MINUTE, "p99": MINUTE, "worst": MINUTE},
        missed=(), missed_without=(breach(),),
        scored=Scored(models={"sentiment": "s1", "urgency": "u1"}, events=9, records=4, actions=1),
    )  # fmt: skip
    return replace(base, **parts)


def progress(**parts) -> Progress:
    base = Progress(
        now=NOW, share=0.5, events=40, records_open=7, fired=9, effects=12, by_rule={"gold-waiting": 8, "late": 4},
        upcoming=(Upcoming(NOW + HOUR, "Case/50009", "sla-80-percent"),), missed=3, missed_without=11,
        lateness={"count": 9, "p50": 0, "p99": MINUTE, "worst": 3 * MINUTE},
    )  # fmt: skip
    return replace(base, **parts)


def known(record: str = "50001", **fields) -> dict[str, Facts]:
    item = WorkItem(object="Case", id=record, created_at=START, fields=fields)
    return {f"Case/{record}": Facts(org="default", item=item)}
