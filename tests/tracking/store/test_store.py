"""Stores of other code, and stores that were moved, are damaged or cannot be written."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tracking import (
    CorruptFileError,
    ExperimentTracker,
    ModelRegistry,
    NewerFormatError,
    StoreUnwritableError,
    UnknownRunError,
)

KEYS = ["run_id", "experiment_name", "created_at", "finished_at", "status", "tags", "description", "run_dir"]


def test_a_store_of_other_code_reads_and_compares_without_being_touched(
    base: Path, write_plain_store: Callable[..., None]
) -> None:
    write_plain_store(nan=True)
    before = {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}
    tracker = ExperimentTracker(base)
    runs = tracker.list_runs("ctr_model")
    assert [run["run_id"] for run in runs] == ["run_001", "run_002"]
    assert [run["status"] for run in runs] == ["completed", "running"]
    assert tracker.get_run("run_001")["metrics"]["val_auc"][-1]["value"] == pytest.approx(0.72)
    assert tracker.get_best_run("val_auc")["run_id"] == "run_002"
    assert tracker.get_best_run("odd") is None
    frame = tracker.compare_runs(["run_001", "run_002"])
    assert list(frame["learning_rate"]) == [0.001, 0.002]
    assert tracker.record("run_001").created_at.utcoffset() is not None
    assert {path: path.read_bytes() for path in base.rglob("*") if path.is_file()} == before


def test_a_store_of_other_code_is_continued(base: Path, write_plain_store: Callable[..., None]) -> None:
    write_plain_store()
    tracker = ExperimentTracker(base)
    assert tracker.create_run("ctr_model") == "run_003"
    tracker.log_metrics("run_002", {"val_auc": 0.9}, step=2)
    tracker.log_params("run_002", {"dropout": 0.3})
    tracker.finish_run("run_002")
    run = ExperimentTracker(base).get_run("run_002")
    assert [point["value"] for point in run["metrics"]["val_auc"]] == pytest.approx([0.72, 0.73, 0.9])
    assert run["params"] == {"learning_rate": 0.002, "hidden_dims": [256, 128], "dropout": 0.3}
    assert run["status"] == "completed"
    assert run["tags"] == {"version": "v1"}
    published = json.loads((base / "metadata.json").read_text())
    assert [entry["run_id"] for entry in published] == ["run_001", "run_002", "run_003"]
    assert [list(entry) for entry in published] == [KEYS] * 3
    assert published[0]["created_at"] == "2024-11-15T10:30:00"


def test_metadata_json_has_the_plain_format_and_is_rebuilt_when_lost(
    tracker: ExperimentTracker, base: Path
) -> None:
    run_id = tracker.create_run("ctr_model", tags={"version": "v1"}, description="Baseline model")
    (entry,) = json.loads((base / "metadata.json").read_text())
    assert list(entry) == KEYS
    assert entry["run_dir"] == "experiments/runs/run_001"
    assert entry["status"] == "running"
    assert entry["finished_at"] is None
    for spoiled in (None, "{", "[3]"):
        (base / "metadata.json").unlink() if spoiled is None else (base / "metadata.json").write_text(spoiled)
        assert ExperimentTracker(base).list_runs()[0]["run_id"] == run_id
        tracker.finish_run(run_id)
        (entry,) = json.loads((base / "metadata.json").read_text())
        assert entry["status"] == "completed"
    assert (base / "metadata.json.damaged").read_text() == "[3]"


def test_a_large_store_publishes_at_a_limited_rate_and_completely_when_asked(
    tracker: ExperimentTracker, base: Path
) -> None:
    template = json.dumps(
        {
            "format": 1,
            "experiment_name": "x",
            "created_at": "2024-11-15T10:30:00",
            "status": "completed",
            "tags": {},
            "description": "a" * 50,
        }
    )
    for number in range(1, 1101):
        folder = base / "runs" / f"run_{number:03d}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({**json.loads(template), "run_id": folder.name}))
    tracker.publish()

    def published() -> list[str]:
        return [entry["run_id"] for entry in json.loads((base / "metadata.json").read_text())]

    assert published()[-1] == "run_1100"
    assert tracker.create_run("x") == "run_1101"
    assert len(published()) == 1100
    tracker.publish()
    assert published()[-1] == "run_1101"
    assert len(tracker.list_runs()) == 1101
    code = "import sys; from tracking import ExperimentTracker; t = ExperimentTracker(sys.argv[1]); t.create_run('x'); t.create_run('x')"
    subprocess.run([sys.executable, "-c", code, str(base)], check=True, cwd=Path(__file__).parents[3])
    assert published()[-2:] == ["run_1102", "run_1103"]


def test_a_store_can_be_moved(tracker: ExperimentTracker, base: Path, tmp_path: Path) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": 1})
    base.rename(tmp_path / "elsewhere")
    run = ExperimentTracker(tmp_path / "elsewhere").get_run(run_id)
    assert run["run_dir"] == str(tmp_path / "elsewhere" / "runs" / run_id)
    assert run["metrics"]["a"][0]["value"] == 1


def test_ids_beyond_999_keep_their_order_and_are_unique(tracker: ExperimentTracker, base: Path) -> None:
    (base / "runs" / "run_999").mkdir(parents=True)
    assert [tracker.create_run("x") for _ in range(2)] == ["run_1000", "run_1001"]
    assert [run["run_id"] for run in tracker.list_runs()] == ["run_1000", "run_1001"]

    shutil.rmtree(base / "runs" / "run_1001")
    assert ExperimentTracker(base).create_run("x") == "run_1002"


@pytest.mark.parametrize("name", ["params.json", "run.json"])
def test_a_damaged_file_is_named_kept_and_hides_no_other_run(
    tracker: ExperimentTracker, base: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    for value in (1, 2):
        run_id = tracker.create_run("x")
        tracker.log_params(run_id, {"lr": value})
        tracker.log_metrics(run_id, {"a": value})
        tracker.finish_run(run_id)
    path = base / "runs" / "run_002" / name
    path.write_text('{"lr": 1')
    for call in (
        lambda: tracker.get_run("run_002"),
        lambda: tracker.compare_runs(["run_001", "run_002"]),
        lambda: tracker.log_params("run_002", {"b": 1}),
    ):
        with pytest.raises(CorruptFileError, match=rf"{name} is not valid JSON .* repair or remove the file"):
            call()
    assert path.read_text() == '{"lr": 1'
    assert [record.run_id for record in tracker.records()] == ["run_001"]
    assert tracker.get_best_run("a")["run_id"] == "run_001"
    assert name in caplog.text
    tracker.create_run("x")
    assert [entry["run_id"] for entry in json.loads((base / "metadata.json").read_text())] == [
        "run_001",
        "run_002",
        "run_003",
    ]


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        StoreUnwritableError, match=r"cannot write .*file/experiments/runs: Not a directory; choose a store"
    ):
        ExperimentTracker(tmp_path / "file" / "experiments").create_run("x")


def test_a_read_only_store_says_so_and_can_be_read(tracker: ExperimentTracker, base: Path) -> None:
    run_id = tracker.create_run("x")
    code = "import os, sys\nfrom tracking import ExperimentTracker\nos.geteuid() or os.setuid(65534)\nt = ExperimentTracker(sys.argv[1]); print(t.get_run(sys.argv[2])['run_id'])\nt.log_metrics(sys.argv[2], {'a': 1})"
    for folder in [base, *base.parents]:
        if folder.stat().st_uid == os.geteuid() and folder.is_relative_to(tempfile.gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o055)
    for path in [base, *base.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = subprocess.run(
        [sys.executable, "-c", code, str(base), run_id],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    for path in [base, *base.rglob("*")]:
        path.chmod(0o755)
    assert done.stdout == f"{run_id}\n", done.stderr
    assert "StoreUnwritableError: cannot write" in done.stderr


def test_unknown_ids_give_none_to_readers_and_an_error_to_writers(
    tracker: ExperimentTracker, tmp_path: Path
) -> None:
    assert tracker.get_run("run_001") is None
    assert tracker.record("run_001") is None
    source = tmp_path / "a.txt"
    source.write_text("a")
    for call in (
        lambda: tracker.log_metrics("run_007", {"a": 1}),
        lambda: tracker.log_params("run_007", {"a": 1}),
        lambda: tracker.log_artifact("run_007", source),
        lambda: tracker.finish_run("run_007"),
        lambda: tracker.open_run("run_007"),
    ):
        with pytest.raises(UnknownRunError, match=r"no run 'run_007' in the store .*: it has no runs yet"):
            call()
    tracker.create_run("x")
    with pytest.raises(UnknownRunError, match="it has 1 runs, run_001 to run_001"):
        tracker.finish_run("run_007")


def test_reading_a_store_that_does_not_exist_makes_nothing(tracker: ExperimentTracker, base: Path) -> None:
    assert tracker.list_runs() == []
    assert tracker.get_best_run("a") is None
    tracker.publish()
    assert not base.exists()


def test_a_claimed_folder_without_run_json_is_not_a_run(tracker: ExperimentTracker, base: Path) -> None:
    (base / "runs" / "run_001").mkdir(parents=True)
    (base / "runs" / "notes.txt").write_text("mine")
    assert tracker.list_runs() == []
    assert tracker.get_run("run_001") is None
    assert tracker.create_run("x") == "run_002"
    assert [entry["run_id"] for entry in json.loads((base / "metadata.json").read_text())] == ["run_002"]


def test_a_store_stays_where_it_was_when_the_working_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    tracker, registry = ExperimentTracker("experiments"), ModelRegistry("experiments")
    with tracker.start_run("x", params={"lr": 0.1}) as run:
        run.log({"a": 1.0})
        os.chdir("elsewhere")
        run.log({"a": 2.0})
        (run.artifacts_dir / "model_best.pt").write_bytes(b"weights")
    other = pickle.loads(pickle.dumps(tracker))
    other.log_metrics(run.run_id, {"a": 3.0})
    registry.register("m", run.run_id, objective={"metric": "a", "mode": "max", "value": 3.0})
    assert (
        tracker.get_run(run.run_id)["run_dir"]
        == other.list_runs()[0]["run_dir"]
        == "experiments/runs/run_001"
    )
    assert [point["value"] for point in tracker.get_run(run.run_id)["metrics"]["a"]] == [1, 2, 3]
    assert tracker.record(run.run_id).run_dir == run.run_dir == tmp_path / "experiments" / "runs" / "run_001"
    assert tracker.base_dir == Path("experiments")
    assert registry.versions("m")[0].path == tmp_path / "experiments" / "models" / "m" / "v1"
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"status": "archived"}, "the status 'archived', which is none of running"),
        ({"status": None}, "the status None"),
        ({"status": []}, r"the status \[\]"),
        ({"experiment_name": None}, "the experiment name None, which is not text"),
        ({"tags": ["a"]}, "tags that are list, not a mapping"),
    ],
)
@pytest.mark.parametrize("kind", ["run.json", "metadata.json"])
def test_a_run_without_the_required_fields_hides_no_other(
    base: Path,
    write_plain_store: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    kind: str,
    change: dict[str, object],
    fault: str,
) -> None:
    write_plain_store()
    path = base / "metadata.json"
    if kind == "run.json":
        path = base / "runs" / "run_001" / "run.json"
        ExperimentTracker(base).finish_run("run_001")
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    else:
        first, second = json.loads(path.read_text())
        path.write_text(json.dumps([{**first, **change}, second]))
    tracker = ExperimentTracker(base)
    assert [run["run_id"] for run in tracker.list_runs("ctr_model")] == ["run_002"]
    assert [run.run_id for run in tracker.records()] == ["run_002"]
    assert tracker.get_best_run("val_auc")["run_id"] == "run_002"
    assert str(path) in caplog.text
    with pytest.raises(CorruptFileError, match=rf"{kind} gives run 'run_001' {fault}"):
        tracker.get_run("run_001")


def test_a_run_of_a_newer_format_is_left_out_with_a_message_and_never_written(
    tracker: ExperimentTracker, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        tracker.finish_run(tracker.create_run("x"))
    folder = base / "runs" / "run_001"
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2, "status": "paused"}))
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    later = ExperimentTracker(base)
    assert [run["run_id"] for run in later.list_runs()] == ["run_002"]
    assert "run.json was written by a newer version of podium (format 2" in caplog.text
    for call in (
        later.get_run,
        later.open_run,
        later.finish_run,
        lambda run_id: later.log_metrics(run_id, {"a": 1}),
        lambda run_id: later.log_params(run_id, {"a": 1}),
    ):
        with pytest.raises(NewerFormatError, match="written by a newer version of podium"):
            call("run_001")
    assert later.create_run("x") == "run_003"
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_a_format_that_is_not_a_number_is_damage(tracker: ExperimentTracker, base: Path) -> None:
    path = base / "runs" / tracker.create_run("x") / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": "two"}))
    with pytest.raises(CorruptFileError, match="has the format 'two', which is no number"):
        tracker.get_run("run_001")


def test_a_copied_folder_is_a_separate_run(tracker: ExperimentTracker, base: Path) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": 1})
    tracker.finish_run(run_id)
    shutil.copytree(base / "runs" / run_id, base / "runs" / "run_050")
    tracker.log_metrics("run_050", {"a": 2})
    assert [run["run_id"] for run in tracker.list_runs()] == ["run_001", "run_050"]
    assert [record.run_id for record in tracker.records()] == ["run_001", "run_050"]
    assert tracker.get_best_run("a")["run_id"] == "run_050"
    assert tracker.get_run("run_050")["run_dir"].endswith("run_050")
    assert list(tracker.compare_runs(["run_050"])["run_id"]) == ["run_050"]
    tracker.publish()
    published = json.loads((base / "metadata.json").read_text())
    assert [entry["run_id"] for entry in published] == ["run_001", "run_050"]
    tracker.finish_run("run_050", status="failed")
    assert [record.status for record in tracker.records()] == ["completed", "failed"]
    assert json.loads((base / "runs" / "run_050" / "run.json").read_text())["run_id"] == "run_050"


@pytest.mark.parametrize("value", [True, "0.99", "inf", None, [1], {"a": 1}])
def test_a_value_of_other_code_that_is_not_a_number_is_damage_and_never_ranks(
    base: Path, write_plain_store: Callable[..., None], value: object
) -> None:
    write_plain_store()
    path = base / "runs" / "run_002" / "metrics.json"
    path.write_text(json.dumps({"val_auc": [{"step": 0, "value": value, "timestamp": ""}]}))
    tracker = ExperimentTracker(base)
    assert tracker.get_best_run("val_auc")["run_id"] == "run_001"
    with pytest.raises(CorruptFileError, match=r"run_002/metrics\.json must map metric names to lists"):
        tracker.get_run("run_002")


def test_an_empty_object_is_a_damaged_run(tracker: ExperimentTracker, base: Path) -> None:
    path = base / "runs" / tracker.create_run("x") / "run.json"
    path.write_text("{}")
    with pytest.raises(CorruptFileError, match="gives run 'run_001' the experiment name None"):
        tracker.get_run("run_001")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metrics.json", '{"m": [{"step": 0, "value": ' + "9" * 400 + "}]}"),
        ("metrics.json", '{"m": [{"step": ' + "9" * 400 + ', "value": 1}]}'),
        *((name, "[" * 100_000 + "]" * 100_000) for name in ("run.json", "params.json", "metrics.json")),
        ("params.json", '{"a": ' + "[" * 1_500 + "]" * 1_500 + "}"),
    ],
)
def test_json_that_python_cannot_read_hides_only_its_run(
    name: str, text: str, tracker: ExperimentTracker, base: Path
) -> None:
    for _ in range(2):
        run_id = tracker.create_run("ctr")
        tracker.log_metrics(run_id, {"m": 1.0})
        tracker.finish_run(run_id)
    (base / "runs" / "run_001" / name).write_text(text)
    reader = ExperimentTracker(base)
    assert [record.run_id for record in reader.records()] == ["run_002"]
    assert [record.run_id for record in reader.search_runs("metrics.m > 0")] == ["run_002"]
    assert reader.create_run("ctr") == "run_003"
    with pytest.raises(CorruptFileError, match=name):
        reader.get_run("run_001")
