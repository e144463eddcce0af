"""One job: trains from a composed config, tracks the run and returns the objective's value.

Each step has a module of its own; `train` and `_train` call them in order.
"""

import csv
import hashlib
import io
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from tracking import Run
from tracking.files import write_bytes
from tracking.statistics.formulas import by_class
from trainer.checkpoint import Checkpoints, State
from trainer.config import check
from trainer.data.load import load
from trainer.data.profile import PROFILE, terminal_width
from trainer.data.target import TaskKind
from trainer.data.tensors import Dataset
from trainer.device import cpu_threads, resolve
from trainer.errors import ConfigError
from trainer.job import auto
from trainer.job.function import train_by_function
from trainer.job.run import earlier_runs, logged_before, opened
from trainer.models.arguments import OFFERED, settle
from trainer.models.network import build_module
from trainer.plots import draw
from trainer.plots.kept import SCORES, Kept, keep
from trainer.saved_model import save_model
from trainer.schema import AUTO, BY_TASK, LENGTHS, LOGGED_PER_EPOCH, is_ours, named_task
from trainer.scoring import Scores, evaluate
from trainer.tasks.losses import build_loss
from trainer.tasks.outputs import task_of
from trainer.tasks.own_metrics import OwnMetric, build_metrics
from trainer.tasks.threshold import choose
from trainer.training.epoch import StepOptions, batches
from trainer.training.loop import Fit, Objective, fit, shown
from trainer.training.optim import build_optimizer, build_scheduler
from trainer.watching.progress import Bar

logger = logging.getLogger(__name__)

RECIPE = ("data", "model", "training", "optimizer", "scheduler")  # sections of hyper-parameters


def train(cfg: DictConfig, plain: Mapping[str, Any] | None = None) -> float | None:
    """Train, test and save one model as a run of the store, and return the objective's value.

    `plain` is what the check of the config returned, if it is checked already.

    A function that `task._target_` names does so in our place; what it returns may be None.

    A run that is asked to stop early still ends as `completed`; an error makes it `failed` and is raised
    again. One that its sweep stops early ends as `pruned`, with the model of its best epoch so far and a checkpoint, from
    which the next attempt at the job goes on. Raise ConfigError, ModelError or DataError before a run is made.
    """
    plain = check(cfg) if plain is None else plain
    if not is_ours(plain.get("task")):
        return train_by_function(cfg, plain)
    config: dict[str, Any] = {
        name: {**each} if isinstance(each, dict) else each for name, each in plain.items()
    }
    for section in OFFERED:
        config[section] = settle(config[section], section)
    metric, mode = config["objective"]["metric"], config["objective"].get("mode")
    config["objective"]["mode"] = LOGGED_PER_EPOCH.get(metric, mode)
    own = build_metrics(config.get("metrics"))
    every_s = config["training"].pop("checkpoint_every_s", None)  # changes no number of the run
    with logged_before() as lines:
        device = resolve(config["device"])
        # A module of the user's may change the rows that it is given.
        is_ours_alone = str(config["model"]["_target_"]).startswith("trainer.")
        data = load(config["data"], task=named_task(config.get("task")), shared=is_ours_alone)
        check_objective(metric, data, own)
        # So that a loss that does not fit the task makes no run.
        build_loss(config.get("loss"), config["training"], task_of(data.labels), data.train.target)
        config |= chosen(cfg, config, len(data.train))
        for key in LENGTHS & {*config["scheduler"]}:
            if config["scheduler"][key] == AUTO:
                config["scheduler"][key] = scheduler_steps(config, len(data.train))
        if data.profile is not None and not _is_job_of_sweep():
            logger.info("%s", data.profile.text(terminal_width()))
    with (
        opened(plain, data=data.describe(), printed="".join(lines)) as run,
        cpu_threads(config["training"].get("threads", 1)),
    ):
        checkpoints = Checkpoints(
            run.artifacts_dir,
            [folder / "artifacts" for folder in earlier_runs(run)],
            recipe=recipe_hash(config, data, device),
            every_s=every_s,
        )
        value = _train(config, data, device, run, checkpoints, own).value
    if not run.is_pruned:
        checkpoints.remove()  # only once the whole run is on disk
    return value


