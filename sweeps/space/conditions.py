"""The settings ``when``, which keys of a point are swept, and ``filter``, which points are jobs.

Both are expressions in the tracker's filter language. A name is looked up in the overrides of a point, then in the config
that they make, so ``model.name`` can be used where ``model`` is swept. A name that no point has is refused.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sweeps.errors import SettingsError
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space.axes import Point, name_of, parsed, values_of
from tracking import TrackingError
from tracking.search.query import Query, close_names, lookup, parse_query
from tracking.values.configs import Unresolved
from tracking.values.plain import flat, plain
from tracking.values.units import counted

CACHED = 1_000  # configs kept for points that recur
ConfigOf = Callable[[Point], Mapping[str, Any]]


class Conditions:
    """The conditions of a space; `config_of` returns the task's config of a point as nested plain values.

    Raise `SettingsError` for an expression that cannot be read and for a ``when`` of a key that is not swept.
    """

    def __init__(
        self, settings: SpaceSettings, shared: Point, swept: Sequence[str], config_of: ConfigOf
    ) -> None:
        self._shared = shared
        self._config_of = config_of
        self._config = lru_cache(CACHED)(self._read_config)
        self._when = {name: _parsed(f"when.{name}", text) for name, text in settings.when.items()}
        for name in self._when:
            if name not in swept:
                raise SettingsError(f"when.{name}: is not swept{_meant(name, swept)}")
        self._order = _in_order(self._when)
        self._filter_text = settings.filter
        self._filter = None if settings.filter is None else _parsed("filter", settings.filter)
        self._missing: dict[str, set[str]] = {}  # the names in each condition that no point had so far
        self._known: set[str] = set()

    def reduced(self, point: Point) -> Point:
        """Return a point without the overrides whose condition does not hold for the others and the config."""
        if not self._when:
            return point
        values = values_of((*self._shared, *point))
        unconditional = tuple(line for line in point if name_of(parsed(line)) not in self._when)
        for name in self._order:
            if name in values and not self._holds(f"when.{name}", self._when[name], values, unconditional):
                del values[name]
        return tuple(line for line in point if name_of(parsed(line)) in values or parsed(line).is_delete())

    def fulfilled_by(self, point: Point) -> bool:
        """Return whether a point passes the filter."""
        if self._filter is None:
            return True
        return self._holds("filter", self._filter, values_of((*self._shared, *point)), point)

    def require_sense(self, *, points: int, kept: int) -> None:
        """Raise `SettingsError` for names that no point has and a filter that no point passes; call it last."""
        self.require_names()
        if points and not kept:
            raise SettingsError(f"filter: none of {counted(points, 'point')} satisfies {self._filter_text}")

    @property
    def lack_names(self) -> bool:
        """Whether a condition was not looked at yet, or has a name that no point had so far."""
        conditions = len(self._when) + (self._filter is not None)
        return len(self._missing) < conditions or any(self._missing.values())

    def require_names(self) -> None:
        """Raise `SettingsError` for names in conditions that no point had so far."""
        for where, names in self._missing.items():
            for name in sorted(names):
                raise SettingsError(f"{where}: no job's config has {name}{_meant(name, sorted(self._known))}")

    def _holds(self, where: str, condition: Query, values: Mapping[str, Any], point: Point) -> bool:
        missing = self._missing.setdefault(where, {field.name for field in condition.fields})

        def value(name: str) -> Any:
            found = self._value(where, name, values, point)
            if found is not None or name in values or name in self._known:
                missing.discard(name)
            return found

        # Look up each name, also one that the condition would not reach, so that a typo is noticed.
        for name in tuple(missing):
            value(name)
        return condition.matches(lambda field: value(field.name))

    def _value(self, where: str, name: str, values: Mapping[str, Any], point: Point) -> Any:
        """Return the value of a name in the overrides or else in the config; raise for one that cannot be resolved."""
        if name in values and not self._is_resolved_by_config(name, values[name], point):
            return values[name]
        config = self._config(point)
        found = lookup(config, name)
        if (fault := _unresolved(config, name, found)) is not None:
            raise SettingsError(
                f"{where}: {name} has no value before its job runs, because it is {fault} and {fault.why}; "
                "name keys that have one"
            )
        try:
            return plain(found, name)  # as the tracker writes it: a path is text
        except TrackingError as error:
            raise SettingsError(f"{where}: {error}") from error

    def _is_resolved_by_config(self, name: str, value: Any, point: Point) -> bool:
        return isinstance(value, str) and "${" in value and name in values_of((*self._shared, *point))

    def _read_config(self, point: Point) -> Mapping[str, Any]:
        config: Mapping[str, Any] = _with_text_keys(self._config_of(point))
        self._known.update(flat(config, with_groups=True))
        return config


def _with_text_keys(value: Any) -> Any:
    """Return a config whose keys are text, as a condition writes them: `th.1` is the 1 in `th`."""
    if isinstance(value, Mapping):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value


def _unresolved(config: Mapping[str, Any], name: str, found: Any) -> Unresolved | None:
    """Return what cannot be resolved of a value: itself, an item of a list, or else the section that it would be in."""
    while found is None and "." in name:
        name = name.rpartition(".")[0]
        section = lookup(config, name)
        if section is not None:
            return section if isinstance(section, Unresolved) else None
    return None if isinstance(found, Mapping) else next(_faults(found), None)  # a section may hold some


def _faults(value: Any) -> Iterator[Unresolved]:
    if isinstance(value, Unresolved):
        yield value
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _faults(item)


def _parsed(where: str, text: str) -> Query:
    try:
        return parse_query(text, is_of_config=True)
    except TrackingError as error:
        raise SettingsError(f"{where}: {error}") from error


def _in_order(conditions: Mapping[str, Query]) -> list[str]:
    """Return the conditional keys, those that others depend on first."""
    depends = {
        name: {field.name for field in query.fields if field.name in conditions}
        for name, query in conditions.items()
    }
    try:
        return list(TopologicalSorter(depends).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise SettingsError(f"when: these conditions depend on each other: {circle}") from error


def _meant(name: str, known: Iterable[str]) -> str:
    close = close_names(name, known)
    return f"; did you mean {' or '.join(close)}?" if close else ""
