"""
A model folder whose every file is sealed: `manifest.json` holds the kind, format and sha256 of each.

Nothing is read from a folder before its seal holds. Files are data only; no code is ever loaded from them.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from triage.errors import ModelRefused

FORMAT = 1
MANIFEST = "manifest.json"
LARGEST = 512 * 1024 * 1024
"""Bytes of one file that are read at most."""


class Sealed(msgspec.Struct, frozen=True):
    """A folder as read: its manifest (less the seals) and the bytes of each sealed file."""

    folder: Path
    manifest: dict[str, Any]
    files: dict[str, bytes]

    def data(self, name: str) -> bytes:
        """Return the bytes of the file *name*; raise ModelRefused where the folder has none."""
        if name not in self.files:
            raise ModelRefused(f"{self.folder}: {name} is not in its {MANIFEST}: the folder is incomplete")
        return self.files[name]

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays in the file *name* (npz, nothing pickled); raise ModelRefused where it cannot be read."""
        try:
            with np.load(io.BytesIO(self.data(name)), allow_pickle=False) as file:
                return {one: file[one] for one in file.files}
        except (ValueError, OSError, zipfile.BadZipFile) as fault:
            raise ModelRefused(f"{self.folder}: {name} cannot be read: {fault}") from fault


def read_sealed(folder: Path, kind: str) -> Sealed:
    """
    Return the folder at *folder* once every file has been found as it was sealed.

    Raises:
        ModelRefused: no folder of *kind*, of another format, or a file is missing or was changed: named.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as fault:
        raise ModelRefused(f"{folder}: no model folder: {MANIFEST} cannot be read ({_short(fault)})") from fault
    if manifest.get("kind") != kind:
        raise ModelRefused(f"{folder}: holds a {manifest.get('kind')!r} model where {kind!r} is wanted")
    if manifest.get("format") != FORMAT:
        raise ModelRefused(
            f"{folder}: written in format {manifest.get('format')!r}; this version reads {FORMAT}: fit the model again"
        )
    seals = manifest.get("files")
    if not isinstance(seals, dict) or not seals:
        raise ModelRefused(f"{folder}: {MANIFEST} seals no file")
    return Sealed(folder, manifest, {name: _opened(folder, name, seal) for name, seal in seals.items()})


def _opened(folder: Path, name: str, seal: Any) -> bytes:
    if Path(name).name != name:
        raise ModelRefused(f"{folder}: {MANIFEST} names {name!r}, which is not a file of this folder")
    try:
        if (folder / name).stat().st_size > LARGEST:
            raise ModelRefused(f"{folder}: {name} is larger than any model file may be")
        data = (folder / name).read_bytes()
    except OSError as fault:
        raise ModelRefused(f"{folder}: {name} is missing ({_short(fault)})") from fault
    if hashlib.sha256(data).hexdigest() != seal:
        raise ModelRefused(f"{folder}: {name} was changed after the model was made: its sha256 is not the sealed one")
    return data


def write_sealed(folder: Path, kind: str, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> str:
    """Write *files* and a manifest of *kind* that seals them into *folder*; return the version, 12 hex digits."""
    folder.mkdir(parents=True, exist_ok=True)
    seals = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    version = hashlib.sha256(msgspec.json.encode(seals)).hexdigest()[:12]
    for name, data in files.items():
        (folder / name).write_bytes(data)
    whole = {**manifest, "kind": kind, "format": FORMAT, "version": version, "files": seals}
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(whole, order="sorted"), indent=1) + b"\n")
    return version


def _short(fault: Exception) -> str:
    return getattr(fault, "strerror", None) or str(fault)