def _train(
    config: dict[str, Any],
    data: Dataset,
    device: torch.device,
    run: Run,
    checkpoints: Checkpoints,
    own: Sequence[OwnMetric],
) -> Fit:
    """Build, fit, test and save inside a run."""
    settings, objective = config["training"], Objective(**config["objective"])
    run.log_params(params(config))  # before the model is built, so that a failure has them
    write_profile(run.artifacts_dir / PROFILE, data)
    module, spec = build_module(config["model"], data.shape, seed=config["seed"], outputs=data.labels.outputs)
    run.log_params(params({**config, "model": spec}))
    module.to(device)
    task = task_of(data.labels)
    loss = build_loss(config.get("loss"), settings, task, data.train.target.to(device))
    interval = config["scheduler"].get("interval", "epoch")
    total_steps = scheduler_steps(config, len(data.train))
    optimizer = build_optimizer(
        config["optimizer"],
        module,
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
    )
    scheduler = build_scheduler(config["scheduler"], optimizer, mode=objective.mode, total_steps=total_steps)
    with checkpoints.saved_when_stopped(), progress_of(settings, objective, data) as bar:
        result = fit(
            module,
            data,
            optimizer,
            epochs=settings["epochs"],
            batch_size=settings["batch_size"],
            limit_batches=settings.get("limit_batches"),
            seed=config["seed"],
            objective=objective,
            scheduler=scheduler,
            options=StepOptions(loss, settings.get("gradient_clip"), settings.get("ema"), interval),
            patience=settings["early_stopping_patience"],
            metrics=own,
            log=bar.telling(lambda metrics, epoch: run.log(metrics, step=epoch)),
            should_stop=lambda: stops(run, checkpoints),
            begin=lambda state: begins(run, checkpoints, state),
            keep=checkpoints.keep,
            each_batch=bar.each_batch,
        )
    if not run.is_pruned:
        _warn_if_short(objective, result, settings, batches_per_epoch(settings, len(data.train)))
    _end(config, data, run, module.cpu(), spec, result, own=own)
    return result


def _end(
    config: Mapping[str, Any],
    data: Dataset,
    run: Run,
    module: nn.Module,
    spec: Mapping[str, Any],
    result: Fit,
    *,
    own: Sequence[OwnMetric],
) -> None:
    """Test and save a trained model, and log its numbers."""
    # On the CPU and one thread, as a loaded model is scored, so that the numbers agree to the last digit.
    with cpu_threads(1):
        scores = evaluate(module, data.test, data=data)
        threshold = chosen_threshold(config.get("threshold", "balanced_accuracy"), module, data)
    save_model(run.artifacts_dir, module, spec=spec, section=config["data"], data=data, threshold=threshold)
    write_classes(run.artifacts_dir / "classes.csv", scores, data)
    keep(run.artifacts_dir / SCORES, Kept(scores, data.labels, result.epoch, threshold))
    if not _is_job_of_sweep():  # a sweep draws those of its winner
        plots = run.artifacts_dir / "plots"
        draw(plots, result.history, result.epoch, scores, data.labels, threshold=threshold)
    tested = {**scores.named(), **{f"test_{each.name}": scores.own(each) for each in own}}
    is_best = Objective(**config["objective"]).at == "best"
    best = {"best_epoch": result.epoch} if is_best else {}
    run.log({**data.reference, **tested, **best, **({} if threshold is None else {"threshold": threshold})})
    logger.info("%s: %s", run.run_id, shown(tested))


def begins(run: Run, checkpoints: Checkpoints, state: State) -> None:
    """Load the earlier state of a training that goes on; have a sweep know of one that begins that it asks."""
    checkpoints.restore(state)
    if not state.history:
        # From the first value on, a run that is not known to ask is judged by its journal, apart from those that wait.
        run.should_stop()


def stops(run: Run, checkpoints: Checkpoints) -> bool:
    """Return whether a run is to stop; save the training of one that may go on later."""
    if not run.should_stop():
        return False
    if run.is_pruned:
        checkpoints.save()
    return True


def write_profile(file: Path, data: Dataset) -> None:
    """Write what was found in a table, if the data were read from one."""
    if data.profile is not None:
        write_bytes(file, json.dumps(data.profile.to_json(), indent=1).encode() + b"\n")


