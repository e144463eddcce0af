"""Runs that differ in their seed or fold alone, as one row of a table: means with their deviations."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from tracking.browse import cells
from tracking.records import RunStatus
from tracking.repeats import REPEAT, Spread, group_by, key_of, without_repeats
from tracking.search.index import View
from tracking.search.query import Field, FieldKind, Names, arranged_places, parse_field
from tracking.search.search import Search
from tracking.values.names import RERUN_OF, SUPERSEDED_BY

MOST_MADE = 200_000  # digests of parameters that are kept

SPREAD = {"mean", "std", "n"}  # the keys of a cell that stands for several numbers

Made = dict[bytes, bytes]


class Group(NamedTuple):
    """Runs of one experiment with equal parameters but for seeds and folds.

    `counted` are the places of those whose metrics make the means: the completed ones, or all as long as none is, without
    those that a later attempt at their job stands in for.
    """

    numbers: list[int]
    run_ids: list[str]
    counted: list[int]

    def cell(self, values: Sequence[Any], field: Field) -> Any:
        """Return the values of a field in these runs as one: the mean of numbers, or the value that all share."""
        if field.kind is FieldKind.METRIC or field.name == "duration_s":
            numbers = [values[at] for at in self.counted if cells.is_number(values[at])]
            return self.spread(numbers) if numbers else None
        given = [each for each in values if each is not None]
        if len(set(map(str, given))) <= 1:
            return cells.value(given[0], longest=cells.LONGEST) if given else None
        is_repeat = field.kind is FieldKind.PARAM and REPEAT.fullmatch(field.name)
        if all(map(cells.is_number, given)) and not is_repeat:
            return self.spread(given)
        if field.kind is FieldKind.RUN and field.is_time:
            return cells.value(min(given))
        return cells.value(", ".join(dict.fromkeys(map(str, given))), longest=cells.LONGEST)

    @staticmethod
    def spread(numbers: Sequence[float]) -> Any:
        """Return the mean, the sample deviation and the number of numbers; a single one as it is."""
        if len(numbers) == 1:
            return cells.value(numbers[0])
        spread = Spread.of(numbers)
        return {"mean": cells.value(spread.mean), "std": cells.value(spread.std), "n": spread.n}


def groups_of(view: View, numbers: Sequence[int], made: Made) -> list[Group]:
    """Return the groups of these runs, groups and their members in the order in which they are met.

    `made` keeps what was made of parameters, for further questions.
    """
    if len(made) > MOST_MADE:
        made.clear()
    run_ids = view.run_ids(numbers)
    asked = ("experiment", "status", f"tags.{SUPERSEDED_BY}", f"tags.{RERUN_OF}")
    experiments, states, later, repeated = view.columns([parse_field(name) for name in asked], numbers)
    params = view.params_as(numbers, _shared, made)
    places = group_by(range(len(numbers)), lambda at: (experiments[at], params[at]))
    found = []
    for group in places:
        current = [at for at, place in enumerate(group) if later[place] is None is repeated[place]] or list(
            range(len(group))
        )
        done = [at for at in current if states[group[at]] == RunStatus.COMPLETED]
        found.append(Group([numbers[at] for at in group], [run_ids[at] for at in group], done or current))
    return found


def sorted_groups(view: View, groups: list[Group], search: Search, names: Names) -> list[Group]:
    """Return groups in the orders of a search, by what their cells show; without an order as they are."""
    orders = [order.resolved(names) for order in search.orders]
    if not orders:
        return groups
    numbers = [number for group in groups for number in group.numbers]
    keys = []
    for order in orders:
        (column,) = view.columns([order.field], numbers)
        values = iter(column)
        shown = [group.cell([next(values) for _ in group.numbers], order.field) for group in groups]
        keys.append([_key(each) for each in shown])
    return [groups[place] for place in arranged_places(len(groups), orders, keys)]


def _key(cell: Any) -> Any:
    value = cell.get("mean") if isinstance(cell, dict) else cell
    return math.nan if value == "NaN" else value


def _shared(params: dict[str, Any]) -> bytes:
    """Return what parameters have in common with those that differ in seeds and folds alone, as a digest."""
    kept = without_repeats(params)
    text = repr([(name, key_of(kept[name])) for name in sorted(kept)])
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
