"""From the `data` section of a config to a data set: call its loader, encode what comes back.

The one idea: a loader is any function that gives `Splits`; `data._target_` names it and the section's other
keys are its arguments, except those that belong to the encoder (`ENCODER_KEYS`) and the name.
"""

from collections.abc import Mapping
from typing import Any

from trainer.data.tensors import Dataset, Splits, encode
from trainer.errors import DataError
from trainer.targets import imported

ENCODER_KEYS = ("numeric_transform", "min_frequency")


def load(section: Mapping[str, Any]) -> Dataset:
    """Load and encode a data set; the same section gives the same tensors, bit for bit.

    Raises ConfigError when the loader cannot be imported, DataError for data that cannot be used.
    """
    arguments = {
        key: value for key, value in section.items() if key not in ("_target_", "dataset", *ENCODER_KEYS)
    }
    splits = imported("data", section)(**arguments)
    if not isinstance(splits, Splits):
        raise DataError(
            f"data._target_={section['_target_']} gave {type(splits).__name__}; "
            "a loader gives trainer.data.tensors.Splits"
        )
    return encode(
        splits,
        transform=section.get("numeric_transform", "quantile"),
        min_frequency=section.get("min_frequency", 1),
    )
