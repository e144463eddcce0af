"""The tree of a filter, as frozen values; `str` of a tree is text that parses into an equal tree.

A Field stands for its value; as a condition it holds if that is true. Comparisons chain as in Python:
`0.1 < x < 0.5` is one Comparison.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from tracking.search.query.fields import Field, quote


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


@dataclass(frozen=True)
class Literal:
    """A constant. Equal only to one of the same type: 1, 1.0 and True are three, and nan equals nan."""

    value: int | float | str | bool | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return quote(self.value)
        if isinstance(self.value, float) and math.isinf(self.value):
            return "inf" if self.value > 0 else "-inf"
        return repr(self.value)


@dataclass(frozen=True)
class Moment:
    """`today`, `yesterday` or `ago(argument)`."""

    word: str
    argument: str | None = None

    def __str__(self) -> str:
        return self.word if self.argument is None else f"{self.word}({quote(self.argument)})"


@dataclass(frozen=True)
class Listing:
    """A list of values."""

    items: tuple["Value", ...]

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True)
class Comparison:
    """A chain of comparisons, each operand with the one before it."""

    first: "Operand"
    rest: tuple[tuple[Sign, "Operand"], ...]

    def __str__(self) -> str:
        return " ".join([str(self.first), *(f"{sign.value} {operand}" for sign, operand in self.rest)])


@dataclass(frozen=True)
class Not:
    """The negation of a condition."""

    item: "Condition"

    def __str__(self) -> str:
        return f"not ({self.item})" if isinstance(self.item, All | Any) else f"not {self.item}"


@dataclass(frozen=True)
class All:
    """Two conditions or more, joined by `and`."""

    items: tuple["Condition", ...]

    def __str__(self) -> str:
        return " and ".join(f"({item})" if isinstance(item, All | Any) else str(item) for item in self.items)


@dataclass(frozen=True)
class Any:
    """Two conditions or more, joined by `or`."""

    items: tuple["Condition", ...]

    def __str__(self) -> str:
        return " or ".join(f"({item})" if isinstance(item, Any) else str(item) for item in self.items)


Value: TypeAlias = Literal | Moment | Listing
Operand: TypeAlias = Field | Value
Condition: TypeAlias = Field | Literal | Comparison | Not | All | Any
Node: TypeAlias = Operand | Condition


def fields_of(node: Node) -> Iterator[Field]:
    """Yield the fields of a tree in the order of the text."""
    match node:
        case Field():
            yield node
        case Comparison():
            for operand in (node.first, *(operand for _, operand in node.rest)):
                if isinstance(operand, Field):
                    yield operand
        case Not():
            yield from fields_of(node.item)
        case All() | Any():
            for item in node.items:
                yield from fields_of(item)


def replaced(node: "Condition", fields: dict[Field, Field]) -> "Condition":
    """Return the tree with its fields replaced."""
    match node:
        case Field():
            return fields[node]
        case Comparison():
            operands = [node.first, *(operand for _, operand in node.rest)]
            first, *rest = (fields[item] if isinstance(item, Field) else item for item in operands)
            return Comparison(first, tuple(zip((sign for sign, _ in node.rest), rest, strict=True)))
        case Not():
            return Not(replaced(node.item, fields))
        case All() | Any():
            return type(node)(tuple(replaced(item, fields) for item in node.items))
    return node
