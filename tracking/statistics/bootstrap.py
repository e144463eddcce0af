"""Gains of one model over another on rows drawn again, by Efron's bootstrap: paired, within classes, by clusters.

A draw is how often each row is in it. Both models are measured on the same draws, so that what makes rows hard for both
cancels out.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tracking.objective import Objective
from tracking.statistics.compared import Rows
from tracking.statistics.measures import Measure

Array = np.ndarray[Any, Any]
_CELLS = 2**21  # draws times rows that are in memory at once
_LONG = 1000  # rows of a draw that are counted apart from other draws
_FEW = 10  # rows of a class; several classes that have fewer are drawn as one


def drawn_gains(
    measure: Measure, rows: Rows, *, draws: int, seed: tuple[int, ...], paired: bool = True
) -> Array:
    """Return the gain in each draw; NaN where the measure is not defined.

    Rows of a class are drawn from that class if the measure depends on the classes' distributions alone. For any other
    measure this would hide that the share of a class is an estimate too. The same seed gives the same draws.
    """
    ours = measure.drawn(rows.target, rows.challenger)
    theirs = measure.drawn(rows.target, rows.champion)
    sizes = strata(measure, rows)
    sign = 1.0 if Objective.of(None, str(measure.mode)).higher_is_better else -1.0
    streams = [_weights(rows, sizes, draws, seed)]
    if not paired:
        streams.append(_weights(rows, sizes, draws, (*seed, 1)))
    found = [ours(each[0]) - theirs(each[-1]) for each in zip(*streams, strict=True)]
    return sign * np.concatenate(found)


def strata(measure: Measure, rows: Rows) -> Array:
    """Return the number of the stratum of each unit: a cluster, or a row where there are none.

    Clusters have strata only where each has rows of one class.
    """
    units = rows.clusters or len(rows.target)
    whole = np.zeros(units, dtype=np.int64)
    if not measure.within_classes:
        return whole
    classes, code = np.unique(rows.target, return_inverse=True)
    if rows.cluster is not None:
        of_cluster = whole.copy()
        of_cluster[rows.cluster] = code
        if not np.array_equal(of_cluster[rows.cluster], code):
            return whole
        code = of_cluster
    return code if len(classes) < 3 else _pooled(code)


def _pooled(code: Array) -> Array:
    """Put classes of few units together, with the next larger class if they are still few."""
    sizes = np.bincount(code)
    order = np.argsort(sizes, kind="stable")
    few = int((sizes < _FEW).sum())
    while 0 < few < len(sizes) and sizes[order[:few]].sum() < _FEW:
        few += 1
    pooled = np.arange(len(sizes))
    pooled[order[:few]] = order[0]
    return np.unique(pooled[code], return_inverse=True)[1]


def _weights(rows: Rows, stratum: Array, draws: int, seed: tuple[int, ...]) -> Iterator[Array]:
    """Yield what each row counts for in some draws, as arrays [draws, rows]."""
    stream = np.random.default_rng(seed)
    order, sizes = np.argsort(stratum, kind="stable"), np.bincount(stratum)
    at_once = max(1, _CELLS // len(rows.target))
    for start in range(0, draws, at_once):
        count = min(at_once, draws - start)
        found = [_counts(stream, count, int(size)) for size in sizes]
        counts = found[0]
        if len(sizes) > 1:
            counts = np.empty((count, len(stratum)))
            counts[:, order] = np.concatenate(found, axis=1)
        if rows.cluster is not None:
            counts = counts[:, rows.cluster]
        yield counts if rows.weight is None else counts * rows.weight


def _counts(stream: np.random.Generator, draws: int, size: int) -> Array:
    """Return how often each of `size` units is among as many drawn with replacement."""
    drawn = stream.integers(0, size, (draws, size))
    if size > _LONG:  # a count of a long draw stays in the processor's cache; of short ones, calls cost more
        found = np.empty((draws, size))
        for counts, each in zip(found, drawn, strict=True):
            counts[:] = np.bincount(each, minlength=size)
        return found
    drawn += np.arange(draws)[:, None] * size
    return np.bincount(drawn.ravel(), minlength=draws * size).reshape(draws, size).astype(np.float64)
