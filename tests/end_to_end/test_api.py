"""The HTTP API as programs meet it: over a real socket, with real keys, on a real store."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.served import Served
from triage.api.app import Settings
from triage.api.routes import ROUTES, Route
from triage.domain.instant import format_instant
from triage.keys import create_key, opened_by, revoke_key
from triage.store.database import SqlStore
from triage.wiring import SystemClock

ALL = ("score", "read", "operate", "admin")
CREATED = {
    "at": "2026-01-12T09:00:00Z", "type": "created", "object": "Case", "id": "500A", "event_id": "e1",
    "changes": {"Priority": "High", "Status": "New", "OwnerId": "005A"},
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    found = Served(tmp_path_factory.mktemp("api"))
    found.client("operate").post("/v1/events", json={"events": [CREATED]})
    yield found
    found.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Served]:
    found = Served(tmp_path)
    yield found
    found.close()


def ask(client: httpx.Client, route: Route, **more: Any) -> httpx.Response:
    path = re.sub(r"{(\w+)}", "urgency" if "models" in route.path else "500A", route.path)
    given = {"json": route.example or {}} if route.body is not None else {}
    return client.request(route.method, path, **(given | more))


GUARDED = [pytest.param(route, id=route.name) for route in ROUTES if route.scope]


@pytest.mark.parametrize("route", GUARDED)
def test_nothing_is_served_without_a_key(served: Served, route: Route) -> None:
    """No key, no word: 401, and the problem names none of what is there."""
    found = ask(served.client(), route)
    assert found.status_code == 401
    assert found.headers["content-type"] == "application/problem+json"
    assert found.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("route", GUARDED)
def test_a_key_without_the_scope_is_refused(served: Served, route: Route) -> None:
    """Each scope is given by itself: all the others together do not open a route."""
    others = [scope for scope in ALL if scope != route.scope]
    assert ask(served.client(*others), route).status_code == 403


@pytest.mark.parametrize("route", GUARDED)
def test_an_expired_or_revoked_key_opens_nothing(served: Served, route: Route) -> None:
    """The end counts from the very next request."""
    now = SystemClock().now()
    _, expired = create_key(served.store, ALL, now - 1, now - 1000)
    key, revoked = create_key(served.store, ALL, now + 100_000, now)
    revoke_key(served.store, key.id, now)
    for text in (expired, revoked, revoked[:-1], "triage_x_y", "nonsense"):
        assert ask(served.client(key=text), route).status_code == 401


@pytest.mark.parametrize("route", GUARDED)
def test_a_foreign_organisation_sees_nothing_of_ours(tmp_path: Path, route: Route) -> None:
    """A key of another organisation works on that one's store alone; a file holds one organisation."""
    found = Served(tmp_path)
    try:
        other = SqlStore(found.file, "other")
        now = SystemClock().now()
        text = create_key(other, ALL, now + 100_000, now)[1]
        other.close()
        answer = ask(found.client(key=text), route)
        assert opened_by(found.store, text, now).org == "other"
        assert "500A" not in answer.text or answer.status_code >= 400 or route.scope == "score"
    finally:
        found.close()


def test_health_needs_no_key_and_readiness_says_what_is_missing(served: Served, tmp_path: Path) -> None:
    """A process without a policy answers, and is not ready."""
    assert served.client().get("/healthz").json() == {"status": "ok"}
    assert served.client().get("/readyz").json() == {"problems": [], "ready": True}
    empty = Served(tmp_path, policy=False)
    found = empty.client().get("/readyz")
    assert found.status_code == 503
    assert "policy publish" in found.json()["detail"]
    empty.close()


def test_scores_come_in_order_with_what_was_used_missing_and_ignored(served: Served) -> None:
    """A batch is answered record by record, by the models' own fields."""
    records = [{"Id": "1", "Priority": "High", "Extra__c": 3}, {"Id": "2", "Priority": "Low"}]
    found = served.client("score").post("/v1/score", json={"records": records, "scores": ["urgency"]})
    assert found.status_code == 200
    first, second = found.json()["results"]
    assert (first["scores"]["urgency.score"], second["scores"]["urgency.score"]) == (0.9, 0.1)
    assert (first["used"], first["missing"], first["ignored"]) == (["Priority"], ["Subject"], ["Extra__c", "Id"])
    assert first["reasons"] == {"urgency": ["Priority is High"]}


