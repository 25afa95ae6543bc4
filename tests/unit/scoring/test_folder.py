"""A model folder opens only as it was sealed, and says in words why it does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.tables import cases, saved
from training.export import seal
from training.fit import fit
from training.prepare import Request
from triage.errors import ModelRefused
from triage.scoring.folder import open_model


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed")
    data = saved(cases(500), folder)
    return fit(Request(task="urgency", data=(data,), id="CaseId", target="y_late", out=str(folder / "model"))).folder


@pytest.fixture
def model(sealed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sealed, tmp_path / "model"))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelRefused) as caught:
        open_model(folder)
    return str(caught.value)


def manifest(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "manifest.json").read_text())
    return found


def test_a_folder_opens_as_it_was_sealed(model: Path) -> None:
    assert open_model(model).version == manifest(model)["version"]


@pytest.mark.parametrize(
    "name", ["model.json", "weights.npz", "golden.jsonl", "schema.json", "metrics.json", "card.md"]
)
def test_one_changed_byte_is_noticed(model: Path, name: str) -> None:
    data = bytearray((model / name).read_bytes())
    data[len(data) // 2] ^= 1
    (model / name).write_bytes(data)
    assert f"{name}: changed since" in refusal(model)


def test_a_missing_file_is_noticed(model: Path) -> None:
    (model / "weights.npz").unlink()
    assert "weights.npz: missing" in refusal(model)


def test_another_format_is_refused_with_what_to_do(model: Path) -> None:
    (model / "manifest.json").write_text(json.dumps({**manifest(model), "format": 99}))
    assert "format 99" in refusal(model)
    assert "fit it again" in refusal(model)


def test_another_kind_is_refused(model: Path) -> None:
    (model / "manifest.json").write_text(json.dumps({**manifest(model), "kind": "sentiment"}))
    assert "kind 'sentiment'" in refusal(model)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    assert "no model folder" in refusal(tmp_path / "none")


def test_a_manifest_that_names_a_file_elsewhere_is_refused(model: Path) -> None:
    told = manifest(model)
    (model / "manifest.json").write_text(json.dumps({**told, "files": {"../x": "0"}}))
    assert "no file of the folder" in refusal(model)


def test_golden_rows_scored_differently_are_refused(model: Path) -> None:
    """Somebody changes a golden row and seals the folder anew: hashes hold, the model does not."""
    lines = (model / "golden.jsonl").read_text().splitlines()
    row = json.loads(lines[3])
    row["probabilities"] = [row["probabilities"][0] + 2e-9, row["probabilities"][1] - 2e-9]
    lines[3] = json.dumps(row)
    (model / "golden.jsonl").write_text("\n".join(lines))
    told = manifest(model)
    told.pop("files")
    seal(model, told)
    assert "golden.jsonl, line 4" in refusal(model)


def test_golden_rows_are_many_and_of_every_kind(model: Path) -> None:
    rows = [json.loads(line) for line in (model / "golden.jsonl").read_text().splitlines()]
    texts = " ".join(str(row["fields"].get("Subject", "")) for row in rows)
    assert len(rows) >= 200
    assert "ß" in texts and "系" in texts and "’" in texts
    assert any(not row["fields"] for row in rows)
    assert any(row["fields"].get("Queue") == "never seen before" for row in rows)
    assert any("Seats" not in row["fields"] for row in rows)


def test_a_folder_holds_no_code(model: Path) -> None:
    assert {path.suffix for path in model.iterdir()} <= {".json", ".npz", ".jsonl", ".md", ".png"}
