"""The tree of a filter, as frozen values.

A Field stands for its value; as a condition it holds if that is true. `0.1 < x < 0.5` is two comparisons joined by
`and`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from tracking.search.query.fields import Field


class Sign(StrEnum):
    """Signs of comparison."""

    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    IN = "in"
    NOT_IN = "not in"
    CONTAINS = "contains"
    NOT_CONTAINS = "not contains"
    IS = "is"
    IS_NOT = "is not"


class Moment(NamedTuple):
    """`today`, `yesterday` or `ago(argument)`."""

    word: str
    argument: str = ""


@dataclass(frozen=True)
class Literal:
    """A number, text, boolean, None, Moment, or a list of these.

    Equal only to one of the same types: 1, 1.0 and True are three, and nan equals nan.
    """

    value: Any

    def __eq__(self, other: object) -> bool:
        # unlike ==, repr() tells the types apart, in lists too
        return isinstance(other, Literal) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


@dataclass(frozen=True)
class Comparison:
    """A sign between two operands."""

    left: "Operand"
    sign: Sign
    right: "Operand"


@dataclass(frozen=True)
class Not:
    """The negation of a condition."""

    item: "Condition"


@dataclass(frozen=True)
class Joined:
    """Two conditions or more, joined by the word `and` or `or`."""

    word: str
    items: tuple["Condition", ...]


Operand: TypeAlias = Field | Literal
Condition: TypeAlias = Operand | Comparison | Not | Joined


def joined(word: str, items: list[Condition]) -> Condition:
    """Return the conditions as one; a single one is returned as it is."""
    return items[0] if len(items) == 1 else Joined(word, tuple(items))