def test_a_score_of_unknown_fields_is_refused_and_a_pinned_version_is_kept(served: Served) -> None:
    """A guess over no known field is no score; a program that pins a version never gets another one's."""
    client = served.client("score")
    unknown = client.post("/v1/score", json={"records": [{"Colour": "red"}]})
    assert unknown.status_code == 422
    assert "Colour" in unknown.json()["detail"]
    body = {"records": [{"Priority": "High"}], "model_versions": {"urgency": "v9"}}
    assert client.post("/v1/score", json=body).status_code == 409
    assert client.post("/v1/score", json=body | {"model_versions": {"urgency": "fixed"}}).status_code == 200


def test_a_dry_decision_says_what_would_be_done_and_changes_nothing(served: Served) -> None:
    """What `triage decide` prints, over HTTP; the record is not stored."""
    record = {"Id": "900", "Priority": "High", "Status": "New", "CreatedDate": "2026-01-12T09:00:00Z"}
    body = {"record": record, "at": "2026-01-12T15:00:00Z"}
    found = served.client("score").post("/v1/decide", json=body).json()
    assert [one["rule"] for one in found["actions"]] == ["age-1h", "high-3h", "high-3h"]
    assert found["explanation"]["nearest_miss"]["rule"] == "gold-2h"
    assert served.client("read").get("/v1/items/900").status_code == 404


def test_events_count_once_and_refusals_name_their_place(fresh: Served) -> None:
    """The answer comes after all is stored; the same batch again changes nothing."""
    client = fresh.client("operate", "read")
    batch = {"events": [CREATED, {"at": "2026-01-12T09:00:00", "type": "created", "object": "Case", "id": "500B"}]}
    first, second = (client.post("/v1/events", json=batch).json() for _ in range(2))
    assert (first["accepted"], first["refused"], second["repeated"]) == (1, 1, 1)
    assert first["refusals"][0]["line"] == 2
    assert "zone" in first["refusals"][0]["reason"]
    assert [one["id"] for one in client.get("/v1/items").json()["items"]] == ["500A"]


def test_an_item_shows_its_timeline_ledger_and_actions(served: Served) -> None:
    """Everything that explains one record stands in one answer."""
    found = served.client("read").get("/v1/items/500A", params={"object": "Case"}).json()
    assert found["item"]["fields"]["priority"] == "High"
    assert [event["type"] for event in found["timeline"]] == ["created"]
    assert {action["rule"] for action in found["actions"]} <= {"age-1h", "high-3h", "gold-2h"}
    assert found["explanation"]["id"] == "500A"


def test_pages_follow_each_other_without_gap(fresh: Served) -> None:
    """Cursors walk through everything once; one that we did not give is refused."""
    client = fresh.client("operate", "read")
    events = [CREATED | {"id": f"5{n:03d}", "event_id": f"e{n}"} for n in range(25)]
    client.post("/v1/events", json={"events": events})
    seen: list[str] = []
    cursor = ""
    while True:
        page = client.get("/v1/items", params={"limit": 10, "cursor": cursor}).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [f"5{n:03d}" for n in range(25)]
    assert client.get("/v1/audit", params={"cursor": "%%%"}).status_code == 422


def test_an_override_is_logged_on_the_record_with_who_and_why(fresh: Served) -> None:
    """Reroute needs somebody; a hold stands in the audit under the key's label."""
    client = fresh.client(*ALL)
    client.post("/v1/events", json={"events": [CREATED]})
    body = {"action": "hold", "until": "2999-01-01T00:00:00Z", "reason": "agreed with the customer"}
    assert client.post("/v1/items/500A/override", json=body).json()["record"] == "Case/500A"
    detail = client.get("/v1/items/500A").json()
    assert detail["explanation"]["overrides"][0].startswith("hold")
    assert client.post("/v1/items/500A/override", json={"action": "reroute", "reason": "x"}).status_code == 422
    assert client.post("/v1/items/nobody/override", json=body).status_code == 404
    actors = [event["actor"] for event in detail["timeline"] if event["type"] == "override"]
    assert actors == ["key:tests"]


