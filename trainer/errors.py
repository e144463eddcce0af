"""The errors of the trainer, as one tree.

TrainerError
 |- ConfigError      (also ValueError)       a wrong key, type or value in the config
 |- DataError        (also ValueError)       a data set that cannot be read or trained on
 |- ModelError       (also TypeError)        a model that cannot be built, or does not fit the data
 |- CheckpointError  (also TypeError)        a state that a checkpoint cannot hold
 |- DivergedError    (also ArithmeticError)  a loss that is no longer a finite number
 `- LoadError        (also ValueError)       a saved model that is incomplete or not allowed

Catch TrainerError for all of them. Each message names the value and what is allowed.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any


class TrainerError(Exception):
    """Base of all errors of the trainer."""


class ConfigError(TrainerError, ValueError):
    """A wrong key, type or value in the config; the message lists every problem found."""


class DataError(TrainerError, ValueError):
    """A data set that cannot be read or trained on."""


class ModelError(TrainerError, TypeError):
    """A model that cannot be built, or whose output does not fit the data."""


class DivergedError(TrainerError, ArithmeticError):
    """Training stopped because the loss is no longer a finite number."""


class CheckpointError(TrainerError, TypeError):
    """A state with parts that are no plain values, tensors or arrays."""


class LoadError(TrainerError, ValueError):
    """A saved model that is incomplete, or whose class is not allowed."""


def nearest(given: str, known: Iterable[str]) -> str | None:
    """Return the known name nearest to a given one, whatever its case; None when none is near."""
    folded: dict[str, str] = {}
    for each in known:
        folded.setdefault(each.casefold(), each)
    near = get_close_matches(given.strip().casefold(), [*folded], n=1)
    return folded[near[0]] if near else None


def did_you_mean(given: str, known: Iterable[str], shown: Callable[[str], str] = str) -> str:
    """Return " (did you mean X?)" with the known name nearest to a given one, or nothing when none is near."""
    near = nearest(given, known)
    return "" if near is None else f" (did you mean {shown(near)}?)"


def some_rows(chosen: Any) -> str:
    """Return the rows where an array is true, as "3 of 120 rows (rows 4, 17, 80)": counted, the first few by number."""
    count, first = int(chosen.sum()), [place + 1 for place in chosen.nonzero()[0][:5].tolist()]
    named = ", ".join(map(str, first)) + (", ..." if count > len(first) else "")
    return f"{count} of {len(chosen)} rows ({'row' if count == 1 else 'rows'} {named})"
