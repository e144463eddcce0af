"""What the tests of tracking share: a tracker on a fresh store, stores with runs and models, the command line."""

import json
import math
import os
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from command_line import Say

from tracking import ExperimentTracker, ModelRegistry
from tracking.cli.app import main
from tracking.cli.groups import ENTRY_POINTS, groups
from tracking.process.program import called_podium

ROOT = Path(__file__).parents[2]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "experiments"


@pytest.fixture
def tracker(base: Path) -> ExperimentTracker:
    return ExperimentTracker(base)


@pytest.fixture
def write_plain_store(base: Path) -> Callable[..., None]:
    """A store as simple code writes it: whole files, naive times, no run.json."""

    def write(count: int = 2, *, nan: bool = False) -> None:
        entries = []
        for number in range(1, count + 1):
            run_id = f"run_{number:03d}"
            folder = base / "runs" / run_id
            (folder / "artifacts").mkdir(parents=True)
            (folder / "params.json").write_text(
                json.dumps({"learning_rate": 0.001 * number, "hidden_dims": [256, 128]}, indent=2)
            )
            points = [
                {"step": step, "value": 0.7 + 0.01 * (step + number), "timestamp": "2024-11-15T10:31:00"}
                for step in range(2)
            ]
            metrics = {
                "val_auc": points,
                **({"odd": [{"step": 0, "value": float("nan"), "timestamp": ""}]} if nan else {}),
            }
            (folder / "metrics.json").write_text(json.dumps(metrics, indent=2))
            entries.append(
                {
                    "run_id": run_id,
                    "experiment_name": "ctr_model",
                    "created_at": "2024-11-15T10:30:00",
                    "finished_at": "2024-11-15T11:00:00" if number == 1 else None,
                    "status": "completed" if number == 1 else "running",
                    "tags": {"version": "v1"},
                    "description": "Baseline model",
                    "run_dir": f"experiments/runs/{run_id}",
                }
            )
        (base / "metadata.json").write_text(json.dumps(entries, indent=2))

    return write


@pytest.fixture
def store(tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PODIUM_STORE", str(base))
    (tmp_path / "model.pt").write_bytes(b"weights")
    for number, auc in enumerate([0.81, 0.83, math.nan, None], 1):
        with tracker.start_run(
            "ctr_model", params={"learning_rate": 10.0**-number, "dims": [256, 128], "note": "long " * 12}
        ) as run:
            run.log({"val_loss": 1.5 - number / 10, "val_auc": 0.7}, step=0)
            if auc is not None:
                run.log({"test_auc": auc})
            run.log_artifact(tmp_path / "model.pt", "model_best.pt")
    return base


@pytest.fixture
def models(store: Path) -> ModelRegistry:
    registry = ModelRegistry(store)
    for run_id, value in (("run_001", 0.81), ("run_002", 0.83)):
        version = registry.register(
            "ctr",
            run_id,
            objective={"metric": "test_auc", "mode": "max", "value": value},
            loader="trainer:load_model",
        )
        registry.promote("ctr", version.version, reason="better")
    return registry


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The groups of commands that pyproject.toml declares, whatever this environment has installed."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][ENTRY_POINTS]
    found = [EntryPoint(name, value, ENTRY_POINTS) for name, value in declared.items()]
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: found if group == ENTRY_POINTS else []
    )
    groups.cache_clear()
    yield
    groups.cache_clear()


@pytest.fixture
def as_podium(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are called as `podium`."""
    monkeypatch.setattr("os.environ", dict(os.environ))  # which the call below changes
    called_podium()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call
