"""The points that a search begins with: the values of the config, then those that the user has given."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from sweeps.errors import SettingsError
from sweeps.settings.search_settings import SearchSettings
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import Point, Space, name_of, parsed
from sweeps.space.axes import Axis, Interval
from sweeps.space.conditions import Conditions, ConfigOf
from sweeps.space.points import points_axis
from sweeps.space.read import Part
from tracking.search.query import lookup

ChoiceOf = Callable[[Point], Mapping[str, Any]]  # the chosen file of each config group, by group


def first_points(
    space: Space,
    settings: SearchSettings,
    of_space: SpaceSettings,
    config_of: ConfigOf,
    choices_of: ChoiceOf,
) -> tuple[list[Point], list[str]]:
    """Return the points that a search begins with, each once, and remarks about those that are left out.

    Raise `SettingsError` for a given point that cannot be read, sets a key that is not swept, or breaks the filter.
    """
    conditions = Conditions(of_space, space.fixed, space.swept, config_of)
    points: dict[Point, None] = {}
    notes = []
    if settings.enqueue_defaults and not settings.space_function:
        point, why_not = _defaults(space, config_of, choices_of)
        if point is not None:
            point = conditions.reduced(point)
            why_not = (
                None if conditions.fulfilled_by(point) else f"filter: {of_space.filter} does not hold for it"
            )
        if point is not None and why_not is None:
            points[point] = None
        else:
            notes.append(
                f"the config's own values are no point of the space, and the search begins with others: {why_not}"
            )
    for point in _given(space, settings, config_of, choices_of):
        point = conditions.reduced(point)
        if not conditions.fulfilled_by(point):
            raise SettingsError(f"enqueue: {' '.join(point)}: filter: {of_space.filter} does not hold for it")
        points[point] = None
    return list(points), notes


def _given(
    space: Space, settings: SearchSettings, config_of: ConfigOf, choices_of: ChoiceOf
) -> Iterator[Point]:
    """Yield the points of ``enqueue``, each with what it leaves to the config and the part of the space it fits has."""
    if not settings.enqueue:
        return
    for point in points_axis(settings.enqueue, "enqueue").choices:
        names = {name_of(parsed(line)) for line in point}
        unknown = sorted(names.difference(space.swept))
        if unknown and not settings.space_function:
            raise SettingsError(f"enqueue: {unknown[0]} is not swept; swept are {', '.join(space.swept)}")
        part = next((part for part in space.parts if names <= _names(part.axes)), Part((), ()))
        config, choices = config_of((*part.fixed, *point)), choices_of((*part.fixed, *point))
        others = [axis for axis in part.axes if names.isdisjoint(axis.names)]
        rest = (_line(axis, config, choices) or () for axis in others)
        yield (*part.fixed, *point, *chain.from_iterable(rest))


def _names(axes: Sequence[Axis | Interval]) -> set[str]:
    return {name for axis in axes for name in axis.names}


def _defaults(space: Space, config_of: ConfigOf, choices_of: ChoiceOf) -> tuple[Point | None, str | None]:
    """Return the config's own values as a point of the first part that they fit, or why they fit none."""
    why_not: str | None = None
    for part in space.parts:
        config, choices = config_of(part.fixed), choices_of(part.fixed)
        lines: list[str] = list(part.fixed)
        missing = None
        for axis in part.axes:
            line = _line(axis, config, choices)
            if line is None:
                missing = missing or _misfit(axis, config, choices)
            else:
                lines += line
        if missing is None:
            return tuple(lines), None
        why_not = why_not or missing
    return None, why_not


def _value(name: str, config: Mapping[str, Any], choices: Mapping[str, Any]) -> Any:
    return choices[name] if name in choices else lookup(config, name)


def _line(axis: Axis | Interval, config: Mapping[str, Any], choices: Mapping[str, Any]) -> Point | None:
    """Return the overrides with which an axis sets what the config has already; None if it cannot."""
    values = {name: _value(name, config, choices) for name in axis.names}
    if isinstance(axis, Interval):
        (value,) = values.values()
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not axis.start <= value <= axis.end or (axis.is_whole and value != int(value)):
            return None
        return (f"{axis.key}={int(value) if axis.is_whole else float(value)!r}",)
    for point in axis.choices:
        if all(parsed(line).value() == values.get(name_of(parsed(line))) for line in point):
            return point
    return None


def _misfit(axis: Axis | Interval, config: Mapping[str, Any], choices: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_value(name, config, choices)}" for name in axis.names)
