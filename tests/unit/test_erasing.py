"""A customer's words out of the store: every table, the raw file, and what must still work afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from triage.domain.decision import Action
from triage.domain.instant import HOUR
from triage.erasing import ERASED, erase, records_of
from triage.errors import IntakeError, SinkRefused, StoreError
from triage.intaking import Door
from triage.ports import Store
from triage.steering import rederive
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY, Sandbox

SECRETS = ("Zanzibar", "Mongoose", "Quagmire", "Xylophone", "Kumquat", "Rutabaga", "Bumblebee", "anna@example.com")
FIELDS = """
      subject: Subject
      kind: {from: Kind__c, values: [Question, Problem]}
      owner: OwnerId"""
RULE = """
  - id: said-so
    when:
      - subject contains "About"
    do:
      - notify: {who: "address:boss@example.com", template: late}
"""


def texts() -> dict[str, str]:
    """The small policy with a subject, and a rule that reads it: what it found stands in the reason."""
    return {
        **SMALL_POLICY,
        "fields.yaml": SMALL_POLICY["fields.yaml"].replace("\n      owner: OwnerId", FIELDS) + "          name: Name\n",
        "rules.yaml": SMALL_POLICY["rules.yaml"] + RULE,
    }


def build(store: Store) -> Sandbox:
    """Anna's case 500A1 with her words in every place there is, and Bert's case 500B2 with his."""

    def answer(action: Action) -> None:
        if action.kind == "notify" and action.id == "500A1":
            raise SinkRefused("mailbox says: Bumblebee")

    sandbox = Sandbox(texts(), store=store, answer=answer)
    sandbox.happen("related", "003ANNA9", object="Account", changes={"Name": "Rutabaga", "Tier__c": "Gold"})
    sandbox.create("500A1", Subject="About Zanzibar", Description="Mongoose", AccountId="003ANNA9", Kind__c="Kumquat")
    sandbox.create("500B2", Subject="About Marigold", AccountId="003BERT9")
    sandbox.happen("message", "500A1", direction="in", channel="email", body="dear Quagmire", sender="anna@example.com")
    sandbox.happen("override", "500A1", action="hold", rules=("high-3h",), reason="she said Xylophone", actor="005M")
    bad = '{"at":"2026-03-02T09:00:00","type":"updated","object":"Case","id":"500A1","changes":{"Subject":"Mongoose"}}'
    Door(sandbox.worker).take([bad], "test", sandbox.clock.now())
    sandbox.after(HOUR)
    return sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """The two cases in a file."""
    store = SqlStore(tmp_path / "t.db", "acme")
    yield build(store)
    store.close()


def erased(sandbox: Sandbox) -> Any:
    keys = records_of(sandbox.store, "003ANNA9")
    return erase(
        sandbox.store, sandbox.engine, keys, sandbox.clock.now(), customer="003ANNA9", actor="dpo", reason="request 7"
    )


def raw(folder: Path) -> bytes:
    """Everything in the store's files, as bytes."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.name.startswith("t.db"))


def test_the_raw_file_has_no_trace_of_the_words_after_an_erasure(sandbox: Sandbox, tmp_path: Path) -> None:
    before = raw(tmp_path)
    assert [word for word in SECRETS if word.encode() not in before] == []
    done = erased(sandbox)
    sandbox.store.compact()
    assert done.records == ("Case/500A1",)
    assert done.related == ("Account/003ANNA9",)
    assert done.refusals == 1
    assert [word for word in SECRETS if word.encode() in raw(tmp_path)] == []
    assert b"Marigold" in raw(tmp_path)


def test_another_customers_words_stay(sandbox: Sandbox) -> None:
    erased(sandbox)
    assert sandbox.facts("500B2").item.fields["subject"] == "About Marigold"


