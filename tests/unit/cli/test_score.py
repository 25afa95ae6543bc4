"""`triage score`: files of every kind through the shipped models, and what is said of bad ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from triage.cli.commands import run

MODELS = str(Path(__file__).parents[3] / "models")
ROWS = [
    {
        "CaseId": "1",
        "Subject": "Outage? Nobody here can work",
        "Priority": "Critical",
        "CreatedDate": "2026-09-03 09:00",
    },
    {"CaseId": "2", "Subject": "Größe “L” – Frage zum Tarif", "Priority": "Low", "CreatedDate": "2026-09-03 10:00"},
]


def scored(path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, object]]:
    at = ("--at", "2026-09-03T12:00:00Z")
    assert run(["score", str(path), "--models", MODELS, "--json", *at, *more]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def written(folder: Path, name: str) -> Path:
    path = folder / name
    if name.endswith(".parquet"):
        parquet.write_table(pa.Table.from_pylist(ROWS), path)
        return path
    if "jsonl" in name:
        text = "\n".join(json.dumps(row) for row in ROWS)
    else:
        text = "\n".join(
            ",".join(cells) for cells in [list(ROWS[0]), *([str(v) for v in row.values()] for row in ROWS)]
        )
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return path


def test_every_kind_of_file_gives_the_same_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("rows.csv", "rows.jsonl", "rows.parquet", "rows.csv.gz")
    found = [scored(written(tmp_path, name), capsys) for name in names]
    assert all(one == found[0] for one in found)
    assert [line["id"] for line in found[0]] == ["1", "2"]
    assert set(found[0][0]) == {"id", "scores", "model_versions", "reasons"}


def test_a_table_for_people_tells_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", str(written(tmp_path, "rows.csv")), "--models", MODELS]) == 0
    assert "score 0." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "empty"), ('{"a": 1}\n{broken', "line 2"), ("a,b\n1,2,3", "line 2"), ("CaseId,CreatedDate\n7,soon", "7")],
)
def test_bad_files_are_answered_in_a_sentence(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    assert run(["score", str(path), "--models", MODELS]) == 2
    assert says in capsys.readouterr().err


def test_a_folder_without_models_is_answered_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", str(written(tmp_path, "rows.csv")), "--models", str(tmp_path)]) == 2
    assert "TRIAGE_MODELS" in capsys.readouterr().err
