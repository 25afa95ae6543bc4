"""Same facts, same policy, same instant: the same decision, byte for byte, wherever and however it is taken."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests.property.decide.case import Case
from tests.property.decide.generate import random_cases, waiting
from tests.property.decide.walk import taken
from triage.domain.decision import Decision
from triage.domain.facts import Facts
from triage.pipeline import advancing, decide
from triage.policy import Policy, compile_policy
from triage.store.codec import decode_facts, encode_facts

ROOT = Path(__file__).resolve().parents[3]
CASES = 25


def encoded(decision: Decision) -> bytes:
    """Return *decision* as the bytes that are compared."""
    return msgspec.json.encode(decision, order="deterministic")


def states_of(case: Case, policy: Policy) -> list[tuple[Facts, int]]:
    """Return the facts that each decision of *case* was taken on, fresh events and all, with its instant."""
    facts: Facts | None = None
    found: list[tuple[Facts, int]] = []
    for event in case.events:
        for instant in (event.at - 1, event.at):
            if facts is None and instant < event.at:
                continue
            before = taken(facts, event, policy) if instant == event.at else facts
            for after, decision in advancing(before, policy, instant):
                found.append((before, decision.at))
                before = after
            facts = before
    return found


@pytest.mark.parametrize("block", range(2))
def test_facts_that_went_through_json_decide_alike(block: int) -> None:
    """What the store gives back decides as what was put in, at its instant and later."""
    compared = 0
    for seed in range(block * 500, block * 500 + CASES):
        case = waiting(random_cases(seed, 1)[0])
        policy = compile_policy(case.document, virtual=True)
        for facts, now in states_of(case, policy):
            stored = decode_facts(encode_facts(facts))
            for instant in (now, now + 61_000):
                assert encoded(decide(stored, policy, instant)) == encoded(decide(facts, policy, instant)), f"{case}"
                compared += 1
    assert compared > 100


def test_decisions_do_not_depend_on_the_order_of_fields() -> None:
    """Dictionaries shuffled, the same bytes."""
    for seed in range(CASES):
        case = waiting(random_cases(seed, 1)[0])
        policy = compile_policy(case.document, virtual=True)
        for facts, now in states_of(case, policy):
            other = _shuffled(facts, Random(seed))
            assert encoded(decide(other, policy, now)) == encoded(decide(facts, policy, now)), f"{case}"


def _shuffled(facts: Facts, rng: Random) -> Facts:
    memory = facts.memory
    memory = replace(
        memory,
        **{
            name: _mixed(getattr(memory, name), rng)
            for name in ("in_force", "true_since", "fired", "last_fired", "runs", "ours")
        },
    )
    item = replace(facts.item, fields=_mixed(facts.item.fields, rng), marks=_mixed(facts.item.marks, rng))
    return replace(facts, item=item, memory=memory, fresh=tuple((e, _mixed(v, rng)) for e, v in facts.fresh))


def _mixed(values: dict[str, Any], rng: Random) -> dict[str, Any]:
    return dict(rng.sample(list(values.items()), len(values)))


def digest_of_decisions() -> str:
    """Return one digest of a few hundred decisions: what another process must come to as well."""
    found = hashlib.sha256()
    for seed in range(CASES):
        case = waiting(random_cases(seed, 1)[0])
        policy = compile_policy(case.document, virtual=True)
        found.update(policy.digest.encode())
        for facts, now in states_of(case, policy):
            found.update(encoded(decide(facts, policy, now)))
    return found.hexdigest()


@pytest.mark.parametrize(("hash_seed", "zone"), [("0", "UTC"), ("1", "Pacific/Apia"), ("4711", "America/St_Johns")])
def test_decisions_are_the_same_bytes_under_any_hash_seed_and_zone(hash_seed: str, zone: str) -> None:
    """Another process, hash seed, time zone and locale: the same decisions and the same policy digest."""
    script = "from tests.property.decide.test_same import digest_of_decisions; print(digest_of_decisions())"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "TZ": zone, "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == digest_of_decisions()