def test_the_audit_still_verifies_and_says_who_erased_and_why(sandbox: Sandbox) -> None:
    erased(sandbox)
    with sandbox.store.read() as unit:
        assert unit.audit.verify() == []
        lines = unit.audit.lines(record="Case/500A1")
    assert all(line.erased for line in lines[:-1])
    assert (lines[-1].entry.event, lines[-1].entry.actor) == ("erased", "dpo")
    assert lines[-1].entry.body["reason"] == "request 7"


def test_clocks_go_on_and_rules_still_fire(sandbox: Sandbox) -> None:
    before = sandbox.facts("500A1")
    erased(sandbox)
    after = sandbox.facts("500A1")
    assert (after.item.marks, after.next_at, after.memory.fired) == (
        before.item.marks, before.next_at, before.memory.fired,
    )  # fmt: skip
    assert after.item.fields["subject"] == after.item.fields["account.name"] == ERASED
    assert (after.item.fields["account.tier"], after.item.fields["status"]) == ("Gold", "New")
    sandbox.agent("005S", presence="online", pools=["seniors"])
    sandbox.after(2 * HOUR)
    assert sandbox.facts("500A1").item.fields["owner"] == "005S"


def test_the_same_log_again_brings_nothing_back(sandbox: Sandbox) -> None:
    with sandbox.store.read() as unit:
        log = [event for event in unit.intake.events("Case/500A1") if event.origin != "triage"]
    erased(sandbox)
    again = sandbox.worker.ingest(log, sandbox.clock.now(), source="test")
    assert (again.accepted, again.repeated) == (0, len(log))


def test_a_decision_of_an_erased_record_says_so(sandbox: Sandbox) -> None:
    with sandbox.store.read() as unit:
        decision = unit.policies.decisions("Case/500A1")[0]
    erased(sandbox)
    with pytest.raises(StoreError, match="were erased"):
        rederive(sandbox.store, sandbox.engine, decision.id)


def test_a_customer_is_found_by_address_too(sandbox: Sandbox) -> None:
    assert records_of(sandbox.store, "anna@example.com") == ["Case/500A1"]


@pytest.mark.parametrize("word", ["New", "High", "", "ab"])
def test_a_plain_word_names_no_customer(sandbox: Sandbox, word: str) -> None:
    with pytest.raises(IntakeError, match="an id or an e-mail address"):
        records_of(sandbox.store, word)


def test_nothing_is_erased_where_one_record_is_unknown(sandbox: Sandbox) -> None:
    with pytest.raises(IntakeError, match="no such record"):
        erase(sandbox.store, sandbox.engine, ["Case/500A1", "Case/9"], 0, actor="me", reason="r")
    assert sandbox.facts("500A1").item.fields["subject"] == "About Zanzibar"


def test_a_worker_that_had_read_the_record_does_not_put_the_words_back(sandbox: Sandbox) -> None:
    """Its transaction would begin from an older version, which the store refuses."""
    with sandbox.store.read() as unit:
        stale = unit.records.get(["Case/500A1"])["Case/500A1"]
    erased(sandbox)
    with pytest.raises(StoreError, match="in between"), sandbox.store.write() as unit:
        unit.records.save([(stale, stale)])


def test_what_a_language_model_said_of_the_record_goes_too(tmp_path: Path) -> None:
    """Kept answers may quote the customer: those of this record are forgotten, those of others stay."""
    sandbox = build(SqlStore(tmp_path / "llm.db", "acme"))
    with sandbox.store.write() as unit:
        unit.llm.keep("a", "Case/500A1", 1, '{"reason":"Mongoose"}')
        unit.llm.keep("b", "Case/500B2", 1, "{}")
    done = erase(sandbox.store, sandbox.engine, ["Case/500A1"], sandbox.clock.now(), actor="me", reason="asked")
    assert done.model_answers == 1
    with sandbox.store.read() as unit:
        assert unit.llm.answers(["a", "b"]) == {"b": "{}"}
    sandbox.store.close()
