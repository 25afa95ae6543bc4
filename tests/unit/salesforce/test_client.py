"""The seam over simple-salesforce: logins, errors, refresh, limits, and what every request carries."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.org import ANN, BOB, Place, place
from triage.domain.instant import MINUTE, SECOND
from triage.errors import (
    KeyTaken,
    LimitReached,
    LoginRefused,
    QueryRefused,
    RecordGone,
    RecordLocked,
    SessionExpired,
    Unreachable,
    WriteRefused,
)
from triage.salesforce.package import LOG, LOG_KEY
from triage.salesforce.session import RETRIES, Gate, Usage
from triage.testing import START, ManualClock

APP = {"consumer_key": "sandbox-app", "consumer_secret": "sandbox-secret"}
NOBODY = {"username": "", "password": "", "security_token": ""}


@pytest.fixture
def here() -> Iterator[Place]:
    """An organisation without change events."""
    with place(events=False) as found:
        yield found


@pytest.mark.parametrize("way", ["soap", "oauth", "client", "jwt", "session"])
def test_every_way_in(here: Place, way: str) -> None:
    """Each login of simple-salesforce, over TLS on loopback, to the address of the settings."""
    given: dict[str, dict[str, str]] = {
        "soap": {}, "oauth": APP, "client": {**APP, **NOBODY},
        "jwt": {"consumer_key": "sandbox-app", "private_key": str(here.sandbox.make_client_key())},
        "session": {**NOBODY, "session_id": here.sandbox.sessions.issue()},
    }  # fmt: skip
    identity = here.make_client(**given[way]).identity()
    assert (identity.organization_id, identity.is_sandbox) == (here.org.id, True)
    assert identity.user_id == here.sandbox.account.user


@pytest.mark.parametrize(
    "wrong", [{"password": "no"}, {**APP, "consumer_secret": "no"}, {**APP, **NOBODY, "consumer_secret": "no"}]
)
def test_wrong_credentials_are_refused_in_the_vendors_words(here: Place, wrong: dict[str, str]) -> None:
    """A typed error, told apart from a server that cannot work."""
    with pytest.raises(LoginRefused, match="the login was refused: "):
        here.make_client(**wrong).identity()


def test_a_login_page_that_cannot_work_is_not_a_refusal(here: Place) -> None:
    """503 at login says nothing about the credentials."""
    here.sandbox.faults.add("unavailable", "Soap")
    with pytest.raises(Unreachable):
        here.make_client().identity()


def test_the_pinned_organisation(here: Place) -> None:
    """Any other one, or one of another kind, is only observed."""
    assert here.client.stranger() == ""
    assert "is pinned" in here.make_client(organization_id="00D000000000001").stranger()
    assert "this organisation is a sandbox" in here.make_client(is_sandbox="false").stranger()
    assert f"organization_id={here.org.id}" in here.make_client(organization_id="").stranger()


def test_a_certificate_that_nobody_trusts(here: Place) -> None:
    """The fix is named."""
    with pytest.raises(Unreachable, match="set ca_bundle"):
        here.make_client(ca_bundle="").identity()


def test_nobody_listening() -> None:
    """A typed error, after as many attempts as a read has."""
    with place(events=False) as here:
        client = here.make_client(session_id="x", instance_url="https://127.0.0.1:9")
        with pytest.raises(Unreachable, match="nobody listens"):
            client.query("SELECT Id FROM User")
        assert len(here.waits) >= RETRIES


def test_queries_read_every_page_and_the_recycle_bin(here: Place) -> None:
    """2,000 at a time; `attributes` are left out."""
    for number in range(2_001):
        here.org.seed("Case", Subject=f"s{number}", IsDeleted=number == 0)
    assert len(here.client.query("SELECT Id FROM Case")) == 2_000
    assert len(here.client.query("SELECT Id FROM Case", deleted=True)) == 2_001
    assert here.client.count("SELECT COUNT() FROM Case") == 2_000
    assert here.client.query("SELECT Owner.Name FROM Case LIMIT 1") == [{"Owner": {"Name": "Automated Process"}}]


def test_bulk_reads_pages_of_text(here: Place) -> None:
    """Empty cells are nothing; the job is deleted at the end."""
    for number in range(3):
        here.org.seed("Case", Subject=f"s{number}" if number else None)
    pages = list(here.client.bulk("SELECT Subject, IsClosed FROM Case"))
    assert pages == [[{"Subject": one, "IsClosed": "false"} for one in (None, "s1", "s2")]]
    assert here.sandbox.site.bulk._jobs == {}
    with pytest.raises(QueryRefused):
        list(here.client.bulk("SELECT Nonsense FROM Case"))


def test_errors_are_typed_by_code(here: Place) -> None:
    """With Salesforce's words, its code and the fields it names."""
    case = here.case()
    rest = here.client.rest
    with pytest.raises(QueryRefused, match="No such column 'Nonsense'"):
        here.client.query("SELECT Nonsense FROM Case")
    with pytest.raises(WriteRefused, match="No such column 'Nonsense'"):
        rest("POST", "sobjects/Case", {"Nonsense": 1})
    with pytest.raises(WriteRefused) as caught:
        rest("POST", "sobjects/Lead", {"Company": "x"})
    assert (caught.value.code, caught.value.fields) == ("REQUIRED_FIELD_MISSING", ("LastName",))
    with pytest.raises(RecordGone):
        rest("GET", "sobjects/Case/5005e00000000zzAAA")
    here.org.locked[case] = 1
    with pytest.raises(RecordLocked):
        rest("PATCH", f"sobjects/Case/{case}", {})
    rest("POST", f"sobjects/{LOG}", {LOG_KEY: "k"})
    with pytest.raises(KeyTaken):
        rest("POST", f"sobjects/{LOG}", {LOG_KEY: "k"})


