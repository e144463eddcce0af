"""Where a version came from, what came of a run, how two versions differ, and whether they are still what they were."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, ModelRegistry, UnknownModelError, Verdict
from tracking.files import atomic
from tracking.registry.comparing import SECTIONS

FACTS = {
    "challenger": {"name": "ctr", "version": 2},
    "champion": {"name": "ctr", "version": 1},
    "look": {"number": 3, "level": 0.0034},
    "split": {"hash": "sha256:77"},
}


@pytest.fixture
def registry(base: Path, tracker: ExperimentTracker) -> ModelRegistry:
    """A registry whose model ctr has the versions 1 and 2, with different parameters, configs and data."""
    registry = ModelRegistry(base)
    for number, auc in ((1, 0.8), (2, 0.9)):
        with tracker.start_run(
            "ctr_model",
            params={"lr": number, "seed": 3},
            config=f"lr: {number}\nseed: 3\n",
            data={"fingerprint": f"sha256:{number}"},
            description="a try",
        ) as run:
            run.log({"val_auc": auc, "odd": math.nan})
            (run.artifacts_dir / "model_best.pt").write_bytes(b"weights %d" % number)
        registry.register(
            "ctr", run.run_id, objective={"metric": "val_auc", "mode": "max", "value": auc}, loader="os:walk"
        )
        registry.promote("ctr", number, reason=f"better {number}", by="ann")
    registry.record_verdict(
        "ctr", 2, Verdict(True, "Promoted: it is better.", ("it is better",), "scores", FACTS)
    )
    return registry


def test_a_version_leads_back_to_all_that_it_was_made_from(registry: ModelRegistry, base: Path) -> None:
    found = registry.lineage("ctr@champion")
    git = json.loads((base / "runs" / "run_002" / "git.json").read_text())
    env = json.loads((base / "runs" / "run_002" / "env.json").read_text())
    assert found["version"]["version"] == 2
    assert found["version"]["aliases"] == ["champion"]
    assert found["version"]["files"] == registry.find("ctr").files
    assert (found["run"]["run_id"], found["run"]["experiment_name"]) == ("run_002", "ctr_model")
    assert found["run"]["params"] == {"lr": 2, "seed": 3}
    assert found["config"]["sha256"] == registry.find("ctr").files["config.yaml"]
    assert found["code"]["commit"] == git["commit"]
    assert found["data"] == {"fingerprint": "sha256:2"}
    assert found["environment"]["python"] == env["python"]
    assert found["environment"]["packages"] == len(env["packages"])
    assert found["verdict"]["sentence"] == "Promoted: it is better."
    assert found["left_out"] == []
    json.dumps(found)


def test_a_run_leads_forward_to_its_versions_and_to_when_they_were_the_champion(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    registry.export("ctr@1", tmp_path / "out", by="bob")
    registry.rollback("ctr", to=1, reason="worse on mobile", by="bob")
    registry.register("other", "run_001", objective={"metric": "val_auc", "mode": "max", "value": 0.8})
    found = registry.lineage("run_001")
    assert [(each["name"], each["version"]) for each in found["versions"]] == [("ctr", 1), ("other", 1)]
    first, second = found["versions"][0]["champion"]
    assert (first["since"]["reason"], first["until"]["event"], first["until"]["version"]) == (
        "better 1",
        "promoted",
        2,
    )
    assert (second["since"]["event"], second["since"]["by"], second["until"]) == ("rolled_back", "bob", {})
    assert [each["reason"] for each in found["versions"][0]["exports"]] == ["to out"]
    registry.remove("other", 1)
    gone = registry.lineage("run_001")["versions"][1]
    assert (gone["name"], gone["is_removed"], gone["is_there"]) == ("other", True, False)


def test_the_runs_of_a_mean_lead_forward_too(registry: ModelRegistry) -> None:
    runs = ["run_001", "run_002"]
    mean = {"metric": "val_auc", "mode": "max", "at": "best", "value": 0.85, "runs": runs}
    registry.register("folds", "run_001", objective=mean)
    assert [each["name"] for each in registry.lineage("run_002")["versions"]] == ["ctr", "folds"]
    assert registry.lineage("folds@1")["runs"] == runs


def test_what_is_gone_or_damaged_is_named_and_the_rest_is_shown(registry: ModelRegistry, base: Path) -> None:
    (base / "runs" / "run_002" / "git.json").write_text("{")
    found = registry.lineage("ctr@2")
    assert (found["code"], found["run"]["params"]) == (None, {"lr": 2, "seed": 3})
    assert "git.json" in found["left_out"][0]
    shutil.rmtree(base / "runs" / "run_002")
    found = registry.lineage("ctr@2")
    assert (found["run"]["run_id"], found["run"]["params"], found["code"]) == ("run_002", None, None)
    assert "no run 'run_002'" in found["left_out"][0]
    assert found["data"] == {"fingerprint": "sha256:2"}
    assert registry.lineage("run_002")["versions"][0]["version"] == 2
    with pytest.raises(UnknownModelError, match="no model 'run_003'"):
        registry.lineage("run_003")


def test_two_versions_are_put_beside_each_other(registry: ModelRegistry) -> None:
    found = registry.compare("ctr@1", "ctr@champion")
    assert found["versions"] == ["ctr@1", "ctr@2"]
    assert found["metrics"] == {"val_auc": [0.8, 0.9]}  # nan is the same as nan
    assert found["params"] == {"lr": [1, 2]}
    assert found["data"] == {"fingerprint": ["sha256:1", "sha256:2"]}
    assert found["version"]["run"] == ["run_001", "run_002"]
    assert found["verdict"]["look"] == [None, 3]
    assert found["verdict"]["sentence"] == [None, "Promoted: it is better."]
    assert found["config"] == ["--- ctr@1", "+++ ctr@2", "@@ -1,2 +1,2 @@", "-lr: 1", "+lr: 2", " seed: 3"]
    assert (found["code"], found["packages"]) == ({}, {})
    whole = registry.compare("ctr@1", "ctr@2", everything=True)
    assert whole["params"] == {"lr": [1, 2], "seed": [3, 3]}
    assert whole["packages"]
    same = registry.compare("ctr@2", "ctr")
    assert not any(same[section] for section in (*SECTIONS, "config"))


Spoil = Callable[[Path], object]
SPOILED: list[tuple[Spoil, str]] = [
    (
        lambda folder: (folder / "model_best.pt").write_bytes(b"other"),
        "model_best.pt is not the file that was registered",
    ),
    (lambda folder: (folder / "model_best.pt").unlink(), "model_best.pt is missing"),
    (lambda folder: (folder / "more.json").write_text("{}"), "more.json was not registered; remove it"),
    (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json is not valid JSON"),
    (lambda folder: shutil.rmtree(folder), "is lost"),
]


@pytest.mark.parametrize(("spoil", "fault"), SPOILED, ids=[fault for _, fault in SPOILED])
def test_a_version_that_is_not_what_was_registered_is_named(
    registry: ModelRegistry, base: Path, spoil: Spoil, fault: str
) -> None:
    assert all(each.is_intact for each in registry.verify())
    spoil(base / "models" / "ctr" / "v1")
    first, second, _history = registry.verify("ctr")
    assert fault in " ".join(first.faults)
    assert second.is_intact
    assert [each.version for each in registry.verify("ctr@2")] == [2]
    assert len(registry.verify("ctr@1")) == 1


def test_a_verdict_that_fits_its_version_no_longer_is_named(registry: ModelRegistry, base: Path) -> None:
    folder = base / "models" / "ctr" / "v2"
    (folder / "scores.npz").write_bytes(b"scores")
    manifest, scores = (atomic.sha256(folder / name) for name in ("manifest.json", "scores.npz"))
    facts = {"challenger": {"version": 2, "manifest_sha256": manifest}, "scores_sha256": scores}
    registry.record_verdict("ctr", 2, Verdict(True, "Promoted.", ("x",), "scores", facts))
    assert registry.verify("ctr@2")[0].is_intact
    (folder / "scores.npz").write_bytes(b"other")
    assert "scores.npz is not what the verdict was made from" in registry.verify("ctr@2")[0].faults[0]
    (folder / "scores.npz").unlink()
    assert "scores.npz is missing" in registry.verify("ctr@2")[0].faults[0]
    shutil.copy(folder / "verdict.json", base / "models" / "ctr" / "v1" / "verdict.json")
    assert "is the verdict on another version" in registry.verify("ctr@1")[0].faults[-1]
    (folder / "verdict.json").write_text("{")
    assert "verdict.json is not valid JSON" in registry.verify("ctr@2")[0].faults[0]


def test_a_manifest_that_was_changed_is_known_by_the_history(registry: ModelRegistry, base: Path) -> None:
    path = base / "models" / "ctr" / "v1" / "manifest.json"
    manifest: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "metrics": {"val_auc": 0.99}}))
    (found,) = registry.verify("ctr@1")
    assert found.faults == (f"{path} is not the manifest that was registered; restore the file",)
