"""Text and back."""

from __future__ import annotations

from triage.domain.facts import Facts, Memory, Ours
from triage.domain.work import Agent, Event, WorkItem
from triage.store.codec import decode_facts, digest, encode, encode_facts

ITEM = WorkItem(object="Case", id="1", created_at=5, fields={"b": 1, "a": ("x", "y"), "f": 0.5, "t": True})


def test_equal_values_are_equal_text_whatever_order_they_were_built_in() -> None:
    assert encode({"b": 1, "a": {"d": 1, "c": 2}}) == encode({"a": {"c": 2, "d": 1}, "b": 1})
    assert encode({"b": 1, "a": 2}) == '{"a":2,"b":1}'


def test_facts_come_back_equal() -> None:
    event = Event(at=1, type="updated", event_id="e", object="Case", id="1", changes={"x": ["a"], "y": None})
    memory = Memory(ours={"owner": Ours("r", 5, "005")}, fired={"k": 1})
    facts = Facts(org="o", item=ITEM, memory=memory, fresh=((event, {"tags": ("a", "b"), "n": 1}),), next_at=9)
    assert decode_facts(encode_facts(facts)) == facts


def test_agents_are_left_out_of_facts() -> None:
    facts = Facts(org="o", item=ITEM, agents=(Agent(id="a"),))
    assert decode_facts(encode_facts(facts)).agents == ()
    assert len(digest(encode_facts(facts))) == 64
