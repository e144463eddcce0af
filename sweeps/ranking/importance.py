"""How much each swept key decides a job's value: the permutation importance of a random forest, by its out-of-bag jobs.

A forest that explains little says nothing of the keys either. Its out-of-bag R2 tells: below `LEAST_R2`, or with too few
jobs, the answer is that nobody can tell yet. Values count by their ranks, because a few jobs that diverged would decide
everything else. Breiman 2001, "Random Forests", section 10.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tracking.extras import BROKEN
from tracking.repeats import key_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

LEAST_JOBS = 20
LEAST_R2 = 0.2
TREES = 200
SHUFFLES = 5  # of each key; their mean counts
DECADES = 2.0  # a numeric key whose values span more is taken by its logarithm


@dataclass(frozen=True)
class Importance:
    """What swept keys decide: the `share` of each, most first, as parts of 1; empty if nobody can tell, and `why`.

    `r2` is how much of the order of unseen jobs the forest explains (1: all of it), None if none was grown. `jobs` is how
    many were taken, `level` after how many values of the objective; None if each counts at its end.
    """

    jobs: int
    share: Mapping[str, float] = field(default_factory=dict)
    r2: float | None = None
    why: str | None = None
    level: int | None = None


def importance(
    points: Sequence[Mapping[str, Any]], values: Sequence[float], keys: Sequence[str], *, noun: str = "jobs"
) -> Importance:
    """Return how much each of `keys` decides the finite `values` of jobs at `points`, which a reason calls `noun`.

    The same jobs in the same order give the same answer. Takes about half a second, and another one to load scikit-learn, which
    is left out while there are too few jobs.
    """
    jobs = len(values)
    varied = [key for key in keys if len({key_of(point.get(key)) for point in points}) > 1]
    if why := _why_not(values, varied, noun):
        return Importance(jobs, why=why)
    import numpy as np

    blocks = {key: _block([point.get(key) for point in points]) for key in varied}
    r2, lost = _forest(
        np.hstack([*blocks.values()]), _ranks(values), [each.shape[1] for each in blocks.values()]
    )
    total = sum(lost)
    if r2 < LEAST_R2 or total <= 0:
        return Importance(
            jobs, r2=r2, why=f"the forest explains too little, R2 {r2:.2f} of at least {LEAST_R2:g}"
        )
    share = sorted(zip(varied, lost, strict=True), key=lambda pair: -pair[1])
    return Importance(jobs, {key: each / total for key, each in share}, r2)


def _why_not(values: Sequence[float], varied: Sequence[str], noun: str) -> str | None:
    """Return why no forest can tell, before one is grown."""
    if len(values) < LEAST_JOBS:
        return f"{len(values)} of at least {LEAST_JOBS} {noun}"
    if not varied:
        return "no key has two values"
    if len(set(values)) < 2:
        return "all values are the same"
    if find_spec("sklearn") is None:
        return 'scikit-learn is not installed; pip install "podium[trainer]" installs it'
    return why_not_loaded()


def why_not_loaded() -> str | None:
    """Load what grows a forest; return why that does not work, None if it does."""
    try:
        import numpy as np  # noqa: F401 - what grows the forest asks for both again
        import sklearn.ensemble  # noqa: F401
    except BROKEN as error:
        return f"scikit-learn cannot be loaded: {' '.join(str(error).split())}"
    return None


def _ranks(values: Sequence[float]) -> "Floats":
    """Return the ranks of values, equals with their mean."""
    import numpy as np

    array = np.asarray(values, dtype=np.float64)
    _, inverse, counts = np.unique(array, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: Floats = (ends - (counts - 1) / 2)[inverse.ravel()]
    return means


def _block(values: Sequence[Any]) -> "Floats":
    """Return the columns of one key: its number, or a column per category. A key that a job lacks is below all numbers."""
    import numpy as np

    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        numbers = np.array([math.nan if value is None else float(value) for value in values])
        finite = numbers[np.isfinite(numbers)]
        if finite.size and finite.min() > 0 and finite.max() / finite.min() > 10**DECADES:
            numbers = np.log10(numbers, where=numbers > 0, out=np.full_like(numbers, math.nan))
            finite = numbers[np.isfinite(numbers)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
        numbers = np.nan_to_num(numbers, nan=low - (high - low or 1.0), posinf=high, neginf=low)
        return np.asarray(numbers[:, None])
    keys = [key_of(value) for value in values]
    kinds = list(dict.fromkeys(keys))
    return np.array([[float(key == kind) for kind in kinds] for key in keys])


def _forest(columns: "Floats", values: "Floats", widths: Sequence[int]) -> tuple[float, list[float]]:
    """Return the out-of-bag R2 of a forest, and by how much it falls when each block of columns is shuffled."""
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(TREES, min_samples_leaf=2, random_state=0, n_jobs=1).fit(columns, values)
    narrow = columns.astype(np.float32)  # what a tree compares
    trees = [
        (tree.tree_, np.setdiff1d(np.arange(len(values)), seen))
        for tree, seen in zip(forest.estimators_, forest.estimators_samples_, strict=True)
    ]

    def r2(table: "npt.NDArray[np.float32]") -> float:
        total, votes = np.zeros(len(values)), np.zeros(len(values))
        for tree, unseen in trees:
            total[unseen] += tree.predict(table[unseen]).ravel()
            votes[unseen] += 1
        known = votes > 0
        errors = (values[known] - total[known] / votes[known]) ** 2
        return float(1 - errors.sum() / ((values[known] - values[known].mean()) ** 2).sum())

    whole, source, lost = r2(narrow), np.random.default_rng(0), []
    for start, end in pairwise([0, *np.cumsum(widths)]):
        falls = []
        for _ in range(SHUFFLES):
            table = narrow.copy()
            table[:, start:end] = narrow[source.permutation(len(values)), start:end]
            falls.append(whole - r2(table))
        lost.append(max(0.0, float(np.mean(falls))))
    return whole, lost
