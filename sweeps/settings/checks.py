"""Checks of single settings. Each raises `SettingsError` with the key, the value and what is allowed."""

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from sweeps.errors import SettingsError
from tracking import InvalidValueError
from tracking.search.query import close_names
from tracking.values.configs import is_config, read_config
from tracking.values.secrets import masked

Choice = TypeVar("Choice", bound=StrEnum)
Quantity = TypeVar("Quantity", int, float)


def shown(key: str, value: Any) -> str:
    """Return the value of a setting, or of a key of a config, for a message: without secrets and addresses of alerts."""
    if "omegaconf" in sys.modules and is_config(value):
        value = read_config(value).resolved()
    (kept,) = masked({key: value}).values()
    return "null" if kept is None else str(kept)


def require(can_work: bool, key: str, value: object, allowed: str) -> None:
    """Raise SettingsError for a value that cannot work; `allowed` begins with the verb."""
    if not can_work:
        raise SettingsError(f"{key}={shown(key, value)}: allowed {allowed}")


def count(key: str, value: int, *, least: int) -> int:
    """Return `value`, a whole number of at least `least`; raise SettingsError otherwise."""
    require(value >= least, key, value, f"is a whole number, {least} or more")
    return value


def seconds(key: str, value: float, *, least: float, most: float, because: str = "") -> float:
    """Return `value` if it lies between two bounds; raise SettingsError, which ends in `because`, otherwise.

    Without an upper one a wait may be too long for the system, which refuses it when the sweep runs.
    """
    require(least <= value <= most, key, value, f"are seconds, from {least:g} to {most:g}{because}")
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
    require(bool(parsed), key, value, "are more than 0, or null for no limit")
    return parsed


def choice(key: str, value: str, allowed: type[Choice]) -> Choice:
    """Return the member of an enum that `value` names; raise SettingsError that lists the allowed ones."""
    try:
        return allowed(value)
    except ValueError:
        raise SettingsError(f"{key}={shown(key, value)}: allowed are {', '.join(allowed)}") from None


def refuse_unknown(section: str, raw: Mapping[str, Any], known: Collection[str], keys: Sequence[str]) -> None:
    """Raise SettingsError for the first key of a section that is not `known`; name the closest among `keys`, if any."""
    allowed = sorted(name for name in known if not name.startswith("_"))
    for name in raw:
        if name not in known:
            close = _closest(str(name), keys, section)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise SettingsError(f"{section}.{name}: unknown key; allowed are {', '.join(allowed)}{hint}")


def _closest(name: str, keys: Sequence[str], section: str) -> list[str]:
    """Return the keys that end in `name`, else those of the same section that end similarly, else any such."""
    leaves = {key: key.rpartition(".")[2] for key in keys}
    siblings = {key: leaf for key, leaf in leaves.items() if key == f"{section}.{leaf}"}
    similar = close_names(name, siblings.values()) or close_names(name, leaves.values())
    return (
        [key for key, leaf in leaves.items() if leaf == name]
        or [key for key, leaf in siblings.items() if leaf in similar]
        or [key for key, leaf in leaves.items() if leaf in similar]
    )
