"""Ranks by one objective, or by several at once: then in fronts, each of what nothing behind it dominates.

One item dominates another if it is worse in no objective and better in one. The first front, the Pareto front, is of the
items that none dominates; the second of those that only items of the first dominate; and so on (non-dominated sorting,
Srinivas and Deb 1994).
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from tracking.objective import Objective


class Valued(Protocol):
    """Something with a finite value of each objective, in their order."""

    @property
    def values(self) -> tuple[float | None, ...]: ...  # noqa: D102 - the class says it


Item = TypeVar("Item", bound=Valued)
Keys = tuple[tuple[bool, float], ...]  # of one item: a key per objective, the better the lower


def fronts(items: Sequence[Item], objectives: Sequence[Objective]) -> list[list[Item]]:
    """Return the items in fronts, the best first, each sorted by the first objective, equals in their given order.

    With one objective a front holds one item, also of equals. Takes n log n comparisons for one objective, up to n squared
    for several.
    """
    keyed = [(_keys(each, objectives), each) for each in items]
    keyed.sort(key=lambda pair: pair[0])
    if len(objectives) == 1:
        return [[each] for _, each in keyed]
    found: list[list[tuple[Keys, Item]]] = []
    # Sorted so, an item is dominated by items before it alone; of two objectives the last of a front is the one that may.
    for keys, each in keyed:
        for front in found:
            known = front[-1:] if len(objectives) == 2 else front
            if not any(_dominates(other, keys) for other, _ in known):
                front.append((keys, each))
                break
        else:
            found.append([(keys, each)])
    return [[each for _, each in front] for front in found]


def _keys(item: Valued, objectives: Sequence[Objective]) -> Keys:
    return tuple(each.key(value) for each, value in zip(objectives, item.values, strict=True))


def _dominates(one: Keys, other: Keys) -> bool:
    return one != other and all(ours <= theirs for ours, theirs in zip(one, other, strict=True))
