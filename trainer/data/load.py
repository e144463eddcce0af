"""Loads the data set of a config: calls its loader and encodes the result.

A loader is any function that returns `Splits`. `data._target_` names it; the other keys of the section are
its arguments, except the name of the data set and the keys of the encoder (`ENCODER_KEYS`).
"""

import inspect
import logging
from collections.abc import Mapping
from typing import Any

from trainer.data.target import Target, TaskKind
from trainer.data.tensors import Dataset, Splits, encode
from trainer.errors import DataError
from trainer.targets import imported

logger = logging.getLogger(__name__)

ENCODER_KEYS = ("numeric_transform", "min_frequency")


def load(section: Mapping[str, Any], *, task: str | None = None) -> Dataset:
    """Load and encode a data set; the same section gives the same tensors, bit for bit.

    `task` is `binary`, `multiclass` or `regression`; None: the target says it.

    Raise ConfigError when the loader cannot be imported, DataError for data that cannot be used.
    """
    # A section for a loader of the user need not have these keys.
    data = encode(
        read_splits(section, task=task),
        transform=section.get("numeric_transform", "quantile"),
        min_frequency=section.get("min_frequency", 1),
        task=task,
    )
    if task is None:
        _say(data.labels)
    return data


def read_splits(section: Mapping[str, Any], *, task: str | None = None) -> Splits:
    """Call the loader of a data section; raise as `load` does."""
    arguments = {
        key: value for key, value in section.items() if key not in ("_target_", "dataset", *ENCODER_KEYS)
    }
    loader = imported("data", section)
    if task is not None and "task" in inspect.signature(loader).parameters:
        arguments["task"] = task
    splits = loader(**arguments)
    if not isinstance(splits, Splits):
        raise DataError(
            f"data._target_={section['_target_']} returned {type(splits).__name__}; "
            "a loader returns trainer.data.tensors.Splits"
        )
    return splits


def _say(labels: Target) -> None:
    """Tell which task was found, where it is not the one of two classes."""
    if labels.task is TaskKind.REGRESSION:
        logger.info("target %r: numbers, so task=regression", labels.name)
    elif labels.task is TaskKind.MULTICLASS:
        are_numbers = all(each.lstrip("-").isdecimal() for each in labels.classes)
        other = "; task=regression predicts them as one number" if are_numbers else ""
        logger.log(
            logging.WARNING if are_numbers else logging.INFO,
            "target %r: %d %s, so task=multiclass%s",
            labels.name,
            labels.outputs,
            "whole numbers" if are_numbers else "classes",
            other,
        )
