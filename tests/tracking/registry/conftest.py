"""A registry, and runs to register."""

from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, ModelRegistry


@pytest.fixture
def registry(base: Path) -> ModelRegistry:
    return ModelRegistry(base)


@pytest.fixture
def make_run(tracker: ExperimentTracker, tmp_path: Path) -> Any:
    def make(auc: float = 0.8, *, artifact: str = "model_best.pt") -> str:
        source = tmp_path / "weights"
        source.write_bytes(b"weights %f" % auc)
        with tracker.start_run("x", config="lr: 0.1\n", data={"fingerprint": "sha256:1"}) as run:
            run.log({"val_auc": auc})
            run.log_artifact(source, artifact)
        return run.run_id

    return make
