"""The models on this machine as the API shows and promotes them, each under the name of the score that it gives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from triage.domain.decision import AuditEntry
from triage.errors import ConfigError, ModelRefused
from triage.features.spec import LATEST
from triage.ports import Store
from triage.scoring.local import FAMILIES, find_folders
from triage.scoring.registry import (
    GATE,
    Found,
    find_models,
    promote,
    read_registry,
    read_verdict,
    write_registry,
)
from triage.scoring.tabular import ModelSpec
from triage.scoring.together import FAMILIES as EVERY

WRITTEN = frozenset({"Subject", "Description"})
"""What the families read that look at the customer's words alone."""


class Catalogue:
    """See `triage.api.desk.Models`. Versions are those of manifests."""

    def __init__(self, root: Path, store: Store, now: Callable[[], int], promoted: Callable[[], None]) -> None:
        """
        Show the models below *root*.

        Args:
            store: Where promotions are audited.
            promoted: Called when another model is in charge: scorers open it.
        """
        self._root = root
        self._store = store
        self._now = now
        self._promoted = promoted
        self._lock = threading.Lock()
        self._read: dict[str, frozenset[str]] | None = None

    def listed(self) -> list[dict[str, Any]]:
        """Return each model: the score it gives, its version in charge, all versions, the first line of its card."""
        by_family: dict[str, list[Found]] = {}
        for one in find_models(self._root):
            if one.family and not one.fault:
                by_family.setdefault(one.family, []).append(one)
        return [self._shown(family, found) for family, found in sorted(by_family.items())]

    def promote(self, name: str, version: str, *, actor: str, reason: str, acknowledge_volume: bool) -> dict[str, Any]:
        """
        Put *version* of *name* in charge and return its entry in the registry.

        Raises:
            ConfigError: there is no such version, or the promotion gate says no: each condition that is not met.
        """
        found = next((one for one in find_models(self._root) if (one.family, one.version) == (name, version)), None)
        if found is None:
            raise ConfigError(f"{name} has no version {version}: GET /v1/models names them")
        folder, now = self._root / found.model, self._now()
        with self._lock, self._store.write() as unit:
            try:
                verdict = read_verdict(folder / GATE) if (folder / GATE).is_file() else None
                registry, entry = promote(
                    read_registry(self._root), self._root, folder, now, actor=actor, reason=reason,
                    policy=unit.policies.live_digest(), verdict=verdict, acknowledge=acknowledge_volume,
                )  # fmt: skip
            except ModelRefused as cause:
                raise ConfigError(str(cause)) from cause
            body: dict[str, Any] = {**msgspec.to_builtins(entry), "acknowledged_volume": acknowledge_volume}
            line = AuditEntry(at=now, org=unit.org, object="org", id=unit.org, event="model_promoted", actor=actor,
                              body=body)  # fmt: skip
            unit.audit.append([line])
            write_registry(self._root, registry)
            self._read = None
        self._promoted()
        return body

    def fields(self, family: str) -> frozenset[str]:
        """Return the CRM fields that the champion of *family* reads; none where there is no such model."""
        if self._read is None:
            self._read = fields_read(self._root)
        return self._read.get(family, WRITTEN)

    def _shown(self, family: str, found: list[Found]) -> dict[str, Any]:
        charge = find_folders(self._root).get(FAMILIES.get(family, ""))
        champion = next((one for one in found if one.state == "champion"), None)
        champion = champion or next((one for one in found if charge == self._root / one.model), found[0])
        return {
            "name": family, "champion": champion.version, "versions": [one.version for one in found],
            "card": _first_line(self._root / champion.model / "card.md"),
        }  # fmt: skip


def fields_read(root: Path) -> dict[str, frozenset[str]]:
    """Return, by family, the CRM fields that the champions below *root* read; none where a family has no model."""
    read = {name: frozenset() if name in FAMILIES.values() else WRITTEN for name in EVERY}
    return read | {name: _columns(folder) for name, folder in find_folders(root).items()}


def _columns(folder: Path) -> frozenset[str]:
    """Return the columns that the tabular model in *folder* reads."""
    try:
        spec = msgspec.json.decode((folder / "model.json").read_bytes(), type=ModelSpec)
    except (OSError, msgspec.MsgspecError) as cause:
        raise ModelRefused(f"{folder}: model.json cannot be read: {cause}") from cause
    features = spec.features
    opening = ("CreatedDate",) if features.clock or features.age else ()
    amount = (spec.amount_column,) if spec.amount_column else ()
    # The latest message is no column: it comes with the record's past.
    return frozenset((*features.columns, *features.past, *opening, *amount)) - {LATEST}


def _first_line(card: Path) -> str:
    if not card.is_file():
        return ""
    lines = (line.strip("# ").strip() for line in card.read_text(encoding="utf-8").splitlines())
    return next((line for line in lines if line), "")
