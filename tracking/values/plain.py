"""Any Python value as JSON-ready data: numbers, text, booleans, None, lists and dicts of these.

The same value gives the same result in every process: no memory address, no hash order. Values of numpy, torch,
OmegaConf, pydantic and attrs are recognised by their methods, so none of those libraries is imported.
"""

import dataclasses
import functools
import math
import re
import sys
import types
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date
from enum import Enum
from numbers import Real
from pathlib import PurePath
from typing import Any

from tracking.errors import InvalidValueError, quoted
from tracking.values.names import exact

MAX_DEPTH = 100  # of lists in dicts in lists; a value that holds itself has no end
MAX_ELEMENTS = 1000  # of an array or of bytes; a longer one is data, not a setting

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
LARGEST = int(sys.float_info.max)  # of a whole number: a larger one has no place on an axis or in a column

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+| id='\d+'")  # the second is from unittest.mock
_NAMESPACES = frozenset({"argparse.Namespace", "types.SimpleNamespace"})
_NAMED = (
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodDescriptorType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
)


class _TooDeepError(InvalidValueError):
    def __init__(self, where: str) -> None:
        super().__init__(f"{where} is nested more than {MAX_DEPTH} deep, or holds itself; flatten it")


def plain(value: Any, where: str, depth: int = 0) -> Any:
    """Return the JSON-ready counterpart of `value`, floats unchanged; `where` names it in errors.

    Tuples, sets and arrays become lists; dataclasses, named tuples, namespaces and models of pydantic and attrs dicts;
    enums their value; dates and paths text; functions and classes their qualified name; partials a dict as Hydra
    writes them. Any other object becomes its `str`, or the name of its class when that text is only a memory address
    or its own code fails. Raise InvalidValueError for what JSON readers cannot hold, and for arrays of data.
    """
    if type(value) is str:  # this and the next line are what most values need
        return _text(value, where)
    if value is None or type(value) in (float, bool):
        return value
    if depth > MAX_DEPTH:
        raise _TooDeepError(where)
    try:
        return _plain(value, where, depth)
    except _TooDeepError:  # of which the outermost name says most
        raise _TooDeepError(where) from None
    except InvalidValueError:
        raise
    except Exception:  # noqa: BLE001 - the user's own code must not end the run
        return _qualified(type(value))


def _plain(value: Any, where: str, depth: int) -> Any:
    if isinstance(value, Enum):
        value = value.value
    else:  # an array of one element stays a list: in the next run it may have two
        value = opened(value if getattr(value, "shape", ()) else item(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise InvalidValueError(f"{where} is {quoted(value)}: numbers end at 1.8e308; log it as a string")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        items = {
            (name := _text(exact(key), where)): plain(each, _inside(where, name), depth + 1)
            for key, each in value.items()
        }
        if len(items) < len(value):
            raise InvalidValueError(f"{where} has keys that are equal as text: {quoted(list(value))}")
        return items
    if isinstance(value, Set):
        return sorted((plain(each, where, depth + 1) for each in value), key=str)
    if isinstance(value, bytes | bytearray | memoryview):
        _check_size(value, (len(value),), where)
        return repr(bytes(value))
    if isinstance(value, Sequence):
        return [plain(each, where, depth + 1) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, functools.partial):
        return plain(_partial(value), where, depth)
    if not isinstance(value, type | PurePath) and callable(_method(value, "tolist")):
        _check_size(value, getattr(value, "shape", ()), where)
        found = value.tolist()
        if type(found) is not type(value):  # numpy.clongdouble stays itself
            return plain(found, where, depth + 1)
    return _text(_described(value), where)


def flat(mapping: Mapping[Any, Any], prefix: str = "", *, with_groups: bool = False) -> dict[str, Any]:
    """Return nested mappings as one with dotted names: {"a": {"b": 1}} as {"a.b": 1}. An empty mapping is a value.

    With `with_groups` each inner mapping is a value too.
    """
    found: dict[str, Any] = {}
    for key, value in mapping.items():
        is_group = isinstance(value, Mapping) and bool(value)
        if with_groups or not is_group:
            found[f"{prefix}{key}"] = value
        if is_group:
            found |= flat(value, f"{prefix}{key}.", with_groups=with_groups)
    return found


def item(value: Any) -> Any:
    """Return the number in a scalar or one-element array of numpy, torch and the like; any other value unchanged.

    A masked number of numpy is NaN.
    """
    if isinstance(value, str | int | float | Mapping | list | tuple) and type(value).__module__ == "builtins":
        return value
    if isinstance(value, type) or not callable(_method(value, "item")):
        return value
    try:
        found = value.item()
        if type(found) is type(value) and isinstance(found, Real):
            found = float(found) if not math.isinf(float(found)) else found  # numpy.longdouble stays itself
        masks = sys.modules.get("numpy.ma")
        return math.nan if masks and masks.is_masked(value) else found
    except Exception:  # noqa: BLE001 - more than one element, or no number behind it: not a scalar
        return value


def opened(value: Any) -> Any:
    """Return the fields of a record of named fields as a dict; any other value unchanged.

    A field without a value is left out. A value of OmegaConf that cannot be resolved stays as it is written.
    """
    kind = type(value)
    if is_omegaconf(value):
        from tracking.values.configs import is_config, read_config  # few processes that log have a config

        return read_config(value).resolved() if is_config(value) else value
    if isinstance(value, type):
        return value
    if dataclasses.is_dataclass(value):
        return _fields(value, (field.name for field in dataclasses.fields(value)))
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return dict(zip(kind._fields, value, strict=True))
    if hasattr(kind, "__attrs_attrs__"):
        return _fields(value, (each.name for each in kind.__attrs_attrs__))
    if hasattr(kind, "model_dump") and hasattr(kind, "model_fields"):
        return value.model_dump()
    if f"{kind.__module__}.{kind.__qualname__}" in _NAMESPACES:
        return vars(value)
    return value


def is_omegaconf(value: Any) -> bool:
    """Return whether a value is an object of OmegaConf, which then is loaded."""
    return type(value).__module__.startswith("omegaconf.")


def _method(value: Any, name: str) -> Any:
    # looked up on the class: a mock has every attribute
    return getattr(type(value), name, None)


def _fields(value: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _inside(where: str, name: str) -> str:
    """Return where a value of a mapping is: 'model.dim' of a parameter 'model'."""
    head, quote = (where[:-1], where[-1]) if where.endswith(("'", '"')) else (where, "")
    return f"{head}.{name}{quote}"


def _check_size(value: Any, shape: Sequence[int], where: str) -> None:
    if math.prod(shape) > MAX_ELEMENTS:
        raise InvalidValueError(
            f"{where} is a {type(value).__name__} of shape {tuple(shape)}: more than {MAX_ELEMENTS} elements are data; "
            "save it to a file and use log_artifact"
        )


def _partial(value: "functools.partial[Any]") -> dict[str, Any]:
    positional = {"_args_": list(value.args)} if value.args else {}
    return {"_target_": value.func, "_partial_": True, **positional, **value.keywords}


def _described(value: Any) -> str:
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, _NAMED):
        return _qualified(value)
    text = str(value)
    return _qualified(type(value)) if text == object.__repr__(value) else _ADDRESS.sub("", text)


def _qualified(value: Any) -> str:
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return f"{module}.{name}" if module else str(name)


def _text(text: str, where: str) -> str:
    text = exact(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValueError(f"{where} holds text that is not valid Unicode: {quoted(text)}") from None
    return text
