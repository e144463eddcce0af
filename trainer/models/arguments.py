"""Compares the arguments of a config with a model's constructor, before anything is built.

An unknown or missing argument is an error before a run is made. When only `model._target_` is changed on
the command line, the keys of our own models stay in the section; a class that does not name them does not
get them.
"""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

from trainer.errors import ModelError, did_you_mean
from trainer.schema import MODEL_KEYS
from trainer.targets import imported

logger = logging.getLogger(__name__)

OFFERED = ("input_dim", "output_dim", "cardinalities", "generator")  # given to a constructor that names them
OF_HYDRA = ("_target_", "_args_", "_convert_", "_recursive_", "_partial_")


def settle(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the model section without the keys of our own models that its class does not take.

    Log the keys left out. Raise ConfigError when the class cannot be imported, and ModelError for any other
    key the class does not take, or for arguments that are missing.
    """
    target = imported("model", spec)
    named = parameters(target)
    if not named:  # it takes nothing, or does not declare what
        return dict(spec)
    signature = f"model._target_={spec['_target_']}{inspect.signature(target)}"
    strangers = [key for key in spec if key not in named and key not in OF_HYDRA]
    if any(each.kind is each.VAR_KEYWORD for each in named.values()):
        strangers = []  # a class with **kwargs takes every key
    for key in strangers:
        if key not in MODEL_KEYS:
            near = did_you_mean(key, named, "model.{}".format)
            raise ModelError(f"model.{key}={spec[key]!r}: there is no argument {key!r} in {signature}{near}")
    if strangers:
        logger.info("%s does not take %s: left out", spec["_target_"], ", ".join(strangers))
    by_place = list(named)[: len(spec.get("_args_", ()))]
    missing = [
        name
        for name, each in named.items()
        if each.default is each.empty
        and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        and name not in (*by_place, *spec, *OFFERED)
    ]
    if missing:
        raise ModelError(
            f"{signature} needs {', '.join(missing)}: add "
            f"{' '.join(f'+model.{name}=...' for name in missing)}, or write FOLDER/model/NAME.yaml and give "
            "--config-dir FOLDER model=NAME"
        )
    return {key: value for key, value in spec.items() if key not in strangers}


def parameters(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return a constructor's parameters by name; empty for a builtin that does not declare them."""
    try:
        return inspect.signature(target).parameters
    except ValueError:
        return {}
