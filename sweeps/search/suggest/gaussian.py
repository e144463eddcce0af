"""Suggest by a Gaussian process over points and rungs at once: what jobs come to early tells where others go further.

Losses enter by their rank among all losses so far, as quantiles of a normal distribution. So neither their scale nor a
few very bad ones matter. A point is suggested where the expected improvement at the full length is highest. For this,
every point that was tried counts as known there to be as expected, paused and running ones too: otherwise the best of
those that have not been let go on would be tried again and again.
"""

import math
import random
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from threadpoolctl import ThreadpoolController

from sweeps.search.dimensions import Coordinates, Dimension, Number, Value
from sweeps.search.history import Entry, Heard, Told
from sweeps.search.searched_space import Placed, SearchedSpace
from sweeps.search.suggest.gaussian_process import (
    Array,
    Data,
    Process,
    Resolved,
    Scales,
    fit,
    improvement,
    normal_scores,
)

MOST = 150  # observations, and points that were tried, that a suggestion is made from
FITTED = 100  # observations that the scales are fitted to
GROWTH = 1.3  # the scales are fitted again when there are so many times as many observations
DRAWN = 500  # candidates from the whole space
NEAR = 30  # candidates near each of the best points
BEST = 8  # points that candidates are near to
ALL = 0.05  # what the sum of several objectives counts beside the greatest one
FINALISTS = 40  # candidates that are made into points
UNINFORMED = 0.15  # the share of points that are drawn all the same, where jobs that are bad early on are good in the end


class Columns:
    """Coordinates as rows of numbers: a column per number, one per choice of what has no order."""

    def __init__(self, dimensions: Sequence[Dimension]) -> None:
        self.dimensions = tuple(dimensions)
        self.widths = [1 if _has_order(each) else int(each.size or 1) for each in self.dimensions]
        self.groups = np.repeat(np.arange(len(self.widths)), self.widths)
        self._of_jobs: dict[int, Array] = {}

    def row(self, coordinates: Coordinates) -> Array:
        """Return a point; what it lacks is in the middle."""
        row = np.full(len(self.groups), 0.5)
        start = 0
        for dimension, width in zip(self.dimensions, self.widths, strict=True):
            value = coordinates.get(dimension.name)
            if width == 1:
                row[start] = 0.5 if value is None else dimension.share(value)
            else:
                row[start : start + width] = 0.0
                if value is not None:
                    row[start + int(value)] = math.sqrt(0.5)
            start += width
        return row

    def of_jobs(self, known: Heard, jobs: Iterable[int]) -> Array:
        """Return the points of jobs, which never change."""
        for job in (jobs := list(jobs)):
            if job not in self._of_jobs:
                self._of_jobs[job] = self.row(known.asked[job])
        return np.array([self._of_jobs[job] for job in jobs])

    def rows(self, shares: Array) -> Array:
        """Return the rows of points that are given as a share per dimension."""
        rows = np.zeros((len(shares), len(self.groups)))
        start = 0
        for index, width in enumerate(self.widths):
            if width == 1:
                rows[:, start] = shares[:, index]
            else:
                chosen = np.minimum((shares[:, index] * width).astype(int), width - 1)
                rows[np.arange(len(shares)), start + chosen] = math.sqrt(0.5)
            start += width
        return rows


def _has_order(dimension: Dimension) -> bool:
    return isinstance(dimension, Number) or dimension.is_ordered or dimension.size == 2


