"""Repeats: things that differ in their seed or their fold alone, found and summed up.

Parameters called ``seed`` or ``fold``, or ending in ``_seed``, ``.seed`` or ``.fold``, only repeat what the others say, also
inside of nested parameters.
"""

import json
import math
import re
from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

REPEAT = re.compile(r"(.*[_.])?seed|(.*\.)?fold", re.IGNORECASE)  # n_fold and k_fold are numbers of folds

Item = TypeVar("Item")


@dataclass(frozen=True)
class Spread:
    """The mean of `n` values and their sample standard deviation (divided by n - 1).

    Both are NaN where they do not exist: the mean of no value, the deviation of fewer than two or of infinities.
    """

    mean: float
    std: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of values; never raises for large or infinite ones."""
        mean, std = _mean(values), math.nan
        if len(values) > 1 and math.isfinite(
            mean
        ):  # math.dist scales, so squares of large values do not overflow
            std = math.dist(values, [mean] * len(values)) / math.sqrt(len(values) - 1)
        return cls(mean, std, len(values))


def group_by(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[list[Item]]:
    """Return the items with equal keys together, groups and members in the order in which they are met."""
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def without_repeats(value: Any) -> Any:
    """Return a value, or parameters by name, without the parts that are seeds or folds."""
    if isinstance(value, dict):
        return {key: without_repeats(item) for key, item in value.items() if not REPEAT.fullmatch(str(key))}
    return value


def without(point: Mapping[str, Any], keys: Container[str]) -> dict[str, Any]:
    """Return the values of a point of a sweep, without those of some keys."""
    return {key: value for key, value in point.items() if key not in keys}


def key_of(value: Any) -> Hashable:
    """Return a key that equal values share: 1 and 1.0, but not 1 and True; two NaNs."""
    if isinstance(value, str):
        return ("text", value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ("number", "NaN" if value != value else value)
    return ("json", json.dumps(value, sort_keys=True, default=repr))


def _mean(values: Sequence[float]) -> float:
    if not values:
        return math.nan
    first = values[0]
    try:
        mean = first + math.fsum(value - first for value in values) / len(values)  # exact for equal values
        return mean if math.isfinite(mean) else math.fsum(values) / len(values)
    except (OverflowError, ValueError):  # infinities of both signs, or numbers too large to add
        return sum(value / len(values) for value in values)
