"""What people have halted, and until when the other side asked for peace."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from triage.ports import Stop
from triage.store.dialect import tell
from triage.store.tables import control
from triage.store.upsert import upsert

_STOP = "stop:"
_PAUSE = "pause"
_WAKING = "waking"


class SqlControl:
    """See `triage.ports.Control`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org

    def stops(self) -> dict[str, Stop]:
        """Return what is halted, by rule or `*`."""
        return self.gate()[0]

    def gate(self) -> tuple[dict[str, Stop], int]:
        """Return what is halted, by rule or `*`, and the instant before which nothing is sent, 0 for none."""
        query = select(control).where(control.c.org_id == self._org).order_by(control.c.name)
        rows = self._connection.execute(query).all()
        stops = [
            Stop(rule=row.name[len(_STOP) :], at=row.at_ms, actor=row.actor, reason=row.reason)
            for row in rows
            if row.name.startswith(_STOP)
        ]
        return {one.rule: one for one in stops}, next((row.at_ms for row in rows if row.name == _PAUSE), 0)

    def stop(self, stop: Stop) -> None:
        """Halt a rule, or everything."""
        self._set(_STOP + stop.rule, stop.at, stop.actor, stop.reason)

    def start(self, rule: str) -> bool:
        """Take a halt back; False where there was none."""
        gone = delete(control).where(control.c.org_id == self._org, control.c.name == _STOP + rule)
        tell(self._connection)
        return self._connection.execute(gone).rowcount > 0

    def pause(self, until: int) -> None:
        """Send nothing before *until*."""
        self._set(_PAUSE, until, "", "")

    def waking(self) -> tuple[int, str] | None:
        """Return a waking of all open records that has not ended: to which instant, and the last key woken."""
        mine = (control.c.org_id == self._org) & (control.c.name == _WAKING)
        query = select(control.c.at_ms, control.c.reason).where(mine)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else (row.at_ms, row.reason)

    def set_waking(self, due: int, after: str | None) -> None:
        """Store how far a waking has come; None: it has ended."""
        if after is not None:
            self._set(_WAKING, due, "", after)
            return
        self._connection.execute(delete(control).where(control.c.org_id == self._org, control.c.name == _WAKING))

    def _set(self, name: str, at: int, actor: str, reason: str) -> None:
        row = {"org_id": self._org, "name": name, "at_ms": at, "actor": actor, "reason": reason}
        upsert(self._connection, control, [row])
        tell(self._connection)
