"""Checks of parameters, tags, metrics, steps and seeds, which also make them plain values."""

import math
import sys
from collections.abc import Callable, Mapping
from numbers import Real
from operator import index
from typing import Any

from tracking.errors import InvalidValueError, quoted
from tracking.values import secrets
from tracking.values.jsontext import Number
from tracking.values.names import check_label, distinct
from tracking.values.plain import INT_MAX, INT_MIN, is_omegaconf, item, opened, plain


def metric_values(metrics: Mapping[str, Any]) -> dict[str, Number]:
    """Return metrics as a dict of plain numbers; raise before anything is kept."""
    items = _items("metrics", metrics, "{'val_auc': 0.71}")
    found = {check_label("metric name", name): metric_value(name, value) for name, value in items}
    return distinct("metric name", found, items)


def metric_value(name: str, value: Any) -> Number:
    """Return the plain int or float of `value`; an int too large for JSON readers becomes a float."""
    if type(value) is float:  # nearly always, and this runs at every step
        return value
    number = item(value)
    if isinstance(number, int) and not isinstance(number, bool) and INT_MIN <= number <= INT_MAX:
        return int(number)
    found = _real(number)
    if found is not None:
        return found
    hint = "; log int(value) if 0 or 1 is meant" if isinstance(number, bool) else ""
    if not hint and _is_real(number):
        hint = ", and numbers end at 1.8e308"
    raise InvalidValueError(
        f"metric {quoted(name)} is {quoted(value)} ({type(value).__name__}): a metric is one real number{hint}"
    )


def step_value(step: Any) -> Number | None:
    """Return the step as a plain number or None, a whole one as an int; accept scalars of other libraries."""
    if step is None:
        return None
    scalar = item(step)
    try:
        number: Number | None = index(scalar)
    except TypeError:
        number = _real(scalar)
    if isinstance(number, int) or (number is not None and math.isfinite(number)):
        if not isinstance(number, int) and number.is_integer():
            number = int(number)
        if INT_MIN <= number <= INT_MAX:
            return number
    raise InvalidValueError(
        f"step must be a 64-bit integer, a fraction such as 0.5, or None, not {quoted(step)}"
    )


def param_values(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as a dict of plain values, with "***" for those that look secret.

    A record of named fields, such as a dataclass, an argparse.Namespace or a DictConfig, is a mapping too. Of a
    DictConfig, what Hydra derives for each job is left out.
    """
    items = _items("parameters", params, "{'lr': 0.1}", _chosen)
    return _masked("parameter", "parameter name", [(name, _chosen(value)) for name, value in items])


def tag_values(tags: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return tags as a dict of plain values, with "***" for those that look secret."""
    return {} if tags is None else _masked("tag", "tag", _items("tags", tags, "{'team': 'ml'}"))


def seed_values(seeds: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return seeds as a dict of plain values; an integer of more than 64 bits becomes text."""
    items = [] if seeds is None else _items("seeds", seeds, "{'torch': 1}")
    shown = [
        (name, str(seed) if isinstance(seed, int) and not INT_MIN <= seed <= INT_MAX else seed)
        for name, seed in items
    ]
    return _masked("seed", "seed name", shown)


def check_choice(kind: str, value: str, *allowed: str) -> None:
    """Raise InvalidValueError when a value is none of those allowed."""
    if value not in allowed:
        raise InvalidValueError(f"{kind} {quoted(value)} is none of {', '.join(map(repr, allowed))}")


def _real(number: Any) -> float | None:
    """Return a real number as a float; None for anything else, and for a finite number that no float can hold."""
    if not _is_real(number):
        return None
    try:
        found = float(number)
        return found if not math.isinf(found) or number == found else None
    except Exception:  # noqa: BLE001 - too large, or its own code fails
        return None


def _is_real(number: Any) -> bool:
    decimal = sys.modules.get("decimal")  # no number of it exists before it is imported
    is_decimal = decimal is not None and isinstance(number, decimal.Decimal)
    return (is_decimal or isinstance(number, Real)) and not isinstance(number, bool)


def _masked(kind: str, label: str, items: list[tuple[str, Any]]) -> dict[str, Any]:
    values = {check_label(label, name): plain(value, f"{kind} {quoted(name)}") for name, value in items}
    return secrets.masked(distinct(label, values, items))  # type: ignore[no-any-return]  # a dict gives a dict


def _chosen(value: Any) -> Any:
    if not is_omegaconf(value):
        return value
    from tracking.values.configs import parameters_of  # few processes that log have a config

    return parameters_of(value)


def _items(
    what: str, values: Any, example: str, taken: Callable[[Any], Any] = lambda values: values
) -> list[tuple[str, Any]]:
    try:
        fields = opened(taken(values))
        if isinstance(fields, Mapping):
            return list(fields.items())
    except Exception as error:
        raise InvalidValueError(
            f"{what} cannot be read: their own code raised {type(error).__name__}"
        ) from error
    raise InvalidValueError(f"{what} must be a mapping, such as {example}, not {quoted(values)}")
