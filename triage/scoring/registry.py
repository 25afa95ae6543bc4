"""
Which model scores (champion), which one scores beside it and is only written down (challenger), and who decided so.

One file, `registry.json`, beside the model folders. Promotion and rollback are pure: a registry in, a registry out; the
caller writes it and the audit. A rollback brings back the model and the policy (with its thresholds) that went with it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from triage.errors import ModelRefused
from triage.scoring.folder import check_manifest, read_manifest

FILE = "registry.json"
GATE = "gate.json"
"""Where `triage-train compare` leaves its verdict in a challenger's folder."""
MOST_CHANGE = 0.2
"""Share by which the volume that a live rule flags may change before somebody has to acknowledge it."""


class Volume(Struct, frozen=True, kw_only=True):
    """How many of the judged rows one threshold flags under either model."""

    rule: str
    threshold: str
    champion: int
    challenger: int

    @property
    def change(self) -> float:
        """Share by which the volume changes; 1 where nothing was flagged before and something is now."""
        if self.champion == self.challenger:
            return 0.0
        return abs(self.challenger - self.champion) / self.champion if self.champion else 1.0


class Verdict(Struct, frozen=True, kw_only=True):
    """
    What a comparison of two models on the same rows found.

    `champion` ("" for none) and `challenger` are sha256 of the manifests compared, so that a verdict fits no other
    model. `passed` is the statistics' answer; `because` its reasons, each a sentence. `volumes` are the live rules'.
    """

    champion: str
    challenger: str
    passed: bool
    because: tuple[str, ...] = ()
    rows: int = 0
    positives: int = 0
    margin: float = 0.0
    difference: float = 0.0
    low: float = 0.0
    high: float = 0.0
    segments: tuple[dict[str, Any], ...] = ()
    volumes: tuple[Volume, ...] = ()


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model in charge: its folder below the registry, since when, by whom, why, and the policy of that moment."""

    model: str
    version: str
    at: int
    actor: str
    reason: str = ""
    policy: str = ""
    admin: bool = False
    verdict: Verdict | None = None


class Family(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The models of one score: `past` holds the former champions, the latest first; `shadow` scores unseen by rules."""

    champion: Entry | None = None
    shadow: str = ""
    past: tuple[Entry, ...] = ()


class Registry(Struct, frozen=True, kw_only=True):
    """All families by name (`urgency`, `lead-value`, `sentiment`, ..)."""

    format: int = 1
    families: dict[str, Family] = field(default_factory=dict)


class Found(Struct, frozen=True, kw_only=True):
    """One model folder as it lies: what its manifest says, what it is now, and why it could not be promoted."""

    model: str
    family: str
    version: str
    state: str
    positives: int = 0
    barred: tuple[str, ...] = ()
    fault: str = ""


def read_registry(root: Path) -> Registry:
    """Return the registry in *root*, an empty one where there is none; raise ModelRefused where it cannot be read."""
    path = root / FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Registry)
    except FileNotFoundError:
        return Registry()
    except (OSError, msgspec.MsgspecError) as cause:
        raise ModelRefused(f"{path}: not a registry: {cause}") from cause
    if found.format != 1:
        raise ModelRefused(f"{path}: written in registry format {found.format}, this version reads format 1")
    return found


def write_registry(root: Path, registry: Registry) -> None:
    """Put *registry* in the place of the one in *root*, whole or not at all."""
    text = msgspec.json.format(msgspec.json.encode(registry, order="deterministic"), indent=1)
    new = root / f".{FILE}.new"
    root.mkdir(parents=True, exist_ok=True)
    new.write_bytes(text + b"\n")
    os.replace(new, root / FILE)


def champions(root: Path) -> dict[str, Path]:
    """Return the folder of each family's champion: what a scorer opens."""
    return {name: root / one.champion.model for name, one in read_registry(root).families.items() if one.champion}


def shadows(root: Path) -> dict[str, Path]:
    """Return the folder of each family's challenger: scored and written down, read by no rule."""
    return {name: root / one.shadow for name, one in read_registry(root).families.items() if one.shadow}


def find_models(root: Path) -> list[Found]:
    """Return every model folder below *root* (`<model>/<version>`), in charge or not; damaged ones with their fault."""
    registry = read_registry(root)
    found = [_look(root, manifest.parent, registry) for manifest in sorted(root.glob("*/*/manifest.json"))]
    found += [_look(root, manifest.parent, registry) for manifest in sorted(root.glob("*/manifest.json"))]
    return sorted(found, key=lambda one: (one.family, one.state != "champion", one.model))


def challenge(registry: Registry, root: Path, folder: Path) -> Registry:
    """Return the registry with the model in *folder* scoring in the shadow of its family's champion."""
    manifest = _manifest(folder)
    family = family_of(manifest)
    known = registry.families.get(family, Family())
    return _with(registry, family, replace(known, shadow=_relative(root, folder)))


