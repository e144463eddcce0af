"""One job: trains from a composed config, tracks the run and returns the objective's value.

Each step has a module of its own; `train` and `_train` call them in order.
"""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from tracking import ExperimentTracker, Run
from tracking.files import write_bytes
from trainer.checkpoint import Checkpoints
from trainer.config import check
from trainer.data.load import load
from trainer.data.tensors import Dataset
from trainer.device import cpu_threads, resolve
from trainer.loop import Fit, Objective, fit, shown
from trainer.models.arguments import settle
from trainer.models.network import adapt, build_module
from trainer.optim import build_optimizer, build_scheduler
from trainer.plots import draw
from trainer.saved_model import save_model
from trainer.schema import LOGGED_PER_EPOCH
from trainer.scoring import evaluate

logger = logging.getLogger(__name__)

PROFILE = "data.json"  # the artifact that says what was found in the table
RECIPE = ("data", "model", "training", "optimizer", "scheduler")  # sections of hyper-parameters


def train(cfg: DictConfig) -> float:
    """Train, test and save one model as a run of the store, and return the objective's value.

    A run that is asked to stop early still ends as `completed`; an error makes it `failed` and is raised
    again. Raise ConfigError, ModelError or DataError before a run is made.
    """
    check(cfg)
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    config["model"] = settle(config["model"])
    config["objective"]["mode"] = LOGGED_PER_EPOCH[config["objective"]["metric"]]
    every_s = config["training"].pop("checkpoint_every_s", None)  # changes no number of the run
    device = resolve(config["device"])
    data = load(config["data"])
    if data.profile is not None and not _is_job_of_sweep():
        logger.info("%s", data.profile.text())
    tracker = ExperimentTracker(config["paths"]["experiments"])
    tracked = config["tracking"]
    with (
        tracker.start_run(
            tracked["experiment_name"],
            tags=tracked["tags"],
            description=tracked["description"],
            config=cfg,
            overrides=overrides(),
            data=data.describe(),
            seeds={"seed": config["seed"]},
        ) as run,
        cpu_threads(config["training"].get("threads", 1)),
    ):
        checkpoints = Checkpoints(
            run.artifacts_dir,
            [folder / "artifacts" for folder in earlier_runs(tracker, run)],
            recipe=recipe_hash(config, data, device),
            every_s=every_s,
        )
        value = _train(config, data, device, run, checkpoints).value
    checkpoints.remove()  # only once the whole run is on disk
    return value


def _train(
    config: dict[str, Any], data: Dataset, device: torch.device, run: Run, checkpoints: Checkpoints
) -> Fit:
    """Build, fit, test and save inside a run."""
    settings, objective = config["training"], Objective(**config["objective"])
    run.log_params(params(config))  # before the model is built, so that a failure has them
    if data.profile is not None:
        write_bytes(
            run.artifacts_dir / PROFILE, json.dumps(data.profile.to_json(), indent=1).encode() + b"\n"
        )
    module, spec = build_module(config["model"], data.shape, seed=config["seed"])
    run.log_params(params({**config, "model": spec}))
    module.to(device)
    optimizer = build_optimizer(
        config["optimizer"],
        module,
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
    )
    with checkpoints.saved_when_stopped():
        result = fit(
            module,
            data,
            optimizer,
            epochs=settings["epochs"],
            batch_size=settings["batch_size"],
            limit_batches=settings.get("limit_batches"),
            seed=config["seed"],
            objective=objective,
            scheduler=build_scheduler(config["scheduler"], optimizer, mode=objective.mode),
            patience=settings["early_stopping_patience"],
            log=lambda metrics, epoch: run.log(metrics, step=epoch),
            should_stop=run.should_stop,
            begin=checkpoints.restore,
            keep=checkpoints.keep,
        )
    # On the CPU and one thread, as a loaded model is scored, so that the numbers agree to the last digit.
    with cpu_threads(1):
        scores = evaluate(adapt(module.cpu(), data.shape.cardinalities), data.test)
    save_model(run.artifacts_dir, module, spec=spec, section=config["data"], data=data)
    draw(run.artifacts_dir / "plots", result.history, result.epoch, scores)
    run.log({**data.reference, **scores.named()})
    logger.info("%s: %s", run.run_id, shown(scores.named()))
    return result


def params(config: dict[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters of a run as a flat mapping, each class under the name of its section.

    Leaf names are unique across the config. The model's arguments include the sizes it was built with, so
    that `trainer.build(params)` builds it again.
    """
    flat: dict[str, Any] = {}
    for section in RECIPE:
        for key, value in config[section].items():
            if key != "_target_":
                flat[key] = value
            elif section != "data":  # the data set has a name: `dataset`
                flat[section] = value
    return {**flat, "seed": config["seed"], "device": config["device"]}


def recipe_hash(config: dict[str, Any], data: Dataset, device: torch.device) -> str:
    """Hash everything that determines the numbers of a run, so that it uses only checkpoints of the same recipe."""
    sections = {name: config[name] for name in (*RECIPE, "objective", "seed")}
    facts = {"data": data.fingerprint, "device": str(device), "torch": torch.__version__}
    text = json.dumps([sections, facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def earlier_runs(tracker: ExperimentTracker, run: Run) -> list[Path]:
    """Return the folders of the runs of earlier attempts at this job of a sweep, oldest first."""
    own = tracker.record(run.run_id)
    names = (own.sweep or {}).get("previous", ()) if own is not None else ()
    records = (tracker.record(name) for name in names)
    return [record.run_dir for record in records if record is not None]


def _is_job_of_sweep() -> bool:
    """Whether other jobs train on the same table, and the parent has shown it."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def overrides() -> list[str]:
    """Return the overrides of this job; empty outside Hydra."""
    from hydra.core.hydra_config import HydraConfig

    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []
