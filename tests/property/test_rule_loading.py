"""Laws of loading and of the static analysis, against an oracle that tries every state."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.config import load_policy, read_folder
from triage.errors import ConfigError
from triage.rules.analysis import analyse, witnesses
from triage.rules.deeds import plain
from triage.rules.document import PolicyDocument
from triage.rules.positions import read_tree
from triage.rules.schema import json_schema

VALID = read_folder(Path(__file__).parents[1] / "unit" / "rules" / "policies" / "valid")
BASE = VALID["base.yaml"]
RANKS = ["Low", "Medium", "High", "Critical"]
PRODUCTS = ["Mail", "Voice", "Chat"]
POOLS: dict[str, list[Any]] = {
    "priority": [None, *RANKS],
    "seats": [None, *range(-1, 8)],
    "status": [None, "new", "old", "ew", "cold", "newold", "zzz"],
    "is_closed": [None, True, False],
    "products": [None, *(part for size in (1, 2, 3) for part in combinations(PRODUCTS, size))],
}
"""Every kind of value that the constants below can tell apart, and missing."""

Verdict = bool | None
Oracle = Callable[[dict[str, Any]], Verdict]


def random_leaf(source: random.Random) -> tuple[str, str, Oracle]:
    """One leaf as YAML text, the field it asks, and what it answers on a state: None is unknown."""
    name = source.choice(list(POOLS))
    text, test = {
        "priority": _priority,
        "seats": _seats,
        "status": _status,
        "is_closed": lambda _: ("is_closed", lambda value: value is True),
        "products": _products,
    }[name](source)
    if source.random() < 0.12:
        missing = source.random() < 0.5
        return f"'{name} is {'missing' if missing else 'present'}'", name, lambda s: (s[name] is None) == missing
    negated = source.random() < 0.3

    def answer(state: dict[str, Any]) -> Verdict:
        value = state[name]
        return None if value is None else test(value) != negated

    return f"'{'not ' if negated else ''}{text}'", name, answer


def _priority(source: random.Random) -> tuple[str, Callable[[Any], bool]]:
    bound, op = source.choice(RANKS), source.choice(["==", "!=", "<", "<=", ">", ">="])
    return f"priority {op} {bound}", lambda value: _ordered(op, RANKS.index(value), RANKS.index(bound))


def _seats(source: random.Random) -> tuple[str, Callable[[Any], bool]]:
    bound, op = source.randrange(6), source.choice(["==", "!=", "<", "<=", ">", ">="])
    return f"seats {op} {bound}", lambda value: _ordered(op, value, bound)


def _ordered(op: str, left: int, right: int) -> bool:
    if op in ("==", "!="):
        return (left == right) == (op == "==")
    return left == right if op in ("<=", ">=") and left == right else (left < right) == (op[0] == "<") and left != right


def _status(source: random.Random) -> tuple[str, Callable[[Any], bool]]:
    if source.random() < 0.5:
        part = source.choice(["ew", "old"])
        return f"status contains {part}", lambda value: part in value.lower()
    whole = source.choice(["NEW", "old"])
    return f"status == {whole}", lambda value: value.lower() == whole.lower()


def _products(source: random.Random) -> tuple[str, Callable[[Any], bool]]:
    wanted = source.sample(PRODUCTS, source.choice([1, 2]))
    op = source.choice(["includes", "excludes"])
    return f"products {op} [{', '.join(wanted)}]", lambda value: bool(set(wanted) & set(value)) == (op == "includes")


def random_condition(source: random.Random, depth: int = 0) -> tuple[str, set[str], Oracle]:
    """A condition as flow YAML, its fields, and its answer: Kleene's all, any and not."""
    shape = source.choice(["leaf", "all", "any", "not"]) if depth < 3 else "leaf"
    if shape == "leaf":
        text, name, answer = random_leaf(source)
        return text, {name}, answer
    if shape == "not":
        text, names, inner = random_condition(source, depth + 1)
        return f"{{not: {text}}}", names, lambda s: None if (found := inner(s)) is None else not found
    parts = [random_condition(source, depth + 1) for _ in range(source.choice([1, 2, 3]))]
    answers = [part[2] for part in parts]
    joined = ", ".join(part[0] for part in parts)
    decisive = shape == "any"

    def answer_of(state: dict[str, Any]) -> Verdict:
        found = [answer(state) for answer in answers]
        return decisive if decisive in found else None if None in found else not decisive

    return f"{{{shape}: [{joined}]}}", set().union(*(part[1] for part in parts)), answer_of


def random_set(source: random.Random, match: str) -> tuple[PolicyDocument, list[Oracle], set[str]]:
    rules = [random_condition(source) for _ in range(source.choice([1, 2, 3, 4]))]
    do = ", do: [{notify: {who: owner, template: received}}]" if match == "all_matches" else ""
    body = "".join(f"  - {{id: r{n}, when: [{text}]{do}}}\n" for n, (text, _, _) in enumerate(rules))
    document = load_policy({"base.yaml": BASE, "rules.yaml": f"match: {match}\nrules:\n{body}"})
    return document, [rule[2] for rule in rules], set().union(*(rule[1] for rule in rules))


