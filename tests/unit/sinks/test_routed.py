"""Many sinks behind one: each action to one place, and a clear word where there is none."""

from __future__ import annotations

import pytest

from tests.unit.sinks.letters import SECRET, action, hook, message
from triage.errors import SinkBusy, SinkRefused
from triage.sinks import StoreSink
from triage.sinks.listening import DecisionListener
from triage.sinks.routed import RoutedSink
from triage.sinks.settings import Listening, Route
from triage.sinks.webhook import WebhookSink
from triage.testing import RecordingSink


def busy(_: object) -> None:
    raise SinkBusy("later")


def routed(mail: RecordingSink, log: RecordingSink) -> RoutedSink:
    routes = (
        Route(sink="mail", kinds=("notify",)),
        Route(sink="here", kinds=("set",)),
        Route(sink="log", to=("user:*",)),
    )
    return RoutedSink({"mail": mail, "log": log, "here": StoreSink()}, routes, ("acme",), "sinks.yaml")


def test_the_first_route_that_takes_an_action_has_it_alone() -> None:
    mail, log = RecordingSink(), RecordingSink()
    sink = routed(mail, log)
    sink.send(action("a", target="user:1"), message())
    sink.send(action("b", target="user:1", kind="reassign"), message())
    assert (list(mail.done), list(log.done)) == (["a"], ["b"])


def test_what_no_route_takes_is_refused_with_what_to_do() -> None:
    with pytest.raises(SinkRefused) as found:
        routed(RecordingSink(), RecordingSink()).send(hook(), message())
    assert str(found.value) == "no sink takes custom to webhook:page: add a route for it to sinks.yaml"


def test_another_organisation_reaches_nothing_outside() -> None:
    mail = RecordingSink()
    sink = routed(mail, RecordingSink())
    with pytest.raises(SinkRefused, match=r"organisation 'other' is not among the organisations of sinks\.yaml"):
        sink.send(action(), message(org="other"))
    with pytest.raises(SinkRefused):
        sink.send(action())
    assert mail.calls == []
    assert not sink.send(action(kind="set", target="field:x"), message(org="other")).already


def test_one_that_is_busy_repeats_nothing_elsewhere() -> None:
    log = RecordingSink()
    sink = routed(RecordingSink(busy), log)
    for _ in range(2):
        with pytest.raises(SinkBusy):
            sink.send(action(), message())
    assert log.calls == []


def test_it_is_live_where_any_of_its_sinks_is() -> None:
    assert routed(RecordingSink(live=False), RecordingSink(live=True)).live
    assert not RoutedSink({"here": StoreSink()}, (Route(sink="here"),), ("acme",)).live


def test_it_remembers_as_the_sink_that_takes_an_action_does() -> None:
    class Forgetful(RecordingSink):
        def remembers(self, action: object) -> bool:
            return False

    sink = routed(Forgetful(), RecordingSink())
    assert not sink.remembers(action())
    assert sink.remembers(action(kind="reassign", target="user:1"))
    assert sink.remembers(hook())


def test_closing_closes_all() -> None:
    closed: list[str] = []

    class Closing(RecordingSink):
        def close(self) -> None:
            closed.append(self.name)

    routed(Closing(name="mail"), Closing(name="log")).close()
    assert sorted(closed) == ["log", "mail"]


def test_nobody_listens_for_an_organisation_that_the_file_does_not_list() -> None:
    """Its worker tells nobody, so that its audit holds nothing of a file that does not name it."""
    hooks = WebhookSink("hooks", {"bus": SECRET}, lambda: 0)
    listener = DecisionListener(hooks, Listening(sink="hooks", webhook="bus"), ("acme",))
    sink = RoutedSink({"hooks": hooks}, (), ("acme",), listeners=[listener])
    assert sink.listeners("acme") == (listener,)
    assert sink.listeners("other") == ()
    sink.close()
