"""How long one prediction takes, measured for both versions in turn, so that a busy machine slows both alike."""

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracking.errors import InvalidValueError

WARM_UP = 20  # calls of each version that are not counted
CALLS = 1000  # counted calls of each version, if the time allows them
LEAST_CALLS = 200  # fewer decide nothing about a percentile
LIMIT_S = 60.0

Predict = Callable[[int], Any]
Clock = Callable[[], float]


def timings(
    challenger: Predict,
    champion: Predict,
    rows: int,
    *,
    seed: int,
    limit_s: float = LIMIT_S,
    clock: Clock = time.perf_counter,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the seconds of single predictions by both versions, for the same rows, at least 200 calls of each.

    Which of both predicts a row first alternates by chance. Raise InvalidValueError if the time allows fewer calls.
    """
    random = np.random.default_rng([seed, rows])
    pair: Sequence[Predict] = (challenger, champion)
    for index in random.integers(rows, size=WARM_UP):
        for predict in pair:
            predict(int(index))
    taken: tuple[list[float], list[float]] = ([], [])
    indices, firsts = random.integers(rows, size=CALLS), random.integers(2, size=CALLS)
    end = clock() + limit_s
    was_collecting = gc.isenabled()
    gc.disable()  # a collection would count against whoever predicts at that moment
    try:
        for index, first in zip(indices, firsts, strict=True):
            for which in (int(first), 1 - int(first)):
                begin = clock()
                pair[which](int(index))
                taken[which].append(clock() - begin)
            if clock() > end:
                break
    finally:
        if was_collecting:
            gc.enable()
    if len(taken[0]) < LEAST_CALLS:
        raise InvalidValueError(
            f"{len(taken[0])} predictions of each version took {limit_s:g} s, and a percentile of the latency needs {LEAST_CALLS}"
        )
    return np.array(taken[0]), np.array(taken[1])
