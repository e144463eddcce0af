"""Loads the data set of a config: calls its loader and encodes the result.

A loader is any function that returns `Splits`. `data._target_` names it; the other keys of the section are
its arguments, except the name of the data set and the keys of the encoder (`ENCODER_KEYS`).
"""

import inspect
import logging
from collections.abc import Mapping
from typing import Any

from trainer.data.encoding import prepared
from trainer.data.profile import Profile
from trainer.data.target import Target, TaskKind
from trainer.data.tensors import Dataset, Splits, encode
from trainer.errors import DataError
from trainer.targets import imported

logger = logging.getLogger(__name__)

HASH_BINS = 1 << 18
_shared: list[tuple[Mapping[str, Any], Dataset, prepared.Told]] = []  # the data set that was handed out last
ENCODER_KEYS = ("numeric_transform", "min_frequency", "hash_bins")


def load(section: Mapping[str, Any], *, task: str | None = None, shared: bool = False) -> Dataset:
    """Load and encode a data set; the same section gives the same tensors, bit for bit.

    `task` is `binary`, `multiclass` or `regression`; None: the target says it. A data set that is `shared` is handed out again
    to who asks for the same in this process, and must not be changed.

    Raise ConfigError when the loader cannot be imported, DataError for data that cannot be used.
    """
    key = prepared.key_of(section, task)
    held = [(data, told) for each, data, told in _shared if shared and each == key]
    known = held[0] if held else prepared.find(key)
    if known is not None:
        data, told = known
        prepared.tell(told)
    else:
        with prepared.hearing() as told:
            data = encode(read_splits(section, task=task), **how_encoded(section), task=task)
        prepared.offer_dataset(key, data, told)
    if shared and key is not None:
        _shared[:] = [(key, data, told)]
    if task is None and data.labels.task is not TaskKind.BINARY:
        logger.info("target %r: task=%s", data.labels.name, data.labels.task)
    for warning in noted(data.profile, data.labels, task=task):
        logger.warning("%s", warning)
    return data


def how_encoded(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the encoder; a section for a loader of the user need not have these keys."""
    return {
        "transform": section.get("numeric_transform", "quantile"),
        "min_frequency": section.get("min_frequency", 1),
        "hash_bins": section.get("hash_bins", HASH_BINS),
    }


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


def noted(profile: Profile | None, labels: Target | None, *, task: str | None) -> list[str]:
    """Return what a user might not expect of the data, one line each; `task` is the one asked for."""
    found = [] if profile is None else profile.warnings
    if task is not None or labels is None or labels.task is not TaskKind.MULTICLASS:
        return found
    whole = [each.lstrip("-") for each in labels.classes]
    if not all(each.isdecimal() and (each == "0" or each[0] != "0") for each in whole):  # 007 is a code
        return found
    said = f"target {labels.name!r}: {labels.outputs} whole numbers, so task=multiclass"
    return [*found, f"{said}; task=regression predicts them as one number"]
