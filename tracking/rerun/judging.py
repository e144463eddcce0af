"""Judge a run that was made again: identical, within the noise of other seeds, or different, and why."""

import getpass
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracking.metrics.history import read_history
from tracking.records import RunRecord, RunStatus
from tracking.rerun.differences import compare_environments, compare_points, in_words
from tracking.rerun.noise import SHARE
from tracking.rerun.remembered import object_of
from tracking.rerun.result import Likeness, MetricDifference, Noise, RerunResult
from tracking.store.store import Store
from tracking.values import timestamps
from tracking.values.units import counted


@dataclass(frozen=True)
class Compared:
    """A run and the one made again, side by side."""

    first: RunRecord
    again: RunRecord
    points: int
    metrics: tuple[MetricDifference, ...]
    not_compared: tuple[str, ...]
    environment: Mapping[str, tuple[Any, Any]]

    @property
    def has_same_data(self) -> bool:
        """Whether both runs recorded the same fingerprint of their data, or none."""
        return self.first.fingerprint == self.again.fingerprint

    @property
    def is_identical(self) -> bool:
        """Whether all points are equal, and there are any."""
        return self.has_same_data and not self.metrics and self.points > 0

    @property
    def is_open(self) -> bool:
        """Whether runs with other seeds may decide."""
        return self.has_same_data and not self.is_identical

    def result(
        self, noise: Noise | None, code: Sequence[str], config: Sequence[Any], *, took_s: float
    ) -> RerunResult:
        """Return the result, with its verdict and a sentence."""
        verdict = Likeness.IDENTICAL if self.is_identical else Likeness.DIFFERENT
        if self.is_open and noise is not None and noise.holds:
            verdict = Likeness.WITHIN_NOISE
        return RerunResult(
            run_id=self.first.run_id,
            new_run=self.again.run_id,
            verdict=verdict,
            sentence=self._sentence(verdict, noise, code),
            at=timestamps.parse(timestamps.now()),
            by=_user(),
            took_s=round(took_s, 3),
            points=self.points,
            metrics=self.metrics,
            not_compared=self.not_compared,
            noise=noise,
            data=(self.first.fingerprint, self.again.fingerprint),
            code=tuple(code),
            config=tuple(str(each) for each in config),
            environment=self.environment,
        )

    def _sentence(self, verdict: Likeness, noise: Noise | None, code: Sequence[str]) -> str:
        first, again = self.first.run_id, self.again.run_id
        if verdict is Likeness.IDENTICAL:
            return f"{again} repeats {first} to the last digit: {counted(self.points, 'point')}"
        told = _in_noise(first, noise) if noise is not None else ""
        if verdict is Likeness.WITHIN_NOISE:
            return f"{told}; {again} is not identical"
        why = [*self._reasons(), *([told] if told else []), *in_words(self.environment), *code[:1]]
        return f"{again} differs from {first}: {'; '.join(why)}"

    def _reasons(self) -> Iterator[str]:
        if not self.has_same_data:
            yield "the data changed"
        if self.metrics:
            each = self.metrics[0]
            more = f" (and {len(self.metrics) - 1} more)" if len(self.metrics) > 1 else ""
            yield f"{each.metric} is {_shown(each.again)}, was {_shown(each.first)}{more}"
        elif not self.points:
            yield "there is no metric to compare"


def compare(store: Store, first: RunRecord, again: RunRecord) -> Compared:
    """Compare all points of two runs of a store, their data and their environments."""
    paths = [store.paths.run(each.run_id) for each in (first, again)]
    histories = [read_history(each) for each in paths]
    points, metrics, left_out = compare_points(*histories, is_cut=first.status is RunStatus.PRUNED)
    environments = [object_of(each.environment) for each in paths]
    found = compare_environments(*environments)
    return Compared(first, again, points, tuple(metrics), tuple(left_out), found)


def _in_noise(first: str, noise: Noise) -> str:
    span = f"{noise.low:.6g} to {noise.high:.6g}"
    where = "within" if noise.holds else "outside"
    is_repeated = all(seed is None for seed in noise.seeds)
    others = f"{counted(len(noise.values), 'run')} {'without' if is_repeated else 'with other'} seeds"
    return (
        f"{noise.metric} {noise.first:.6g} of {first} lies {where} {span}, where by {others} a further one "
        f"lies in {SHARE:.0%} of cases"
    )


def _shown(value: Any) -> str:
    return "missing" if value is None else str(value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
