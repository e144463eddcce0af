"""Plots of a regression: predicted against true values, and the residuals."""

from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.data.encode import Array
from trainer.plots.sheet import VAL, figure_of
from trainer.tasks.scores import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 3000  # rows that are drawn as points; more would hide each other


def predicted_by_true(scores: Scores) -> "Figure":
    """Plot the predicted value by the true one on the test split; on the dashed line they are equal."""
    figure, (axes,) = figure_of(columns=1, width=4.6, height=4.2)
    low = float(min(scores.target.min(), scores.probabilities.min()))
    high = float(max(scores.target.max(), scores.probabilities.max()))
    margin = 0.03 * (high - low) or 1.0
    _rows(figure, axes, scores.target, scores.probabilities)
    axes.axline((low, low), slope=1, color="#555555", linewidth=1, linestyle="--")
    axes.set(
        title=f"Predicted by true, test split (R2 {scores.metric('r2'):.4f})",
        xlabel="true",
        ylabel="predicted",
        xlim=(low - margin, high + margin),
        ylim=(low - margin, high + margin),
        aspect="equal",
    )
    _thin_ticks(axes)
    return figure


def residuals(scores: Scores) -> "Figure":
    """Plot true minus predicted on the test split: by the predicted value, and how it is spread."""
    figure, (by_value, spread) = figure_of(columns=2, width=8.6, height=3.6)
    rest = scores.target - scores.probabilities
    _rows(figure, by_value, scores.probabilities, rest)
    by_value.axhline(0, color="#555555", linewidth=1, linestyle="--")
    by_value.set(title="Residuals, test split", xlabel="predicted", ylabel="true - predicted")
    _thin_ticks(by_value)
    spread.hist(rest, bins="auto" if len(rest) < 50 else min(60, int(np.sqrt(len(rest)))), color=VAL)
    spread.axvline(0, color="#555555", linewidth=1, linestyle="--")
    spread.set(
        title=f"mean {rest.mean():.4g}, RMSE {scores.metric('rmse'):.4g}",
        xlabel="true - predicted",
        ylabel="rows",
    )
    _thin_ticks(spread, counts=True)
    return figure


def _rows(figure: "Figure", axes: Any, x: Array, y: Array) -> None:
    """Draw rows: as points, or of many rows how many lie where."""
    if len(x) <= _POINTS:
        axes.scatter(x, y, s=max(4, min(30, 3000 / len(x))), color=VAL, alpha=0.5, linewidths=0)
        return
    cells = axes.hexbin(x, y, gridsize=45, bins="log", mincnt=1, cmap="Blues", linewidths=0.1)
    figure.colorbar(cells, ax=axes, shrink=0.8, label="rows")


def _thin_ticks(axes: Any, *, counts: bool = False) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=counts))
    axes.ticklabel_format(scilimits=(-3, 4))
