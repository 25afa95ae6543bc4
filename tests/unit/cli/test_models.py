"""`triage models`: list, show, shadow, promote and rollback, with the audit line and the policy that goes along."""

import json
from hashlib import sha256

import msgspec
import pytest

from triage.cli.commands import run
from triage.domain.instant import parse_instant
from triage.engine import PureEngine
from triage.publishing import publish
from triage.scoring.registry import Verdict, Volume, manifest_digest, read_registry
from triage.wiring import open_store, upgrade_store

NOW = parse_instant("2026-01-01T00:00:00Z")
POLICY = """
object: Case
match: all_matches
rules:
  - id: loud
    when: [urgency.score >= {}%]
    do: [{{notify: {{who: owner, template: late}}}}]
"""
WORDS = "templates:\n  late: {subject: Late, body: Hurry}\n"


@pytest.fixture
def root(tmp_path):
    for version in ("one", "two"):
        make(tmp_path / "models" / "urgency" / version)
    return tmp_path / "models"


@pytest.fixture
def store(tmp_path):
    url = f"sqlite:///{tmp_path}/triage.db"
    upgrade_store(url, "default")
    return url


def make(folder):
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(folder.name)
    (folder / "card.md").write_text("# Of 20 alerts a day 11 breach; priority alone finds 5\n")
    files = {"model.json": sha256(folder.name.encode()).hexdigest()}
    manifest = {"format": 1, "kind": "tabular", "task": "urgency", "version": folder.name, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def judged(root, **changes):
    one, two = (manifest_digest(root / "urgency" / name) for name in ("one", "two"))
    found = Verdict(**({"champion": one, "challenger": two, "passed": True, "rows": 500} | changes))
    (root / "urgency" / "two" / "gate.json").write_bytes(msgspec.json.encode(found))


def go(root, *arguments):
    return run(["models", *map(str, arguments), "--models", str(root)])


def audit(store):
    with open_store(store, "default").read() as unit:
        return [(row.entry.event, row.entry.actor, row.entry.body) for row in unit.audit.lines()]


def test_a_promotion_is_written_down_and_shown(root, store, capsys):
    assert go(root, "promote", root / "urgency/one", "--db", store, "--by", "ann", "--reason", "first") == 0
    judged(root)
    assert go(root, "promote", root / "urgency/two", "--db", store, "--by", "bo", "--reason", "better") == 0
    assert [(event, actor) for event, actor, _ in audit(store)] == [("model_promoted", "ann"), ("model_promoted", "bo")]
    capsys.readouterr()
    assert go(root, "list") == 0
    said = capsys.readouterr().out
    assert "champion" in said and "former" in said
    assert go(root, "show", "urgency") == 0
    said = capsys.readouterr().out
    assert said.startswith("# Of 20 alerts a day 11 breach") and "better" in said


def test_a_rollback_brings_model_and_thresholds_back(root, store, capsys):
    opened = open_store(store, "default")
    publish(opened, PureEngine(), {"a.yaml": POLICY.format(80), "b.yaml": WORDS}, NOW, actor="ann")
    assert go(root, "promote", root / "urgency/one", "--db", store) == 0
    publish(opened, PureEngine(), {"a.yaml": POLICY.format(60), "b.yaml": WORDS}, NOW + 1, actor="ann")
    judged(root)
    assert go(root, "promote", root / "urgency/two", "--db", store) == 0
    assert go(root, "rollback", "urgency", "--db", store, "--by", "bo") == 0
    with opened.read() as unit:
        assert "80%" in unit.policies.live().texts["a.yaml"]
    assert read_registry(root).families["urgency"].champion.model == "urgency/one"
    assert audit(store)[-1][:2] == ("model_rolled_back", "bo")
    opened.close()


def test_a_changed_volume_waits_for_somebody(root, store, capsys):
    assert go(root, "promote", root / "urgency/one", "--db", store) == 0
    judged(root, volumes=(Volume(rule="loud", threshold=">= 0.8", champion=10, challenger=30),))
    assert go(root, "promote", root / "urgency/two", "--db", store) == 2
    assert "--acknowledge-volume" in capsys.readouterr().err
    assert read_registry(root).families["urgency"].champion.model == "urgency/one"
    assert go(root, "promote", root / "urgency/two", "--db", store, "--acknowledge-volume", "--json") == 0
    assert json.loads(capsys.readouterr().out)["model"] == "urgency/two"
    assert audit(store)[-1][2]["acknowledged_volume"] is True


def test_without_a_store_nothing_is_promoted_unless_said(root, tmp_path, capsys):
    missing = f"sqlite:///{tmp_path}/none.db"
    assert go(root, "promote", root / "urgency/one", "--db", missing) == 2
    assert read_registry(root).families == {}
    assert go(root, "promote", root / "urgency/one", "--unaudited") == 0


@pytest.mark.parametrize(
    "arguments", [("show", "nothing"), ("promote", "nowhere", "--unaudited"), ("rollback", "urgency", "--unaudited")]
)
def test_what_is_not_there_is_refused_in_words(root, arguments, capsys):
    assert go(root, *arguments) == 2
    said = capsys.readouterr().err
    assert said and "Traceback" not in said


def test_a_shadow_is_listed_as_challenger(root, capsys):
    assert go(root, "shadow", root / "urgency/two") == 0
    capsys.readouterr()
    assert go(root, "list", "--json") == 0
    states = {one["model"]: one["state"] for one in json.loads(capsys.readouterr().out)}
    assert states == {"urgency/one": "idle", "urgency/two": "challenger"}


def test_a_folder_that_was_named_and_is_not_there_is_refused(tmp_path, monkeypatch, capsys):
    """No other models list or score in its place, whether the option or the environment named it."""
    gone, rows = tmp_path / "gone", tmp_path / "rows.csv"
    rows.write_text("Subject\nHello\n")
    for command in (["models", "list"], ["score", str(rows)]):
        assert run([*command, "--models", str(gone)]) == 2
        assert f"--models: {gone} is no folder" in capsys.readouterr().err
        monkeypatch.setenv("TRIAGE_MODELS", str(gone))
        assert run(command) == 2
        assert f"TRIAGE_MODELS: {gone} is no folder" in capsys.readouterr().err
        monkeypatch.delenv("TRIAGE_MODELS")


def test_the_models_of_the_environment_are_those_that_are_listed(root, monkeypatch, capsys):
    """What `triage score` would score with is what `triage models list` shows."""
    monkeypatch.setenv("TRIAGE_MODELS", str(root))
    assert run(["models", "list", "--json"]) == 0
    assert "urgency/two" in capsys.readouterr().out
