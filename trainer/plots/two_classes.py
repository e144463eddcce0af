"""Plots of two classes: ROC, precision and recall."""

from typing import TYPE_CHECKING

import numpy as np

from tracking.statistics import ranked
from trainer.plots.sheet import QUIET, SQUARE, VAL, figure_of
from trainer.tasks.scores import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def roc(scores: Scores) -> "Figure":
    """Plot the ROC curve on the test split."""
    figure, (axes,) = figure_of(columns=1, width=4.4, height=4.2)
    false_positive, true_positive = ranked.roc_curve(scores.target > 0, scores.probabilities, scores.weight)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--")
    axes.plot(false_positive, true_positive, color=VAL, linewidth=1.8)
    axes.set(
        title=f"ROC, test split (AUC {scores.auc:.4f})",
        xlabel="false positive rate",
        ylabel="true positive rate",
        xlim=SQUARE,
        ylim=SQUARE,
        aspect="equal",
    )
    return figure


def precision_recall(scores: Scores) -> "Figure":
    """Plot precision by recall on the test split; the dashed line is the share of positive rows, a guess's precision."""
    figure, (axes,) = figure_of(columns=1, width=4.4, height=4.2)
    precision, recall = ranked.precision_recall_curve(scores.target > 0, scores.probabilities, scores.weight)
    axes.axhline(np.average(scores.target, weights=scores.weight), color=QUIET, linewidth=1, linestyle="--")
    # A step, because a line between two thresholds would promise precisions that none has.
    axes.plot(recall, precision, color=VAL, linewidth=1.8, drawstyle="steps-post")
    axes.set(
        title=f"Precision and recall, test split (AP {scores.metric('average_precision'):.4f})",
        xlabel="recall",
        ylabel="precision",
        xlim=SQUARE,
        ylim=SQUARE,
        aspect="equal",
    )
    return figure
