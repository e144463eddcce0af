"""Compares the arguments of a config with the constructor of a model, optimizer or scheduler, before anything is built.

An unknown or missing argument is an error before a run is made. When only `model._target_` is changed on
the command line, the keys of our own models stay in the section; a class that does not name them does not
get them. The same holds for `optimizer._target_` and `scheduler._target_`.
"""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

from trainer.errors import ConfigError, ModelError, did_you_mean
from trainer.schema import keys_of
from trainer.targets import imported

logger = logging.getLogger(__name__)

OFFERED = {  # given to a constructor that names them
    "model": ("input_dim", "output_dim", "cardinalities", "generator"),
    "optimizer": ("params", "lr", "weight_decay"),
    "scheduler": ("optimizer", "mode", "total_steps"),
}
OURS = {"scheduler": ("interval",)}  # keys of a section that no constructor gets
OF_HYDRA = ("_target_", "_args_", "_convert_", "_recursive_", "_partial_")


def settle(spec: Mapping[str, Any], section: str = "model") -> dict[str, Any]:
    """Return a section without the keys of the classes we know that its own class does not take.

    Log the keys left out. Raise ConfigError when the class cannot be imported, and ModelError for any other
    key the class does not take, or for arguments that are missing.
    """
    target = imported(section, spec)
    named = parameters(target)
    if not named:  # it takes nothing, or does not declare what
        return dict(spec)
    error = ModelError if section == "model" else ConfigError
    signature = f"{section}._target_={spec['_target_']}{inspect.signature(target)}"
    kept = (*OF_HYDRA, *OURS.get(section, ()))
    strangers = [key for key in spec if key not in named and key not in kept]
    if any(each.kind is each.VAR_KEYWORD for each in named.values()):
        strangers = []  # a class with **kwargs takes every key
    for key in strangers:
        if key not in keys_of(section):
            near = did_you_mean(key, named, f"{section}.{{}}".format)
            raise error(f"{section}.{key}={spec[key]!r}: there is no argument {key!r} in {signature}{near}")
    if strangers:
        logger.info("%s does not take %s: left out", spec["_target_"], ", ".join(strangers))
    by_place = list(named)[: len(spec.get("_args_", ()))]
    missing = [
        name
        for name, each in named.items()
        if each.default is each.empty
        and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        and name not in (*by_place, *spec, *OFFERED[section])
    ]
    if missing:
        raise error(
            f"{signature} needs {', '.join(missing)}: add "
            f"{' '.join(f'+{section}.{name}=...' for name in missing)}, or write FOLDER/{section}/NAME.yaml and give "
            f"--config-dir FOLDER {section}=NAME"
        )
    return {key: value for key, value in spec.items() if key not in strangers}


def parameters(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return a constructor's parameters by name; empty for a builtin that does not declare them."""
    try:
        return inspect.signature(target).parameters
    except ValueError:
        return {}
