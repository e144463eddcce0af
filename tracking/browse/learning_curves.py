"""Curves: the points of metrics of several runs as columns, thinned for a screen, with the cursors to follow them from."""

import array
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from tracking.browse.cursors import Cursor, cursor_of
from tracking.browse.points import Series, began_of, read_series, seconds_of
from tracking.browse.snapshot import Snapshot, snapshot
from tracking.browse.thinning import thinned
from tracking.errors import CorruptFileError, InvalidValueError, quoted
from tracking.metrics.sources import moment_of
from tracking.paths import RunPaths
from tracking.store.store import Store
from tracking.values.checks import check_choice
from tracking.values.jsontext import non_finite_text

AXES = ("step", "epoch", "time")
EPOCH = "epoch"  # the metric whose value is the epoch of the points that were logged with it
MOST_CURVES = 1000
CACHE_BYTES = 16 << 20
POINT_BYTES = 16


class Curve(NamedTuple):
    """A thinned curve. `y` is NaN where `marks` says what the value was; `lost` is how many of all were not finite."""

    x: "array.array[float]"
    y: "array.array[float]"
    marks: list[tuple[float, str]]
    total: int
    lost: int

    def plain(self, run_id: str, metric: str) -> dict[str, Any]:
        """Return the curve as pages get it."""
        y: list[float | None] = self.y.tolist()  # type: ignore[assignment]  # some become None
        shown = {"run": run_id, "metric": metric, "x": self.x.tolist(), "y": y, "total": self.total}
        if self.marks:
            shown["y"] = [None if each != each else each for each in y]
            shown["marks"] = [list(mark) for mark in self.marks]
            shown["lost"] = self.lost
        return shown


class Curves:
    """Reads curves of one store; keeps those of runs without journals as long as their files stay the same."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, ...], Curve | None] = OrderedDict()
        self._bytes = 0

    def read(self, run_ids: Sequence[str], metrics: Sequence[str], x: str, most: int) -> dict[str, Any]:
        """Return the curves of each run and metric that has points, and a cursor for each run."""
        check_choice("x", x, *AXES)
        runs, names = list(dict.fromkeys(run_ids)), list(dict.fromkeys(metrics))
        if len(runs) * len(names) > MOST_CURVES:
            raise InvalidValueError(
                f"{len(runs)} runs with {len(names)} metrics each are more than {MOST_CURVES} curves; choose fewer"
            )
        if type(most) is not int or most < 1:
            raise InvalidValueError(f"most {quoted(most)} is no number of points")
        found, cursors, left_out = [], {}, []
        for run_id in runs:
            try:
                curves, cursors[run_id] = self._of_run(run_id, names, x, most)
            except CorruptFileError as error:
                left_out.append({"run_id": run_id, "why": str(error)})
                continue
            found += [curve.plain(run_id, name) for name, curve in curves.items()]
        return {"curves": found, "cursors": cursors, "x": x, "left_out": left_out}

    def _of_run(self, run_id: str, names: Sequence[str], x: str, most: int) -> tuple[dict[str, Curve], str]:
        entry = self._store.require(run_id)
        paths = self._store.paths.run(entry["run_id"])
        began = began_of(entry)
        with snapshot(paths) as taken:
            # only a run without journals has nothing but what the stamp tells of
            is_still = not taken.found.journals and not taken.found.conflicts
            keys = {name: (taken.views, str(began), run_id, name, x, str(most)) for name in names}
            known = self._known(keys) if is_still else {}
            unknown = [name for name in names if name not in known]
            made: dict[str, Curve] = {}
            cursor = cursor_of(taken, 0, is_alone=False)
            if unknown or not is_still:
                made, cursor = _read(paths, taken, unknown, x, most, began)
        if is_still:
            self._keep({keys[name]: made.get(name) for name in unknown})
        curves = {name: known.get(name) or made.get(name) for name in names}
        return {name: curve for name, curve in curves.items() if curve}, cursor.text

    def _known(self, keys: Mapping[str, tuple[str, ...]]) -> dict[str, Curve | None]:
        with self._lock:
            found = {name: self._kept[key] for name, key in keys.items() if key in self._kept}
            for name in found:
                self._kept.move_to_end(keys[name])
        return found

    def _keep(self, curves: dict[tuple[str, ...], Curve | None]) -> None:
        with self._lock:
            for key, curve in curves.items():
                if key not in self._kept:
                    self._kept[key] = curve
                    self._bytes += _size(curve)
            while self._bytes > CACHE_BYTES:
                self._bytes -= _size(self._kept.popitem(last=False)[1])


def _size(curve: Curve | None) -> int:
    # about what a key and the objects around the numbers take
    return 1000 + (len(curve.x) * POINT_BYTES + len(curve.marks) * 100 if curve else 0)


def _read(
    paths: RunPaths, taken: Snapshot, names: Sequence[str], x: str, most: int, began: datetime | None
) -> tuple[dict[str, Curve], Cursor]:
    reading = read_series(paths, taken, [*names, EPOCH] if x == EPOCH else names)
    epochs = reading.series.get(EPOCH) if x == EPOCH else None
    curves = {
        name: _curve(reading.series[name], x, most, began, epochs) for name in names if name in reading.series
    }
    return curves, cursor_of(taken, reading.points, is_alone=reading.is_alone)


def _curve(series: Series, x: str, most: int, began: datetime | None, epochs: Series | None) -> Curve:
    kept = thinned(series.values, most)
    places = _places(series, kept, x, began, epochs)
    shown = [(place, series.values[at]) for place, at in zip(places, kept, strict=True) if place is not None]
    if any(before[0] > after[0] for before, after in pairwise(shown)):
        shown.sort(key=lambda point: point[0])
    marks = [(place, non_finite_text(value)) for place, value in shown if not math.isfinite(value)]
    return Curve(
        array.array("d", (place for place, _ in shown)),
        array.array("d", (value if math.isfinite(value) else math.nan for _, value in shown)),
        marks,
        series.total,
        series.lost,
    )


def _places(
    series: Series, kept: Sequence[int], x: str, began: datetime | None, epochs: Series | None
) -> Sequence[float | None]:
    """Return where each kept point lies on the x axis; None for one that has no place there."""
    if x == "time":
        return seconds_of([series.stamps[at] for at in kept], began or _first(series))
    steps = [series.steps[at] for at in kept]
    if set(map(type, steps)) != {int}:
        steps = list(map(_finite, steps))
    if all(step is None for step in steps):
        steps = list(map(float, kept))  # a program that counts no steps: the number of the log call
    if epochs is None:
        return steps
    if epochs.stamps == series.stamps and epochs.steps == series.steps:
        found = [_finite(epochs.values[at]) for at in kept]
    else:
        calls = zip(epochs.stamps, map(repr, epochs.steps), strict=True)
        of_call = dict(zip(calls, map(_finite, epochs.values), strict=True))
        found = [of_call.get((series.stamps[at], repr(series.steps[at]))) for at in kept]
    return [step if place is None else place for step, place in zip(steps, found, strict=True)]


def _first(series: Series) -> datetime | None:
    return moment_of(series.stamps[0]) if series.stamps else None


def _finite(value: Any) -> float | None:
    is_place = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_place and math.isfinite(value) and abs(value) < 1e300 else None