QUEUE = [
    {"at": "2026-01-12T08:00:00Z", "type": "agent", "id": "005B", "event_id": "b",
     "changes": {"name": "Bea", "presence": "online", "capacity": 6, "pools": ["seniors"]}},
    *({"at": f"2026-01-12T09:0{number}:00Z", "type": "created", "object": "Case", "id": f"60{number}",
       "event_id": f"q{number}", "changes": {"Priority": "Low", "Status": "New", "OwnerId": "pool:seniors"}}
      for number in range(3)),
]  # fmt: skip


def test_the_next_item_is_handed_out_once_and_one_is_skipped_with_a_reason(fresh: Served) -> None:
    """Nobody chooses: the first of the queue is given to them; a skip needs a reason that the audit keeps."""
    client = fresh.client("operate", "read")
    client.post("/v1/events", json={"events": QUEUE})
    unnamed = client.post("/v1/agents/005B/next", json={"skip": "Case/600"})
    assert (unnamed.status_code, "reason" in unnamed.json()["detail"]) == (422, True)
    body = {"skip": "Case/600", "reason": "waits for a part"}
    first = client.post("/v1/agents/005B/next", json=body, headers={"Idempotency-Key": "n1"})
    assert first.status_code == 200
    assert (first.json()["record"], first.json()["own"]) == ("Case/601", False)
    assert first.json()["passed"] == ["Case/600: skipped: waits for a part"]
    again = client.post("/v1/agents/005B/next", json=body, headers={"Idempotency-Key": "n1"})
    assert again.json() == first.json()
    lines = client.get("/v1/audit", params={"record": "Case/600", "event": "skipped"}).json()["lines"]
    assert [(line["actor"], line["body"]["reason"]) for line in lines] == [("005B", "waits for a part")]
    actions = client.get("/v1/items/601").json()["actions"]
    assert [(one["action"], one["target"]) for one in actions if one["rule"].startswith("override")] == [
        ("reassign", "user:005B")
    ]


def test_the_next_item_of_nobody_and_of_an_empty_queue(fresh: Served) -> None:
    """An unknown person is 404; nothing to do is an answer, not an error."""
    client = fresh.client("operate")
    assert client.post("/v1/agents/005Z/next", json={}).status_code == 404
    client.post("/v1/events", json={"events": QUEUE[:1]})
    found = client.post("/v1/agents/005B/next", json={}).json()
    assert (found["record"], found["rank"], found["why"]) == (None, None, "nothing to do")


def test_the_audit_comes_as_json_lines_and_as_csv_that_no_sheet_runs(fresh: Served) -> None:
    """Filters, verification and both export forms."""
    client = fresh.client("read", "operate")
    client.post("/v1/events", json={"events": [CREATED | {"id": "500A"}]})
    page = client.get("/v1/audit", params={"verify": "true"}).json()
    assert page["verified"] is True
    lines = client.get("/v1/audit", headers={"Accept": "application/jsonl"}).text.splitlines()
    rows = list(csv.reader(io.StringIO(client.get("/v1/audit", headers={"Accept": "text/csv"}).text)))
    assert len(lines) == len(page["lines"]) == len(rows) - 1
    assert rows[0][:4] == ["seq", "at", "record", "event"]


def test_unchanged_answers_are_not_sent_again(served: Served) -> None:
    """ETag and If-None-Match."""
    client = served.client("read")
    tag = client.get("/v1/rules").headers["etag"]
    assert client.get("/v1/rules", headers={"If-None-Match": tag}).status_code == 304


