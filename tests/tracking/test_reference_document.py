"""The documented snippets and commands, run as they are written: only the import path and the script's name differ."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from reference_snippets import (
    BASIC_USAGE,
    BEST_RUN,
    COMPARE,
    DETAILS,
    SWEEP,
    TRAINING_SCRIPT,
    TROUBLESHOOTING,
)

from tracking import ExperimentTracker

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("model_best.pt", "loss_curve.png"):
        (tmp_path / "path" / "to").mkdir(parents=True, exist_ok=True)
        (tmp_path / "path" / "to" / name).write_bytes(b"file")
    return tmp_path


def run_snippet(code: str, **names: Any) -> dict[str, Any]:
    exec(compile(code, "snippet", "exec"), names)
    return names


def use_basically(auc: float) -> None:
    run_snippet(
        BASIC_USAGE, train_loss=0.5, val_loss=0.6, val_auc=auc, test_acc=0.75, test_auc=auc, test_loss=0.41
    )


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "tracking", *arguments], capture_output=True, text=True)


# what each method of the API reference gives, called as documented; `run_001` is finished
ANSWERS: dict[str, tuple[Callable[[ExperimentTracker], Any], Callable[[Any], bool]]] = {
    "create_run": (
        lambda tracker: tracker.create_run("ctr_model", None, ""),
        lambda found: found == "run_002",
    ),
    "log_params": (lambda tracker: tracker.log_params("run_001", {"a": 1}), lambda found: found is None),
    "log_metrics": (lambda tracker: tracker.log_metrics("run_001", {"a": 1}), lambda found: found is None),
    "log_artifact": (
        lambda tracker: tracker.log_artifact("run_001", "path/to/model_best.pt", "best.pt"),
        lambda found: json.loads(json.dumps(found)) == found and Path(found).read_bytes() == b"file",
    ),
    "finish_run": (
        lambda tracker: tracker.finish_run("run_001", status="killed"),
        lambda found: found is None,
    ),
    "get_run": (
        lambda tracker: tracker.get_run("run_001"),
        lambda found: json.loads(json.dumps(found)) == found and type(found) is dict,
    ),
    "get_run of an unknown id": (lambda tracker: tracker.get_run("run_009"), lambda found: found is None),
    "list_runs": (
        lambda tracker: tracker.list_runs("ctr_model"),
        lambda found: type(found) is list and json.loads(json.dumps(found)) == found,
    ),
    "list_runs of an unknown experiment": (
        lambda tracker: tracker.list_runs("nope"),
        lambda found: found == [],
    ),
    "compare_runs": (
        lambda tracker: tracker.compare_runs(["run_001"]),
        lambda found: type(found).__name__ == "DataFrame" and len(found) == 1,
    ),
    "get_best_run": (
        lambda tracker: tracker.get_best_run("test_auc", None, "min"),
        lambda found: json.loads(json.dumps(found)) == found and found["run_id"] == "run_001",
    ),
    "get_best_run of a metric that no run has": (
        lambda tracker: tracker.get_best_run("test_acu"),
        lambda found: found is None,
    ),
}


@pytest.mark.parametrize("method", ANSWERS)
def test_each_method_returns_what_the_api_reference_says(folder: Path, method: str) -> None:
    use_basically(0.8)
    call, is_right = ANSWERS[method]
    answer = call(ExperimentTracker())
    assert is_right(answer), answer


def test_an_unknown_run_is_left_out_of_a_comparison_with_a_warning(folder: Path) -> None:
    use_basically(0.8)
    with pytest.warns(UserWarning, match="left out, no such run in 'experiments': 'run_007'"):
        frame = ExperimentTracker().compare_runs(["run_007", "run_001"])
    assert list(frame["run_id"]) == ["run_001"]


def test_the_folder_of_the_runs_is_named_as_in_the_storage_structure(folder: Path) -> None:
    use_basically(0.8)
    tracker = ExperimentTracker()
    assert tracker.runs_dir == Path("experiments/runs")
    assert str(tracker.runs_dir / "run_001") == tracker.get_run("run_001")["run_dir"]


def test_the_files_have_the_documented_formats_while_the_run_goes_on_and_after(folder: Path) -> None:
    tracker = ExperimentTracker()
    run_id = tracker.create_run("ctr_model", {"version": "v1"}, "Baseline model")
    params = {"learning_rate": 0.001, "batch_size": 128, "hidden_dims": [256, 128, 64], "dropout": 0.3}
    tracker.log_params(run_id, params)
    tracker.log_metrics(run_id, {"val_auc": 0.7123}, step=0)
    for status in ("running", "completed"):
        assert json.loads((tracker.runs_dir / run_id / "params.json").read_text()) == params
        (point,) = json.loads((tracker.runs_dir / run_id / "metrics.json").read_text())["val_auc"]
        assert list(point) == ["step", "value", "timestamp"]
        (entry,) = json.loads(Path("experiments/metadata.json").read_text())
        assert list(entry.items()) == [
            ("run_id", "run_001"),
            ("experiment_name", "ctr_model"),
            ("created_at", entry["created_at"]),
            ("finished_at", entry["finished_at"]),
            ("status", status),
            ("tags", {"version": "v1"}),
            ("description", "Baseline model"),
            ("run_dir", "experiments/runs/run_001"),
        ]
        if status == "running":
            tracker.finish_run(run_id)


def test_times_carry_their_offset_and_the_age_of_a_run_is_reckoned_as_the_page_says(folder: Path) -> None:
    use_basically(0.8)
    run = ExperimentTracker().get_run("run_001")
    age = datetime.now().astimezone() - datetime.fromisoformat(run["created_at"])
    assert timedelta(0) <= age < timedelta(minutes=5)
    points = run["metrics"]["val_auc"]
    assert datetime.fromisoformat(points[0]["timestamp"]) >= datetime.fromisoformat(run["created_at"])


@pytest.mark.parametrize("status", ["completed", "failed", "killed"])
def test_a_run_is_finished_with_each_documented_status(folder: Path, status: str) -> None:
    tracker = ExperimentTracker()
    run_id = tracker.create_run("ctr_model")
    tracker.finish_run(run_id, status)
    assert [run["status"] for run in tracker.list_runs()] == [status]


def test_basic_usage_leaves_the_documented_layout(folder: Path) -> None:
    use_basically(0.8)
    assert {str(path.relative_to(folder)) for path in folder.glob("experiments/**/*")} >= {
        "experiments/metadata.json",
        "experiments/runs/run_001/params.json",
        "experiments/runs/run_001/metrics.json",
        "experiments/runs/run_001/artifacts/model_best.pt",
        "experiments/runs/run_001/artifacts/loss_curve.png",
    }


def test_the_training_script_records_its_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {
        "model": {"type": "mlp", "hidden_dims": [8], "dropout": 0.1},
        "training": {"batch_size": 4, "learning_rate": 0.1, "epochs": 3, "early_stopping_patience": 2},
    }
    numbers = {"loss": 0.5, "accuracy": 0.7, "auc": 0.8}
    names = run_snippet(
        TRAINING_SCRIPT,
        load_config=lambda path: config,
        epochs=3,
        train_epoch=lambda *args: numbers,
        validate_epoch=lambda *args, **kwargs: numbers,
        model_save_path=folder / "path/to/model_best.pt",
        **dict.fromkeys(["model", "test_loader", "criterion", "device"]),
    )
    assert names["main"]("configs/base.yaml") == (None, "run_001")
    assert "Experiment tracked: run_001" in capsys.readouterr().out
    run = ExperimentTracker().get_run("run_001")
    assert run["params"]["weight_decay"] == 0.0
    assert [point["step"] for point in run["metrics"]["val_auc"]] == [1, 2, 3]
    assert run["metrics"]["test_auc"][0]["step"] is None


def test_the_best_run_is_found_and_its_artifact_is_where_the_dict_says(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for auc in (0.81, 0.82, 0.79):
        use_basically(auc)
    names = run_snippet(BEST_RUN)
    assert capsys.readouterr().out == "Best run: run_002\nBest AUC: 0.8200\n"
    assert names["model_path"] == "experiments/runs/run_002/artifacts/model_best.pt"
    assert Path(names["model_path"]).exists()


def test_runs_are_compared_as_a_frame(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for auc in (0.81, 0.82, 0.79, 0.80):
        use_basically(auc)
    names = run_snippet(COMPARE)
    assert list(names["top_3"]["run_id"]) == ["run_002", "run_001", "run_004"]
    assert list(names["comparison_df"].columns)[:5] == [
        "run_id",
        "experiment_name",
        "status",
        "created_at",
        "learning_rate",
    ]
    assert "0.001" in capsys.readouterr().out


def test_the_details_of_a_run_print(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use_basically(0.8145)
    run_snippet(DETAILS)
    printed = capsys.readouterr().out
    assert "hidden_dims: [256, 128, 64]" in printed
    assert "Epoch 29: 0.8145" in printed


def test_the_sweep_example_finds_its_best_config(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_snippet(SWEEP)
    assert (
        "Best config: {'learning_rate': 0.01, 'batch_size': 256, 'hidden_dims': [128, 64, 32]}"
        in capsys.readouterr().out
    )


def test_the_troubleshooting_snippets_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use_basically(0.8)
    run_snippet(TROUBLESHOOTING)
    printed = capsys.readouterr().out
    assert printed.startswith("True\n")
    assert "['run_001']" in printed


def test_the_documented_commands_run_in_their_three_forms(folder: Path) -> None:
    for auc in (0.8145, 0.8023, 0.8234):
        use_basically(auc)
    compared = command("ctr_model")
    assert compared.stderr == ""
    lines = compared.stdout.splitlines()
    documented = {"run_id", "status", "learning_rate", "batch_size", "test_accuracy", "test_auc"}
    assert documented <= set(lines[5].split())
    assert lines[0] == "Found 3 runs for 'ctr_model'"
    assert "EXPERIMENT COMPARISON: ctr_model" in lines
    rows = [line.split()[0] for line in lines if line.startswith("run_0")]
    assert rows == ["run_003", "run_001", "run_002"]
    for expected in (
        "BEST RUN:",
        "Run ID: run_003",
        "Best test_auc: 0.8234",
        "Parameters:",
        "  hidden_dims: [256, 128, 64]",
        "Final Metrics:",
        "  test_accuracy: 0.7500",
    ):
        assert expected in lines, compared.stdout
    plotted = command("ctr_model", "plot", "val_auc", "run_001", "run_002", "run_003")
    assert plotted.stdout == "Wrote experiments/metric_comparison_val_auc.png\n"
    assert (folder / "experiments/metric_comparison_val_auc.png").read_bytes().startswith(b"\x89PNG")
    listed = command("--list").stdout.splitlines()
    assert "ALL EXPERIMENTS" in listed
    position = listed.index("ctr_model:")
    assert listed[position + 1 : position + 4] == [
        "  Total runs: 3",
        "  Completed: 3",
        "  Run IDs: run_001, run_002, run_003",
    ]
    for short, long in ((["ctr_model"], ["compare", "ctr_model"]), (["--list"], ["list"])):
        assert command(*short).stdout == command(*long).stdout
