"""Comparison: runs beside each other as columns, for a table, a DataFrame or JSON."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tracking.records import RunRecord, RunStatus
from tracking.repeats import SEED, Spread, group_by, key_of, without_seeds

if TYPE_CHECKING:  # pandas is only loaded by those who ask for a frame
    import pandas as pd

COLUMNS = ("run_id", "experiment_name", "status", "created_at")

Column = list[Any]
Columns = dict[str, Column]


class _Missing:
    """The value of a parameter that a run does not have; one that it has may be None."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


@dataclass(frozen=True)
class Comparison:
    """A row per run: what it is, its parameters, its last metric values; each set of columns in the order first seen.

    MISSING stands where a run lacks a parameter or a metric that another has.
    """

    about: Columns
    params: Columns
    metrics: Columns

    @classmethod
    def of_runs(cls, runs: Sequence[tuple[Mapping[str, Any], RunRecord]]) -> "Comparison":
        """The comparison of runs that are given as their dict and record."""
        return cls(
            {name: [shown[name] for shown, _ in runs] for name in COLUMNS},
            columns_of([run.params for _, run in runs]),
            columns_of([run.last_values for _, run in runs]),
        )

    def columns(self) -> Columns:
        """All columns by their names. A name that would be two becomes `params.NAME` and `metrics.NAME`."""
        params = _names("params.", self.params, {*self.about, *self.metrics})
        metrics = _names("metrics.", self.metrics, {*self.about, *self.params, *params.values()})
        return {
            **self.about,
            **{params[name]: column for name, column in self.params.items()},
            **{metrics[name]: column for name, column in self.metrics.items()},
        }

    def frame(self) -> "pd.DataFrame":
        """The columns as a DataFrame; what is missing is NaN."""
        import pandas as pd

        columns = {
            name: [math.nan if value is MISSING else value for value in column]
            for name, column in self.columns().items()
        }
        return pd.DataFrame(columns, columns=list(columns))

    def differing(self) -> "Comparison":
        """Only what tells the rows apart: the parameters and metrics that are not the same in all of them."""
        about = {name: column for name, column in self.about.items() if name in ("run_id", "run_ids", "n")}
        return Comparison(about, _differing(self.params), _differing(self.metrics))

    def grouped(self) -> "Comparison":
        """Completed runs that are alike in all but the seed as one row: how many, mean and deviation of each metric.

        Alike are runs of one experiment with equal parameters, those called `seed` or ending in `_seed` or `.seed`
        left aside. NAME is the mean over the runs that have the metric, NAME_std their sample standard deviation (NaN
        for one run). Groups come in the order of their first runs.
        """
        names = [name for name in self.params if not SEED.fullmatch(name)]
        completed = [row for row, status in enumerate(self.about["status"]) if status == RunStatus.COMPLETED]

        def shared(row: int) -> tuple[Any, ...]:
            params = (key_of(without_seeds(self.params[name][row])) for name in names)
            return (self.about["experiment_name"][row], *params)

        groups = group_by(completed, shared)
        firsts = [rows[0] for rows in groups]
        about: Columns = {
            "run_ids": [[self.about["run_id"][row] for row in rows] for rows in groups],
            "experiment_name": [self.about["experiment_name"][row] for row in firsts],
            "n": [len(rows) for rows in groups],
        }
        params = {name: [without_seeds(self.params[name][row]) for row in firsts] for name in names}
        metrics: Columns = {}
        for name, column in self.metrics.items():
            values = [[column[row] for row in rows if column[row] is not MISSING] for rows in groups]
            deviation = f"{name}_std"
            while deviation in self.metrics:
                deviation += "_"
            spreads = [Spread.of(some) for some in values]
            metrics[name] = [spread.mean if spread.n else MISSING for spread in spreads]
            metrics[deviation] = [spread.std if spread.n else MISSING for spread in spreads]
        return replace(self, about=about, params=params, metrics=metrics)


def columns_of(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Rows as columns, in the order in which their names are first seen."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, MISSING) for row in rows] for name in names}


def _names(prefix: str, names: Iterable[str], others: set[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    taken = others | set(names)
    for name in names:
        column = name
        if name in others:
            while column in taken:
                column = prefix + column
        columns[name] = column
        taken.add(column)
    return columns


def _differing(columns: Columns) -> Columns:
    return {name: column for name, column in columns.items() if len(set(map(key_of, column))) > 1}
