"""What the rules are decided by: the difference of both versions in each measure, on the same rows.

Nothing is decided here. What cannot be computed becomes a problem in words, which no rule can pass.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tracking.errors import InvalidValueError
from tracking.gate.latency import timings
from tracking.gate.rules import LATENCY, SIZE, SPLITS, GateSettings, Margin
from tracking.gate.scores import Array, Scores, column_of
from tracking.objective import SMALLER, Direction, Objective
from tracking.statistics.compare import compare, compare_exact, compare_timings
from tracking.statistics.difference import Difference
from tracking.statistics.measures import Measure, Reads, Task, measure_of, own_measure

# What a verdict shows beside the rules.
STANDARD = {
    Task.BINARY: ("auc", "log_loss", "brier", "calibration_error", "accuracy"),
    Task.MULTICLASS: ("accuracy", "log_loss", "auc"),
    Task.REGRESSION: ("rmse", "mae", "r2"),
}
MOST_SLICES = 100  # values of one column
MOST_ROWS_SHOWN = 200_000  # with more rows only the measures of the rules are computed


@dataclass(frozen=True)
class Evidence:
    """What is known about one rule: the difference, or the problem that kept it from being computed."""

    measure: str
    margin: Margin | None = None  # of a guard
    slice: tuple[str, str] | None = None  # the column and its value
    difference: Difference | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Both versions on the same rows."""

    rows: int
    objective: Evidence
    guards: tuple[Evidence, ...]
    others: tuple[Difference, ...] = ()  # of further measures, for the reader alone
    unjudged: tuple[tuple[str, str, int], ...] = ()  # column, value and rows of slices with too few rows


@dataclass(frozen=True)
class Beside:
    """What the rules need beside the scores: the sizes of both versions in bytes."""

    challenger_bytes: int | None = None
    champion_bytes: int | None = None


def plain_name(name: str) -> str:
    """Return a metric's name without that of the split it was recorded on."""
    return next((name.removeprefix(each) for each in SPLITS if name.startswith(each)), name)


def same_measure(one: str, other: str) -> bool:
    """Return whether two names mean the same measure but for their splits."""
    return plain_name(one) == plain_name(other)


def measure_for(name: str, scores: Scores, mode: Direction | None = None) -> Measure:
    """Return the measure of a name, one of the scorer's own or of ours; raise InvalidValueError for an unknown one.

    A name that is both is the scorer's for the objective, which `mode` tells: its runs were ranked by that function. Any
    other rule could mean either, so it is refused.
    """
    plain = plain_name(name)
    for each in (name, plain):
        if each in scores.measures:
            if mode is None and is_ours(each, scores.task):
                raise InvalidValueError(
                    f"{each} is a measure of podium's and one of the scorer's own: give the scorer's another name, such as my_{plain}"
                )
            return own_measure(each, str(mode or Objective.of(each).mode), scores.measures[each])
    measure = measure_of(name, scores.task)
    if mode is not None and measure.mode != mode:
        raise InvalidValueError(
            f"the objective wants {name} {mode}imal, and {measure.name} is better {measure.mode}imal"
        )
    return measure


def is_ours(name: str, task: Task) -> bool:
    """Return whether podium itself has a measure of a name for a task."""
    try:
        measure_of(name, task)
    except InvalidValueError:
        return False
    return True


def value_of(
    name: str, scores: Scores, mode: Direction | None = None
) -> tuple[Measure | None, float | None, str]:
    """Return the measure of a name and its value, else None and the problem in words."""
    found: list[Measure] = []

    def value() -> float:
        found.append(measure_for(name, scores, mode))
        return _finite_value(found[0], scores)

    known, problem = attempted(value)
    return (found[0] if found else None), known, problem


Computed = TypeVar("Computed")


def attempted(compute: Callable[[], Computed]) -> tuple[Computed | None, str]:
    """Return what a function computes, else None and the problem in words: code of the user's may raise anything."""
    try:
        return compute(), ""
    except Exception as error:  # noqa: BLE001 - a measure or a column of the user's
        text = " ".join(str(error).split()) or type(error).__name__
        kind = "" if isinstance(error, InvalidValueError) else f"{type(error).__name__}: "
        return None, f"{kind}{text}"


def _finite_value(measure: Measure, scores: Scores) -> float:
    value = float(measure.value(scores.target, _seen_by(measure, scores), scores.weight))
    if not np.isfinite(value):
        raise InvalidValueError(f"{measure.name} of these rows is {value}")
    return value


def compared(
    challenger: Scores,
    champion: Scores,
    settings: GateSettings,
    objective: Objective,
    beside: Beside | None = None,
) -> Comparison:
    """Return the difference of both versions for each rule, and for the standard measures of the task.

    Cost: a bootstrap for each measure that has no exact method, and one for each value of a slice.
    """
    name = objective.label
    versus = _Versus(challenger, champion, settings, objective, beside or Beside())
    first = versus.evidence(name, objective.mode)
    guards = [versus.guard(each, margin) for each, margin in settings.rules.not_worse.items()]
    for column, margin in settings.rules.slices.items():
        guards += versus.slices(name, objective.mode, column, margin)
    told = {each.difference.measure for each in (first, *guards) if each.difference and each.slice is None}
    further = STANDARD[challenger.task] if len(challenger) <= MOST_ROWS_SHOWN else ()
    others = (versus.evidence(each).difference for each in further if each not in told)
    return Comparison(
        len(challenger),
        first,
        tuple(guards),
        tuple(each for each in others if each is not None),
        tuple(versus.unjudged),
    )


