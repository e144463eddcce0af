"""Classes and functions that a config names by `_target_`: import them, bind their arguments.

The code of a `_target_` may be the user's, so any error it raises becomes a ConfigError with the key and the value.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from trainer.errors import ConfigError


def imported(section: str, spec: Mapping[str, Any]) -> Callable[..., Any]:
    """Import the class or function of a section; raise ConfigError when there is none."""
    from hydra.utils import get_object

    name = f"{section}._target_={spec['_target_']}"
    try:
        target = get_object(spec["_target_"])
    except Exception as error:  # a user's module may raise anything on import
        raise ConfigError(f"{name}: {error}") from error
    if not callable(target):
        raise ConfigError(f"{name} is {target!r}; allowed is a class or a function")
    return target  # type: ignore[no-any-return]  # what callable() is sure of, mypy is not


def bound(section: str, spec: Mapping[str, Any]) -> "partial[Any]":
    """Bind a section's arguments to its target; nested targets are built. Raise ConfigError when one fails."""
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        factory: partial[Any] = instantiate(dict(spec), _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise ConfigError(f"{section}._target_={spec.get('_target_')}: {error}") from error
    return factory