def test_a_write_with_an_idempotency_key_happens_once(fresh: Served) -> None:
    """The same request is answered the same; another one under the same key is refused."""
    client = fresh.client("operate", "read")
    headers = {"Idempotency-Key": "one"}
    body = {"agents": [{"id": "005A", "changes": {"presence": "online"}}]}
    first = client.put("/v1/agents", json=body, headers=headers)
    again = client.put("/v1/agents", json=body, headers=headers)
    assert (first.json(), again.headers["idempotent-replayed"]) == (again.json(), "true")
    other = body | {"agents": [{"id": "005B", "changes": {}}]}
    assert client.put("/v1/agents", json=other, headers=headers).status_code == 422
    assert len(client.get("/v1/agents").json()["agents"]) == 1


def test_rules_are_published_only_over_the_version_that_is_expected(fresh: Served) -> None:
    """Somebody else's change in between is a 409; old versions stay readable; new rules only observe."""
    client = fresh.client(*ALL)
    held = client.get("/v1/rules").json()
    texts = dict(held["texts"])
    texts["rules.yaml"] = texts["rules.yaml"].replace("age >= 1h", "age >= 90m")
    body = {"texts": texts, "expected": held["version"], "reason": "later"}
    assert client.put("/v1/rules", json=body | {"expected": "another"}).status_code == 409
    done = client.put("/v1/rules", json=body)
    assert done.status_code == 200
    assert done.json()["changed"] == ["age-1h"]
    assert client.get("/v1/rules", params={"version": held["version"]}).json()["texts"] == held["texts"]
    assert set(client.get("/v1/rules").json()["modes"].values()) == {"observe"}


def test_a_change_beyond_the_cap_needs_the_digest_of_what_it_would_do(fresh: Served) -> None:
    """More backlog than the organisation's cap: the answer says how much, and goes on only when that is sent back."""
    client = fresh.client(*ALL)
    held = client.get("/v1/rules").json()
    texts = dict(held["texts"])
    texts["people.yaml"] = texts["people.yaml"].replace(
        "organisation: {per_5_minutes: 0", "organisation: {per_5_minutes: 3"
    )
    texts["rules.yaml"] += "  - id: fresh\n    when: [age >= 1m]\n    do: [{reprioritise: {raise: 1}}]\n"
    events = [CREATED | {"id": f"5{n}", "event_id": f"e{n}"} for n in range(5)]
    client.post("/v1/events", json={"events": events})
    body = {"texts": texts, "expected": held["version"], "reason": "more"}
    asked = client.put("/v1/rules", json=body)
    assert asked.status_code == 409
    (fault,) = asked.json()["errors"]
    assert fault["would_act"]["fresh"] == 5
    done = client.put("/v1/rules", json=body | {"confirm": fault["confirm"]})
    assert (done.status_code, done.json()["would_act"]["fresh"]) == (200, 5)


def test_faulty_rules_are_told_fault_by_fault(served: Served) -> None:
    """Check answers with every fault; publishing the same is a 422 with the same places."""
    texts = {"a.yaml": "object: Case\nrules:\n  - id: x\n    when: [agee >= 1h]\n    do: [{nothing: 1}]\n"}
    found = served.client("score").post("/v1/rules/check", json={"texts": texts}).json()
    assert not found["valid"]
    assert {(one["file"], one["line"]) for one in found["faults"]} == {("a.yaml", 4), ("a.yaml", 5)}
    version = served.client("read").get("/v1/rules").json()["version"]
    body = {"texts": texts, "expected": version, "reason": "x"}
    refused = served.client("admin").put("/v1/rules", json=body)
    assert refused.status_code == 422
    assert len(refused.json()["errors"]) == len(found["faults"])


def test_a_model_is_promoted_where_the_gate_lets_it(served: Served) -> None:
    """The gate's words come through; an unknown model is a 404."""
    client = served.client("admin", "read")
    assert client.get("/v1/models").json()["models"][0]["champion"] == "v1"
    body = {"version": "v3", "reason": "x"}
    assert "worse on a segment" in client.post("/v1/models/urgency/promote", json=body).json()["detail"]
    assert client.post("/v1/models/urgency/promote", json=body | {"version": "v2"}).status_code == 200
    assert client.post("/v1/models/nothing/promote", json=body).status_code == 404


