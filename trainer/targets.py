"""Classes and functions that a config names by `_target_`: import them, bind their arguments.

The code of a `_target_` may be the user's, so any error it raises becomes a ConfigError with the key and the value.
A `_target_` that comes from a saved file passes `check_trusted` first: the file may be somebody else's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from tracking.values.names import is_within
from trainer.errors import ConfigError, LoadError


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


def check_trusted(
    section: str,
    spec: Any,
    packages: Sequence[str],
    *,
    kind: str,
    is_kind: Callable[[Any], bool],
    functions: Sequence[str] = (),
) -> None:
    """Raise LoadError unless each object that a saved section names, at any depth, may be called.

    The object counts, not the way its name takes: it must be defined in one of the packages and be of the kind.
    One that `packages` or `functions` name in full may be anything. Interpolations are refused, because they
    could name more.
    """
    if not isinstance(spec, Mapping) or "_target_" not in spec:
        raise LoadError(f"the saved {section} names no {kind}: it has no _target_, but is {spec!r:.80}")
    for target in _targets(section, spec):
        label, listed = f"the {section}'s {kind} {target}", ", ".join(packages)
        if not is_within(target, (*packages, *functions)):
            raise LoadError(
                f"{label} is not in an allowed package ({listed}); "
                f"if you trust it, pass allow=[{target.partition('.')[0]!r}]"
            )
        found = imported(section, {"_target_": target})
        if target in packages or target in functions:
            continue
        home = str(getattr(found, "__module__", None))
        if not is_within(home, packages):
            fault = f"is defined in {home}, which is not an allowed package ({listed})"
        elif not is_kind(found):
            fault = f"is {found!r:.80}, which is no {kind}"
        else:
            continue
        raise LoadError(f"{label} {fault}; if you trust it, pass its full name: allow=[{target!r}]")


def _targets(section: str, spec: Any) -> Iterator[str]:
    """Yield every `_target_` in a section; raise LoadError for text that OmegaConf would replace."""
    if isinstance(spec, str) and "${" in spec:
        raise LoadError(
            f"the {section} holds {spec!r:.80}: a saved {section} holds values, no interpolations"
        )
    if isinstance(spec, Mapping):
        if "_target_" in spec:
            yield str(spec["_target_"])
        spec = spec.values()
    elif not isinstance(spec, list | tuple):
        return
    for value in spec:
        yield from _targets(section, value)
