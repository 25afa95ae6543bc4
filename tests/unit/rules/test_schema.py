"""The JSON Schema for editors agrees with the loader on shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from triage.rules.deeds import plain
from triage.rules.grammar import DEFINITIONS, FILE, RULE
from triage.rules.positions import read_tree
from triage.rules.schema import json_schema

HERE = Path(__file__).parent / "policies"
CONFIGS = Path(__file__).parents[3] / "configs"


def data(path: Path) -> Any:
    """The file as an editor sees it: YAML 1.2 with text, whole numbers, true and false."""
    node, page = read_tree(path.name, path.read_text(encoding="utf-8"))
    assert node is not None
    assert page.faults == []
    return plain(node)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    """The schema, compiled."""
    return jsonschema.Draft202012Validator(json_schema())


def test_the_schema_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", sorted((HERE / "valid").glob("*.yaml")), ids=lambda path: path.stem)
def test_valid_files_validate(path: Path, validator: jsonschema.Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(data(path))] == []


def test_every_policy_file_of_configs_validates(validator: jsonschema.Draft202012Validator) -> None:
    for path in sorted(CONFIGS.glob("*/**/*.yaml")):
        assert [f"{path}: {error.message}" for error in validator.iter_errors(data(path))] == []


@pytest.mark.parametrize("path", sorted((HERE / "invalid").glob("shape-*.yaml")), ids=lambda path: path.stem)
def test_files_of_the_wrong_shape_do_not_validate(path: Path, validator: jsonschema.Draft202012Validator) -> None:
    assert list(validator.iter_errors(data(path)))


@pytest.mark.parametrize("path", sorted((HERE / "invalid").glob("leaf-*.yaml")), ids=lambda path: path.stem)
def test_what_stands_inside_a_leaf_is_the_loader_s_business(
    path: Path, validator: jsonschema.Draft202012Validator
) -> None:
    assert list(validator.iter_errors(data(path))) == []


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_every_reference_is_defined_and_every_definition_used() -> None:
    schema = json_schema()
    assert {f"#/$defs/{name}" for name in DEFINITIONS} == set(references(schema))


def test_the_keys_are_those_that_the_loader_reads() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(FILE.keys)
    written = schema["properties"]["rules"]["anyOf"][0]["items"]
    assert set(written["properties"]) == set(RULE.keys)
    assert written["required"] == ["id", "when"]


def test_the_schema_is_the_same_every_time() -> None:
    assert json_schema() == json_schema()
