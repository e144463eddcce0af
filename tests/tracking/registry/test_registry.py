"""Versions, champions and loading: incomplete versions are invisible, untrusted loaders are not called."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hostile import HOSTILE_NAMES

from tracking import (
    CorruptFileError,
    ExperimentTracker,
    InvalidNameError,
    InvalidValueError,
    MissingFileError,
    ModelLoadError,
    ModelRegistry,
    ModelVersion,
    NewerFormatError,
    StoreUnwritableError,
    UnknownModelError,
    UnknownRunError,
    Verdict,
)
from tracking.files import atomic

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


def test_a_version_holds_its_files_their_hashes_and_where_it_came_from(
    registry: ModelRegistry, make_run: Any, base: Path
) -> None:
    run_id = make_run()
    version = registry.register("ctr", run_id, objective=OBJECTIVE, loader="trainer:load_model")
    assert (version.name, version.version, version.run_id) == ("ctr", 1, run_id)
    assert version.path == base / "models" / "ctr" / "v1"
    assert version.files == {
        name: atomic.sha256(version.path / name) for name in ("model_best.pt", "config.yaml")
    }
    assert version.metrics == {"val_auc": 0.8}
    assert version.data == {"fingerprint": "sha256:1"}
    assert registry.version("ctr", 1) == version == registry.versions("ctr")[0]
    assert registry.champion("ctr") is None
    assert registry.models() == ["ctr"]


@pytest.mark.parametrize(
    ("extra", "objective", "metrics"),
    [
        ({}, {"value": 0.8, "step": 2}, {"val_loss": 0.6}),  # the first of two equally good epochs
        ({"best_epoch": 3}, {"value": 0.8, "step": 3}, {"val_loss": 0.5}),  # the one that the run names
        ({"best_epoch": 1}, {"value": 0.8, "step": 2}, {"val_loss": 0.6}),  # which is none of them
        ({}, {"value": 0.7, "step": None}, {"val_auc": 0.7, "val_loss": 0.4}),  # a last value
        ({}, {"value": 0.7, "at": "last", "step": None}, {"val_auc": 0.7, "val_loss": 0.4}),
    ],
)
def test_the_metrics_of_a_version_are_those_of_one_step(
    registry: ModelRegistry,
    tracker: ExperimentTracker,
    extra: dict[str, float],
    objective: dict[str, Any],
    metrics: dict[str, float],
) -> None:
    with tracker.start_run("x") as run:
        for step, (auc, loss) in enumerate([(0.6, 0.7), (0.8, 0.6), (0.8, 0.5), (0.7, 0.4)], start=1):
            run.log({"val_auc": auc, "val_loss": loss}, step=step)
        run.log({"test_auc": 0.75, **extra})
        run.log_text("w", "model_best.pt")
    given = {**OBJECTIVE, **{name: value for name, value in objective.items() if name != "step"}}
    version = registry.register("ctr", run.run_id, objective=given)
    assert version.objective == {**given, "step": objective["step"]}
    assert version.metrics == {"val_auc": 0.8, "test_auc": 0.75, **extra, **metrics}
    assert registry.register("ctr", run.run_id, objective=given) == version  # the same version


def test_a_star_stands_for_all_artifacts_of_a_run_which_may_be_none(
    registry: ModelRegistry, tracker: ExperimentTracker
) -> None:
    with tracker.start_run("x", config="lr: 0.1\n") as run:
        run.log_text("3 trees", "model/trees.txt")
        run.log_dict({"a": 1}, "notes.json")
    files = {*registry.register("trees", run.run_id, files=["*"], objective=OBJECTIVE).files}
    assert files == {"model/trees.txt", "notes.json", "config.yaml"}
    with tracker.start_run("x", config="lr: 0.1\n") as empty:
        pass
    assert {*registry.register("trees", empty.run_id, files=["*"], objective=OBJECTIVE).files} == {
        "config.yaml"
    }


def test_the_same_run_is_registered_once(registry: ModelRegistry, make_run: Any) -> None:
    run_id = make_run()
    first = registry.register("ctr", run_id, objective=OBJECTIVE)
    assert registry.register("ctr", run_id, objective=OBJECTIVE) == first
    assert registry.register("ctr", make_run(), objective=OBJECTIVE).version == 2
    assert [event.kind for event in registry.history("ctr")] == ["registered", "registered"]


def test_many_processes_register_one_run_each_once(
    registry: ModelRegistry, make_run: Any, base: Path
) -> None:
    run_ids = [make_run(), make_run()]
    code = "import sys; from tracking import ModelRegistry; ModelRegistry(sys.argv[1]).register('ctr', sys.argv[2], objective={'metric': 'a', 'mode': 'max', 'value': 1})"
    workers = [subprocess.Popen([sys.executable, "-c", code, str(base), run_id]) for run_id in run_ids * 3]
    assert [worker.wait() for worker in workers] == [0] * 6
    assert sorted(version.run_id for version in registry.versions("ctr")) == run_ids


def test_the_champion_moves_forward_and_back_with_its_history(
    registry: ModelRegistry, make_run: Any, base: Path
) -> None:
    for _ in range(3):
        registry.register("ctr", make_run(), objective=OBJECTIVE)
    registry.promote("ctr", 1, reason="first", by="ann")
    registry.promote("ctr", 3, reason="better")
    registry.promote("ctr", 3, reason="again")
    assert registry.champion("ctr").version == 3
    assert json.loads((base / "models" / "ctr" / "aliases.json").read_text()) == {"champion": 3}
    assert registry.rollback("ctr", reason="worse on mobile").version == 1
    assert registry.champion("ctr").version == 1
    with pytest.raises(UnknownModelError, match="cannot be rolled back: version 1 is the first champion"):
        registry.rollback("ctr")
    told = [
        (event.kind.value, event.version, event.before, event.reason) for event in registry.history("ctr")
    ][3:]
    assert told == [
        ("promoted", 1, None, "first"),
        ("promoted", 3, 1, "better"),
        ("rolled_back", 1, 3, "worse on mobile"),
    ]
    assert registry.history("ctr")[3].by == "ann"
    (base / "models" / "ctr" / "aliases.json").unlink()
    assert registry.champion("ctr").version == 1


def test_a_version_whose_files_changed_is_not_promoted(registry: ModelRegistry, make_run: Any) -> None:
    version = registry.register("ctr", make_run(), objective=OBJECTIVE)
    (version.path / "model_best.pt").write_bytes(b"other weights")
    with pytest.raises(ModelLoadError, match="is not the file that was registered"):
        registry.promote("ctr", 1, reason="better")
    assert registry.champion("ctr") is None


def test_a_torn_event_is_skipped_and_cut(registry: ModelRegistry, make_run: Any, base: Path) -> None:
    for _ in range(2):
        registry.register("ctr", make_run(), objective=OBJECTIVE)
    registry.promote("ctr", 1, reason="first")
    events = base / "models" / "ctr" / "events.jsonl"
    events.write_bytes(events.read_bytes() + b'{"event":"promoted","version":2')
    assert registry.champion("ctr").version == 1
    registry.promote("ctr", 2, reason="second")
    assert registry.champion("ctr").version == 2


def test_a_failed_registration_leaves_no_version(
    registry: ModelRegistry, make_run: Any, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = make_run()
    with pytest.raises(MissingFileError, match=r"has no artifact 'best.pt'; it has: model_best.pt"):
        registry.register("ctr", run_id, files=["best.pt"], objective=OBJECTIVE)
    with pytest.raises(UnknownRunError, match="run_009"):
        registry.register("ctr", "run_009", objective=OBJECTIVE)
    assert registry.models() == []

    def full(*args: Any) -> None:
        raise StoreUnwritableError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "copy_file", full)
        with pytest.raises(StoreUnwritableError, match="no space"):
            registry.register("ctr", run_id, objective=OBJECTIVE)
    assert registry.models() == []
    (base / "models" / "ctr" / "v1").mkdir()  # what a killed process leaves
    assert registry.models() == []
    assert registry.register("ctr", run_id, objective=OBJECTIVE).version == 2


def test_loading_calls_the_loader_with_the_folder(registry: ModelRegistry, make_run: Any) -> None:
    registry.register("ctr", make_run(), objective=OBJECTIVE, loader="os:walk")
    with pytest.raises(UnknownModelError, match="has no champion; promote a version or name one"):
        registry.load("ctr", allow=["os"])
    registry.promote("ctr", 1, reason="first")
    for allow in (["os"], "os"):
        ((_, _, files),) = registry.load("ctr", allow=allow)
        assert sorted(files) == ["config.yaml", "manifest.json", "model_best.pt"]
    with pytest.raises(
        ModelLoadError,
        match=r"the loader 'os:walk', and only trainer:load_model may be called; pass allow=\['os'\]",
    ):
        registry.load("ctr")


@pytest.mark.parametrize("loader", ["glob:os", "os:listdir", "json:codecs", "fnmatch:posixpath"])
def test_a_loader_that_is_not_a_function_of_its_own_package_is_not_called(
    registry: ModelRegistry, make_run: Any, loader: str
) -> None:
    registry.register("ctr", make_run(), objective=OBJECTIVE, loader=loader)
    with pytest.raises(ModelLoadError, match=f"asks for the loader {loader!r}, .*only a function"):
        registry.load("ctr", 1, allow=[loader.partition(":")[0]])


@pytest.mark.parametrize(
    "loader", ["trainer.saved_model:load_model", "trainer.data.load:load", "trainer:build"]
)
def test_of_our_own_functions_only_load_model_is_called(
    registry: ModelRegistry, make_run: Any, loader: str
) -> None:
    registry.register("ctr", make_run(), objective=OBJECTIVE, loader=loader)
    with pytest.raises(ModelLoadError, match="only trainer:load_model may be called"):
        registry.load("ctr", 1)


def test_a_changed_or_missing_file_is_not_loaded(registry: ModelRegistry, make_run: Any) -> None:
    version = registry.register("ctr", make_run(), objective=OBJECTIVE, loader="os:listdir")
    (version.path / "model_best.pt").write_bytes(b"other")
    with pytest.raises(ModelLoadError, match=r"model_best.pt is not the file that was registered"):
        registry.load("ctr", 1, allow=["os"])
    (version.path / "model_best.pt").unlink()
    with pytest.raises(ModelLoadError, match=r"model_best.pt is missing"):
        registry.load("ctr", 1, allow=["os"])


@pytest.mark.parametrize(
    ("loader", "message"),
    [(None, "without a loader"), ("os:nothing", "cannot be found"), ("os.absent:f", "cannot be found")],
)
def test_a_missing_loader_raises_one_error(
    registry: ModelRegistry, make_run: Any, loader: str | None, message: str
) -> None:
    registry.register("ctr", make_run(), objective=OBJECTIVE, loader=loader)
    with pytest.raises(ModelLoadError, match=message):
        registry.load("ctr", 1, allow=["os"])


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_model_name_is_refused(registry: ModelRegistry, make_run: Any, name: str) -> None:
    run_id = make_run()
    for call in (
        lambda: registry.register(name, run_id, objective=OBJECTIVE),
        lambda: registry.load(name),
        lambda: registry.champion(name),
        lambda: registry.rollback(name),
    ):
        with pytest.raises(InvalidNameError, match="model name"):
            call()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"files": "model_best.pt"}, "files must be a list"),
        ({"loader": "trainer.load_model"}, "must be 'module:function'"),
        ({"objective": {"metric": "a"}}, "needs 'metric', 'mode'"),
        ({"files": ["../run.json"]}, "artifact name"),
        ({"files": ["manifest.json"]}, "taken by the registry"),
    ],
)
def test_a_wrong_registration_says_what_is_allowed(
    registry: ModelRegistry, make_run: Any, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises((InvalidValueError, InvalidNameError), match=message):
        registry.register("ctr", make_run(), **{"objective": OBJECTIVE, **arguments})
    assert registry.models() == []


def test_unknown_models_and_versions_are_named(registry: ModelRegistry, make_run: Any) -> None:
    with pytest.raises(UnknownModelError, match=r"no model 'ctr' in .*; known: none"):
        registry.champion("ctr")
    registry.register("ctr", make_run(), objective=OBJECTIVE)
    with pytest.raises(UnknownModelError, match="has no version 4; it has 1"):
        registry.promote("ctr", 4, reason="r")
    with pytest.raises(InvalidValueError, match="reason is empty"):
        registry.promote("ctr", 1, reason=" ")


def test_a_verdict_is_stored_with_its_version(registry: ModelRegistry, make_run: Any) -> None:
    registry.register("ctr", make_run(), objective=OBJECTIVE)
    assert registry.verdict("ctr", 1) is None
    facts = {"challenger": {"version": 1}, "champion": None, "look": {"number": 2, "level": math.nan}}
    verdict = Verdict(False, "Not promoted: too small.", ("too small",), "scores", facts)
    registry.record_verdict("ctr", 1, verdict)
    assert str(registry.verdict("ctr", 1)) == str(verdict)
    assert registry.verdict("ctr", 1).challenger == {"version": 1}


def test_a_verdict_of_the_first_format_is_read_with_a_sentence(
    registry: ModelRegistry, make_run: Any
) -> None:
    version = registry.register("ctr", make_run(), objective=OBJECTIVE)
    old = {"format": 1, "promote": False, "reasons": ["too small", "too slow"], "challenger": {"version": 1}}
    for champion, basis in ((None, "first"), ({"version": 3}, "recorded")):
        atomic.write_json(version.path / "verdict.json", {**old, "champion": champion})
        verdict = registry.verdict("ctr", 1)
        assert verdict.sentence == "Not promoted: too small; too slow."
        assert (verdict.promote, verdict.basis, verdict.champion) == (False, basis, champion)
    for spoiled in ({"reasons": 3}, {"challenger": [1]}, {"format": 2, "sentence": "x"}):
        atomic.write_json(version.path / "verdict.json", {**old, "champion": None, **spoiled})
        with pytest.raises(CorruptFileError, match=r"verdict\.json is not a verdict"):
            registry.verdict("ctr", 1)
    atomic.write_json(version.path / "verdict.json", {"format": 3})
    with pytest.raises(NewerFormatError, match=r"verdict\.json was written by a newer version"):
        registry.verdict("ctr", 1)


def test_a_damaged_manifest_is_named(registry: ModelRegistry, make_run: Any) -> None:
    version: ModelVersion = registry.register("ctr", make_run(), objective=OBJECTIVE)
    (version.path / "manifest.json").write_text('{"files": 3}')
    with pytest.raises(CorruptFileError, match=r"manifest.json is not a manifest"):
        registry.version("ctr", 1)


@pytest.mark.parametrize("spoiled", ['{"files": 3}', "{", '{"format": 2}'])
def test_a_malformed_manifest_hides_no_other_version(
    registry: ModelRegistry, make_run: Any, caplog: pytest.LogCaptureFixture, spoiled: str
) -> None:
    for _ in range(2):
        version = registry.register("ctr", make_run(), objective=OBJECTIVE)
    manifest = version.path / "manifest.json"
    manifest.write_text(spoiled)
    assert [version.version for version in registry.versions("ctr")] == [1]
    assert "left out: " in caplog.text
    assert str(manifest) in caplog.text
    told: list[CorruptFileError] = []
    registry.versions("ctr", on_error=told.append)
    assert len(told) == 1
    assert registry.register("ctr", make_run(), objective=OBJECTIVE).version == 3
    assert manifest.read_text() == spoiled


def test_a_version_of_a_newer_format_is_not_read_and_not_written(
    registry: ModelRegistry, make_run: Any
) -> None:
    version = registry.register("ctr", make_run(), objective=OBJECTIVE)
    manifest = version.path / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 2}))
    verdict = Verdict(True, "Promoted: better.", ("better",))
    for call in (
        lambda: registry.version("ctr", 1),
        lambda: registry.promote("ctr", 1, reason="better"),
        lambda: registry.record_verdict("ctr", 1, verdict),
        lambda: registry.load("ctr", 1),
    ):
        with pytest.raises(NewerFormatError, match=r"manifest.json was written by a newer version of podium"):
            call()
    assert not (version.path / "verdict.json").exists()
    assert registry.champion("ctr") is None


def test_the_number_of_a_version_is_not_used_twice(
    registry: ModelRegistry, make_run: Any, base: Path
) -> None:
    for _ in range(3):
        version = registry.register("ctr", make_run(), objective=OBJECTIVE)
    shutil.rmtree(version.path)
    assert registry.register("ctr", make_run(), objective=OBJECTIVE).version == 4
    shutil.rmtree(base / "models" / "ctr" / "v2")
    (base / "models" / "ctr" / "v9").mkdir()  # what a killed process leaves
    assert registry.register("ctr", make_run(), objective=OBJECTIVE).version == 10


@pytest.mark.parametrize("number", ["1", 1.0, True, None])
def test_the_number_of_a_version_is_an_int(registry: ModelRegistry, make_run: Any, number: Any) -> None:
    registry.register("ctr", make_run(), objective=OBJECTIVE)
    for call in (
        lambda: registry.version("ctr", number),
        lambda: registry.promote("ctr", number, reason="better"),
    ):
        with pytest.raises(InvalidValueError, match="of model 'ctr' is not an int; give a number, such as 3"):
            call()
    assert registry.champion("ctr") is None
