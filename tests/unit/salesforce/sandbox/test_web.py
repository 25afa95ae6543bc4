"""The sandbox as simple-salesforce meets it: HTTPS, logins, REST, composite, collections, bulk, limits, control."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceError
from simple_salesforce.login import SalesforceLogin

from tests.support.org import ANN, BOB, Place, place
from triage.domain.instant import DAY, HOUR, MINUTE
from triage.salesforce.package import LOG, LOG_KEY
from triage.salesforce.sandbox.logins import SESSION_LASTS
from triage.salesforce.sandbox.values import Caller, Refused, say_instant
from triage.testing import START


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    """One organisation for tests that only add to it."""
    with place(events=False) as found:
        yield found


@pytest.fixture
def here(shared: Place) -> Iterator[Place]:
    """The organisation as it should be found: empty of cases, well behaved, at 09:00."""
    shared.clock.set(START)
    for name in ("Case", "CaseHistory", LOG):
        shared.org.rows[name].clear()
    shared.org._unique = {key: value for key, value in shared.org._unique.items() if key[0] != LOG}
    shared.sandbox.faults.clear()
    shared.org.assignment.clear()
    shared.org.locked.clear()
    shared.sandbox.site.resources.used, shared.sandbox.site.resources.allowed = 0, 100_000
    yield shared


@pytest.fixture
def sf(here: Place) -> Salesforce:
    """The library alone, without our seam."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(here.sandbox.authority.bundle)
    return Salesforce(session_id=here.sandbox.sessions.issue(), instance_url=here.sandbox.url, session=session)


def code(caught: pytest.ExceptionInfo[SalesforceError]) -> tuple[int, str]:
    """Return status and error code of what the library raised."""
    content: Any = caught.value.content
    return caught.value.status, content[0]["errorCode"]


def test_records_are_made_read_changed_and_deleted(sf: Salesforce, here: Place) -> None:
    """CRUD through the library's own types."""
    made = sf.Case.create({"Subject": "help", "OwnerId": ANN})
    assert made["success"]
    assert sf.Case.update(made["id"], {"Priority": "High"}) == 204
    row = sf.Case.get(made["id"])
    assert (row["Priority"], row["CreatedDate"], row["attributes"]["type"]) == ("High", say_instant(START), "Case")
    assert sf.Case.delete(made["id"]) == 204
    with pytest.raises(SalesforceError) as caught:
        sf.Case.get(made["id"])
    assert code(caught) == (404, "ENTITY_IS_DELETED")


def test_upsert_by_external_id(sf: Salesforce, here: Place) -> None:
    """201 the first time, 204 after, 300 never; GET by it."""
    log = getattr(sf, LOG)
    assert log.upsert(f"{LOG_KEY}/abc", {"Rule__c": "r"}) == 201
    assert log.upsert(f"{LOG_KEY}/abc", {"Rule__c": "s"}) == 204
    assert log.get_by_custom_id(LOG_KEY, "abc")["Rule__c"] == "s"
    with pytest.raises(SalesforceError) as caught:
        log.upsert(f"{LOG_KEY}/abc", {LOG_KEY: "abc"})
    assert code(caught) == (400, "INVALID_FIELD")
    with pytest.raises(SalesforceError) as caught:
        sf.Case.upsert("Subject/x", {})
    assert code(caught)[0] == 404


def test_describe(sf: Salesforce, here: Place) -> None:
    """All objects in short, and one in full."""
    names = [one["name"] for one in sf.describe()["sobjects"]]  # type: ignore[index]
    assert {"Case", "Lead", "Opportunity", "Shipment__c", LOG} <= set(names)
    fields = {one["name"]: one for one in sf.Case.describe()["fields"]}
    assert fields["Priority"]["picklistValues"][0]["value"] == "Low"
    assert fields["OwnerId"]["referenceTo"] == ["User", "Group"]
    assert fields["IsClosed"]["updateable"] is False


