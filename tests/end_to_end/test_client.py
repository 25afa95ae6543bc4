"""The Python client against the real server: every operation, and its problems as one error."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.served import Served
from triage.api.routes import ROUTES
from triage.client import ApiError, Client

EVENT = {
    "at": "2026-01-12T09:00:00Z", "type": "created", "object": "Case", "id": "500A", "event_id": "e1",
    "changes": {"Priority": "High", "Status": "New", "OwnerId": "005A"},
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    found = Served(tmp_path_factory.mktemp("client"))
    yield found
    found.close()


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with Client(served.address, served.key("score", "read", "operate", "admin")) as made:
        made.send([EVENT])
        yield made


def test_every_operation_has_a_method() -> None:
    """A route that nobody can call from Python is a route forgotten."""
    methods = [name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")]
    guarded = [route for route in ROUTES if route.scope]
    assert len([name for name in methods if name != "close"]) == len(guarded)


def test_scores_and_decisions_come_as_typed_answers(client: Client) -> None:
    """What the server sends is what the shapes say."""
    answer = client.score([{"Id": "1", "Priority": "High"}, {"Id": "2", "Priority": "Low"}], scores=["urgency"])
    assert [one.scores["urgency.score"] for one in answer.results] == [0.9, 0.1]
    record = {"Id": "9", "Priority": "High", "Status": "New", "CreatedDate": "2026-01-12T09:00:00Z"}
    decided = client.decide(record, at="2026-01-12T13:00:00Z")
    assert "high-3h" in {one.rule for one in decided.actions}


def test_items_audit_and_what_is_pending_are_read_to_the_end(client: Client) -> None:
    """Pages are the client's business."""
    assert [one.id for one in client.items(object="Case")] == ["500A"]
    assert client.item("500A").item.fields["priority"] == "High"
    assert {line.record for line in client.audit(record="500A")} <= {"Case/500A"}
    assert all(row.record == "Case/500A" for row in client.pending())


def test_steering_goes_through_the_client(client: Client) -> None:
    """Overrides, agents, rules, models and usage."""
    assert client.override("500A", "hold", "agreed").record == "Case/500A"
    assert client.override("500A", "release", "done", object="Case").action == "release"
    assert client.put_agents({"005A": {"presence": "online"}})[0]["presence"] == "online"
    assert client.agents()[0]["id"] == "005A"
    assert client.next_item("005A").record in ("Case/500A", None)
    held = client.rules()
    assert client.check_rules(held.texts).valid
    assert client.put_rules(held.texts, expected=held.version, reason="same").version == held.version
    assert client.models()[0].champion == "v1"
    assert client.promote("urgency", "v2", "better")[0].champion == "v2"
    assert client.llm_usage().days == []


def test_a_problem_is_one_error_with_the_servers_words(served: Served) -> None:
    """Its status and its detail are there for programs, one sentence for people; nobody answering is said too."""
    with Client(served.address, "triage_x_y") as stranger, pytest.raises(ApiError, match="401") as found:
        stranger.agents()
    assert found.value.problem is not None
    assert found.value.problem.status == 401
    with Client("http://127.0.0.1:9", "k", attempts=2) as nobody, pytest.raises(ApiError, match="ConnectError"):
        nobody.agents()


def test_readme_lines_run_as_they_stand(served: Served, tmp_path: Path) -> None:
    """Nothing in the client's own docstring is made up."""
    with Client(served.address, served.key("score")) as triage:
        scores = triage.score([{"Id": "500A", "Priority": "High"}], scores=["urgency"]).results[0].scores
    assert scores == {"urgency.score": 0.9}
