"""The models in charge: list and show them, let one score in the shadow, promote it, go back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from triage.cli.common import (
    as_json,
    cell,
    instant_cell,
    opened_store,
    print_json,
    print_table,
    say,
    signed,
    store_option,
)
from triage.domain.decision import AuditEntry
from triage.engine import PureEngine
from triage.errors import ModelRefused
from triage.ports import Store
from triage.publishing import rollback as republish
from triage.scoring.folder import read_manifest
from triage.scoring.registry import (
    GATE,
    Entry,
    Found,
    Registry,
    challenge,
    family_of,
    find_models,
    promote,
    read_registry,
    read_verdict,
    roll_back,
    write_registry,
)
from triage.wiring import SystemClock
from triage.wiring import find_models as find_root

_ROOT = click.option(
    "--models",
    "root",
    default=None,
    type=click.Path(file_okay=False),
    callback=lambda _context, _option, named: find_root(named or ""),
    help="Folder of model folders and their registry [default: TRIAGE_MODELS].",
)
_UNAUDITED = click.option("--unaudited", is_flag=True, help="There is no store here to write the audit line to.")


@click.group()
def models() -> None:
    """The models that score: which are in charge, since when, by whom."""


@models.command("list")
@_ROOT
@as_json
def models_list(root: Path, as_json: bool) -> None:
    """Every model folder, what it scores and what it is: champion, challenger, former, idle, damaged."""
    found = find_models(root)
    if as_json:
        print_json([msgspec.to_builtins(one) for one in found])
        return
    rows = [(one.family, one.model, one.state, _remark(one)) for one in found]
    print_table(("scores", "model", "state", "remark"), rows, f"no model folders below {root}")


@models.command("show")
@click.argument("name")
@_ROOT
@as_json
def models_show(name: str, root: Path, as_json: bool) -> None:
    """What the card of model NAME (or of the champion of the family NAME) says first, and who was in charge before."""
    registry = read_registry(root)
    folder = _folder(root, name, registry)
    manifest = read_manifest(folder)
    family = registry.families.get(family_of(manifest))
    if as_json:
        entries = msgspec.to_builtins(family) if family else None
        print_json({"model": name, "manifest": manifest, "registry": entries})
        return
    card = folder / "card.md"
    if card.is_file():
        lines = [line for line in card.read_text(encoding="utf-8").splitlines() if line.strip()]
        click.echo("\n".join(cell(line) for line in lines[:12]))
        click.echo(f"(the whole card: {card})")
    if family is not None and family.champion is not None:
        click.echo("")
        entries = (family.champion, *family.past)
        print_table(("since", "model", "by", "reason", "policy"), [_line(entry) for entry in entries], "")


@models.command("shadow")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@_ROOT
@as_json
def models_shadow(folder: Path, root: Path, as_json: bool) -> None:
    """Let the model in FOLDER score beside the champion: written down, read by no rule."""
    registry = challenge(read_registry(root), root, folder)
    write_registry(root, registry)
    say(f"{folder} scores in the shadow of its family's champion", {"shadow": str(folder)}, as_json)


@models.command("promote")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@_ROOT
@click.option("--admin", is_flag=True, help="Answer for a model that is barred (kept columns, few positives).")
@click.option("--acknowledge-volume", is_flag=True, help="Live rules will flag a fifth more or fewer; that is wanted.")
@_UNAUDITED
@store_option
@signed
@as_json
def models_promote(
    folder: Path,
    root: Path,
    admin: bool,
    acknowledge_volume: bool,
    unaudited: bool,
    url: str | None,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """
    Put the model in FOLDER in charge of its score, if it passed the gate against the present champion.

    The gate's verdict is `gate.json` in FOLDER, left there by `triage-train compare`.
    """
    now = SystemClock().now()
    verdict = read_verdict(folder / GATE) if (folder / GATE).is_file() else None
    with _audited(url, unaudited) as store:
        registry, entry = promote(
            read_registry(root),
            root,
            folder,
            now,
            actor=actor,
            reason=reason,
            policy=_policy_of(store),
            verdict=verdict,
            admin=admin,
            acknowledge=acknowledge_volume,
        )
        body = {**msgspec.to_builtins(entry), "acknowledged_volume": acknowledge_volume}
        _write_audit(store, now, "model_promoted", actor, body)
        write_registry(root, registry)
    _print_entry(entry, "is in charge", as_json)


@models.command("rollback")
@click.argument("family")
@_ROOT
@_UNAUDITED
@store_option
@signed
@as_json
def models_rollback(
    family: str, root: Path, unaudited: bool, url: str | None, actor: str, reason: str, as_json: bool
) -> None:
    """Bring back the former model of FAMILY together with the policy, and so the thresholds, that it went with."""
    now = SystemClock().now()
    with _audited(url, unaudited) as store:
        registry, back, gone = roll_back(read_registry(root), root, family)
        if store is not None and back.policy and back.policy != _policy_of(store):
            republish(store, PureEngine(), back.policy, now, actor=actor, reason=reason or f"with model {back.model}")
        body = {"back": back.model, "gone": gone.model, "policy": back.policy, "reason": reason}
        _write_audit(store, now, "model_rolled_back", actor, body)
        write_registry(root, registry)
    _print_entry(back, "is back in charge", as_json)


@contextmanager
def _audited(url: str | None, unaudited: bool) -> Iterator[Store | None]:
    if unaudited:
        yield None
        return
    with opened_store(url) as store:
        yield store


def _policy_of(store: Store | None) -> str:
    if store is None:
        return ""
    with store.read() as unit:
        return unit.policies.live_digest()


def _write_audit(store: Store | None, now: int, event: str, actor: str, body: dict[str, Any]) -> None:
    if store is None:
        return
    with store.write() as unit:
        unit.audit.append(
            [AuditEntry(at=now, org=unit.org, object="org", id=unit.org, event=event, actor=actor, body=body)]
        )


def _folder(root: Path, name: str, registry: Registry) -> Path:
    family = registry.families.get(name)
    folder = root / family.champion.model if family and family.champion else root / name
    if not (folder / "manifest.json").is_file():
        there = ", ".join(one.model for one in find_models(root)) or "none"
        raise ModelRefused(f"no model {name!r} below {root} (there are {there})")
    return folder


def _remark(found: Found) -> str:
    return found.fault or "; ".join(found.barred) or "-"


def _line(entry: Entry) -> tuple[str, str, str, str, str]:
    return instant_cell(entry.at), entry.model, entry.actor, entry.reason or "-", entry.policy[:12] or "-"


def _print_entry(entry: Entry, what: str, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(entry))
    else:
        click.echo(f"{entry.model} {what}")