class _Versus:
    """Two versions on the same rows."""

    def __init__(
        self,
        challenger: Scores,
        champion: Scores,
        settings: GateSettings,
        objective: Objective,
        beside: Beside,
    ) -> None:
        self._challenger, self._champion = challenger, champion
        self._settings, self._objective, self._beside = settings, objective, beside
        self.unjudged: list[tuple[str, str, int]] = []  # column, value and rows of slices with too few
        self._cluster: Array | None = None
        self._no_cluster: str | None = None
        if settings.cluster is not None:
            try:
                self._cluster = column_of(challenger, settings.cluster)
            except InvalidValueError as error:
                self._no_cluster = str(error)

    def evidence(self, name: str, mode: Direction | None = None, **more: Any) -> Evidence:
        """Return the difference in one measure on all rows."""
        everywhere = np.ones(len(self._challenger), dtype=bool)
        return self._on(everywhere, name, mode, **more)

    def guard(self, name: str, margin: Margin) -> Evidence:
        """Return the difference in a guard: of the predictions, or of the model itself."""
        if name == SIZE:
            return _told(name, {"margin": margin}, self._size)
        if LATENCY.fullmatch(name):
            return _told(name, {"margin": margin}, lambda: self._latency(name))
        return self.evidence(name, self._mode_of(name), margin=margin)

    def _mode_of(self, name: str) -> Direction | None:
        """Return the mode of the objective for a guard on the objective itself."""
        return self._objective.mode if same_measure(name, self._objective.label) else None

    def slices(self, name: str, mode: Direction, column: str, margin: Margin) -> Iterator[Evidence]:
        """Yield the difference in the objective for each value of a column that has rows enough."""
        more: dict[str, Any] = {"margin": margin, "slice": (column, "*")}
        try:
            values = column_of(self._challenger, column)
        except InvalidValueError as error:
            yield Evidence(name, **more, problem=str(error))
            return
        found, counts = np.unique(values, return_counts=True)
        least = self._settings.min_rows
        large = found[counts >= least]
        few = counts < least
        self.unjudged += [
            (column, str(value), int(rows))
            for value, rows in zip(found[few], counts[few], strict=True)
            if len(large)
        ]
        if not 0 < len(large) <= MOST_SLICES:
            why = (
                f"no value of {column} has {least:,} rows"
                if not len(large)
                else f"{column} has {len(large)} values"
            )
            limit = "" if not len(large) else f", more than {MOST_SLICES}"
            yield Evidence(name, **more, problem=f"{why}{limit}, so the objective cannot be judged for each")
        for value in large[:MOST_SLICES] if len(large) <= MOST_SLICES else ():
            yield self._on(values == value, name, mode, margin=margin, slice=(column, str(value)))

    def _on(self, rows: Array, name: str, mode: Direction | None, **more: Any) -> Evidence:
        def difference() -> Difference:
            if self._no_cluster is not None:
                raise InvalidValueError(self._no_cluster)
            measure = measure_for(name, self._challenger, mode)
            ours, theirs = (_seen_by(measure, each)[rows] for each in (self._challenger, self._champion))
            weight = self._challenger.weight
            return compare(
                measure,
                self._challenger.target[rows],
                ours,
                theirs,
                weight=None if weight is None else weight[rows],
                cluster=None if self._cluster is None else self._cluster[rows],
                draws=self._settings.draws,
                seed=self._settings.bootstrap_seed,
            )

        return _told(name, more, difference)

    def _size(self) -> Difference:
        ours, theirs = self._beside.challenger_bytes, self._beside.champion_bytes
        if ours is None or theirs is None:
            raise InvalidValueError("the size of the files of both versions is not known")
        return compare_exact(SIZE, ours, theirs, mode=SMALLER)

    def _latency(self, name: str) -> Difference:
        one, other = self._challenger.predict_one, self._champion.predict_one
        if one is None or other is None:
            raise InvalidValueError("the scorer gives no 'predict_one' to measure the latency with")
        seed = self._settings.bootstrap_seed
        limit_s = min(60.0, self._settings.timeout_s / 4)
        ours, theirs = timings(one, other, len(self._challenger), seed=seed, limit_s=limit_s)
        found = LATENCY.fullmatch(name)
        assert found is not None  # noqa: S101 - the caller has matched it
        return compare_timings(
            ours, theirs, quantile=int(found[1]) / 100, draws=self._settings.draws, seed=seed, relative=False
        )


def _told(measure: str, more: Mapping[str, Any], difference: Callable[[], Difference]) -> Evidence:
    """Return the evidence of a difference; what an own measure or an own column raises is a problem too."""
    found, problem = attempted(difference)
    if found is None:
        return Evidence(measure, **more, problem=problem)
    values = (found.challenger, found.champion, found.gain)
    if not np.isfinite(values).all():
        return Evidence(measure, **more, problem=f"its values are {values[0]} and {values[1]}")
    return Evidence(measure, **more, difference=found)


def _seen_by(measure: Measure, scores: Scores) -> Array:
    """Return predictions as a measure takes them: labels by the version's own threshold for a measure of labels."""
    if scores.threshold is None or scores.task is not Task.BINARY or measure.reads is not Reads.LABELS:
        return scores.prediction
    return (scores.prediction >= scores.threshold).astype(int)  # labels are whole numbers
