"""Defaults of the config that depend on the task: the objective, and what a first champion must reach.

`${trainer.objective:}` and `${trainer.threshold:METRIC}` stand for them in `conf/`. The task is `task=`, or found by the
target of the table that the config names; of any other data, and while a file cannot be read, it is `binary`. The parent of a
sweep asks, too, so nothing slow is imported before a table must be read.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trainer.errors import TrainerError
from trainer.schema import BY_TASK, OBJECTIVES, is_ours, named_task

THRESHOLDS = {
    "binary": {"val_auc": 0.6},
    "multiclass": {"val_auc": 0.6},
    "regression": {"val_r2": 0.0},  # better than the mean
}
TABLE = "trainer.data.table.load"  # the loader whose target says the task
_FORM = (
    "separator", "encoding", "header", "names", "decimal", "thousands", "date_order", "missing_values",
    "ragged", "skip", "member", "sheet",
)  # fmt: skip
_KINDS = {"numeric": "number", "categorical": "text", "text": "text", "time": "time"}


def register() -> None:
    """Make both defaults known to OmegaConf; a second call changes nothing."""
    OmegaConf.register_new_resolver("trainer.objective", objective, replace=True)
    OmegaConf.register_new_resolver("trainer.threshold", threshold, replace=True)
    OmegaConf.register_new_resolver("trainer.files", files, replace=True)


def objective(*, _root_: DictConfig) -> str | None:
    """Return the metric that ranks models of the config's task; None for what a function of the user returns."""
    return OBJECTIVES[task(_root_)] if is_ours(_root_.get("task")) else None


def threshold(metric: str, *, _root_: DictConfig) -> float | None:
    """Return what a metric must reach; None where the config's task has no such threshold."""
    return THRESHOLDS[task(_root_)].get(metric) if is_ours(_root_.get("task")) else None


def files(*, _root_: DictConfig) -> list[str]:
    """Return the artifacts that make up a model; of a training function of the user all that it saves."""
    return ["model_best.pt", "model.json"] if is_ours(_root_.get("task")) else ["*"]


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
    file = Path(section["path"]).stat()
    told = {key: section.get(key) for key in (*_FORM, *_KINDS)}
    return _task_of(
        section["path"],
        (file.st_size, file.st_mtime_ns),
        section["target"],
        section.get("positive"),
        json.dumps(told),
    )


@lru_cache(maxsize=16)
def _task_of(path: str, _state: tuple[int, int], target: str, positive: Any, told: str) -> str:
    """Return the task that a table's target says; read once as long as the file stays the same."""
    from trainer.data.reading.reader import Options, Reader
    from trainer.data.target import Target

    given = {key: value for key, value in json.loads(told).items() if value is not None}
    wanted = {name: kind for key, kind in _KINDS.items() for name in given.pop(key, ())}
    # The target alone: a wide table would take long, and the training reads it whole anyway.
    _, table = Reader.fit(path, Options(**given, wanted=wanted), only=[target])
    (values,) = table.columns.values()
    present = values[values == values] if values.dtype != object else [v for v in values if v is not None]
    return Target.found([present], name=target, positive=positive).task.value
