"""Comparison: runs as rows of a table, kept by column, for a DataFrame or JSON."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tracking.extras import require
from tracking.records import RunRecord, RunStatus
from tracking.repeats import REPEAT, Spread, group_by, key_of, without_repeats

if TYPE_CHECKING:  # pandas is only loaded by those who ask for a frame
    import pandas as pd

COLUMNS = ("run_id", "experiment_name", "status", "created_at")

Column = list[Any]
Columns = dict[str, Column]

MISSING = object()  # the value of a parameter that a run lacks; None is a value like any other


@dataclass(frozen=True)
class Comparison:
    """A row per run: its own fields, its parameters, its last metric values; columns in the order first seen.

    MISSING marks a parameter or a metric that a run lacks and another run has.
    """

    about: Columns
    params: Columns
    metrics: Columns

    @classmethod
    def of_runs(cls, runs: Sequence[tuple[Mapping[str, Any], RunRecord]]) -> "Comparison":
        """Return the comparison of runs, each given as its dict and its record."""
        return cls(
            {name: [shown[name] for shown, _ in runs] for name in COLUMNS},
            columns_of([run.params for _, run in runs]),
            columns_of([run.last_values for _, run in runs]),
        )

    def columns(self) -> Columns:
        """Return all columns by name; a name that occurs twice becomes `params.NAME` and `metrics.NAME`."""
        params, metrics = self.titles()
        return {
            **self.about,
            **{params[name]: column for name, column in self.params.items()},
            **{metrics[name]: column for name, column in self.metrics.items()},
        }

    def titles(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the columns' names of the parameters and of the metrics."""
        params = _names("params.", self.params, {*self.about, *self.metrics})
        return params, _names("metrics.", self.metrics, {*self.about, *self.params, *params.values()})

    def frame(self, *, differing: bool = False, grouped: bool = False) -> "pd.DataFrame":
        """Return the columns as a DataFrame, with NaN for MISSING; see `grouped` and `differing`."""
        require("frames")
        import pandas as pd

        if grouped:
            return self.grouped().frame(differing=differing)
        if differing:
            return self.differing().frame()
        columns = {
            name: [math.nan if value is MISSING else value for value in column]
            for name, column in self.columns().items()
        }
        return pd.DataFrame(columns, columns=list(columns))

    def differing(self) -> "Comparison":
        """Return only the parameters and metrics that differ between rows."""
        about = {name: column for name, column in self.about.items() if name in ("run_id", "run_ids", "n")}
        return Comparison(about, _differing(self.params), _differing(self.metrics))

    def grouped(self) -> "Comparison":
        """Return one row per group of completed runs that differ only in the seed.

        A group is the runs of one experiment with equal parameters, except those called `seed` or ending in `_seed`
        or `.seed`. NAME is the mean over the runs that have the metric, NAME_std the sample standard deviation (NaN
        for one run). Groups come in the order of their first runs.
        """
        names = [name for name in self.params if not REPEAT.fullmatch(name)]
        completed = [row for row, status in enumerate(self.about["status"]) if status == RunStatus.COMPLETED]

        def shared(row: int) -> tuple[Any, ...]:
            params = (key_of(without_repeats(self.params[name][row])) for name in names)
            return (self.about["experiment_name"][row], *params)

        groups = group_by(completed, shared)
        firsts = [rows[0] for rows in groups]
        about: Columns = {
            "run_ids": [[self.about["run_id"][row] for row in rows] for rows in groups],
            "experiment_name": [self.about["experiment_name"][row] for row in firsts],
            "n": [len(rows) for rows in groups],
        }
        params = {name: [without_repeats(self.params[name][row]) for row in firsts] for name in names}
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
    """Return rows as columns, in the order in which their names are first seen."""
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
