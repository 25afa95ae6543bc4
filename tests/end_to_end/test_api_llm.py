"""`/v1/score` with the language model that the policy names: asked by default, within bounds, never with llm false."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.llm import FIELDS, KEY, LLM
from tests.support.llm_stub import Stub
from tests.support.served import Served
from triage.domain.instant import parse_instant
from triage.engine import PureEngine
from triage.intaking import Door
from triage.sinks import StoreSink
from triage.wiring import SystemClock, follow_policy
from triage.worker import Worker

AT = "2026-03-02T09:30:00Z"
RECORD = {"Id": "1", "Subject": "Cannot log in", "Description": "Call +49 30 901820", "Priority": "Low"}
RULES = """
object: Case
match: all_matches
rules:
  - id: urgent
    when: [urgency.score >= 60%]
    do: [{reprioritise: {raise: 1}}]
"""
PRICES = "  prices: {input: 0.25 USD, cached: 0.025 USD, output: 2 USD}\n"


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub().running() as running:
        yield running


@pytest.fixture
def served(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("TRIAGE_TEST_KEY", KEY)
    llm = LLM.replace("http://127.0.0.1:9/v1", stub.endpoint("responses"))
    found = Served(tmp_path, texts={"fields.yaml": FIELDS, "rules.yaml": RULES, "llm.yaml": llm + PRICES})
    yield found
    found.close()


def asked(served: Served, *records: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    body = {"records": list(records or (RECORD,)), "at": AT, **more}
    answer = served.client("score").post("/v1/score", json=body)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_the_policys_model_is_asked_bounded_masked_booked_and_once(served: Served, stub: Stub) -> None:
    """What a worker would get: one call, at most max_raise above the local score; then the kept answer."""
    (first,), (again,) = asked(served), asked(served)
    assert len(stub.seen) == 1
    assert "901820" not in stub.seen[0].text
    assert first == again
    assert first["scores"]["urgency.score"] == 0.4
    assert first["model_versions"]["urgency"] == "openai/gpt-5-mini#score-1"
    assert first["used"] == ["Description", "Priority", "Subject"]
    usage = served.client("read").get("/v1/llm/usage").json()
    assert [(day["calls"], day["cost"]) for day in usage["days"]] == [(1, 198)]
    assert (usage["report"]["per_thousand"], usage["report"]["answered"]) == (198_000, 1)
    assert usage["forecast"]["spent"] == 198
    assert usage["forecast"]["expected"] >= 198


def test_llm_false_asks_nobody(served: Served, stub: Stub) -> None:
    """Local scores alone, whatever the policy says; and so where only other scores are wanted."""
    (found,) = asked(served, llm=False)
    assert (found["scores"], found["model_versions"]) == ({"urgency.score": 0.1}, {"urgency": "fixed"})
    asked(served, scores=["lead"])
    assert stub.seen == []


def test_tasks_that_only_a_language_model_knows_may_be_asked_for(served: Served, stub: Stub) -> None:
    """Only what was asked for is sent for, and comes back."""
    (found,) = asked(served, scores=["intent"])
    assert found["scores"] == {"intent.label": "outage"}
    assert "sentiment" not in stub.seen[0].text


def test_a_refused_key_ends_in_local_scores_at_once_and_readiness_says_so(served: Served, stub: Stub) -> None:
    """401 is asked with once, not retried for the next record, and loud; the score is there all the same."""
    stub.answer("401")
    (first,) = asked(served)
    (second,) = asked(served, RECORD | {"Subject": "Another text"})
    assert (first["scores"], first["reasons"]["llm"]) == ({"urgency.score": 0.1}, ["auth"])
    assert second["reasons"]["llm"] == ["auth"]
    assert len(stub.seen) == 1
    ready = served.client().get("/readyz")
    assert (ready.status_code, "llm.key" in ready.json()["detail"]) == (503, True)
    assert KEY not in ready.text


def test_a_record_has_the_same_scores_from_the_worker_and_the_api(served: Served, stub: Stub) -> None:
    """With a language model too; the answer that the worker had is not asked for again."""
    scorer = follow_policy(served.scorer, served.store)
    worker = Worker(served.store, StoreSink(), PureEngine(), SystemClock(), scorer=scorer)
    now = parse_instant(AT)
    changes = {name: value for name, value in RECORD.items() if name != "Id"}
    event = {"at": AT, "type": "created", "event_id": "e1", "object": "Case", "id": "1", "changes": changes}
    Door(worker).take([event], "crm", now)
    assert worker.score(now) == 1
    worker.close()
    scorer.close()
    with served.store.read() as unit:
        (told,) = [one.scores for one in unit.intake.events("Case/1") if one.type == "scored"]
    (found,) = asked(served, RECORD | {"CreatedDate": AT}, scores=["urgency"])
    assert len(stub.seen) == 1
    assert {name: told[name] for name in found["scores"]} == found["scores"]
    assert told["model_versions"] == found["model_versions"]
    assert {name: list(words) for name, words in dict(told["reasons"]).items()} == found["reasons"]
