"""Compare two models on the same rows: the gain, its error, and its bounds."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tracking.errors import InvalidValueError, quoted
from tracking.objective import SMALLER, Direction, Objective
from tracking.statistics import bootstrap, delong, formulas, mcnemar
from tracking.statistics.compared import Rows, are_identical, rows_of, values_of
from tracking.statistics.difference import Difference, Method
from tracking.statistics.measures import Measure
from tracking.statistics.spreads import Spread, spread_of
from tracking.statistics.tails import STEPS

Array = np.ndarray[Any, Any]
_MOST_UNDEFINED = 0.05  # share of the draws
_CLOCK_S = 1e-9


def compare(
    measure: Measure,
    target: Any,
    challenger: Any,
    champion: Any,
    *,
    weight: Any = None,
    cluster: Sequence[Any] | Array | None = None,
    draws: int = 2000,
    seed: int | Sequence[int] = 0,
    paired: bool = True,
) -> Difference:
    """Return how much better the challenger's predictions are than the champion's.

    AUC of two classes is compared by DeLong, accuracy by McNemar, anything else, and rows with weights or clusters, by the
    paired bootstrap. Rows of the same `cluster` are drawn together. Rows with a weight of 0 are left out. With `paired` false,
    each model is measured on draws of its own, as if it had been seen on other rows.

    Raise InvalidValueError for predictions, targets or weights that cannot be compared, and for a measure that is not
    defined on these rows. Where only the error cannot be computed, it is infinite, and `note` says why.
    """
    if draws < 2:
        raise InvalidValueError(f"draws is {quoted(draws)}; a bootstrap needs at least 2")
    rows = rows_of(measure, target, challenger, champion, weight=weight, cluster=cluster)
    ours, theirs = values_of(measure, rows)
    make = partial(
        Difference,
        measure.name,
        str(measure.mode),
        ours,
        theirs,
        rows=len(rows.target),
        clusters=rows.clusters,
        span=measure.span,
    )
    if are_identical(measure, rows):
        return make(gain=0.0, error=0.0, method=Method.IDENTICAL)
    gain = Objective.of(None, str(measure.mode)).gain(ours, theirs)
    if paired and rows.weight is None and rows.cluster is None:
        if measure.value is formulas.auc:
            return _by_delong(make, gain, rows)
        if measure.value is formulas.accuracy:
            return _by_mcnemar(make, rows)
    return _by_bootstrap(make, gain, measure, rows, draws, _seeds(seed), paired=paired)


def compare_timings(
    challenger_s: Sequence[float] | Array,
    champion_s: Sequence[float] | Array,
    *,
    quantile: float = 0.95,
    draws: int = 2000,
    seed: int | Sequence[int] = 0,
    relative: bool = True,
) -> Difference:
    """Return how much faster the challenger is at this quantile of its times, in seconds or in shares of the champion's.

    The times must be taken in turns, so that the i-th of both belong together; they are drawn together. The error is at least
    a nanosecond, to which clocks tell times: of short ones all draws may be the same. Raise InvalidValueError for fewer than
    two times, and for times that are not positive.
    """
    ours, theirs = np.asarray(challenger_s, dtype=np.float64), np.asarray(champion_s, dtype=np.float64)
    if ours.ndim != 1 or ours.shape != theirs.shape or len(ours) < 2:
        raise InvalidValueError(
            f"there are {ours.size} and {theirs.size} times; as many of both are needed, at least 2"
        )
    times = np.stack([ours, theirs])
    if not (np.isfinite(times).all() and (times > 0).all()):
        raise InvalidValueError("a time is not a positive number of seconds")

    def gains(values: Array) -> Array:
        return np.asarray((values[1] - values[0]) / (values[1] if relative else 1.0))

    stream = np.random.default_rng(_seeds(seed))
    found = np.empty(draws)
    at_once = max(1, 2**20 // len(ours))
    for start in range(0, draws, at_once):
        picked = stream.integers(0, len(ours), (min(at_once, draws - start), len(ours)))
        found[start : start + at_once] = gains(np.quantile(times[:, picked], quantile, axis=2))
    values = np.quantile(times, quantile, axis=1)
    beyond = len(ours) * min(quantile, 1 - quantile)
    return _drawn(
        partial(
            Difference,
            f"latency_p{100 * quantile:g}",
            str(SMALLER),
            float(values[0]),
            float(values[1]),
            rows=len(ours),
            units=len(ours),
            seed=_seeds(seed),
        ),
        float(gains(values)),
        found,
        freedom=max(1.0, beyond - 1),
        least=_CLOCK_S / float(values[1] if relative else 1.0),
    )


def compare_exact(
    measure: str, challenger: float, champion: float, *, mode: Direction | str, relative: bool = False
) -> Difference:
    """Return the difference of two figures that are known without error, such as sizes in bytes.

    A relative gain is a share of the champion's figure. Raise InvalidValueError for figures that are not finite, and for a
    share of 0.
    """
    if not np.isfinite([challenger, champion]).all() or (relative and champion == 0):
        raise InvalidValueError(
            f"{measure} is {quoted(challenger)} and {quoted(champion)}: these cannot be compared"
        )
    gain = Objective.of(None, str(mode)).gain(challenger, champion)
    if relative:
        gain /= abs(champion)
    return Difference(
        measure, str(mode), float(challenger), float(champion), float(gain), 0.0, Method.EXACT, 0
    )


_Make = partial[Difference]


def _by_delong(make: _Make, gain: float, rows: Rows) -> Difference:
    positive = rows.target > 0
    spread = delong.gain_spread(positive, rows.challenger, rows.champion)
    units = int(min(positive.sum(), (~positive).sum()))
    note = None if np.isfinite(spread.error) else "a class has fewer than two rows"
    return make(
        gain=gain,
        error=spread.error,
        method=Method.DELONG,
        units=units,
        freedom=spread.freedom,
        skew=spread.skew,
        note=note,
    )


def _by_mcnemar(make: _Make, rows: Rows) -> Difference:
    right = [formulas.decided(each) == rows.target for each in (rows.challenger, rows.champion)]
    better, worse = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    count = len(rows.target)
    return make(
        gain=(better - worse) / count,
        error=mcnemar.error(better, worse, count),
        method=Method.MCNEMAR,
        units=count,
        discordant=(better, worse),
    )


def _by_bootstrap(
    make: _Make, gain: float, measure: Measure, rows: Rows, draws: int, seed: tuple[int, ...], *, paired: bool
) -> Difference:
    found = bootstrap.drawn_gains(measure, rows, draws=draws, seed=seed, paired=paired)
    units = int(np.bincount(bootstrap.strata(measure, rows)).min())
    make = partial(make, units=units, seed=seed)
    if units < 2:
        what = "is one cluster of rows" if rows.cluster is not None else "is a class with one row"
        return make(gain=gain, error=np.inf, method=Method.BOOTSTRAP, draws=draws, note=f"there {what}")
    spread = spread_of(measure, rows, units) if paired else Spread(0.0, units - 1.0, 0.0)
    scale = float(np.sqrt(units / (units - 1)))
    return _drawn(
        make, gain, found, freedom=spread.freedom, skew=spread.skew, least=spread.error, scale=scale
    )


def _drawn(
    make: _Make,
    gain: float,
    found: Array,
    *,
    freedom: float,
    skew: float = 0.0,
    least: float = 0.0,
    scale: float = 1.0,
) -> Difference:
    """Return the difference that draws tell of, with an error of at least `least`."""
    defined = found[~np.isnan(found)]
    make = partial(
        make,
        gain=gain,
        method=Method.BOOTSTRAP,
        draws=len(found),
        undefined=len(found) - len(defined),
        freedom=freedom,
        skew=skew,
    )
    if len(found) - len(defined) > _MOST_UNDEFINED * len(found):
        return make(
            error=np.inf,
            note=f"it is not defined in {len(found) - len(defined)} of {len(found)} draws of the rows",
        )
    error = max(least, scale * float(np.std(defined, ddof=1)))
    if error <= 1e-12 * abs(gain):  # rounding
        error = 0.0
    quantiles = np.quantile(defined, np.arange(STEPS + 1) / STEPS)
    return make(error=error, quantiles=tuple(float(f"{each:.8g}") for each in quantiles))


def _seeds(seed: int | Sequence[int]) -> tuple[int, ...]:
    found = tuple(map(int, seed)) if isinstance(seed, Sequence) else (int(seed),)
    if any(each < 0 for each in found):
        raise InvalidValueError(f"the seed is {quoted(seed)}; it must be 0 or more")
    return found
