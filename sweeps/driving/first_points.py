"""The points that a search begins with: the values of the config, then those that the user has given."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from sweeps.errors import SettingsError
from sweeps.settings.search_settings import SearchSettings
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import Point, Space, name_of, parsed, values_of
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
        values = values_of(point)
        for axis in part.axes:
            if not names.isdisjoint(axis.names) and not fits(axis, values):
                raise SettingsError(
                    f"enqueue: {' '.join(point)}: {'+'.join(axis.names)} cannot have this value in the space"
                )
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
        if not fits(axis, values):
            return None
        return (f"{axis.key}={int(value) if axis.is_whole else float(value)!r}",)
    return next((point for point in axis.choices if _sets(point, values)), None)


def fits(axis: Axis | Interval, values: Mapping[str, Any]) -> bool:
    """Return whether an axis can take these values of its keys."""
    if isinstance(axis, Interval):
        value = values.get(axis.names[0])
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return axis.start <= value <= axis.end and not (axis.is_whole and value != int(value))
    return any(_sets(point, values) for point in axis.choices)


def is_in(space: Space, values: Mapping[str, Any], conditional: Collection[str]) -> bool:
    """Return whether values by key are a point of a part of a space; keys that are `conditional` may be missing."""
    return any(
        values.keys() <= _names(part.axes) | values_of(part.fixed).keys()
        and all(
            fits(axis, values) or (axis.names[0] in conditional and axis.names[0] not in values)
            for axis in part.axes
        )
        for part in space.parts
    )


def _sets(point: Point, values: Mapping[str, Any]) -> bool:
    return all(_same(parsed(line).value(), values.get(name_of(parsed(line)))) for line in point)


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other  # true is no 1


def _misfit(axis: Axis | Interval, config: Mapping[str, Any], choices: Mapping[str, Any]) -> str:
    values = {name: _value(name, config, choices) for name in axis.names}
    absent = [name for name, value in values.items() if value is None]
    if absent:
        return f"it has no {absent[0]}"
    return ", ".join(f"{name}={value}" for name, value in values.items())
