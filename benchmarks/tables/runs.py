"""Runs of the trainer: the default one, and the best of a small sweep, on one split of a table."""

import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_module
from omegaconf import DictConfig

from hydra_plugins.podium.versions import current_defaults
from tracking import ExperimentTracker
from trainer.task import train

AXES = (  # of the sweep: 12 jobs
    ("model=mlp", "model=tabm"),
    ("model.numeric_embedding=null", "model.numeric_embedding=piecewise"),
    ("training.learning_rate=3e-4", "training.learning_rate=1e-3", "training.learning_rate=3e-3"),
)
QUICK = ("training.epochs=1", "model.hidden_dims=[8]")  # only to show that it works


@dataclass(frozen=True)
class Scored:
    """What a model reached: on the test rows, on the validation rows, in how many seconds."""

    test: float
    val: float
    seconds: float
    settings: str = ""


def config(overrides: Sequence[str], *, seed: int, store: Path | None = None) -> DictConfig:
    """Compose the trainer's config for one seed, which also draws the split."""
    # All test rows are scored, as those of the peers are.
    more = [f"seed={seed}", f"data.data_seed={seed}", "data.promotion_fraction=0", "device=cpu"]
    with initialize_config_module("conf", **current_defaults()):
        return compose(
            "config",
            [*overrides, *more, f"paths.experiments='{store}'" if store else "promotion.promote=false"],
        )


def default(overrides: Sequence[str], *, seed: int) -> Scored:
    """Train with the default settings."""
    return _run(overrides, seed)


def best_of_sweep(overrides: Sequence[str], *, seed: int) -> Scored:
    """Train each point of the sweep, and return the one with the best objective, which is of the validation rows."""
    points = itertools.product(*AXES)
    scored = [_run([*point, *overrides], seed, settings=" ".join(point)) for point in points]
    best = max(scored, key=lambda each: each.val)
    return Scored(best.test, best.val, sum(each.seconds for each in scored), best.settings)


def recipe(name: str, folder: Path, *, seed: int) -> dict[str, float]:
    """Train a recipe of conf/experiment on the data of a folder, and return what it reached on the test rows."""
    with tempfile.TemporaryDirectory(prefix="podium-tables-") as store:
        cfg = config([f"experiment={name}", f"data.path='{folder}'"], seed=seed, store=Path(store))
        started = time.perf_counter()
        train(cfg)
        seconds = time.perf_counter() - started
        metrics = _metrics(Path(store))
    found = {key: metrics[f"test_{key}"] for key in ("accuracy", "auc")}
    return {**found, "seconds": seconds}


def _metrics(store: Path) -> dict[str, float]:
    (run,) = ExperimentTracker(store).records()
    return {name: each.last for name, each in run.summary.items() if each.last is not None}


def _run(overrides: Sequence[str], seed: int, settings: str = "") -> Scored:
    with tempfile.TemporaryDirectory(prefix="podium-tables-") as folder:
        store = Path(folder)
        cfg = config(overrides, seed=seed, store=store)
        started = time.perf_counter()
        value = train(cfg)
        seconds = time.perf_counter() - started
        metrics = _metrics(store)
    if value is None:  # only a training function of the user may return none
        raise SystemExit(f"{' '.join(overrides)}: the training returned no value")
    name = "test_auc" if "test_auc" in metrics else "test_r2"
    return Scored(metrics[name], value, seconds, settings)
