"""Points of a Sobol sequence, which fill the space more evenly than random ones. What was heard changes nothing."""

import hashlib
import random
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from sweeps.search.dimensions import Dimension, Value
from sweeps.search.history import Entry
from sweeps.search.searched_space import Placed, SearchedSpace

BATCH = 64  # points that are computed at once


class SobolSuggester:
    """The points of a scrambled Sobol sequence, one per number of a job, whatever was asked for before.

    A dimension that a function asks for, so that it is not known from the beginning, is drawn at random.
    """

    def __init__(self, space: SearchedSpace, seed: int) -> None:
        self._space = space
        self._seed = int.from_bytes(hashlib.sha256(f"sobol/{seed}".encode()).digest()[:8], "big")
        self._index = {each.name: index for index, each in enumerate(space.dimensions)}
        self._batch: tuple[int, npt.NDArray[np.float64]] | None = None

    def suggest(self, entries: Sequence[Entry], number: int, source: random.Random) -> Placed | None:  # noqa: ARG002 - part of the contract
        """Return the point of a number; None if the filter refuses it."""
        if not self._index:
            return self._space.draw(source)
        row = self._row(number)

        def value_for(dimension: Dimension) -> Value:
            index = self._index.get(dimension.name)
            return dimension.draw(source) if index is None else dimension.at(float(row[index]))

        return self._space.place(value_for)

    def _row(self, number: int) -> npt.NDArray[np.float64]:
        start = number - number % BATCH
        if self._batch is None or self._batch[0] != start:
            engine = qmc.Sobol(len(self._index), rng=np.random.default_rng(self._seed))
            if start:
                engine.fast_forward(start)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a part of a sequence need not be balanced
                self._batch = start, engine.random(BATCH)
        return np.asarray(self._batch[1][number - start])
