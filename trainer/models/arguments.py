"""What a model's constructor takes, held against what the config gives it, before anything is built.

The one idea: a class is asked for its signature once, so that an argument that is too many or missing is one
clear error before a run is made. The keys of our own models may stay in the section when only
`model._target_` is changed on the command line; a class that does not name them never sees them.
"""

import difflib
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

from trainer.errors import ConfigError, ModelError
from trainer.schema import MODEL_KEYS

logger = logging.getLogger(__name__)

OFFERED = ("input_dim", "output_dim", "cardinalities", "generator")  # given to a constructor that names them
_OF_HYDRA = ("_target_", "_args_", "_convert_", "_recursive_", "_partial_")


def settle(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Give the model section without the keys of our own models that its class does not name.

    What is left out is logged. Raises ConfigError when the class cannot be imported, and ModelError for any
    other key the class does not take, or for arguments it needs and does not get.
    """
    target = _imported(spec)
    named = parameter_names(target)
    if not named:
        return dict(spec)
    ours = spec["_target_"].startswith("trainer.")
    open_ended = any(each.kind is each.VAR_KEYWORD for each in inspect.signature(target).parameters.values())
    strangers = [key for key in spec if key not in named and key not in _OF_HYDRA]
    # Our models take any keyword, for the sake of logged parameters; others that do want what they are given.
    dropped = [key for key in strangers if key in MODEL_KEYS and (ours or not open_ended)]
    if dropped:
        logger.info("%s does not take %s: left out", spec["_target_"], ", ".join(dropped))
    if not open_ended:
        for key in strangers:
            if key not in dropped:
                raise ModelError(_stranger(spec, key, target))
    _refuse_missing(spec, target)
    return {key: value for key, value in spec.items() if key not in dropped}


def parameter_names(target: Callable[..., Any]) -> set[str]:
    """The arguments a constructor names; none when it does not say, as some builtins do not."""
    try:
        return set(inspect.signature(target).parameters)
    except ValueError:
        return set()


def _imported(spec: Mapping[str, Any]) -> Callable[..., Any]:
    from hydra.utils import get_object

    try:
        target = get_object(spec["_target_"])
    except Exception as error:  # whatever the user's module raises on import
        raise ConfigError(f"model._target_={spec['_target_']}: {error}") from error
    if not callable(target):
        raise ConfigError(
            f"model._target_={spec['_target_']} is {target!r}; allowed is a class or a function"
        )
    return target  # type: ignore[no-any-return]  # what callable() is sure of, mypy is not


def _refuse_missing(spec: Mapping[str, Any], target: Callable[..., Any]) -> None:
    parameters = list(inspect.signature(target).parameters.values())
    by_place = parameters[: len(spec.get("_args_", ()))]
    missing = [
        each.name
        for each in parameters
        if each.default is each.empty
        and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        and each not in by_place
        and each.name not in (*spec, *OFFERED)
    ]
    if missing:
        raise ModelError(
            f"{_signature(spec, target)} needs {', '.join(missing)}: add "
            f"{' '.join(f'+model.{name}=...' for name in missing)}, or write FOLDER/model/NAME.yaml and give "
            "--config-dir FOLDER model=NAME"
        )


def _stranger(spec: Mapping[str, Any], key: str, target: Callable[..., Any]) -> str:
    near = difflib.get_close_matches(key, parameter_names(target), n=1)
    hint = f" (did you mean model.{near[0]}?)" if near else ""
    return f"model.{key}={spec[key]!r}: there is no argument {key!r} in {_signature(spec, target)}{hint}"


def _signature(spec: Mapping[str, Any], target: Callable[..., Any]) -> str:
    return f"model._target_={spec['_target_']}{inspect.signature(target)}"
