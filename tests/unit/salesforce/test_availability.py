"""Who can take work stands in a field of the user, where that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from tests.support.org import ANN, BOB, Place, place
from triage.domain.instant import MINUTE
from triage.salesforce.availability import Availability
from triage.salesforce.deployment import Deployment
from triage.salesforce.package import AVAILABLE
from triage.salesforce.sandbox.values import Caller
from triage.steering import start, stop
from triage.testing import SMALL_POLICY


@contextmanager
def two_people(texts: Mapping[str, str] = SMALL_POLICY) -> Iterator[Place]:
    """Give an organisation in which Ann is there and Bob is away."""
    with place(texts) as found:
        found.open()
        for user, away in ((ANN, False), (BOB, True)):
            values = {"UserId": user, "IsCurrentState": True, "IsAway": away, "ConfiguredCapacity": 1}
            found.org.create("UserServicePresence", values, Caller(ANN))
        found.clock.move(MINUTE)
        found.read()
        yield found


@pytest.fixture
def here() -> Iterator[Place]:
    """An organisation in which Ann is there and Bob is away."""
    with two_people() as found:
        yield found


def keeper(here: Place, *, asked: bool = True, name: str = "one") -> Availability:
    """What keeps the field, where the connection asks for it."""
    here.client.connection = replace(here.client.connection, availability=asked)
    return Availability(here.client, Deployment(here.client, name), here.worker.store)


def shown(here: Place, user: str) -> bool:
    return bool(here.row(user, "User")[AVAILABLE])


def test_whoever_is_there_and_has_room_is_available_and_only_changes_are_written(here: Place) -> None:
    found = keeper(here)
    assert found.poll(here.clock.now()) == 1
    assert (shown(here, ANN), shown(here, BOB)) == (True, False)
    here.clock.move(MINUTE)
    assert found.poll(here.clock.now()) == 0


def test_whoever_is_full_is_not_available_and_hears_of_it_within_a_minute(here: Place) -> None:
    found = keeper(here)
    found.poll(here.clock.now())
    here.case(OwnerId=ANN)
    here.read()
    assert found.poll(here.clock.now()) == 0
    here.clock.move(MINUTE)
    assert found.poll(here.clock.now()) == 1
    assert not shown(here, ANN)


def test_nothing_is_written_unless_it_is_asked_for_and_this_deployment_acts(here: Place) -> None:
    assert keeper(here, asked=False).poll(here.clock.now()) == 0
    keeper(here).poll(here.clock.now())
    here.org.update("User", ANN, {AVAILABLE: False}, Caller(ANN))
    assert keeper(here, name="another").poll(here.clock.now()) == 0
    assert not shown(here, ANN)


def test_nothing_is_written_while_everything_is_stopped_or_the_organisation_is_paused(here: Place) -> None:
    """What has changed meanwhile is written after it."""
    found, store = keeper(here), here.worker.store
    stop(store, here.clock.now(), actor="ann")
    assert found.poll(here.clock.now()) == 0
    start(store, here.clock.now(), actor="ann")
    with store.write() as unit:
        unit.control.pause(here.clock.now() + 2 * MINUTE)
    here.clock.move(MINUTE)
    assert found.poll(here.clock.now()) == 0
    assert not shown(here, ANN)
    here.clock.move(MINUTE)
    assert found.poll(here.clock.now()) == 1


def test_a_stop_of_one_rule_is_none_of_this(here: Place) -> None:
    """The field belongs to no rule."""
    stop(here.worker.store, here.clock.now(), rule="page", actor="ann")
    assert keeper(here).poll(here.clock.now()) == 1


def test_whoever_was_silent_for_longer_than_the_policy_trusts_is_not_available() -> None:
    """As routing has it, which would give them nothing."""
    with two_people({**SMALL_POLICY, "routing.yaml": "routing: {stale_after: 10m}"}) as here:
        found = keeper(here)
        assert found.poll(here.clock.now()) == 1
        here.clock.move(11 * MINUTE)
        assert found.poll(here.clock.now()) == 1
        assert not shown(here, ANN)
