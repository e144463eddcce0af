"""YAML that anybody may have written, as plain values: a short text makes no endless tree, and none runs code.

PyYAML is loaded with the first text, as it comes with Hydra, which the tracker does not need.
"""

from typing import Any

MOST_VALUES = 100_000  # of one text, keys included
MOST_DIGITS = 1000  # of a number: PyYAML takes the time of their square for 1:1:1:1


def decode(text: str | bytes) -> Any:
    """Return the values of a YAML text; raise ValueError for what is none, or holds too many of them.

    What an alias or a merge key names counts each time. Raise ImportError without PyYAML.
    """
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            _check_size(node)
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError):  # from PyYAML, as for !!bool "x"
        raise ValueError("it holds a value that is not of its tag") from None


def _check_size(tree: Any) -> None:
    """Raise ValueError for the nodes of a large tree, or of an endless one."""
    waiting, count = [tree], 1
    while waiting:
        inner = getattr(each := waiting.pop(), "value", None)
        if isinstance(inner, str):
            if len(inner) > MOST_DIGITS and each.tag.endswith((":int", ":float")):
                raise ValueError(f"it holds a number of {len(inner)} characters")
        elif inner:
            found = [part for pair in inner for part in (pair if isinstance(pair, tuple) else (pair,))]
            count += len(found)
            if count > MOST_VALUES:
                raise ValueError(f"it holds more than {MOST_VALUES} values")
            waiting += found
