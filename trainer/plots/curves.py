"""Learning curves: the metrics of each epoch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainer.plots.sheet import QUIET, TRAIN, VAL, figure_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves(history: Sequence[dict[str, float]], best_epoch: int) -> "Figure":
    """Plot the metrics by epoch for training and validation, with the best epoch marked: loss, accuracy and AUC, or loss, RMSE and R2."""
    from matplotlib.ticker import MaxNLocator

    figure, panels = figure_of(columns=3, width=10.5)
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
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panels[0].plot([], [], color=QUIET, linestyle="--", linewidth=1, label=f"best epoch ({best_epoch})")
    panels[0].legend(framealpha=1, edgecolor="none")
    return figure
