"""Loads the data set of a config: calls its loader and encodes the result.

A loader is any function that returns `Splits`. `data._target_` names it; the other keys of the section are
its arguments, except the name of the data set and the keys of the encoder (`ENCODER_KEYS`).
"""

from collections.abc import Mapping
from typing import Any

from trainer.data.tensors import Dataset, Splits, encode
from trainer.errors import DataError
from trainer.targets import imported

ENCODER_KEYS = ("numeric_transform", "min_frequency")


def load(section: Mapping[str, Any]) -> Dataset:
    """Load and encode a data set; the same section gives the same tensors, bit for bit.

    Raise ConfigError when the loader cannot be imported, DataError for data that cannot be used.
    """
    # A section for a loader of the user need not have these keys.
    return encode(
        read_splits(section),
        transform=section.get("numeric_transform", "quantile"),
        min_frequency=section.get("min_frequency", 1),
    )


def read_splits(section: Mapping[str, Any]) -> Splits:
    """Call the loader of a data section; raise as `load` does."""
    arguments = {
        key: value for key, value in section.items() if key not in ("_target_", "dataset", *ENCODER_KEYS)
    }
    splits = imported("data", section)(**arguments)
    if not isinstance(splits, Splits):
        raise DataError(
            f"data._target_={section['_target_']} returned {type(splits).__name__}; "
            "a loader returns trainer.data.tensors.Splits"
        )
    return splits
