"""The learning curves of a sweep for its report: few points, and bands instead of lines where there are many jobs."""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweeps.ranking.leaderboard import Row
from sweeps.ranking.status import SweepStatus
from tracking import TrackingError
from tracking.browse.reader import StoreReader

MOST_LINES = 60  # curves that are drawn one by one
KEPT = 20  # of more, the best
MOST_POINTS = 300  # of one curve
ALL_POINTS = 9000  # of all curves together
GRID = 100  # places of a band
LEAST = 3  # curves at a place of a band
LOW, HIGH = 0.1, 0.9  # the quantiles of a band
DIGITS = 6

Curve = dict[str, Any]  # {"job", "x", "y"}


def curves_of(found: SweepStatus) -> dict[str, Any] | None:
    """Return the curves of the first objective, the best job first; None if it is no metric that runs log.

    Of more than 60 jobs the best 20 have curves, and the others are a band: between the 10 % and 90 % quantiles, and the
    median. A run that cannot be read is left out.
    """
    metric = found.board.objective.metric
    rows = [row for row in found.board.rows if row.run is not None]
    if metric is None or not rows:
        return None
    drawn = rows if len(rows) <= MOST_LINES else rows[:KEPT]
    others = rows[len(drawn) :]
    most = max(20, min(MOST_POINTS, ALL_POINTS // len(drawn)))
    store = found.folder.parent.parent
    curves = [_rounded(curve) for curve in _read(store, drawn, metric, most)]
    rest = _read(store, others, metric, GRID)
    band = _band(rest)
    left_out = len(rest) if band is not None else len(others)
    return {
        "metric": metric,
        "x": "step",
        "curves": curves,
        "bands": None if band is None else [band],
        "left_out": left_out,
    }


def _read(store: Path, rows: Sequence[Row], metric: str, most: int) -> list[Curve]:
    """Return the curves of jobs, in their order; of those that logged the metric and can be read."""
    jobs: dict[tuple[Path, str], list[int]] = defaultdict(list)
    for row in rows:
        run = Path(str(row.run))
        jobs[run.parents[1] if run.is_absolute() else store, run.name].append(row.job)
    stores: dict[Path, list[str]] = defaultdict(list)
    for place, run_id in jobs:
        stores[place].append(run_id)
    found: dict[int, Curve] = {}
    for place, run_ids in stores.items():
        for curve in _asked(StoreReader(place), run_ids, metric, most):
            for job in jobs[place, curve["run"]]:
                found[job] = {"job": job, "x": curve["x"], "y": curve["y"]}
    return [found[row.job] for row in rows if row.job in found]


def _asked(reader: StoreReader, run_ids: Sequence[str], metric: str, most: int) -> list[dict[str, Any]]:
    try:
        answer: list[dict[str, Any]] = reader.curves(run_ids, [metric], most=most)["curves"]
        return [curve for curve in answer if curve["x"]]
    except TrackingError:  # one of them is gone
        if len(run_ids) < 2:
            return []
        half = len(run_ids) // 2
        return [
            curve for part in (run_ids[:half], run_ids[half:]) for curve in _asked(reader, part, metric, most)
        ]


def _rounded(curve: Curve) -> Curve:
    return {**curve, "x": [_short(x) for x in curve["x"]], "y": [_short(y) for y in curve["y"]]}


def _short(value: Any) -> Any:
    """Return a number with few digits, and a whole one without a point."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    return int(value) if value.is_integer() and abs(value) < 2**53 else float(f"{value:.{DIGITS}g}")


def _band(curves: Sequence[Curve]) -> dict[str, list[Any]] | None:
    """Return the quantiles of curves at places that they have in common; None for too few curves."""
    lines = [line for line in map(_line, curves) if line[0]]
    if len(lines) < LEAST:
        return None
    places = sorted({x for xs, _ in lines for x in xs})
    if len(places) > GRID:
        low, high = places[0], places[-1]
        places = [low + (high - low) * index / (GRID - 1) for index in range(GRID)]
    band: dict[str, list[Any]] = {"x": [], "low": [], "mid": [], "high": []}
    for x in places:
        values = sorted(y for xs, ys in lines if (y := _at(xs, ys, x)) is not None)
        if len(values) >= LEAST:
            band["x"].append(_short(x))
            for name, share in (("low", LOW), ("mid", 0.5), ("high", HIGH)):
                band[name].append(_short(_quantile(values, share)))
    return band if band["x"] else None


def _line(curve: Curve) -> tuple[list[float], list[float]]:
    """Return the finite points of a curve, by rising x."""
    points = sorted(
        (float(x), float(y))
        for x, y in zip(curve["x"], curve["y"], strict=True)
        if isinstance(x, int | float) and isinstance(y, int | float)
    )
    return [x for x, _ in points], [y for _, y in points]


def _at(xs: Sequence[float], ys: Sequence[float], x: float) -> float | None:
    """Return the value of a curve at a place, between its points on the straight line; None beyond its ends."""
    if not xs[0] <= x <= xs[-1]:
        return None
    right = bisect_left(xs, x)
    if xs[right] == x:
        return ys[right]
    part = (x - xs[right - 1]) / (xs[right] - xs[right - 1])
    return ys[right - 1] + part * (ys[right] - ys[right - 1])


def _quantile(values: Sequence[float], share: float) -> float:
    place = share * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])
