"""Calibration: how often the positive class occurs where the model predicts it with some probability."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracking.statistics.formulas import CALIBRATION_BINS, width_bins
from trainer.data.encode import Array
from trainer.plots.sheet import QUIET, VAL, figure_of
from trainer.tasks.scores import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Bin(NamedTuple):
    """Rows of similar predictions: how many, what was predicted and what occurred, with a 95% interval."""

    rows: int
    predicted: float
    observed: float
    low: float
    high: float


def bins_of(scores: Scores, rows: Sequence[Array]) -> list[Bin]:
    """Return the bins that hold these rows; rows that count for more weigh more in their means."""
    found = []
    for each in rows:
        weight = None if scores.weight is None else scores.weight[each]
        if weight is not None and not weight.any():
            continue
        observed = float(np.average(scores.target[each].astype(np.float64), weights=weight))
        low, high = wilson(np.array([observed]), np.array([len(each)]))
        predicted = float(np.average(scores.probabilities[each], weights=weight))
        found.append(Bin(len(each), predicted, observed, float(low[0]), float(high[0])))
    return found


def table(scores: Scores) -> str:
    """Return the bins as CSV: those of the plot, of equally many rows, and those of the errors, of equal width."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("bins", "bin", *Bin._fields))
    writer.writerows(_rows("equal rows", bins_of(scores, quantile_bins(scores.probabilities))))
    writer.writerows(_rows("equal width", bins_of(scores, _by_width(scores.probabilities))))
    return text.getvalue()


def _rows(kind: str, bins: Sequence[Bin]) -> Iterator[tuple[Any, ...]]:
    for number, each in enumerate(bins, start=1):
        yield kind, number, *each


def _by_width(values: Array) -> list[Array]:
    place = width_bins(values)
    return [rows for each in range(CALIBRATION_BINS) if len(rows := np.flatnonzero(place == each))]


def calibration(scores: Scores) -> "Figure":
    """Plot predicted against observed frequency on the test split, in bins of equally many rows.

    Each axis shows the range of the bins alone, so that predictions in a narrow range stay apart.
    """
    figure, (axes,) = figure_of(columns=1, width=4.4, height=4.2)
    bins = bins_of(scores, quantile_bins(scores.probabilities))
    predicted, observed, low, high = (np.array([each[place] for each in bins]) for place in range(1, 5))
    axes.errorbar(
        predicted, observed, yerr=[observed - low, high - observed], color=VAL, marker="o", markersize=4,
        linewidth=1.2, elinewidth=1, capsize=2, label="model (95% interval)",
    )  # fmt: skip
    axes.set(
        title="Calibration, test split",
        xlabel="predicted probability, in bins of equally many rows",
        ylabel="observed frequency",
    )
    axes.margins(0.06)
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())  # fixed, because the next line goes beyond the bins
    axes.axline((0, 0), slope=1, color=QUIET, linewidth=1, linestyle="--", label="perfect", zorder=0)
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    return figure


def quantile_bins(values: Array) -> list[Array]:
    """Return the row numbers of up to ten bins of about equally many rows; equal values share a bin."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, CALIBRATION_BINS + 1)))
    place = np.searchsorted(edges[1:-1], values, side="right")
    return [rows for each in range(len(edges)) if len(rows := np.flatnonzero(place == each))]


def wilson(share: Array, rows: Array) -> tuple[Array, Array]:
    """Return Wilson's 95% interval of an observed share, which has a width at 0 and 1, too."""
    z = 1.96
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2)) / (1 + z**2 / rows)
    return np.minimum(centre - half, share), np.maximum(centre + half, share)
