"""The OpenAPI file and the server say the same: schemathesis asks what the file allows, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.served import Served

SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "4xx"]
negative_data_rejection.expected-statuses = ["4xx"]
"""
"""A body that the schema allows may still name what is not there: then 4xx is right, and 5xx never. So is a 413."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    found = Served(tmp_path_factory.mktemp("openapi"))
    event = {
        "at": "2026-01-12T09:00:00Z", "type": "created", "object": "Case", "id": "500A",
        "changes": {"Priority": "High", "Status": "New", "OwnerId": "005A"},
    }  # fmt: skip
    found.client("operate").post("/v1/events", json={"events": [event]})
    yield found
    found.close()


def asked(served: Served, folder: Path, file: str, examples: int, phases: str) -> subprocess.CompletedProcess[str]:
    settings = folder / "schemathesis.toml"
    settings.write_text(SETTINGS)
    key = served.key("score", "read", "operate", "admin")
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run", f"{served.address}/{file}",
        "-H", f"Authorization: Bearer {key}", "--checks", "all", "--phases", phases, "--seed", "1",
        "--max-examples", str(examples), "--no-color",
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_schemathesis_finds_nothing(served: Served, tmp_path: Path) -> None:
    """Examples, every boundary of every schema, and some chance: no check of all fails."""
    found = asked(served, tmp_path, "openapi.json", 3, "examples,coverage,fuzzing")
    assert found.returncode == 0, found.stdout[-4_000:]


@pytest.mark.laws
@pytest.mark.parametrize("file", ["openapi.json", "openapi-3.0.json"])
def test_schemathesis_finds_nothing_in_many_tries(served: Served, tmp_path: Path, file: str) -> None:
    """The same with a hundred tries an operation, of both files."""
    found = asked(served, tmp_path, file, 100, "examples,coverage,fuzzing,stateful")
    assert found.returncode == 0, found.stdout[-4_000:]


def words(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key in *value*, however deep, with what stands under it."""
    if isinstance(value, list):
        for one in value:
            yield from words(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name, one
            yield from words(one)


def test_the_older_file_has_no_word_of_the_newer_one(served: Served) -> None:
    """External Services read OpenAPI 3.0: no null type, no const, no examples, and only score and decide."""
    found = served.client("score").get("/openapi-3.0.json").json()
    assert (found["openapi"], sorted(found["paths"])) == ("3.0.3", ["/v1/decide", "/v1/score"])
    told = list(words(found))
    assert not [name for name, _ in told if name in ("const", "prefixItems", "examples")]
    assert ("type", "null") not in [(name, value) for name, value in told if isinstance(value, str)]