def progress_of(settings: Mapping[str, Any], objective: Objective, data: Dataset) -> Bar:
    """Return the bar of a run; it stays away in a job of a sweep, whose parent shows the jobs."""
    return Bar(
        epochs=settings["epochs"],
        rows=min(len(data.train), rows_per_epoch(settings)),
        objective=objective.metric,
        is_better=objective.is_better,
        stream=None if _is_job_of_sweep() else sys.stdout,
    )


def _warn_if_short(objective: Objective, result: Fit, settings: Mapping[str, Any], per_epoch: int) -> None:
    if settings.get("limit_batches") is not None:  # short on purpose
        return
    values = [each[objective.metric] for each in result.history]
    steps, planned = result.epochs * per_epoch, settings["epochs"]
    for doubt in auto.doubts(objective.metric, values, mode=objective.mode, planned=planned, steps=steps):
        logger.warning("%s", doubt)


def chosen(cfg: DictConfig, config: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Return the sections in which `auto`, or a reference to it, became a number for so many training rows."""
    numbers = auto.chosen(config["training"], rows)
    if not numbers:
        return {}
    if any(each is not None for each in numbers.values()):
        logger.info("%s", auto.said(numbers, rows))
    known: Any = {"training": {**config["training"], **numbers}}
    if any("${" in repr(OmegaConf.to_container(cfg[name])) for name in ("training", *OFFERED)):
        known = OmegaConf.to_container(OmegaConf.merge(cfg, {"training": numbers}), resolve=True)
    # Of each section the keys that it has now: those that its class does not take are out already.
    return {
        name: {key: known[name][key] for key in config[name]}
        for name in known
        if name in ("training", *OFFERED)
    }


def scheduler_steps(config: Mapping[str, Any], rows: int) -> int:
    """Return how often the scheduler steps in a whole training on so many rows."""
    settings = config["training"]
    is_per_batch = config["scheduler"].get("interval", "epoch") == "batch"
    return int(settings["epochs"]) * (batches_per_epoch(settings, rows) if is_per_batch else 1)


def batches_per_epoch(settings: Mapping[str, Any], rows: int) -> int:
    """Return the number of batches of an epoch on so many rows."""
    return batches(min(rows, rows_per_epoch(settings)), settings["batch_size"])


def rows_per_epoch(settings: Mapping[str, Any]) -> int:
    """Return the most rows that an epoch trains on."""
    limit = settings.get("limit_batches")
    return sys.maxsize if limit is None else limit * int(settings["batch_size"])


def check_objective(metric: str, data: Dataset, own: Sequence[OwnMetric] = ()) -> None:
    """Raise ConfigError for an objective that the task of the data does not log."""
    allowed = (*BY_TASK[data.labels.task], *(f"val_{each.name}" for each in own))
    if metric not in allowed:
        raise ConfigError(
            f"objective.metric={metric}: target {data.labels.name!r} is for task={data.labels.task}, "
            f"which logs {', '.join(allowed)}"
        )


def chosen_threshold(rule: str | float, module: nn.Module, data: Dataset) -> float | None:
    """Return the threshold of labels that a rule picks on the validation rows; None unless there are two classes."""
    if data.labels.task is not TaskKind.BINARY:
        return None
    scores = evaluate(module, data.val, cardinalities=data.shape.cardinalities, task=task_of(data.labels))
    return choose(rule, scores.target, scores.probabilities, scores.weight)


def write_classes(file: Path, scores: Scores, data: Dataset) -> None:
    """Write the scores of each of several classes as a CSV file."""
    if data.labels.task is not TaskKind.MULTICLASS:
        return
    text = io.StringIO()
    rows = by_class(scores.target, scores.probabilities, data.labels.classes, scores.weight)
    table = csv.DictWriter(text, rows[0], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_bytes(file, text.getvalue().encode())


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
    sections = {name: config.get(name) for name in (*RECIPE, "objective", "seed", "loss")}
    if config.get("metrics"):
        sections["metrics"] = config["metrics"]  # which a checkpoint's epochs have, too
    facts = {"data": data.fingerprint, "device": str(device), "torch": torch.__version__}
    facts["task"] = data.labels.task.value
    text = json.dumps([sections, facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_job_of_sweep() -> bool:
    """Whether other jobs train on the same table, and the parent has shown it."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
