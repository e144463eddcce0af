"""Three pictures of a run: its learning curves, its ROC curve and its calibration.

Drawn with matplotlib's object interface on the Agg canvas: no window, no global state.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.scoring import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAIN, VAL, QUIET = "#8c8c8c", "#1f6fb4", "#bdbdbd"
_CALIBRATION_BINS = 10


def draw(folder: Path, history: Sequence[dict[str, float]], best_epoch: int, scores: Scores) -> list[Path]:
    """Draw curves.png, roc.png and calibration.png into a folder, which is made; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "curves": curves(history, best_epoch),
        "roc": roc(scores),
        "calibration": calibration(scores),
    }
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=110)
    return paths


def curves(history: Sequence[dict[str, float]], best_epoch: int) -> "Figure":
    """Loss, accuracy and AUC by epoch, training and validation, with the best epoch marked."""
    from matplotlib.ticker import MaxNLocator

    figure, panels = _figure(columns=3, width=10.5)
    epochs = range(1, len(history) + 1)
    for axes, name in zip(panels, ("loss", "acc", "auc"), strict=True):
        for kind, colour in (("train", TRAIN), ("val", VAL)):
            if f"{kind}_{name}" in history[0]:
                values = [each[f"{kind}_{name}"] for each in history]
                axes.plot(epochs, values, color=colour, marker="o", markersize=2.5, linewidth=1.5, label=kind)
        axes.axvline(best_epoch, color=QUIET, linewidth=1, linestyle="--", zorder=0)
        axes.set(title={"acc": "accuracy", "auc": "validation AUC"}.get(name, name), xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].plot([], [], color=QUIET, linestyle="--", linewidth=1, label=f"best epoch ({best_epoch})")
    panels[0].legend(framealpha=1, edgecolor="none")
    return figure


def roc(scores: Scores) -> "Figure":
    """The ROC curve on the test split."""
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
    """Predicted against observed frequency on the test split, in bins of equally many rows."""
    figure, (axes,) = _figure(columns=1, width=4.4, height=4.2)
    rows = np.argsort(scores.probabilities)
    bins = [each for each in np.array_split(rows, _CALIBRATION_BINS) if len(each)]
    predicted = [scores.probabilities[each].mean() for each in bins]
    observed = np.array([scores.target[each].mean() for each in bins])
    error = 1.96 * np.sqrt(observed * (1 - observed) / [len(each) for each in bins])
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--", label="perfect")
    axes.errorbar(
        predicted, observed, yerr=error, color=VAL, marker="o", markersize=4, linewidth=1.2, capsize=2,
        label="model (95% interval)",
    )  # fmt: skip
    top = min(1.0, 1.1 * max(max(predicted), (observed + error).max()))
    axes.set(
        title="Calibration, test split",
        xlabel="predicted probability",
        ylabel="observed frequency",
        xlim=(-0.02 * top, top),
        ylim=(-0.02 * top, top),
        aspect="equal",
    )
    axes.legend(frameon=False, loc="upper left")
    return figure


def _figure(*, columns: int, width: float, height: float = 3.2) -> "tuple[Figure, Sequence[Axes | Any]]":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, columns, squeeze=False)[0]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#eeeeee", linewidth=0.8)
        axes.set_axisbelow(True)
    return figure, panels
