"""Defaults of the config that depend on the task and its classes: the objective, and what the gate asks and may use.

`${trainer.objective:}`, `${trainer.threshold:METRIC}` and the like stand for them in `conf/`. The task is `task=`, or found by the
target of the table that the config names; of any other data, and while a file cannot be read, it is `binary`. The parent of a
sweep asks, too, so nothing slow is imported before a table must be read.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins.podium.versions import register_resolver
from tracking.values.names import is_within
from trainer.errors import TrainerError
from trainer.schema import BY_TASK, OBJECTIVES, is_ours, named_task

THRESHOLDS = {
    "binary": {"val_auc": 0.6},
    "multiclass": {"val_auc": 0.6},
    "regression": {"val_r2": 0.0},  # better than the mean
}
OURS = ("trainer", "torch.nn")  # packages that a saved model may always name
TABLE = "trainer.data.table.load"  # the loader whose target says the task


def register() -> None:
    """Make these defaults known to OmegaConf; a second call changes nothing."""
    register_resolver("trainer.objective", objective)
    register_resolver("trainer.threshold", threshold)
    register_resolver("trainer.files", files)
    register_resolver("trainer.scorer", scorer)
    register_resolver("trainer.packages", packages)


def objective(*, _root_: DictConfig) -> str | None:
    """Return the metric that ranks models of the config's task; None for what a function of the user returns."""
    return OBJECTIVES[task(_root_)] if is_ours(_root_.get("task")) else None


def threshold(metric: str, *, _root_: DictConfig) -> float | None:
    """Return what a metric must reach; None where the config's task has no such threshold."""
    return THRESHOLDS[task(_root_)].get(metric) if is_ours(_root_.get("task")) else None


def files(*, _root_: DictConfig) -> list[str]:
    """Return the artifacts that make up a model; of a training function of the user all that it saves."""
    return ["model_best.pt", "model.json"] if is_ours(_root_.get("task")) else ["*"]


def scorer(*, _root_: DictConfig) -> str | None:
    """Return the function that scores models for the gate; None for what a function of the user trains."""
    return "trainer.promotion.score" if is_ours(_root_.get("task")) else None


def packages(*, _root_: DictConfig) -> list[str]:
    """Return the packages of the user's own model and data loader, and the names of the user's own metrics.

    Whoever gives a config runs their code anyway, so the gate may use it for an earlier version of the model, too.
    """
    found = [
        name
        for section in ("model", "data")
        for target in _targets(_root_, section)
        if not is_within(target, OURS)
        for name in (target.partition(".")[0], target)
    ]
    return [*dict.fromkeys([*found, *_targets(_root_, "metrics")])]


def _targets(config: DictConfig, section: str) -> list[str]:
    """Return each `_target_` in a section, at any depth, as it is written."""
    known = config.get(section) if section in config else None
    plain: Any = OmegaConf.to_container(known, resolve=False) if OmegaConf.is_config(known) else None
    found, parts = [], [plain]
    for part in parts:
        if isinstance(part, dict):
            parts += part.values()
            found += [part["_target_"]] if isinstance(part.get("_target_"), str) else []
        elif isinstance(part, list):
            parts += part
    return found


def task(config: DictConfig) -> str:
    """Return the task of a composed config: as given, or as its table says."""
    try:
        given = named_task(config.get("task"))
        if given is None and config.data.get("_target_") == TABLE:
            section: Any = OmegaConf.to_container(config.data, resolve=True, throw_on_missing=True)
            return _found(section)
    except (
        TrainerError,
        OmegaConfBaseException,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        OSError,
    ):
        return "binary"  # the check of the config says what is wrong
    return given if given in BY_TASK else "binary"


def _found(section: dict[str, Any]) -> str:
    from trainer.data.table import KINDS, READING

    file = Path(section["path"]).stat()
    told = {key: section.get(key) for key in (*READING, *KINDS, "cache", "positive")}
    return _task_of(
        section["path"], (file.st_size, file.st_mtime_ns), str(section["target"]), json.dumps(told)
    )


@lru_cache(maxsize=16)
def _task_of(path: str, _state: tuple[int, int], target: str, told: str) -> str:
    """Return the task that a table's target says; read once as long as the file stays the same, by all jobs together."""
    from trainer.data.encoding import prepared

    key = prepared.key_of({"_target_": TABLE, "path": path, "target": target, "told": told}, "unknown")
    return str(prepared.remembered(key, lambda: {"task": _read(path, target, json.loads(told))})["task"])


def _read(path: str, target: str, keys: dict[str, Any]) -> str:
    """Read the target of a table.

    Of a table in memory the target alone is read, because the training reads all of it anyway. One that is larger goes
    into the cache, where the training finds it.
    """
    from trainer.data.reading import mapped
    from trainer.data.reading.header import found
    from trainer.data.reading.reader import Reader
    from trainer.data.table import options_of
    from trainer.data.target import Target
    from trainer.data.unlabelled import with_target

    options, cached = options_of(keys), keys["cache"] or "auto"
    if mapped.is_large(path, cached, options.member):
        _, table = mapped.fit(path, options, cached=cached)
        name = found(target, [*table]) or target
    else:
        _, table = Reader.fit(path, options, only=[target])
        (name,) = table
    known = with_target(table.only([name]), name, path, missing="skip").table
    return Target.found([known[name]], name=target, positive=keys["positive"]).task.value
