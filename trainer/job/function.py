"""A training function of the user in the place of ours: `task._target_` names it, the config and a run are its arguments.

The run is tracked, resumed, stopped, ranked and promoted as any other. What the function does with the config, the data
and a model is its own affair; `trainer.job.steps` offers what our training is made of.
"""

import inspect
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, SupportsFloat

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from tracking import ExperimentTracker, Run
from tracking.objective import Objective
from tracking.values.returned import OBJECTIVE, named
from trainer.device import cpu_threads
from trainer.errors import ConfigError
from trainer.job.resume import remove_checkpoints
from trainer.job.run import opened
from trainer.targets import imported

logger = logging.getLogger(__name__)

Function = Callable[[DictConfig, Run], Any]
NO_PARAMS = ("paths", "tracking", "sweep", "promotion", "objective", "task", "seed", "device")


def train_by_function(cfg: DictConfig, plain: Mapping[str, Any]) -> float | None:
    """Call the training function of a config, `plain` when resolved, within a run, and return the objective's value.

    The function gets the config and the run: `def train(config, run)`. Its run has the config's keys as parameters, the
    seed, the code and the output. It may

    - log: `run.log({"val_auc": 0.8}, step=1)`, and save files as artifacts, which are promoted with the run;
    - stop early: return when `run.should_stop()` is true; a search may let the job go on later, from its checkpoint;
    - continue after a kill: `trainer.Checkpoint.of(config, run)` holds what an earlier attempt kept;
    - use our parts: `trainer.load_data(config)`, `build_model`, `fit`, `evaluate`, `save_model`.

    It returns the objective, a number, or a mapping of numbers, each of which is logged unless the function did so. With
    `objective.metric` set, that metric counts, by `objective.at`. The global random numbers of torch, NumPy and Python
    depend on the seed.
    """
    name = f"task._target_={cfg.task._target_}"
    function = _function(cfg)
    threads = OmegaConf.select(cfg, "training.threads", default=1)
    with opened(plain, composed=cfg) as run:
        run.log_params(_params(plain))
        with cpu_threads(threads if isinstance(threads, int) else None), _seeded(cfg.seed):
            returned = function(cfg, run)
        value = _value(cfg, run, returned)
        if value is None and not run.is_pruned:
            metric = cfg.objective.metric
            wanted = f"and no {metric} was logged" if metric else "and objective.metric names no metric"
            logger.warning("%s returned %.80r, %s, so a sweep cannot rank this run", name, returned, wanted)
        elif value is not None:
            logger.info("%s: %s %.6g", run.run_id, cfg.objective.metric or OBJECTIVE, value)
    if not run.is_pruned:
        remove_checkpoints(run)  # only once the whole run is on disk
    return value


def _function(cfg: DictConfig) -> Function:
    """Import the function of a config; raise ConfigError for one that does not take a config and a run."""
    function = imported("task", cfg.task)
    try:
        inspect.signature(function).bind(cfg, None)
    except TypeError as error:
        raise ConfigError(
            f"task._target_={cfg.task._target_}{inspect.signature(function)}: {error}; "
            "it is called with (config, run)"
        ) from error
    except ValueError:
        pass  # a builtin that does not say what it takes
    return function


def _params(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters of a run as a flat mapping: keys of our sections by their own names, as for our training.

    Keys of the function's section go by their own names, too, and those of its other sections by dotted names.
    """
    flat: dict[str, Any] = {}
    own = config["task"]
    for section, value in config.items():
        if section in NO_PARAMS or value is None:
            continue
        if not isinstance(value, Mapping):
            flat[section] = value
            continue
        is_ours = section in ("data", "model", "training", "optimizer", "scheduler", "loss")
        for key, inner in value.items():
            if key != "_target_":
                flat[key if is_ours else f"{section}.{key}"] = inner
            elif section != "data" and inner is not None:
                flat[section] = inner
    for key, inner in own.items():
        if key != "_target_":
            flat[f"task.{key}" if key in flat else key] = inner
    return {**flat, "task": own["_target_"], "seed": config["seed"], "device": config["device"]}


def _value(cfg: DictConfig, run: Run, returned: Any) -> float | None:
    """Log what a function returned, and return the value of the objective; None when there is none.

    What a pruned job returns is not logged: it would count as its last value once the job goes on.
    """
    metric = cfg.objective.metric
    values = named(returned)
    if values is None:
        values = {metric or OBJECTIVE: returned}
    numbers = {key: float(each) for key, each in values.items() if _is_number(each)}
    record = ExperimentTracker(run.run_dir.parents[1]).record(run.run_id)
    logged = record.summary if record is not None else {}
    if not run.is_pruned:
        run.log({key: each for key, each in numbers.items() if key not in logged})
    if metric is not None and record is not None and metric in logged:
        return Objective.of(metric, cfg.objective.get("mode"), cfg.objective.at).value(record)
    return numbers.get(metric or OBJECTIVE)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, SupportsFloat):
        return False
    try:
        float(value)
    except (TypeError, ValueError, RuntimeError):  # a tensor of several numbers, for example
        return False
    return True


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Make the global random numbers depend on a seed inside the block, and restore them after it."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])
