"""The handler that hands out one item: the same service as `triage next`."""

from __future__ import annotations

from triage.api import shapes
from triage.api.desk import Call, not_found
from triage.api.problems import Refused
from triage.errors import IntakeError
from triage.handing import Handed, agent_named, hand_out, skip


def next_item(call: Call, body: shapes.NextRequest) -> shapes.NextAnswer:
    """
    Return the one record that the person is to work on next, which is given to them where it is not theirs yet.

    A record named in `skip` is passed over for four hours, and why is in the audit.
    """
    policy, name = call.desk.policy(call.org), call.path["id"]
    with call.store.read() as unit:
        try:
            agent = agent_named(unit, policy, name)
        except IntakeError as cause:
            raise not_found(cause.reason) from cause
    if body.skip:
        skip(call.store, policy, agent.id, body.skip, body.reason, call.now)
    handed = hand_out(call.store, policy, agent.id, call.now)
    if handed.order is not None:
        found = call.desk.door(call.org).take([handed.order], "orders", call.now, live_from=0)
        if found.refused:
            raise Refused(422, found.refusals[0].reason)
    return _told(agent.id, handed)


def _told(agent: str, handed: Handed) -> shapes.NextAnswer:
    rank = handed.rank
    return shapes.NextAnswer(
        agent=agent, record=handed.record or None, own=handed.own, rank=None if rank is None else rank.score,
        why="nothing to do" if rank is None else rank.words(), passed=list(handed.passed),
    )  # fmt: skip