def promote(
    registry: Registry,
    root: Path,
    folder: Path,
    now: int,
    *,
    actor: str,
    reason: str = "",
    policy: str = "",
    verdict: Verdict | None = None,
    admin: bool = False,
    acknowledge: bool = False,
) -> tuple[Registry, Entry]:
    """
    Return the registry with the model in *folder* as champion of its family, and the new entry.

    Args:
        policy: Digest of the policy in force, which a rollback brings back with the model.
        verdict: Of `triage-train compare` with the present champion; needed wherever there is one.
        admin: Somebody answers for a model that may not be promoted otherwise (a column kept by hand, too few
            positives). It overrides no failed comparison.
        acknowledge: Changes of the volume that live rules flag beyond 20 % are known and wanted.

    Raises:
        ModelRefused: the folder is damaged, or a condition is not met: each one is named with what would meet it.
    """
    manifest = _manifest(folder)
    family = family_of(manifest)
    known = registry.families.get(family, Family())
    missing = [] if admin else list(bars_of(manifest))
    if missing:
        missing[-1] += " (an administrator may answer for it: --admin --reason TEXT)"
    if admin and not reason:
        missing.append("--admin needs --reason")
    missing += _unmet(root, known, folder, verdict, acknowledge)
    if missing:
        raise ModelRefused(f"{_relative(root, folder)} is not promoted: " + "; ".join(missing))
    entry = Entry(
        model=_relative(root, folder),
        version=str(manifest.get("version", "")),
        at=now,
        actor=actor,
        reason=reason,
        policy=policy,
        admin=admin,
        verdict=verdict,
    )
    past = (known.champion, *known.past) if known.champion else known.past
    shadow = "" if known.shadow == entry.model else known.shadow
    return _with(registry, family, Family(champion=entry, shadow=shadow, past=past)), entry


def roll_back(registry: Registry, root: Path, family: str) -> tuple[Registry, Entry, Entry]:
    """
    Return the registry with *family*'s former champion back in charge, that entry, and the one that goes.

    The one that goes is its challenger from now on. The caller republishes the policy that the entry names.

    Raises:
        ModelRefused: no such family, no former champion, or its folder is damaged.
    """
    known = registry.families.get(family)
    if known is None or known.champion is None:
        raise ModelRefused(f"no model of {family!r} is in charge (there are {', '.join(registry.families) or 'none'})")
    if not known.past:
        raise ModelRefused(f"{family}: {known.champion.model} is the first of its kind: there is nothing to go back to")
    back, *older = known.past
    _manifest(root / back.model)
    found = Family(champion=back, shadow=known.champion.model, past=tuple(older))
    return _with(registry, family, found), back, known.champion


def bars_of(manifest: dict[str, Any]) -> tuple[str, ...]:
    """Return why the model of *manifest* is not promotable by itself; empty where nothing bars it."""
    return tuple(str(line) for line in manifest.get("not_promotable_because", ()))


def family_of(manifest: dict[str, Any]) -> str:
    """Return the family of the model: what it scores."""
    return str(manifest.get("task") or manifest.get("name") or manifest.get("kind", ""))


def manifest_digest(folder: Path) -> str:
    """Return the sha256 of the manifest in *folder*, which seals all its files."""
    try:
        return sha256((folder / "manifest.json").read_bytes()).hexdigest()
    except OSError as cause:
        raise ModelRefused(f"{folder}: no model folder: there is no readable manifest.json in it") from cause


def read_verdict(path: Path) -> Verdict:
    """Return the verdict in the file *path*; raise ModelRefused where there is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Verdict)
    except OSError as cause:
        raise ModelRefused(
            f"{path}: no comparison with the champion: run `triage-train compare CHAMPION CHALLENGER --data FILE ..`"
        ) from cause
    except msgspec.MsgspecError as cause:
        raise ModelRefused(f"{path}: not a verdict: {cause}") from cause


def _unmet(root: Path, known: Family, folder: Path, verdict: Verdict | None, acknowledge: bool) -> list[str]:
    if known.champion is None:
        return []
    if known.champion.model == _relative(root, folder):
        return ["it is the champion already"]
    if verdict is None:
        return [f"it was not compared with the champion {known.champion.model}: run `triage-train compare`"]
    if verdict.challenger != manifest_digest(folder) or verdict.champion != manifest_digest(
        root / known.champion.model
    ):
        return ["its comparison is of other models than these two: run `triage-train compare` again"]
    missing = [] if verdict.passed else list(verdict.because)
    loud = [volume for volume in verdict.volumes if volume.change > MOST_CHANGE]
    if loud and not acknowledge:
        told = ", ".join(f"{one.rule} ({one.threshold}): {one.champion} -> {one.challenger}" for one in loud)
        missing.append(f"live rules would flag another volume, {told} of {verdict.rows} rows: --acknowledge-volume")
    return missing


def _look(root: Path, folder: Path, registry: Registry) -> Found:
    name = _relative(root, folder)
    try:
        manifest = read_manifest(folder)
        check_manifest(folder, manifest, kind=str(manifest.get("kind")))
    except ModelRefused as fault:
        return Found(model=name, family="", version="", state="damaged", fault=str(fault))
    family = family_of(manifest)
    known = registry.families.get(family, Family())
    state = "champion" if known.champion and known.champion.model == name else ""
    state = state or ("challenger" if known.shadow == name else "")
    state = state or ("former" if any(one.model == name for one in known.past) else "idle")
    return Found(
        model=name, family=family, version=str(manifest.get("version", "")), state=state, barred=bars_of(manifest)
    )


def _manifest(folder: Path) -> dict[str, Any]:
    manifest = read_manifest(folder)
    check_manifest(folder, manifest, kind=str(manifest.get("kind")))
    return manifest


def _relative(root: Path, folder: Path) -> str:
    try:
        return folder.resolve().relative_to(root.resolve()).as_posix()
    except ValueError as cause:
        raise ModelRefused(f"{folder} lies outside {root}: move the model folder below it first") from cause


def _with(registry: Registry, name: str, family: Family) -> Registry:
    return replace(registry, families={**registry.families, name: family})


def names_of(found: Sequence[Found]) -> list[str]:
    """Return the families among *found*, each once."""
    return sorted({one.family for one in found if one.family})
