"""What may be kept as a parameter, tag or metric, and how numbers look in JSON.

Non-finite floats become the strings NaN, Infinity and -Infinity: JSON has no numbers for them.
"""

from collections.abc import Mapping
from numbers import Real
from operator import index
from typing import Any

from tracking.errors import InvalidValueError, quoted
from tracking.values import secrets
from tracking.values.jsontext import Number
from tracking.values.names import check_label
from tracking.values.plain import INT_MAX, INT_MIN, item, opened, plain


def metric_values(metrics: Mapping[str, Any]) -> dict[str, Number]:
    """Check a mapping of metric names to numbers; raises before anything is kept."""
    if not isinstance(metrics, Mapping):
        raise InvalidValueError(
            f"metrics must be a mapping of names to numbers, not {type(metrics).__name__}"
        )
    return {
        check_label("metric name", name): metric_value(name, value)
        for name, value in _items("metrics", metrics)
    }


def metric_value(name: str, value: Any) -> Number:
    """The plain int or float behind `value`; an int too large for JSON readers becomes a float."""
    if type(value) is float:
        return value
    number = item(value)
    if isinstance(number, Real) and not isinstance(number, bool):
        if isinstance(number, int) and INT_MIN <= number <= INT_MAX:
            return int(number)
        try:
            return float(number)
        except Exception:  # noqa: BLE001, S110 - too large, or its own code fails; what it is, is said below
            pass
    hint = "; log int(value) if 0 or 1 is meant" if isinstance(number, bool) else ""
    raise InvalidValueError(
        f"metric {quoted(name)} is {quoted(value)} ({type(value).__name__}): a metric is one real number{hint}"
    )


def step_value(step: Any) -> int | None:
    """The step as an int, or None; whole floats and integer scalars of other libraries are accepted."""
    if step is None:
        return None
    scalar = item(step)
    try:
        number = int(scalar) if isinstance(scalar, float) and scalar.is_integer() else index(scalar)
    except TypeError:
        number = INT_MAX + 1
    if not INT_MIN <= number <= INT_MAX:
        raise InvalidValueError(f"step must be a 64-bit integer or None, not {quoted(step)}")
    return number


def param_values(params: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters and make their values plain; what looks secret becomes "***".

    A record of named fields, such as a dataclass, an argparse.Namespace or a DictConfig, is a mapping too.
    """
    params = _opened("parameters", params)
    if not isinstance(params, Mapping):
        raise InvalidValueError(f"params must be a mapping of names to values, not {type(params).__name__}")
    return _checked("parameter name", "parameter", params)


def tag_values(tags: Mapping[str, Any] | None) -> dict[str, Any]:
    """Check tags: names to plain values; what looks secret becomes "***"."""
    tags = _opened("tags", tags)
    if tags is None:
        return {}
    if not isinstance(tags, Mapping):
        raise InvalidValueError(
            f"tags must be a mapping, such as {{'team': 'ml'}}, not {type(tags).__name__}"
        )
    return _checked("tag", "tag", tags)


def seed_values(seeds: Mapping[str, Any] | None) -> dict[str, Any]:
    """Check seeds: names to plain values; an integer of more than 64 bits becomes text."""
    seeds = _opened("seeds", seeds)
    if seeds is None:
        return {}
    if not isinstance(seeds, Mapping):
        raise InvalidValueError(f"seeds must be a mapping, such as {{'torch': 1}}, not {quoted(seeds)}")
    return {
        check_label("seed name", name): str(value)
        if isinstance(value, int) and not INT_MIN <= value <= INT_MAX
        else plain(value, f"seed {quoted(name)}")
        for name, value in _items("seeds", seeds)
    }


def _checked(kind: str, short: str, values: Mapping[str, Any]) -> dict[str, Any]:
    simple = {
        check_label(kind, name): plain(value, f"{short} {quoted(name)}")
        for name, value in _items(f"{short}s", values)
    }
    return secrets.masked(simple)  # type: ignore[no-any-return]  # of a dict it gives a dict


def _opened(what: str, values: Any) -> Any:
    try:
        return opened(values)
    except Exception as error:
        raise _unreadable(what, error) from error


def _items(what: str, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    try:
        return [(name, value) for name, value in values.items()]
    except Exception as error:
        raise _unreadable(what, error) from error


def _unreadable(what: str, error: Exception) -> InvalidValueError:
    return InvalidValueError(f"{what} cannot be read: their own code raised {type(error).__name__}")


def check_choice(kind: str, value: str, *allowed: str) -> None:
    """Raise InvalidValueError when a value is none of those allowed."""
    if value not in allowed:
        raise InvalidValueError(f"{kind} {quoted(value)} is none of {', '.join(map(repr, allowed))}")
