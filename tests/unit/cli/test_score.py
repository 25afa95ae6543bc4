"""`triage score`: files of every kind through the shipped models, and what is said of bad ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from triage.cli.commands import run
from triage.cli.rows import read_rows

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


def test_a_table_for_people_tells_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each score stands under its name, and the reasons say which one they are about."""
    monkeypatch.delenv("COLUMNS", raising=False)
    assert run(["score", str(written(tmp_path, "rows.csv")), "--models", MODELS]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["id", "urgency", "sentiment", "language", "effort", "why"]
    assert "negative -0." in first
    assert "(abstained)" in second
    assert "urgency: " in first
    assert "effort: " in first


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ('{"a": 1}\n{broken', "line 2"),
        ("a,b\n1,2,3", "line 2"),
        ("Subject,Priority\nHello", "line 2"),
        ("Subject,Subject\nHello,x", "twice"),
        ("CaseId,CreatedDate\n7,soon", "7"),
        ('[{"Subject": "a"}, 4]', "item 2: not a JSON object"),
        ('[{"Subject": "a"}', "not a JSON array of objects"),
        ("Betreff,Prio\nHallo,hoch\n", "it has 'Betreff', 'Prio'; they read ContactEmail"),
        ("Betreff,Prio\n", "it has 'Betreff', 'Prio'"),
        ('{"Betreff": "Hallo", "Subject": null}', "no column is known to the models: it has 'Betreff'"),
    ],
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


def test_a_line_that_is_no_object_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON lines of something else are refused, whatever they look like."""
    path = tmp_path / "rows.jsonl"
    for text in ("42\n43\n", "[1]\n[2]\n", '"Subject"\n'):
        path.write_text(text)
        assert run(["score", str(path), "--models", MODELS]) == 2
        assert "line 1: not a JSON object" in capsys.readouterr().err


def test_other_separators_encodings_arrays_and_long_cells_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `triage init` and a replay read is read as the plain file is."""
    wanted = read_rows(written(tmp_path, "rows.csv"))
    assert (wanted.columns, wanted.records) == (tuple(ROWS[0]), ROWS)
    plain = (tmp_path / "rows.csv").read_text(encoding="utf-8")
    texts = {
        "semicolons.csv": plain.replace(",", ";").encode(),
        "tabs.csv": plain.replace(",", "\t").encode("utf-8-sig"),
        "windows.csv": plain.encode("cp1252"),
        "array.json": json.dumps(ROWS, indent=1).encode(),
        "lines.json": "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode("utf-8-sig"),
        "blank.csv": plain.replace("\n", "\n\n").encode(),
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
        assert read_rows(tmp_path / name) == wanted, name
    (tmp_path / "long.csv").write_text("Id,Subject\n5," + "a word " * 20_000)
    assert scored(tmp_path / "long.csv", capsys, "--scores", "urgency")[0]["id"] == "5"


def test_line_ends_of_unicode_within_a_text_end_no_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON keeps U+2028 in a text as it is."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"Id": "1", "Subject": "one\u2028two"}\n', encoding="utf-8")
    assert [line["id"] for line in scored(path, capsys, "--scores", "urgency")] == ["1"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--object", "Leed"], "know 'Leed': did you mean 'Lead'?"),
        (["--object", "Xyz"], "know 'Xyz': there are"),
        (["--tz", "Mars"], "'Mars' is not a time zone"),
    ],
)
def test_an_option_that_means_nothing_is_refused(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether or not a row would have needed it."""
    path = written(tmp_path, "rows.csv")
    assert run(["score", str(path), "--models", MODELS, *options]) == 2
    assert says in capsys.readouterr().err


def test_the_columns_of_a_field_map_and_other_capitals_are_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the customer wrote counts where the policy says that it stands, and by any capitals where none says it."""
    policy = tmp_path / "policy"
    policy.mkdir()
    fields = "objects:\n  Case:\n    fields:\n      subject: Betreff\n"
    (policy / "fields.yaml").write_text(fields)
    path = tmp_path / "rows.csv"
    path.write_text("Betreff\nNobody here can work\n")
    (line,) = scored(path, capsys, "--policy", str(policy), "--scores", "sentiment")
    assert "sentiment.label" in line["scores"]  # type: ignore[operator]
    path.write_text(path.read_text().replace("Betreff", "SUBJECT"))
    monkeypatch.setenv("TRIAGE_POLICY", str(tmp_path / "none"))
    assert scored(path, capsys, "--scores", "sentiment")
    assert run(["score", str(path), "--models", MODELS, "--scores", "urgency"]) == 2


@pytest.mark.parametrize("told", ["03.09.2026 09:00", "1788426000", "1788426000000", "2026-09-03T09:00:00Z"])
def test_an_opening_may_be_a_local_date_or_an_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], told: str
) -> None:
    """As training reads it: the day stands first where dots do, ten digits are seconds."""
    rows = [{**ROWS[0], "CreatedDate": when} for when in (told, told.replace("03.09", "30.08"))]
    text = "\n".join(",".join(cells) for cells in [list(ROWS[0]), *(list(row.values()) for row in rows)])
    (tmp_path / "rows.csv").write_text(text)
    (tmp_path / "plain.csv").write_text(text.replace(told, "2026-09-03 09:00"))
    assert scored(tmp_path / "rows.csv", capsys)[0] == scored(tmp_path / "plain.csv", capsys)[0]
