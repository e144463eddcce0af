"""The verdicts on a version: all are kept, and the one that counts is the newest that compared something."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, ModelRegistry
from tracking.doctor import Fault, examine
from tracking.files import atomic
from tracking.registry import Verdict
from tracking.store.store import Store

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


def verdict(text: str, *, promote: bool = False, scores: bytes | None = None, **facts: Any) -> Verdict:
    if scores is not None:
        facts |= {"scores": "scores.npz", "scores_sha256": hashlib.sha256(scores).hexdigest()}
    return Verdict(promote, text, (text,), "scores", facts)


@pytest.fixture
def registry(registry: ModelRegistry, make_run: Any) -> ModelRegistry:
    registry.register("ctr", make_run(), objective=OBJECTIVE)
    return registry


@pytest.fixture
def folder(base: Path) -> Path:
    return base / "models" / "ctr" / "v1"


def faults(registry: ModelRegistry) -> str:
    return "\n".join(fault for each in registry.verify("ctr") for fault in each.faults)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "verdicts").iterdir())


def test_each_verdict_is_kept_with_its_predictions(registry: ModelRegistry, folder: Path) -> None:
    for text in ("first", "second"):
        registry.record_verdict("ctr", 1, verdict(text, scores=text.encode()), scores=text.encode())
    assert files(folder) == ["001.json", "001.npz", "002.json", "002.npz"]
    assert [(each.number, each.verdict.sentence, each.counts) for each in registry.verdicts("ctr@1")] == [
        (1, "first", False),
        (2, "second", True),
    ]
    found = registry.verdict("ctr", 1)
    assert found is not None
    assert found.sentence == "second"
    assert (folder / "scores.npz").read_bytes() == b"second"
    assert (folder / "verdicts" / "001.npz").read_bytes() == b"first"
    assert not faults(registry)


def test_a_judgement_that_compared_nothing_replaces_none_that_did(
    registry: ModelRegistry, folder: Path
) -> None:
    registry.record_verdict("ctr", 1, verdict("could not be imported"))
    registry.record_verdict("ctr", 1, verdict("compared", scores=b"x"), scores=b"x")
    registry.record_verdict("ctr", 1, verdict("could not be imported either"))
    assert json.loads((folder / "verdict.json").read_text())["sentence"] == "compared"
    assert [each.counts for each in registry.verdicts("ctr", 1)] == [False, True, False]
    assert not faults(registry)


def test_a_promotion_on_recorded_values_counts_and_leaves_no_predictions_of_another(
    registry: ModelRegistry, folder: Path, base: Path
) -> None:
    registry.record_verdict("ctr", 1, verdict("compared", scores=b"x"), scores=b"x")
    registry.record_verdict("ctr", 1, verdict("by recorded values", promote=True))
    assert json.loads((folder / "verdict.json").read_text())["sentence"] == "by recorded values"
    assert not (folder / "scores.npz").exists()
    assert files(folder) == ["001.json", "001.npz", "002.json"]
    (folder / "scores.npz").write_bytes(b"x")  # as a process leaves it that is killed before it removes them
    assert [each.fault for each in examine(Store(base)).findings] == [Fault.OLD_VIEW]
    assert not (folder / "scores.npz").exists()


def test_the_same_verdict_is_kept_once(registry: ModelRegistry) -> None:
    one = verdict("odd", gain=float("nan"), low=float("-inf"), versions=("a", "b"))
    registry.record_verdict("ctr", 1, one)
    again = registry.verdict("ctr", 1)
    assert again is not None
    assert registry.record_verdict("ctr", 1, again).number == 1
    assert len(registry.verdicts("ctr", 1)) == 1


def test_the_verdict_of_an_older_podium_becomes_the_first(registry: ModelRegistry, folder: Path) -> None:
    atomic.write_json(folder / "verdict.json", verdict("old", scores=b"old").to_json())
    (folder / "scores.npz").write_bytes(b"old")
    assert [(each.number, each.counts) for each in registry.verdicts("ctr", 1)] == [(1, True)]
    assert not faults(registry)
    registry.record_verdict("ctr", 1, verdict("new", scores=b"new"), scores=b"new")
    assert [each.verdict.sentence for each in registry.verdicts("ctr", 1)] == ["old", "new"]
    assert (folder / "verdicts" / "001.npz").read_bytes() == b"old"


def test_a_copy_that_is_behind_is_mended_by_the_doctor(
    registry: ModelRegistry, folder: Path, base: Path
) -> None:
    registry.record_verdict("ctr", 1, verdict("first", scores=b"1"), scores=b"1")
    shutil.copy(folder / "verdict.json", folder.parent / "kept")
    registry.record_verdict("ctr", 1, verdict("second", scores=b"2"), scores=b"2")
    (folder.parent / "kept").rename(folder / "verdict.json")  # as a kill between the two writes leaves it
    assert not faults(registry)
    assert [each.place for each in examine(Store(base)).findings] == ["models/ctr/v1/verdict.json"]
    assert json.loads((folder / "verdict.json").read_text())["sentence"] == "second"
    assert not examine(Store(base)).findings


def test_a_changed_verdict_is_named_by_verify(registry: ModelRegistry, folder: Path) -> None:
    kept = registry.record_verdict("ctr", 1, verdict("refused", scores=b"x"), scores=b"x")
    registry.refuse("ctr", 1, reason="refused", verdict=kept.sha256)
    assert not faults(registry)
    data = (folder / "verdict.json").read_bytes()
    changed = data.replace(b'"promote": false', b'"promote": true')
    assert changed != data
    (folder / "verdict.json").write_bytes(changed)
    assert "verdict.json is none of the verdicts that are kept" in faults(registry)
    (folder / "verdicts" / "001.json").write_bytes(changed)
    assert "which version 1 was refused by" in faults(registry)
    (folder / "verdicts" / "001.json").write_bytes(data)
    (folder / "verdict.json").write_bytes(data)
    (folder / "verdicts" / "001.npz").write_bytes(b"y")
    assert "001.npz is not what the verdict was made from" in faults(registry)


def test_a_look_that_the_history_lost_is_named_by_verify(registry: ModelRegistry, folder: Path) -> None:
    split, look = {"hash": "rows"}, {"number": registry.spend_look("ctr", 1, split="rows", key="k")}
    challenger = {"version": 1, "manifest_sha256": atomic.sha256(folder / "manifest.json")}
    registry.record_verdict("ctr", 1, verdict("refused", split=split, look=look, challenger=challenger))
    assert not faults(registry)
    history = folder.parent / "events.jsonl"
    history.write_text(
        "".join(line for line in history.read_text().splitlines(keepends=True) if "looked" not in line)
    )
    assert "001.json was made at look 1, and the history has no such look" in faults(registry)


def test_a_damaged_verdict_is_left_out_of_the_list(
    registry: ModelRegistry, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("first", "second"):
        registry.record_verdict("ctr", 1, verdict(text))
    (folder / "verdicts" / "001.json").write_text("{")
    assert [each.number for each in registry.verdicts("ctr", 1)] == [2]
    assert "001.json" in caplog.text
    assert registry.record_verdict("ctr", 1, verdict("third")).number == 3


def test_all_verdicts_travel_with_an_export(registry: ModelRegistry, folder: Path, tmp_path: Path) -> None:
    for text in ("first", "second"):
        registry.record_verdict("ctr", 1, verdict(text, scores=text.encode()), scores=text.encode())
    other = ModelRegistry(tmp_path / "other")
    version = other.import_version(registry.export("ctr@1", tmp_path / "ctr.tar.gz"))
    assert files(version.path) == files(folder)
    assert [each.verdict.sentence for each in other.verdicts("ctr", 1)] == ["first", "second"]
    assert not faults(other)
    (version.path / "verdicts" / "002.json").write_text("{}")
    assert "which version 1 was imported by" in faults(other)


def test_no_artifact_takes_the_name_of_the_folder(
    registry: ModelRegistry, tracker: ExperimentTracker
) -> None:
    with tracker.start_run("x") as run:
        run.log({"val_auc": 0.8})
        (run.artifacts_dir / "verdicts").mkdir()
        (run.artifacts_dir / "verdicts" / "001.json").write_text("{}")
    with pytest.raises(ValueError, match="is taken by the registry"):
        registry.register("ctr", run.run_id, files=["verdicts/001.json"], objective=OBJECTIVE)
