"""Three plots of a run: its learning curves, its ROC curve and its calibration.

They use matplotlib's object interface on the Agg canvas, without a window and without global state.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.data.encode import Array
from trainer.data.target import TaskKind
from trainer.scoring import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAIN, VAL, QUIET = "#8c8c8c", "#1f6fb4", "#bdbdbd"
_CALIBRATION_BINS = 10


def draw(folder: Path, history: Sequence[dict[str, float]], best_epoch: int, scores: Scores) -> list[Path]:
    """Write curves.png and, for two classes, roc.png and calibration.png into a new folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"curves": curves(history, best_epoch)}
    if scores.task is TaskKind.BINARY:
        figures |= {"roc": roc(scores), "calibration": calibration(scores)}
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
    return [folder / f"{name}.png" for name in figures]


def curves(history: Sequence[dict[str, float]], best_epoch: int) -> "Figure":
    """Plot the metrics by epoch for training and validation, with the best epoch marked: loss, accuracy and AUC, or loss, RMSE and R2."""
    from matplotlib.ticker import MaxNLocator

    figure, panels = _figure(columns=3, width=10.5)
    names = ("loss", "acc", "auc") if "val_auc" in history[0] else ("loss", "rmse", "r2")
    epochs = range(1, len(history) + 1)
    for axes, name in zip(panels, names, strict=True):
        for kind, colour in (("train", TRAIN), ("val", VAL)):
            if f"{kind}_{name}" in history[0]:
                values = [each[f"{kind}_{name}"] for each in history]
                axes.plot(epochs, values, color=colour, marker="o", markersize=2.5, linewidth=1.5, label=kind)
        axes.axvline(best_epoch, color=QUIET, linewidth=1, linestyle="--", zorder=0)
        axes.set(
            title={
                "acc": "accuracy",
                "auc": "validation AUC",
                "rmse": "validation RMSE",
                "r2": "validation R2",
            }.get(name, name),
            xlabel="epoch",
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].plot([], [], color=QUIET, linestyle="--", linewidth=1, label=f"best epoch ({best_epoch})")
    panels[0].legend(framealpha=1, edgecolor="none")
    return figure


def roc(scores: Scores) -> "Figure":
    """Plot the ROC curve on the test split."""
    from sklearn.metrics import roc_curve

    figure, (axes,) = _figure(columns=1, width=4.4, height=4.2)
    false_positive, true_positive, _ = roc_curve(scores.target, scores.probabilities)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--")
    axes.plot(false_positive, true_positive, color=VAL, linewidth=1.8)
    axes.set(
        title=f"ROC, test split (AUC {scores.auc:.4f})",
        xlabel="false positive rate",
        ylabel="true positive rate",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        aspect="equal",
    )
    return figure


def calibration(scores: Scores) -> "Figure":
    """Plot predicted against observed frequency on the test split, in bins of equally many rows.

    Each axis shows the range of the bins alone, so that predictions in a narrow range stay apart.
    """
    figure, (axes,) = _figure(columns=1, width=4.4, height=4.2)
    bins = quantile_bins(scores.probabilities)
    predicted = np.array([scores.probabilities[each].mean() for each in bins])
    observed = np.array([scores.target[each].mean() for each in bins])
    low, high = wilson(observed, np.array([len(each) for each in bins]))
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
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _CALIBRATION_BINS + 1)))
    place = np.searchsorted(edges[1:-1], values, side="right")
    return [rows for each in range(len(edges)) if len(rows := np.flatnonzero(place == each))]


def wilson(share: Array, rows: Array) -> tuple[Array, Array]:
    """Return Wilson's 95% interval of an observed share, which has a width at 0 and 1, too."""
    z = 1.96
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2)) / (1 + z**2 / rows)
    return np.minimum(centre - half, share), np.maximum(centre + half, share)


def _figure(*, columns: int, width: float, height: float = 3.2) -> "tuple[Figure, Sequence[Axes | Any]]":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # pyplot would keep the figure in a global list
    panels = figure.subplots(1, columns, squeeze=False)[0]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#eeeeee", linewidth=0.8)
        axes.set_axisbelow(True)
    return figure, panels
