"""Read a section of a config and check single settings."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeps.errors import SettingsError
from tracking import InvalidValueError

Choice = TypeVar("Choice", bound=StrEnum)


Quantity = TypeVar("Quantity", int, float)


def count(key: str, value: int, *, least: int) -> int:
    """Return `value`, a whole number of at least `least`; raise SettingsError otherwise."""
    if value < least:
        raise SettingsError(f"{key}={value}: allowed is a whole number, {least} or more")
    return value


def quantity(
    key: str, value: float | str | None, parse: Callable[[float | str], Quantity]
) -> Quantity | None:
    """Return a duration or size that `parse` reads, None for no limit; raise SettingsError for anything else."""
    if value is None:
        return None
    try:
        parsed = parse(value)
    except InvalidValueError as error:
        raise SettingsError(f"{key}: {error}, or null for no limit") from None
    if not parsed:
        raise SettingsError(f"{key}={value}: allowed are more than 0, or null for no limit")
    return parsed


def section(config: DictConfig, key: str) -> dict[str, Any]:
    """Return a section of a config with its interpolations resolved; raise SettingsError when one leads nowhere."""
    node = OmegaConf.select(config, key)
    try:
        container = OmegaConf.to_container(node, resolve=True)
    except OmegaConfBaseException as error:
        raise SettingsError(f"{error.full_key or key}: {str(error).splitlines()[0]}") from error
    if not isinstance(container, dict):
        raise SettingsError(f"{key} is no mapping: {container!r}")
    return {str(name): value for name, value in container.items()}


def choice(key: str, value: str, allowed: type[Choice]) -> Choice:
    """Return the member of an enum that `value` names; raise SettingsError that lists the allowed ones."""
    try:
        return allowed(value)
    except ValueError:
        raise SettingsError(f"{key}={value}: allowed are {', '.join(allowed)}") from None


def refuse_unknown(section: str, raw: Mapping[str, Any], known: set[str]) -> None:
    """Raise SettingsError for the first key that a section does not have."""
    for key in raw:
        if key not in known:
            raise SettingsError(f"{section}.{key}: unknown key; allowed are {', '.join(sorted(known))}")
