"""The registry of models: promotion needs a passed comparison, rollback brings model and thresholds back."""

import json
from hashlib import sha256

import pytest

from triage.errors import ModelRefused
from triage.scoring.registry import (
    FILE,
    Registry,
    Verdict,
    Volume,
    challenge,
    champions,
    find_models,
    manifest_digest,
    promote,
    read_registry,
    read_verdict,
    roll_back,
    shadows,
    write_registry,
)


@pytest.fixture
def root(tmp_path):
    for version in ("one", "two"):
        make(tmp_path / "urgency" / version)
    return tmp_path


def make(folder, **more):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(folder.name)
    files = {"model.json": sha256(folder.name.encode()).hexdigest()}
    manifest = {"format": 1, "kind": "tabular", "task": "urgency", "version": folder.name, "files": files, **more}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def verdict(root, **changes):
    digests = [manifest_digest(root / "urgency" / name) for name in ("one", "two")]
    known = {"champion": digests[0], "challenger": digests[1], "passed": True, "rows": 1000}
    return Verdict(**(known | changes))


def with_champion(root):
    return promote(Registry(), root, root / "urgency" / "one", 5, actor="ann", policy="p1")[0]


class TestPromotion:
    def test_the_first_model_needs_no_comparison(self, root):
        registry, entry = promote(Registry(), root, root / "urgency" / "one", 5, actor="ann", policy="p1")
        assert (entry.model, entry.version, entry.policy, entry.actor) == ("urgency/one", "one", "p1", "ann")
        write_registry(root, registry)
        assert champions(root) == {"urgency": root / "urgency/one"}

    def test_a_challenger_scores_in_the_shadow_until_it_passes(self, root):
        registry = challenge(with_champion(root), root, root / "urgency" / "two")
        write_registry(root, registry)
        assert shadows(root) == {"urgency": root / "urgency/two"}
        registry, _ = promote(registry, root, root / "urgency" / "two", 9, actor="bo", verdict=verdict(root))
        family = registry.families["urgency"]
        assert (family.champion.model, family.shadow, family.past[0].model) == ("urgency/two", "", "urgency/one")

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"passed": False, "because": ("it is worse",)}, "it is worse"),
            ({"challenger": "0" * 64}, "of other models"),
            ({"champion": "0" * 64}, "of other models"),
        ],
    )
    def test_a_failed_or_foreign_comparison_bars_it(self, root, changes, says):
        with pytest.raises(ModelRefused, match=says):
            promote(
                with_champion(root), root, root / "urgency" / "two", 9, actor="bo", verdict=verdict(root, **changes)
            )

    def test_without_a_comparison_the_command_is_named(self, root):
        with pytest.raises(ModelRefused, match="triage-train compare"):
            promote(with_champion(root), root, root / "urgency" / "two", 9, actor="bo")

    def test_a_changed_volume_has_to_be_acknowledged(self, root):
        loud = verdict(root, volumes=(Volume(rule="alarm", threshold=">= 0.8", champion=100, challenger=121),))
        calm = verdict(root, volumes=(Volume(rule="alarm", threshold=">= 0.8", champion=100, challenger=120),))
        two = root / "urgency" / "two"
        with pytest.raises(ModelRefused, match=r"alarm \(>= 0.8\): 100 -> 121 of 1000 rows: --acknowledge-volume"):
            promote(with_champion(root), root, two, 9, actor="bo", verdict=loud)
        assert promote(with_champion(root), root, two, 9, actor="bo", verdict=loud, acknowledge=True)
        assert promote(with_champion(root), root, two, 9, actor="bo", verdict=calm)

    def test_a_barred_model_needs_an_administrator_with_a_reason(self, root):
        kept = make(root / "urgency" / "kept", not_promotable_because=["Tags was kept by hand", "3 more are needed"])
        with pytest.raises(ModelRefused, match=r"Tags was kept by hand; 3 more are needed .*--admin"):
            promote(Registry(), root, kept, 9, actor="bo")
        with pytest.raises(ModelRefused, match="--reason"):
            promote(Registry(), root, kept, 9, actor="bo", admin=True)
        assert promote(Registry(), root, kept, 9, actor="bo", admin=True, reason="agreed")[1].admin

    def test_an_administrator_does_not_override_a_failed_comparison(self, root):
        failed = verdict(root, passed=False, because=("it is worse",))
        with pytest.raises(ModelRefused, match="it is worse"):
            promote(
                with_champion(root),
                root,
                root / "urgency" / "two",
                9,
                actor="bo",
                verdict=failed,
                admin=True,
                reason="x",
            )

    def test_a_changed_file_is_refused(self, root):
        (root / "urgency" / "two" / "model.json").write_text("tampered")
        with pytest.raises(ModelRefused, match="changed since"):
            promote(with_champion(root), root, root / "urgency" / "two", 9, actor="bo", verdict=verdict(root))
        assert {one.model: one.state for one in find_models(root)}["urgency/two"] == "damaged"

    def test_a_folder_elsewhere_is_refused(self, root, tmp_path_factory):
        with pytest.raises(ModelRefused, match="lies outside"):
            promote(Registry(), root, make(tmp_path_factory.mktemp("x") / "m"), 9, actor="bo")


class TestRollback:
    def test_model_and_policy_come_back_together(self, root):
        registry, _ = promote(
            with_champion(root), root, root / "urgency" / "two", 9, actor="bo", policy="p2", verdict=verdict(root)
        )
        registry, back, gone = roll_back(registry, root, "urgency")
        assert (back.model, back.policy, gone.model) == ("urgency/one", "p1", "urgency/two")
        assert registry.families["urgency"].shadow == "urgency/two"

    @pytest.mark.parametrize(("family", "says"), [("lead", "no model of 'lead'"), ("urgency", "nothing to go back to")])
    def test_there_must_be_something_to_go_back_to(self, root, family, says):
        with pytest.raises(ModelRefused, match=says):
            roll_back(with_champion(root), root, family)


class TestFiles:
    def test_a_missing_registry_is_empty_and_a_broken_one_refused(self, tmp_path):
        assert read_registry(tmp_path) == Registry()
        for text, says in (("{", "not a registry"), ('{"format":9}', "format 9")):
            (tmp_path / FILE).write_text(text)
            with pytest.raises(ModelRefused, match=says):
                read_registry(tmp_path)

    def test_a_verdict_is_read_or_refused_in_words(self, tmp_path):
        with pytest.raises(ModelRefused, match="triage-train compare"):
            read_verdict(tmp_path / "gate.json")
        (tmp_path / "gate.json").write_text("[]")
        with pytest.raises(ModelRefused, match="not a verdict"):
            read_verdict(tmp_path / "gate.json")

    def test_volumes_from_nothing_count_as_a_whole_change(self):
        assert Volume(rule="r", threshold="", champion=0, challenger=1).change == 1
        assert Volume(rule="r", threshold="", champion=0, challenger=0).change == 0