def test_queries_come_in_pages(sf: Salesforce, here: Place) -> None:
    """2,000 at a time, with the address of the next."""
    for number in range(2_100):
        here.org.seed("Case", Subject=f"s{number}")
    found = sf.query_all("SELECT Id FROM Case")
    assert (found["totalSize"], len(found["records"])) == (2_100, 2_100)
    assert sf.query("SELECT COUNT() FROM Case")["totalSize"] == 2_100
    assert sum(1 for _ in sf.query_all_iter("SELECT Id FROM Case")) == 2_100


def test_updated_and_deleted_by_span(sf: Salesforce, here: Place) -> None:
    """What changed between two instants, 30 and 15 days back at most."""
    first, second = here.case(), here.case()
    here.clock.move(HOUR)
    here.change(first, Subject="x")
    here.org.delete("Case", second, Caller(ANN))
    span = f"start={say_instant(START + MINUTE)}&end={say_instant(START + DAY)}".replace("+", "%2B")
    assert sf.restful(f"sobjects/Case/updated/?{span}")["ids"] == [first]
    assert [one["id"] for one in sf.restful(f"sobjects/Case/deleted/?{span}")["deletedRecords"]] == [second]
    early = f"start={say_instant(START - 20 * DAY)}&end={say_instant(START)}".replace("+", "%2B")
    assert sf.restful(f"sobjects/Case/updated/?{early}")["ids"] == []
    with pytest.raises(SalesforceError) as caught:
        sf.restful(f"sobjects/Case/deleted/?{early}")
    assert code(caught) == (400, "INVALID_REPLICATION_DATE")


def composite(sf: Salesforce, *parts: dict[str, Any], whole: bool = True) -> list[dict[str, Any]]:
    """Return the answers to a composite request."""
    body = {"allOrNone": whole, "compositeRequest": list(parts)}
    found: list[dict[str, Any]] = sf.restful("composite", method="POST", data=json.dumps(body))["compositeResponse"]
    return found