class GaussianSuggester:
    """Suggest by a Gaussian process over points and rungs."""

    def __init__(
        self, space: SearchedSpace, levels: Sequence[int], full: int | None, objectives: int
    ) -> None:
        self._space = space
        self._objectives = objectives
        ends = [*levels, full or (levels[-1] * 3 if levels else 1)]
        self._left = [
            1 - math.log(end + 1) / math.log(ends[-1] + 1) if len(ends) > 1 else 0.0 for end in ends
        ]
        self._scales: tuple[tuple[int, int], Scales] | None = None
        self._columns = Columns(())
        self._threads = ThreadpoolController()

    def suggest(self, entries: Sequence[Entry], number: int, source: random.Random) -> Placed | None:  # noqa: ARG002 - part of the contract
        """Return the point of the highest expected improvement among candidates."""
        known = Heard(entries)
        if not self._usable(known) or source.random() < UNINFORMED:
            return self._space.draw(source)
        # Matrices of this size take many times as long in several threads, which the jobs need besides.
        with self._threads.limit(limits=1):
            return self._informed(entries, known, source)

    def _informed(self, entries: Sequence[Entry], known: Heard, source: random.Random) -> Placed | None:
        weights = self._weights(source)
        columns, process = self._process(entries, known, weights)
        tried = list(known.asked)[-MOST:]
        of_tried = columns.of_jobs(known, tried)
        resolved = Resolved(of_tried, columns.groups, process.scales)
        numbers = np.random.default_rng(source.randrange(2**63))
        mean = process.mean(of_tried)
        order = np.argsort(mean, kind="stable")[:BEST]
        best = float(mean[order[0]])
        centres = [known.asked[tried[i]] for i in order]
        shares = _candidates(columns, centres, numbers)
        rows = columns.rows(shares)
        gain = improvement(process.mean(rows), resolved.deviation(rows), best)
        finalists = shares[np.argsort(-gain, kind="stable")[:FINALISTS]]
        return self._best_of(finalists, columns, process, resolved, best, source)

    def _weights(self, source: random.Random) -> Array:
        """Return the weights of the objectives in one suggestion: others each time, so that all of a front is tried."""
        drawn = np.array([source.expovariate(1.0) for _ in range(self._objectives)])
        return np.asarray(drawn / drawn.sum())

    def _process(self, entries: Sequence[Entry], known: Heard, weights: Array) -> tuple[Columns, Process]:
        columns = self._columns_of(known)
        data = self._data(known, columns, MOST, weights)
        return columns, Process(
            data, columns.groups, self._fitted(entries, known, columns), len(self._left) - 1
        )

    def _best_of(
        self,
        shares: Array,
        columns: Columns,
        process: Process,
        resolved: Resolved,
        best: float,
        source: random.Random,
    ) -> Placed | None:
        """Return the best of the points that shares make: values are rounded, and conditions may exclude some."""
        index = {each.name: i for i, each in enumerate(columns.dimensions)}

        def value_for(dimension: Dimension, row: Array) -> Value:
            at = index.get(dimension.name)
            return dimension.draw(source) if at is None else dimension.at(float(row[at]))

        found: dict[tuple[str, ...], Placed] = {}
        for row in shares:
            placed = self._space.place(partial(value_for, row=row))
            if placed is not None:
                found.setdefault(placed.point, placed)
        if not found:
            return None
        places = list(found.values())
        rows = np.array([columns.row(each.coordinates) for each in places])
        return places[int(np.argmax(improvement(process.mean(rows), resolved.deviation(rows), best)))]

    def _columns_of(self, known: Heard) -> Columns:
        """Return the columns of the dimensions that points had so far, which is the same when they are heard again."""
        names = dict.fromkeys(name for each in known.asked.values() for name in each)
        dimensions = tuple(each for each in self._space.dimensions if each.name in names)
        if dimensions != self._columns.dimensions:
            self._columns = Columns(dimensions)
        return self._columns

    def _data(self, known: Heard, columns: Columns, most: int, weights: Array) -> Data:
        told = self._usable(known)
        keys = [(each.job, each.rung) for each in told]
        losses = _losses(told, weights)
        if len(keys) > most:
            best = set(np.argsort(losses, kind="stable")[: most // 2].tolist())
            late = [i for i in reversed(range(len(keys))) if i not in best]
            kept = sorted([*best, *late[: most - len(best)]])
        else:
            kept = list(range(len(keys)))
        scores = normal_scores(losses)[kept]
        rows = columns.of_jobs(known, (keys[i][0] for i in kept))
        rungs = np.array([keys[i][1] for i in kept])
        return Data(rows, np.array([self._left[each] for each in rungs]), rungs, scores)

    def _usable(self, known: Heard) -> list[Told]:
        """Return the values to learn from: a job that failed has failed at all rungs, of which one is enough."""
        last = len(self._left) - 1
        return [each for each in known.told.values() if each.losses is not None or each.rung == last]

    def _first(self, count: int, entries: Sequence[Entry]) -> Heard:
        """Return what was known when there were so many values."""
        known = Heard()
        for entry in entries:
            known.hear(entry)
            if len(known.told) >= count and len(self._usable(known)) >= count:
                break
        return known

    def _fitted(self, entries: Sequence[Entry], known: Heard, columns: Columns) -> Scales:
        """Return the scales by the first values, as many as the greatest step of the growth below their number."""
        steps = math.floor(math.log(len(self._usable(known))) / math.log(GROWTH))
        key = (math.floor(GROWTH**steps), len(columns.groups))
        if self._scales is None or self._scales[0] != key:
            first = self._first(key[0], entries)
            self._scales = (
                key,
                fit(
                    self._data(first, columns, FITTED, np.full(self._objectives, 1 / self._objectives)),
                    columns.groups,
                ),
            )
        return self._scales[1]


def _losses(told: Sequence[Told], weights: Array) -> Array:
    """Return a loss per value: those that break a constraint are worse than all that do not, failed ones worst.

    Several objectives become one by the greatest of their weighted normal scores (Knowles 2006), so that points of
    a front are found where it is not convex, too.
    """
    fine = [each.losses for each in told if each.losses is not None and each.violation <= 0]
    if not fine:
        return np.array([1.0 if each.losses is None else min(each.violation, 1.0) for each in told])
    columns = np.array(fine)
    if len(weights) > 1:
        scores = np.stack([normal_scores(column) for column in columns.T], axis=1)
        weighted = weights * (scores - scores.min(axis=0))
        columns = weighted.max(axis=1, keepdims=True) + ALL * weighted.sum(axis=1, keepdims=True)
    known = iter(columns[:, 0].tolist())
    worst = float(columns[:, 0].max())
    step = max(worst - float(columns[:, 0].min()), 1.0)
    return np.array(
        [
            worst + 3 * step
            if each.losses is None
            else next(known)
            if each.violation <= 0
            else worst + step + step * min(each.violation, 1.0)
            for each in told
        ]
    )


def _candidates(columns: Columns, centres: Sequence[Coordinates], numbers: np.random.Generator) -> Array:
    """Return candidates as a share per dimension: over the whole space, and near the best points."""
    width = len(columns.dimensions)
    drawn = numbers.random((DRAWN, width))
    middle = np.array(
        [
            [
                0.5 if (value := each.get(dimension.name)) is None else dimension.share(value)
                for dimension in columns.dimensions
            ]
            for each in centres
        ]
    )
    near = np.repeat(middle, NEAR, axis=0)
    step = 10 ** numbers.uniform(-2.0, -0.5, (len(near), 1)) * numbers.standard_normal(near.shape)
    moves = numbers.random(near.shape) < np.maximum(0.5, 1.0 / width)
    jumps = np.array([not _has_order(each) for each in columns.dimensions])
    moved = np.where(jumps, numbers.random(near.shape), np.clip(near + step, 0.0, 1.0))
    changes = moves & ~(jumps & (numbers.random(near.shape) < 0.5))
    return np.concatenate([drawn, np.where(changes, moved, near)])
