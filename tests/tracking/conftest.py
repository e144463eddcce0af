"""What the tests of tracking share: a tracker on a fresh store, and stores as other code writes them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tracking import ExperimentTracker


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