def part(name: str, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
    """Return one part of a composite request."""
    url = f"/services/data/v59.0/{path}"
    return {"referenceId": name, "method": method, "url": url, "body": body, "httpHeaders": headers}


def test_a_composite_request_refers_to_answers_before(sf: Salesforce, here: Place) -> None:
    """`@{made.id}` stands for the id of what was just made."""
    made, changed, read = composite(
        sf,
        part("made", "POST", "sobjects/Case", {"Subject": "x"}),
        part("changed", "PATCH", "sobjects/Case/@{made.id}", {"Priority": "High"}),
        part("read", "GET", "sobjects/Case/@{made.id}?fields=Priority"),
    )
    assert (made["httpStatusCode"], changed["httpStatusCode"], read["body"]["Priority"]) == (201, 204, "High")


def test_a_composite_request_does_all_or_none(sf: Salesforce, here: Place) -> None:
    """The failing part has its error, the others were halted; nothing stays."""
    first, second, third = composite(
        sf,
        part("a", "POST", f"sobjects/{LOG}", {LOG_KEY: "k"}),
        part("b", "PATCH", "sobjects/Case/5005e00000000zzAAA", {}),
        part("c", "POST", "sobjects/Case", {}),
    )
    assert second["body"][0]["errorCode"] == "NOT_FOUND"
    assert {one["body"][0]["errorCode"] for one in (first, third)} == {"PROCESSING_HALTED"}
    assert here.log() == []
    loose = composite(sf, part("a", "POST", "sobjects/Case", {}), part("b", "GET", "sobjects/Nonsense"), whole=False)
    assert [one["httpStatusCode"] for one in loose] == [201, 404]


def test_a_part_does_not_inherit_the_header_that_forbids_assignment_rules(sf: Salesforce, here: Place) -> None:
    """As the real one: a part inherits Accept, Authorization and Content-Type only."""
    here.org.assignment["Case"] = BOB
    sf.session.headers["Sforce-Auto-Assign"] = "FALSE"
    loud, quiet = composite(
        sf,
        part("loud", "POST", "sobjects/Case", {"OwnerId": ANN}),
        part("quiet", "POST", "sobjects/Case", {"OwnerId": ANN}, **{"Sforce-Auto-Assign": "FALSE"}),
    )
    assert [here.row(one["body"]["id"])["OwnerId"] for one in (loud, quiet)] == [BOB, ANN]


@pytest.mark.parametrize("parts", [[], [part(f"p{number}", "GET", "limits") for number in range(26)]])
def test_a_composite_request_has_one_to_twenty_five_parts(
    sf: Salesforce, here: Place, parts: list[dict[str, Any]]
) -> None:
    """More are refused whole."""
    with pytest.raises(SalesforceError):
        composite(sf, *parts)


def collection(sf: Salesforce, method: str, *rows: dict[str, Any], whole: bool = False) -> list[dict[str, Any]]:
    """Return the answers to a collection of cases."""
    body = {"allOrNone": whole, "records": [{"attributes": {"type": "Case"}, **row} for row in rows]}
    found: list[dict[str, Any]] = sf.restful("composite/sobjects", method=method, data=json.dumps(body))
    return found


def test_a_collection_has_errors_per_record_in_order(sf: Salesforce, here: Place) -> None:
    """200 OK although one failed, whose code is called statusCode here."""
    made = collection(sf, "POST", {"Subject": "a"}, {"Priority": "Huge"}, {"Subject": "c"})
    assert [one["success"] for one in made] == [True, False, True]
    assert made[1]["errors"][0]["statusCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    changed = collection(sf, "PATCH", {"id": made[0]["id"], "Priority": "High"}, {"id": "nobody00"})
    assert [one["success"] for one in changed] == [True, False]
    gone = sf.restful(f"composite/sobjects?ids={made[0]['id']},{made[2]['id']}", method="DELETE")
    assert [one["success"] for one in gone] == [True, True]


def test_a_collection_does_all_or_none_where_it_is_told_to(sf: Salesforce, here: Place) -> None:
    """The others say that they were rolled back."""
    first, second = collection(sf, "POST", {"Subject": "a"}, {"Priority": "Huge"}, whole=True)
    assert first["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert second["errors"][0]["statusCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert here.org.rows["Case"] == {}
    with pytest.raises(SalesforceError):
        collection(sf, "POST", *({} for _ in range(201)))


def test_bulk_queries_are_jobs_with_pages(sf: Salesforce, here: Place) -> None:
    """A job is not complete at once; its answer is CSV behind locators."""
    for number in range(5):
        here.org.seed("Case", Subject=f'say "{number}",\nplease')
    job = sf.restful(
        "jobs/query", method="POST", data=json.dumps({"operation": "query", "query": "SELECT Subject FROM Case"})
    )
    states = [sf.restful(f"jobs/query/{job['id']}")["state"]]
    while states[-1] != "JobComplete":
        states.append(sf.restful(f"jobs/query/{job['id']}")["state"])
    assert states[0] == "InProgress"
    page = sf.session.get(f"{sf.base_url}jobs/query/{job['id']}/results?maxRecords=3", headers=sf.headers)
    assert (page.headers["Sforce-Locator"], page.headers["Sforce-NumberOfRecords"]) == ("3", "3")
    assert page.text.startswith('"Subject"\n"say ""0"",\nplease"')
    with pytest.raises(SalesforceError) as caught:
        sf.restful(
            "jobs/query", method="POST", data=json.dumps({"operation": "query", "query": "SELECT COUNT(Id) FROM Case"})
        )
    assert code(caught) == (400, "API_ERROR")


def test_limits_are_counted_and_end(sf: Salesforce, here: Place) -> None:
    """The header counts; beyond the last call there is 403."""
    here.sandbox.site.resources.used, here.sandbox.site.resources.allowed = 17, 19
    sf.query("SELECT Id FROM User LIMIT 1")
    assert sf.api_usage["api-usage"] == (18, 19)
    sf.limits()
    with pytest.raises(SalesforceError) as caught:
        sf.limits()
    assert code(caught) == (403, "REQUEST_LIMIT_EXCEEDED")


def test_actions_run_what_is_there(sf: Salesforce, here: Place) -> None:
    """A flow has inputs and outputs, and may fail."""

    def flow(inputs: Any) -> dict[str, Any]:
        if inputs.get("bad"):
            raise Refused("FLOW_EXCEPTION", "it failed")
        return {"answer": inputs["question"]}

    here.sandbox.site.resources.actions["custom/flow/Ask"] = flow
    (done,) = sf.restful("actions/custom/flow/Ask", method="POST", data=json.dumps({"inputs": [{"question": 1}]}))
    assert done["outputValues"] == {"answer": 1}
    with pytest.raises(SalesforceError):
        sf.restful("actions/custom/flow/Ask", method="POST", data=json.dumps({"inputs": [{"bad": True}]}))
    with pytest.raises(SalesforceError) as caught:
        sf.restful("actions/custom/flow/Nonsense", method="POST", data=json.dumps({"inputs": [{}]}))
    assert code(caught) == (404, "NOT_FOUND")


def test_a_session_ends_after_two_hours_or_when_it_is_told_to(sf: Salesforce, here: Place) -> None:
    """401 INVALID_SESSION_ID."""
    here.clock.move(SESSION_LASTS)
    with pytest.raises(SalesforceError) as caught:
        sf.limits()
    assert code(caught) == (401, "INVALID_SESSION_ID")


def test_the_library_alone_logs_in_by_password(here: Place) -> None:
    """SOAP, as the library writes it, at the sandbox's address."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(here.sandbox.authority.bundle)
    given = {"username": "triage@sandbox.example", "scratch_url": here.sandbox.url, "session": session}
    token, host = SalesforceLogin(password="sandbox", security_token="token", **given)  # type: ignore[arg-type]
    assert here.sandbox.url == f"https://{host}"
    assert here.sandbox.sessions.check(token) == here.sandbox.account.user
    with pytest.raises(SalesforceAuthenticationFailed, match="INVALID_LOGIN"):
        SalesforceLogin(password="wrong", security_token="token", **given)  # type: ignore[arg-type]


def test_it_is_told_over_loopback(sf: Salesforce, here: Place) -> None:
    """Faults, expiry, locks, gaps and limits, each by a POST; nonsense is refused."""
    tell = f"{here.sandbox.url}/sandbox"
    assert sf.session.post(f"{tell}/faults", json={"kind": "unavailable", "match": "limits"}).status_code == 200
    with pytest.raises(SalesforceError) as caught:
        sf.limits()
    assert code(caught) == (503, "SERVER_UNAVAILABLE")
    sf.limits()
    case = here.case()
    assert sf.session.post(f"{tell}/lock", json={"id": case}).status_code == 200
    with pytest.raises(SalesforceError) as caught:
        sf.Case.update(case, {})
    assert code(caught) == (400, "UNABLE_TO_LOCK_ROW")
    sf.session.post(f"{tell}/gap", json={"object": "Case", "kind": "GAP_UPDATE", "ids": [case]})
    assert here.org.log[-1].kind == "GAP_UPDATE"
    sf.session.post(f"{tell}/limits", json={"used": 5, "allowed": 5})
    with pytest.raises(SalesforceError):
        sf.limits()
    assert sf.session.post(f"{tell}/expire").json()["expired"] >= 1
    assert sf.session.post(f"{tell}/faults", json={"kind": "nonsense"}).status_code == 400
    assert sf.session.post(f"{tell}/nonsense").status_code == 404


@pytest.mark.parametrize("kind", ["lost_answer", "lost_request"])
def test_a_line_that_is_cut_has_or_has_not_done_it(sf: Salesforce, here: Place, kind: str) -> None:
    """After the commit the record is there, before it is not; nobody is told which."""
    here.sandbox.faults.add(kind, "POST .*Case")
    with pytest.raises(requests.ConnectionError):
        sf.Case.create({})
    assert len(here.org.rows["Case"]) == (kind == "lost_answer")


def test_nobody_is_served_without_a_session(here: Place, sf: Salesforce) -> None:
    """And what there is not is not found."""
    bare = sf.session.get(f"{here.sandbox.url}/services/data/v59.0/limits")
    assert (bare.status_code, bare.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    assert sf.session.get(f"{here.sandbox.url}/nonsense", headers=sf.headers).status_code == 404
    assert sf.session.put(f"{sf.base_url}sobjects/Case/{here.case()}", headers=sf.headers).status_code == 405
    assert sf.session.post(f"{sf.base_url}sobjects/Case", headers=sf.headers, data="{").status_code == 400
