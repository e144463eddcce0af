"""Which keys of a point are swept at all (``when``), and which points are jobs (``filter``).

Both are expressions in the tracker's language. What a point's overrides do not say is looked up in the config that
they make, so that ``model.name`` can be asked where ``model`` is what is swept. A name that neither has, in no
point of the sweep, is a mistake and refused.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sweeps.errors import SettingsError
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space.axes import Point, name_of, parsed, values_of
from tracking import TrackingError
from tracking.search.query import Query, close_names, lookup, parse_query
from tracking.values.plain import flat

REMEMBERED = 1_000  # configs, for points that come again
ConfigOf = Callable[[Point], Mapping[str, Any]]


class Conditions:
    """The conditions of a space; `config_of` gives the task's config of a point as nested plain values.

    Raises `SettingsError` for an expression that cannot be read, and for one about a key that is not swept.
    """

    def __init__(
        self, settings: SpaceSettings, shared: Point, swept: Sequence[str], config_of: ConfigOf
    ) -> None:
        self._shared = shared
        self._config_of = config_of
        self._configs: dict[Point, Mapping[str, Any]] = {}
        self._when = {name: _parsed(f"when.{name}", text) for name, text in settings.when.items()}
        for name in self._when:
            if name not in swept:
                raise SettingsError(f"when.{name}: is not swept{_meant(name, swept)}")
        self._order = _in_order(self._when)
        self._filter_text = settings.filter
        self._filter = None if settings.filter is None else _parsed("filter", settings.filter)
        self._asked: dict[str, set[str]] = {}  # the names in each condition, by where it stands ...
        self._answered: dict[str, set[str]] = {}  # ... and those of them that some point has
        self._known: set[str] = set()

    def reduced(self, point: Point) -> Point:
        """Leave out the overrides whose condition, on those that remain and on the config, does not hold."""
        if not self._when:
            return point
        values = values_of((*self._shared, *point))
        unconditional = tuple(line for line in point if name_of(parsed(line)) not in self._when)
        for name in self._order:
            if name in values and not self._holds(f"when.{name}", self._when[name], values, unconditional):
                del values[name]
        return tuple(line for line in point if name_of(parsed(line)) in values or parsed(line).is_delete())

    def fulfilled_by(self, point: Point) -> bool:
        """Whether a point passes the filter."""
        if self._filter is None:
            return True
        return self._holds("filter", self._filter, values_of((*self._shared, *point)), point)

    def require_sense(self, *, points: int, kept: int) -> None:
        """After the expansion: refuse names that nothing has, and a filter that nothing passes."""
        for where, names in self._asked.items():
            for name in sorted(names - self._answered.get(where, set())):
                raise SettingsError(f"{where}: no job's config has {name}{_meant(name, sorted(self._known))}")
        if points and not kept:
            raise SettingsError(
                f"filter: none of the {points} points that were looked at fulfils {self._filter_text}"
            )

    def _holds(self, where: str, condition: Query, values: Mapping[str, Any], point: Point) -> bool:
        def value(name: str) -> Any:
            if name in values:
                self._answered[where].add(name)
                return values[name]
            config = self._config(point)
            found = lookup(config, name)  # not in the values: there a group is the name of its choice
            if found is not None or name in self._known:
                self._answered[where].add(name)
            return found

        # Each name is looked for even where a part of the condition already decides, so that a mistake shows.
        asked = self._asked.setdefault(where, {field.name for field in condition.fields})
        for name in asked - self._answered.setdefault(where, set()):
            value(name)
        return condition.matches(lambda field: value(field.name))

    def _config(self, point: Point) -> Mapping[str, Any]:
        if point not in self._configs:
            if len(self._configs) >= REMEMBERED:
                self._configs.clear()
            self._configs[point] = config = self._config_of(point)
            self._known.update(flat(config, with_groups=True))
        return self._configs[point]


def _parsed(where: str, text: str) -> Query:
    try:
        return parse_query(text)
    except TrackingError as error:
        raise SettingsError(f"{where}: {error}") from error


def _in_order(conditions: Mapping[str, Query]) -> list[str]:
    """The conditional keys, those that others depend on first."""
    depends = {
        name: {field.name for field in query.fields if field.name in conditions}
        for name, query in conditions.items()
    }
    try:
        return list(TopologicalSorter(depends).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise SettingsError(f"when: whether these are swept depends on each other: {circle}") from error


def _meant(name: str, known: Iterable[str]) -> str:
    close = close_names(name, known)
    return f"; did you mean {' or '.join(close)}?" if close else ""
