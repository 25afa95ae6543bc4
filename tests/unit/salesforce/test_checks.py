"""What the doctor says about an organisation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tests.support.org import BOB, Place, place
from triage.config import load_policy
from triage.salesforce.checks import Finding, examine
from triage.salesforce.deployment import Deployment
from triage.salesforce.package import DEPLOYMENT, LOG
from triage.testing import SMALL_POLICY


@pytest.fixture
def here() -> Iterator[Place]:
    """An organisation without change events."""
    with place(events=False) as found:
        yield found


def look(here: Place, **settings: str) -> dict[str, Finding]:
    """Return the findings by name."""
    client = here.make_client(**settings)
    found = examine(client, load_policy(SMALL_POLICY), Deployment(client, "one"), here.clock.now())
    return {one.name: one for one in found}


def test_all_is_well(here: Place) -> None:
    """And looking claims nothing."""
    assert {one.mark for one in look(here).values()} == {"ok"}
    assert here.org.rows[DEPLOYMENT] == {}


def test_what_of_salesforces_own_acts_besides_us_is_named(here: Place) -> None:
    """Assignment rules, flows, Omni-Channel, and cases that somebody else escalated."""
    here.org.seed("AssignmentRule", Name="Standard", SobjectType="Case", Active=True)
    here.org.seed("FlowDefinitionView", Label="Close old", TriggerObjectOrEventLabel="Case", IsActive=True)
    here.org.seed("ServiceChannel", DeveloperName="Cases", RelatedEntity="Case")
    here.org.seed("Case", IsEscalated=True, OwnerId=BOB)
    found = look(here)
    named = {name: one.found for name, one in found.items() if one.mark == "warning"}
    assert named == {
        "native assignment rules of Case": "active: Standard",
        "native flows on Case": "active: Close old",
        "native Omni-Channel on Case": "active: Cases",
        "native escalation on Case": "active: 1 open cases escalated by others in 7 days",
    }
    assert all(one.fix for one in found.values() if one.mark != "ok")


def test_what_is_wrong_is_a_fault_with_its_fix(here: Place) -> None:
    """Login, pin, fields, package, deployment, limits."""
    assert look(here, password="no")["salesforce login"].mark == "fault"
    assert "only observed" in look(here, organization_id="00D000000000001")["salesforce organisation"].found
    Deployment(here.client, "another").refused(here.clock.now())
    here.sandbox.site.resources.used = 95_000
    account = here.org.tables["Account"]
    without = {name: column for name, column in account.columns.items() if name != "Tier__c"}
    here.org.tables["Account"] = replace(account, columns=without)
    del here.org.tables[LOG]
    found = look(here, limit_share="99")
    assert "Account.Tier__c" in found["salesforce fields"].found
    assert found["salesforce package"].fix == "install the setup package"
    assert found["salesforce deployment"].fix == "triage salesforce take-over"
    assert found["salesforce limits"].found.startswith("950")
