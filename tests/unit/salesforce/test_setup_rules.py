"""Rules kept in Salesforce's setup, from record to policy in force to status row, against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.org import Place, place
from triage.domain.instant import HOUR, MINUTE
from triage.errors import ConfigError, Unreachable
from triage.publishing import publish
from triage.salesforce.deployment import Deployment
from triage.salesforce.package import (
    RULE_STATUS,
    RULES,
    STATUS_ERROR,
    STATUS_KEY,
    STATUS_SINCE,
    STATUS_STATE,
)
from triage.salesforce.setup_rules import EVERY, Rules
from triage.testing import SMALL_POLICY, START

TEXTS = {**SMALL_POLICY, "setup.yaml": "object: Case\nrule_set: setup\nrules: {source: salesforce}\n"}
RECORD: dict[str, Any] = {
    "DeveloperName": "Old", "MasterLabel": "Old", "Object__c": "Case", "Trigger__c": "age", "Threshold__c": 30.0,
    "Threshold_Unit__c": "minutes", "Action__c": "reprioritise", "Target__c": "High", "Mode__c": "act",
}  # fmt: skip


@pytest.fixture
def here() -> Iterator[Place]:
    """An organisation with one rule in its setup, and a worker that has published nothing of it yet."""
    with place(TEXTS, events=False) as found:
        found.org.seed(RULES, **RECORD)
        yield found.open()


def rules(here: Place, **settings: str) -> Rules:
    """Return the rules of the organisation for the worker's policy."""
    client = here.make_client(**settings)
    return Rules(client, Deployment(client, "one"), here.worker.store, here.worker.engine)


def change(here: Place, **values: Any) -> None:
    """Let somebody change the record in Setup."""
    (row,) = here.org.rows[RULES].values()
    row |= values


def live(here: Place) -> str:
    """Return the file with the rules as it is in force."""
    with here.worker.store.read() as unit:
        found = unit.policies.live()
        assert found is not None
        return found.texts["setup.yaml"]


def statuses(here: Place) -> dict[str, tuple[str, str]]:
    """Return state and error of each record as Salesforce shows them."""
    rows = here.org.rows[RULE_STATUS].values()
    return {row[STATUS_KEY]: (row[STATUS_STATE], row[STATUS_ERROR] or "") for row in rows}


def after(here: Place, found: Rules) -> object:
    """Poll a while later."""
    here.clock.move(EVERY)
    return found.poll(here.clock.now())


def test_a_record_becomes_a_rule_in_force_and_its_row_says_so(here: Place) -> None:
    published, told = rules(here).publish(TEXTS, here.clock.now(), actor="me")
    assert published.added == ("salesforce/Old",)
    assert [one.state for one in told] == ["good"]
    assert "age >= 30m" in live(here)
    assert statuses(here) == {"Old": ("good", "")}
    (row,) = here.org.rows[RULE_STATUS].values()
    assert row[STATUS_SINCE] == START


def test_a_change_in_setup_is_in_force_within_a_minute(here: Place) -> None:
    found = rules(here)
    found.publish(TEXTS, here.clock.now(), actor="me")
    assert after(here, found) is None
    change(here, Threshold__c=45.0)
    here.clock.move(EVERY - MINUTE // 2)
    assert found.poll(here.clock.now()) is None
    assert after(here, found) is not None
    assert "age >= 45m" in live(here)
    assert after(here, rules(here)) is None


def test_a_bad_record_keeps_its_last_good_version_and_shows_its_error(here: Place) -> None:
    found = rules(here)
    found.publish(TEXTS, here.clock.now(), actor="me")
    before = live(here)
    change(here, Threshold_Unit__c="moons")
    after(here, found)
    assert live(here) == before
    state, error = statuses(here)["Old"]
    assert (state, "choose minutes, hours or days" in error) == ("kept", True)
    change(here, Threshold_Unit__c="hours")
    after(here, found)
    assert statuses(here) == {"Old": ("good", "")}
    assert "age >= 30h" in live(here)


def test_a_record_that_is_gone_takes_its_rule_with_it(here: Place) -> None:
    found = rules(here)
    found.publish(TEXTS, here.clock.now(), actor="me")
    change(here, Active__c=False)
    after(here, found)
    assert "rules: []" in live(here)
    assert statuses(here)["Old"][0] == "refused"
    calls = len(here.org.rows[RULE_STATUS])
    assert after(here, found) is None
    assert len(here.org.rows[RULE_STATUS]) == calls


def test_a_policy_without_these_rules_is_left_alone(here: Place) -> None:
    """Somebody has published another one, or rolled back."""
    found = rules(here)
    found.publish(TEXTS, here.clock.now(), actor="me")
    publish(here.worker.store, here.worker.engine, SMALL_POLICY, here.clock.now(), actor="me", virtual=True)
    change(here, Threshold__c=45.0)
    assert after(here, found) is None
    with here.worker.store.read() as unit:
        policy = unit.policies.live()
        assert policy is not None
        assert "setup.yaml" not in policy.texts


def test_an_organisation_that_cannot_be_reached_changes_nothing(here: Place) -> None:
    found = rules(here)
    found.publish(TEXTS, here.clock.now(), actor="me")
    before = live(here)
    for _ in range(20):
        here.sandbox.faults.add("unavailable", "query")
    assert after(here, found) is None
    with pytest.raises(Unreachable):
        found.publish(TEXTS, here.clock.now(), actor="me")
    assert live(here) == before


def test_without_the_package_the_fix_is_named(here: Place) -> None:
    del here.org.tables[RULES]
    with pytest.raises(ConfigError, match="install the setup package"):
        rules(here).publish(TEXTS, here.clock.now(), actor="me")


def test_another_organisation_is_read_and_never_written_to(here: Place) -> None:
    rules(here, organization_id="00D000000000001").publish(TEXTS, here.clock.now(), actor="me")
    assert statuses(here) == {}


def test_the_rule_of_a_record_acts(here: Place) -> None:
    """Every rule of a virtual policy does; a real one would observe until it is promoted."""
    found = rules(here)
    found.publish(TEXTS, here.clock.now(), actor="me")
    with here.worker.store.read() as unit:
        policy = unit.policies.live()
        assert policy is not None
        assert policy.modes["salesforce/Old"].mode == "observe"
    publish(here.worker.store, here.worker.engine, policy.texts, here.clock.now(), actor="me", virtual=True)
    case = here.case()
    here.after(MINUTE)
    here.after(HOUR // 2)
    assert here.row(case)["Priority"] == "High"