def states(names: set[str]) -> Iterator[dict[str, Any]]:
    ordered = sorted(names)
    for values in product(*(POOLS[name] for name in ordered)):
        yield dict(zip(ordered, values, strict=True))


def verdicts(oracles: list[Oracle], names: set[str], first: bool) -> dict[str, str]:
    """What trying every state says of each rule: never, shadowed, or nothing."""
    holds, reached = set[int](), set[int]()
    for state in states(names):
        true = [index for index, oracle in enumerate(oracles) if oracle(state) is True]
        holds.update(true)
        reached.update(true[:1] if first else true)
    found = {f"r{index}": "never" for index in range(len(oracles)) if index not in holds}
    return found | {f"r{index}": "shadowed" for index in holds - reached}


def check_verdicts(seed: int, match: str) -> None:
    document, oracles, names = random_set(random.Random(seed), match)
    found = {f.rule: f.code for f in analyse(document) if f.code in ("never", "shadowed", "undecided")}
    assert found == verdicts(oracles, names, match == "first_match"), seed
    for rule, record in witnesses(document.rule_sets[0], document).items():
        state = dict.fromkeys(POOLS) | record
        true = [f"r{index}" for index, oracle in enumerate(oracles) if oracle(state) is True]
        assert rule in (true[:1] if match == "first_match" else true), seed


@pytest.mark.parametrize("match", ["first_match", "all_matches"])
def test_the_analyser_agrees_with_trying_every_state(match: str) -> None:
    for seed in range(40):
        check_verdicts(seed, match)


@pytest.mark.laws
@pytest.mark.parametrize("match", ["first_match", "all_matches"])
def test_the_analyser_agrees_with_trying_every_state_on_hundreds_of_sets(match: str) -> None:
    for seed in range(1000, 1600):
        check_verdicts(seed, match)


def load(texts: dict[str, str]) -> PolicyDocument | ConfigError:
    """The document or the one error that loading may raise: anything else fails the test."""
    try:
        return load_policy(texts)
    except ConfigError as cause:
        for fault in cause.faults:
            lines = texts[fault.file].split("\n")
            assert 1 <= fault.line <= len(lines) + 1
            assert fault.column >= 1
            assert fault.text
        assert cause.faults == tuple(sorted(cause.faults, key=lambda f: (f.file, f.line, f.column, f.text)))
        return cause


def mutated(text: str, source: random.Random) -> str:
    """*text* with a few pieces dropped, doubled, swapped or replaced by something nasty."""
    nasty = [
        "\x00",
        "\t",
        "[",
        "}",
        "'",
        '"',
        ": ",
        "&a ",
        "*a",
        "!!x ",
        "%",
        "- ",
        "\n",
        "é",
        "\u202e",
        "-1",
        "{{",
        "#",
        ",",
    ]
    for _ in range(source.choice([1, 1, 2, 5])):
        at, size = source.randrange(len(text)), source.choice([0, 1, 1, 4, 20])
        piece = source.choice([source.choice(nasty), "", text[at : at + size] * 2])
        text = text[:at] + piece + text[at + size :]
    return text


def test_a_damaged_file_is_refused_with_positions_or_loads_and_never_crashes() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    source = random.Random(7)
    loaded = 0
    for _ in range(250):
        name = source.choice(sorted(VALID))
        texts = VALID | {name: mutated(VALID[name], source)}
        found = load(texts)
        if isinstance(found, PolicyDocument):
            loaded += 1
            node, _ = read_tree(name, texts[name])
            assert node is not None
            # What the loader takes, the editor's schema takes too.
            assert [error.message for error in validator.iter_errors(plain(node))] == []
    assert loaded > 10


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(max_size=200))
def test_any_text_is_refused_or_loads(text: str) -> None:
    load({"base.yaml": BASE, "rules.yaml": text})


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(alphabet="abpriotyHigh =!<>[]()'\",.%0123456789-_notis", max_size=40))
def test_any_leaf_is_refused_or_loads(text: str) -> None:
    quoted = text.replace("'", "''")
    load({"base.yaml": BASE, "rules.yaml": f"match: first_match\nrules: [{{id: a, when: ['{quoted}']}}]"})


def test_the_order_in_which_files_are_given_does_not_matter() -> None:
    backwards = dict(reversed(list(VALID.items())))
    assert load_policy(backwards) == load_policy(VALID)
    broken = {"z.yaml": "rulez: []", "a.yaml": "rules: 5", **VALID}
    with pytest.raises(ConfigError) as first:
        load_policy(broken)
    with pytest.raises(ConfigError) as second:
        load_policy(dict(reversed(list(broken.items()))))
    assert first.value.faults == second.value.faults
