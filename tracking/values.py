"""What may be kept as a parameter or a metric, and how it looks in JSON.

Numbers of numpy, torch and the like are recognised by their `.item()`, so none of those libraries is imported.
Non-finite floats become the strings NaN, Infinity and -Infinity: JSON has no numbers for them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date
from enum import Enum
from numbers import Real
from operator import index
from pathlib import PurePath
from typing import Any

from tracking.errors import InvalidValueError, quoted
from tracking.names import check_label

Number = int | float

MAX_DEPTH = 100  # of lists in dicts in lists; a value that holds itself has no end

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def metric_values(metrics: Mapping[str, Any]) -> dict[str, Number]:
    """Check a mapping of metric names to numbers; raises before anything is kept."""
    if not isinstance(metrics, Mapping):
        raise InvalidValueError(
            f"metrics must be a mapping of names to numbers, not {type(metrics).__name__}"
        )
    return {check_label("metric name", name): metric_value(name, value) for name, value in metrics.items()}


def metric_value(name: str, value: Any) -> Number:
    """The plain int or float behind `value`; an int too large for JSON readers becomes a float."""
    if type(value) is float:
        return value
    plain = _item(value)
    if isinstance(plain, Real) and not isinstance(plain, bool):
        if isinstance(plain, int) and _INT_MIN <= plain <= _INT_MAX:
            return int(plain)
        try:
            return float(plain)
        except OverflowError:
            pass
    hint = "; log int(value) if 0 or 1 is meant" if isinstance(plain, bool) else ""
    raise InvalidValueError(
        f"metric {quoted(name)} is {quoted(value)} ({type(value).__name__}): a metric is one real number{hint}"
    )


def step_value(step: Any) -> int | None:
    """The step as an int, or None; whole floats and integer scalars of other libraries are accepted."""
    if step is None:
        return None
    plain = _item(step)
    try:
        number = int(plain) if isinstance(plain, float) and plain.is_integer() else index(plain)
    except TypeError:
        number = _INT_MAX + 1
    if not _INT_MIN <= number <= _INT_MAX:
        raise InvalidValueError(f"step must be a 64-bit integer or None, not {quoted(step)}")
    return number


def param_values(params: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters and make their values plain: numbers, strings, booleans, None, lists and dicts of these.

    Tuples and sets become lists, paths and dates text, enums their value, and any other object its `str`.
    """
    if not isinstance(params, Mapping):
        raise InvalidValueError(f"params must be a mapping of names to values, not {type(params).__name__}")
    return {
        check_label("parameter name", name): plain(value, f"parameter {quoted(name)}")
        for name, value in params.items()
    }


def tag_values(tags: Mapping[str, Any] | None) -> dict[str, Any]:
    """Check tags: names to plain values."""
    if tags is None:
        return {}
    if not isinstance(tags, Mapping):
        raise InvalidValueError(
            f"tags must be a mapping, such as {{'team': 'ml'}}, not {type(tags).__name__}"
        )
    return {check_label("tag", name): plain(value, f"tag {quoted(name)}") for name, value in tags.items()}


def plain(value: Any, where: str, depth: int = 0) -> Any:
    """The JSON-ready counterpart of `value` with floats as they are; `where` names it in errors."""
    if depth > MAX_DEPTH:
        raise InvalidValueError(f"{where} is nested more than {MAX_DEPTH} deep, or holds itself; flatten it")
    value = value.value if isinstance(value, Enum) else _item(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(str(value), where)
    if isinstance(value, int):
        if not _INT_MIN <= value <= _INT_MAX:
            raise InvalidValueError(
                f"{where} is {quoted(value)}: JSON readers keep 64 bits; log it as a string"
            )
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        items = {_text(str(key), where): plain(item, where, depth + 1) for key, item in value.items()}
        if len(items) < len(value):
            raise InvalidValueError(f"{where} has keys that are equal as text: {quoted(list(value))}")
        return items
    if isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray | memoryview):
        return [plain(item, where, depth + 1) for item in _ordered(value)]
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, PurePath) and callable(getattr(value, "tolist", None)):
        return plain(value.tolist(), where, depth + 1)
    return _text(f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else str(value), where)


def jsonable(value: Any) -> Any:
    """`value` with non-finite floats as strings, tuples as lists and keys as text: what the encoder takes."""
    if isinstance(value, float):
        return non_finite_text(value) if not math.isfinite(value) else float(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value


def non_finite_text(value: float) -> str:
    """The JSON string of a NaN or an infinity."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def stored_number(value: Any) -> Number:
    """The number that a JSON value stands for; ValueError for a boolean and for any other text."""
    number = _NON_FINITE.get(value, value) if isinstance(value, str) else value
    if isinstance(number, int | float) and not isinstance(number, bool):
        return number
    raise ValueError(f"{value!r} is no number")


def revive(value: Any) -> Any:
    """The inverse of `jsonable` for parameters: the three reserved strings become floats again."""
    if isinstance(value, str):
        return _NON_FINITE.get(value, value)
    if isinstance(value, list):
        return [revive(item) for item in value]
    if isinstance(value, dict):
        return {key: revive(item) for key, item in value.items()}
    return value


def _item(value: Any) -> Any:
    if isinstance(value, str | int | float | Mapping | list | tuple) and type(value).__module__ == "builtins":
        return value
    item = getattr(value, "item", None)
    if not callable(item):
        return value
    try:
        return item()
    except (TypeError, ValueError, RuntimeError):
        return value  # more than one element: not a scalar


def _ordered(value: Iterable[Any]) -> Iterable[Any]:
    return sorted(value, key=str) if isinstance(value, Set) else value


def _text(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValueError(f"{where} holds text that is not valid Unicode: {quoted(text)}") from None
    return text
