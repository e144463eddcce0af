"""What a task returned, as named values: one value, or several that each have a name.

A tracked run logs the numbers among them, and a sweep ranks by one, so both take the names from here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, SupportsFloat

from tracking.values.names import exact
from tracking.values.plain import opened

OBJECTIVE = "objective"  # the name of a single value; items of a tuple are objective_0, objective_1, ...
MOST_ITEMS = 100  # of a tuple or list; a longer one is data
MAX_DEPTH = 10


def named(returned: Any) -> dict[str, Any] | None:
    """Return the values of a mapping, tuple, list, dataclass or named tuple by name; None for any other, single value.

    Names are the keys or fields, and an item of a tuple or list has its number: ``loss_0``, and ``objective_0`` without
    a name before it. Inner mappings give dotted names; one in a returned tuple keeps its own.
    """
    fields = _opened(returned)
    if not isinstance(fields, Mapping | tuple | list):
        return None
    return dict(_walk(fields, "", 0))


def _opened(value: Any) -> Any:
    return value if isinstance(value, SupportsFloat | str) else opened(value)


def _walk(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    value = _opened(value)
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        for key, item in value.items():
            yield from _walk(item, f"{name}.{exact(key)}" if name else exact(key), depth + 1)
    elif isinstance(value, tuple | list) and depth < MAX_DEPTH:
        for number, item in enumerate(value if len(value) <= MOST_ITEMS else ()):
            is_nested = not name and isinstance(_opened(item), Mapping)
            yield from _walk(item, "" if is_nested else f"{name or OBJECTIVE}_{number}", depth + 1)
    else:
        yield name, value