@pytest.mark.parametrize(
    ("kind", "error"),
    [("unavailable", Unreachable), ("lost_request", Unreachable), ("malformed", Unreachable), ("limit", LimitReached)],
)
def test_what_goes_wrong_on_the_way_is_typed(here: Place, kind: Any, error: type[Exception]) -> None:
    """Also half a JSON with status 200."""
    here.sandbox.faults.add(kind, "GET .*query", times=RETRIES + 1)
    with pytest.raises(error):
        here.client.query("SELECT Id FROM User")


def test_a_write_is_never_repeated_by_the_transport(here: Place) -> None:
    """It cannot know whether it was done."""
    here.sandbox.faults.add("unavailable", "POST .*Account")
    with pytest.raises(Unreachable):
        here.client.rest("POST", "sobjects/Account", {"Name": "x"})
    assert len(here.sandbox.faults.done) == 1


def test_an_answer_that_takes_too_long_is_given_up(here: Place) -> None:
    """A timeout stands on every call."""
    client = here.make_client(timeout="1")
    client.identity()
    here.sandbox.faults.add("slow", "POST .*Account", seconds=3.0)
    with pytest.raises(Unreachable, match="no answer came in time"):
        client.rest("POST", "sobjects/Account", {"Name": "x"})


def test_a_session_is_renewed_once_for_many_threads(here: Place) -> None:
    """No stampede: twelve refused calls are one login."""
    here.client.identity()
    before = here.client.logins
    here.sandbox.sessions.expire()
    found: list[int] = []

    def ask() -> None:
        found.append(len(here.client.query("SELECT Id FROM User WHERE Name = 'Ann'")))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 12
    assert here.client.logins == before + 1


@pytest.mark.parametrize("kind", ["expire", "html"])
def test_a_session_that_stays_refused_is_given_up(here: Place, kind: Any) -> None:
    """The library alone would try without end, or fail on a web page."""
    here.client.identity()
    here.sandbox.faults.add(kind, "POST .*Account", times=50)
    with pytest.raises(SessionExpired):
        here.client.rest("POST", "sobjects/Account", {"Name": "x"})
    assert len(here.sandbox.faults.done) == 2


def test_a_session_id_alone_cannot_be_renewed(here: Place) -> None:
    """There is nothing to log in with."""
    client = here.make_client(**NOBODY, session_id=here.sandbox.sessions.issue())
    here.sandbox.sessions.expire()
    with pytest.raises(SessionExpired):
        client.identity()


def test_every_write_forbids_assignment_rules_also_after_a_refresh(here: Place) -> None:
    """The header belongs to the session, not to one call."""
    here.org.assignment["Case"] = BOB
    here.client.identity()
    here.sandbox.faults.add("expire", "POST .*Case")
    made = here.client.rest("POST", "sobjects/Case", {"OwnerId": ANN})
    assert here.row(made["id"])["OwnerId"] == ANN


def test_a_composite_request_raises_the_error_of_the_part_that_failed(here: Place) -> None:
    """Not that of those that were halted because of it."""
    parts = [
        {"method": "POST", "url": here.client.url("sobjects/Case"), "referenceId": "a", "body": {}},
        {"method": "POST", "url": here.client.url("sobjects/Case"), "referenceId": "b", "body": {"Priority": "Huge"}},
    ]
    with pytest.raises(WriteRefused, match="INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"):
        here.client.composite(parts)
    assert here.org.rows["Case"] == {}


def gate(clock: ManualClock, waits: list[int], **given: int) -> Gate:
    """Return a gate of two calls a second."""

    def wait(millis: int) -> None:
        waits.append(millis)
        clock.move(millis)

    return Gate(clock.now, wait, given.get("per_second", 2), given.get("share", 90))


def test_calls_beyond_the_rate_wait() -> None:
    """A second's worth may go at once; then one every half second."""
    clock, waits = ManualClock(START), []
    one = gate(clock, waits)
    for _ in range(5):
        one.enter()
    assert (waits, one.calls) == ([500, 500], 5) or sum(waits) <= 2 * SECOND


def test_the_last_share_of_the_quota_is_left_to_others() -> None:
    """One call a minute looks whether the day has moved on."""
    clock = ManualClock(START)
    one = gate(clock, [], per_second=1000)
    one.heard({"Sforce-Limit-Info": "api-usage=90/100, per-app-api-usage=17/250(appName=x)"})
    assert one.usage == Usage(90, 100)
    one.enter()
    with pytest.raises(LimitReached, match="90 of 100 API calls are used: triage stops at 90 %"):
        one.enter()
    clock.move(MINUTE)
    one.enter()
    one.heard({"Sforce-Limit-Info": "api-usage=3/100"})
    one.enter()
    one.heard({"Sforce-Limit-Info": "nonsense"})
    assert one.usage == Usage(3, 100)
