"""Model folders open as they were sealed, or not at all."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from triage.errors import ModelRefused
from triage.scoring.sealed import read_sealed, write_sealed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_sealed(tmp_path, "toy", {"a.bin": b"abc", "b.txt": b"x"}, {"note": "hello"})
    return tmp_path


def test_a_folder_comes_back_as_it_was_written(folder: Path) -> None:
    sealed = read_sealed(folder, "toy")
    assert sealed.files == {"a.bin": b"abc", "b.txt": b"x"}
    assert sealed.manifest["note"] == "hello"


def test_the_same_files_have_the_same_version_and_others_another(folder: Path, tmp_path: Path) -> None:
    again = write_sealed(tmp_path / "again", "toy", {"b.txt": b"x", "a.bin": b"abc"}, {"note": "other"})
    assert read_sealed(folder, "toy").manifest["version"] == again
    assert write_sealed(tmp_path / "other", "toy", {"a.bin": b"abd", "b.txt": b"x"}, {}) != again


def test_one_changed_byte_is_named(folder: Path) -> None:
    (folder / "a.bin").write_bytes(b"abd")
    with pytest.raises(ModelRefused, match=r"a\.bin was changed"):
        read_sealed(folder, "toy")


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "b.txt").unlink()
    with pytest.raises(ModelRefused, match=r"b\.txt is missing"):
        read_sealed(folder, "toy")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "other"}, "'other' model where 'toy' is wanted"),
        ({"format": 2}, "format 2"),
        ({"files": {}}, "seals no file"),
        ({"files": {"../x": "0"}}, "not a file of this folder"),
    ],
)
def test_a_manifest_of_another_sort_is_refused(folder: Path, change: dict[str, object], told: str) -> None:
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes()) | change
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(ModelRefused, match=told):
        read_sealed(folder, "toy")


@pytest.mark.parametrize("written", [None, b"", b"[]", b"{"])
def test_no_manifest_is_no_model(tmp_path: Path, written: bytes | None) -> None:
    if written is not None:
        (tmp_path / "manifest.json").write_bytes(written)
    with pytest.raises(ModelRefused, match="no model folder"):
        read_sealed(tmp_path, "toy")
