"""Which run of several is the best, and by what."""

from collections.abc import Sequence
from typing import NamedTuple

from tracking import compare
from tracking.records import RunRecord


class Ranking(NamedTuple):
    """Runs with the best first, and what decided."""

    metric: str | None
    mode: str
    runs: list[RunRecord]

    @property
    def best(self) -> RunRecord | None:
        """The best one, if any has the metric."""
        return compare.best(self.runs, self.metric, self.mode) if self.metric else None


def rank(runs: Sequence[RunRecord], metric: str | None, mode: str | None) -> Ranking:
    """The runs by a metric, by default the best available one, in the direction that suits it."""
    chosen_metric = metric or compare.best_available_metric(runs)
    direction = mode or compare.mode_of(chosen_metric or "")
    return Ranking(chosen_metric, direction, compare.ranked(runs, chosen_metric or "", direction))
