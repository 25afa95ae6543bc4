"""Many sinks behind one: each action goes to the sink of the first route that takes it, and to no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from triage.domain.decision import Action
from triage.domain.message import UNWRITTEN, Message
from triage.errors import SinkRefused
from triage.ports import Listener, Receipt, Sink
from triage.sinks.settings import Route


class RoutedSink:
    """
    Sends by the routes of a sinks file; what no route takes is refused, and so becomes a dead letter.

    One action has one receiver, so that one that fails is never a reason to repeat another. `live` where any sink is.
    """

    name = "sinks"

    def __init__(
        self,
        sinks: Mapping[str, Sink],
        routes: Sequence[Route],
        organisations: Sequence[str],
        file: str = "the sinks file",
        listeners: Sequence[Listener] = (),
    ) -> None:
        """*organisations* are those whose actions may reach a live sink; *listeners* are told of decisions."""
        self.live = any(sink.live for sink in sinks.values())
        self._listeners = tuple(listeners)
        self._sinks = dict(sinks)
        self._routes = tuple(routes)
        self._organisations = frozenset(organisations)
        self._file = file

    def listeners(self, org: str) -> tuple[Listener, ...]:
        """Return who is told of the decisions of *org*: nobody where the file does not list it."""
        return self._listeners if org in self._organisations else ()

    def remembers(self, action: Action) -> bool:
        """Tell whether the sink that takes *action* does; one that nobody takes is not done twice."""
        sink = self._sink(action)
        return sink is None or sink.remembers(action)

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """
        Return the receipt of the sink that takes *action*.

        Raises:
            SinkRefused: no route takes it, its organisation may not send here, or the sink's own words.
            SinkBusy, SinkLimit: the sink's own.
        """
        sink = self._sink(action)
        if sink is None:
            raise SinkRefused(
                f"no sink takes {action.kind} to {action.target or 'nobody'}: add a route for it to {self._file}"
            )
        if sink.live and message.org not in self._organisations:
            raise SinkRefused(f"organisation {message.org!r} is not among the organisations of {self._file}")
        return sink.send(action, message)

    def close(self) -> None:
        """Close every sink."""
        for sink in self._sinks.values():
            sink.close()

    def _sink(self, action: Action) -> Sink | None:
        for route in self._routes:
            if route.takes(action.kind, action.target):
                return self._sinks[route.sink]
        return None
