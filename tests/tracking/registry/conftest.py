"""A registry, and runs to register."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, ModelRegistry, Verdict


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


@pytest.fixture
def reigning(base: Path, make_run: Any) -> Callable[..., ModelRegistry]:
    """Make a registry whose model ctr has had so many champions in turn, and has so many further versions."""

    def make(champions: int, further: int = 0) -> ModelRegistry:
        registry = ModelRegistry(base)
        objective = {"metric": "val_auc", "mode": "max", "value": 0.8}
        for number in range(1, champions + further + 1):
            registry.register("ctr", make_run(), objective=objective, loader="os:walk")
            if number <= champions:
                registry.promote("ctr", number, reason="better")
        return registry

    return make


@pytest.fixture
def exportable(base: Path, tracker: ExperimentTracker) -> ModelRegistry:
    """A registry whose champion is version 1 of ctr, with a verdict and scores."""
    registry = ModelRegistry(base)
    with tracker.start_run("x", params={"lr": 0.1}, config="lr: 0.1\n", data={"fingerprint": "f"}) as run:
        run.log({"val_auc": 0.8})
        (run.artifacts_dir / "model_best.pt").write_bytes(b"weights")
        (run.artifacts_dir / "more").mkdir()
        (run.artifacts_dir / "more" / "é b.txt").write_text("x")
    version = registry.register(
        "ctr",
        run.run_id,
        files=["model_best.pt", "more"],
        objective={"metric": "val_auc", "mode": "max", "value": 0.8},
        loader="os:walk",
    )
    registry.record_verdict("ctr", 1, Verdict(True, "Promoted: better.", ("better",), "first"))
    (version.path / "scores.npz").write_bytes(b"scores")
    registry.promote("ctr", 1, reason="the first")
    return registry


@pytest.fixture
def other(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "other")