def test_bodies_that_are_no_json_too_long_or_misspelt_are_refused_in_words(tmp_path: Path) -> None:
    """400, 413, 415 and 422 each say what to do; nothing is a stack trace."""
    found = Served(tmp_path, settings=Settings(body_limit=2_000))
    client = found.client("score")
    json_type = {"Content-Type": "application/json"}
    try:
        assert client.post("/v1/score", content=b"{", headers=json_type).status_code == 400
        assert client.post("/v1/score", content=b"\xff", headers=json_type).status_code == 400
        assert client.post("/v1/score", content=b"a=b").status_code == 415
        long = client.post("/v1/score", content=b" " * 3_000, headers=json_type)
        assert long.status_code == 413
        misspelt = client.post("/v1/score", json={"recrods": []})
        assert misspelt.status_code == 422
        assert "recrods" in misspelt.json()["detail"] or "records" in misspelt.json()["detail"]
        assert client.get("/v1/items", params={"limit": "many"}).status_code == 403
    finally:
        found.close()


def test_a_key_that_asks_too_much_is_told_when_to_come_back(tmp_path: Path) -> None:
    """429 with Retry-After, for this key alone."""
    found = Served(tmp_path, settings=Settings(rate=0.001, burst=3))
    eager, other = found.client("read"), found.client("read")
    answers = [eager.get("/v1/agents") for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert other.get("/v1/agents").status_code == 200
    found.close()


def test_every_answer_bears_an_id_and_an_unknown_address_is_a_problem(served: Served) -> None:
    """Ids that are given are kept where they are harmless."""
    client = served.client()
    assert client.get("/healthz", headers={"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert client.get("/healthz", headers={"X-Request-Id": "a b\tc"}).headers["x-request-id"] != "a b\tc"
    assert client.get("/nowhere").headers["content-type"] == "application/problem+json"
    gone = client.delete("/v1/rules")
    assert (gone.status_code, set(gone.headers["allow"].split(", "))) == (405, {"GET", "HEAD", "PUT"})


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json", "/openapi-3.0.json"])
def test_figures_and_descriptions_need_a_key_too(served: Served, path: str) -> None:
    """Nothing but health is served without one; figures are for whoever may read."""
    assert served.client().get(path).status_code == 401
    assert served.client(key="triage_x_y").get(path).status_code == 401
    assert served.client("read").get(path).status_code == 200
    assert served.client("score").get(path).status_code == (403 if path == "/metrics" else 200)


def test_figures_are_not_for_a_key_of_another_organisation(tmp_path: Path) -> None:
    """They are of the one that the process was started for; the descriptions are for any key."""
    found = Served(tmp_path)
    try:
        with closing(SqlStore(found.file, "other")) as other:
            now = SystemClock().now()
            client = found.client(key=create_key(other, ALL, now + 100_000, now)[1])
        refused = client.get("/metrics")
        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
        assert "triage_" not in refused.text
        assert client.get("/openapi.json").status_code == 200
    finally:
        found.close()


def test_what_is_pending_comes_in_pages(fresh: Served) -> None:
    """Each timer once, the earliest first."""
    client = fresh.client("operate", "read")
    client.post("/v1/events", json={"events": [CREATED | {"id": f"70{n}", "event_id": f"p{n}"} for n in range(5)]})
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get("/v1/pending", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [row["record"] for row in page["pending"]]
        cursor = page["next"]
    assert sorted(seen) == [f"Case/70{n}" for n in range(5)]
    assert client.get("/v1/pending", params={"cursor": "!"}).status_code == 422


def test_metrics_are_for_prometheus(served: Served) -> None:
    """The figures that `triage run --metrics` serves."""
    text = served.client("read").get("/metrics").text
    assert "triage_lateness_seconds_bucket" in text
    assert format_instant(0) not in text
