"""Everything the trainer raises on purpose, as one tree.

TrainerError
 |- ConfigError    (also ValueError)       a key, a type or a value that cannot work
 |- DataError      (also ValueError)       a data set that cannot be trained on
 |- ModelError     (also TypeError)        a model that does not fit the data it is given
 |- DivergedError  (also ArithmeticError)  a loss that stopped being a finite number
 `- LoadError      (also ValueError)       a saved model that cannot, or must not, be rebuilt

Catch TrainerError for all of them; each message names the value and what is allowed.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches


class TrainerError(Exception):
    """Base of every error the trainer raises on purpose."""


class ConfigError(TrainerError, ValueError):
    """A configuration key, type or value that cannot work; lists every problem found."""


class DataError(TrainerError, ValueError):
    """A data set that cannot be read or trained on."""


class ModelError(TrainerError, TypeError):
    """A model that cannot be built, or whose output does not fit the data."""


class DivergedError(TrainerError, ArithmeticError):
    """Training stopped because the loss is no longer a finite number."""


class LoadError(TrainerError, ValueError):
    """A saved model that is incomplete, or whose class is not allowed."""


def did_you_mean(given: str, known: Iterable[str], shown: Callable[[str], str] = str) -> str:
    """Return " (did you mean X?)" with the known name nearest to a given one, or nothing when none is near."""
    near = get_close_matches(given, list(known), n=1)
    return f" (did you mean {shown(near[0])}?)" if near else ""
