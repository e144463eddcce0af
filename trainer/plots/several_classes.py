"""Plots of classes: the confusion matrix, and a ROC curve for each of several classes."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tracking.statistics import ranked
from tracking.statistics.formulas import auc
from trainer.data.encode import Array
from trainer.plots.sheet import COLOURS, QUIET, SQUARE, figure_of, name_of
from trainer.tasks.scores import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WITH_SHARES = 8  # classes whose cells have room for a count and a share
_WITH_COUNTS = 20
_NAMED = 40  # classes that all have room for their names


def confusion(target: Array, predicted: Array, classes: Sequence[str], note: str = "") -> "Figure":
    """Plot how many rows of each class are predicted as which, coloured by the share of the class's rows."""
    count = len(classes)
    cells = target.astype(np.int64) * count + predicted.astype(np.int64)
    rows = np.bincount(cells, minlength=count**2).reshape(count, count)
    shares = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    side = min(13.0, max(3.4, 0.8 * count if count <= _WITH_SHARES else 3.2 + 0.4 * count))
    figure, (axes,) = figure_of(columns=1, width=side + 1.8, height=side + 0.9)
    top = max(shares.max(), 0.01)  # with many classes all shares may be small
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=top)
    step = max(1, math.ceil(count / _NAMED))
    places = range(0, count, step)
    names = [name_of(classes[place], 16 if count > 2 else 20) for place in places]
    is_long = count > 3 and max(map(len, names)) > 4
    axes.set_xticks(places, names, rotation=90 if is_long else 0)
    axes.set_yticks(places, names)
    axes.tick_params(length=0, labelsize=9 if count <= _WITH_COUNTS else 7)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set(
        title=f"Confusion matrix, test split{note}",
        xlabel="predicted" if step == 1 else f"predicted (a name per {step} classes)",
        ylabel="true",
    )
    if count <= _WITH_COUNTS:
        for (row, column), value in np.ndenumerate(rows):
            share = f"\n{shares[row, column]:.0%}" if count <= _WITH_SHARES else ""
            colour = "white" if shares[row, column] > 0.55 * top else "#333333"
            size = 9 if count <= _WITH_SHARES else 7
            axes.text(column, row, f"{value:,}{share}", ha="center", va="center", color=colour, fontsize=size)
    figure.colorbar(image, ax=axes, shrink=0.7, label="share of the true class")
    return figure


def roc_by_class(scores: Scores, classes: Sequence[str]) -> "Figure":
    """Plot the ROC curve of each class against the rest; those of the largest classes are named."""
    figure, (axes,) = figure_of(columns=1, width=7.0, height=4.2)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--")
    counts = np.bincount(scores.target.astype(np.int64), minlength=len(classes))
    order = [
        int(code) for code in np.argsort(-counts, kind="stable") if 0 < counts[code] < len(scores.target)
    ]
    for place, code in reversed([*enumerate(order)]):  # the named ones last, so that they lie above
        is_class, chance = scores.target == code, scores.probabilities[:, code]
        false_positive, true_positive = ranked.roc_curve(is_class, chance, scores.weight)
        label = f"{name_of(classes[code])} (AUC {auc(is_class, chance, scores.weight):.4f})"
        is_named = place < len(COLOURS)
        axes.plot(
            false_positive,
            true_positive,
            color=COLOURS[place] if is_named else QUIET,
            linewidth=1.5 if is_named else 0.6,
            label=label if is_named else None,
        )
    if len(order) > len(COLOURS):
        axes.plot([], [], color=QUIET, linewidth=0.6, label=f"{len(order) - len(COLOURS)} more classes")
    axes.set(
        title=f"ROC by class, test split (mean AUC {scores.auc:.4f})",
        xlabel="false positive rate",
        ylabel="true positive rate",
        xlim=SQUARE,
        ylim=SQUARE,
        aspect="equal",
    )
    handles, labels = axes.get_legend_handles_labels()
    more = [each for each in labels if each.endswith("more classes")]
    pairs = sorted(zip(labels, handles, strict=True), key=lambda pair: pair[0] in more)
    if pairs:
        named = pairs[: len(pairs) - len(more)][::-1] + pairs[len(pairs) - len(more) :]
        axes.legend(
            [handle for _, handle in named],
            [label for label, _ in named],
            frameon=False,
            loc="upper left",
            bbox_to_anchor=(1.02, 1.0),
            borderaxespad=0,
            fontsize=8,
        )
        # As wide as the legend needs: a square between white margins is far from it.
        figure.set_figwidth(4.6 + 0.075 * max(len(label) for label, _ in named))
    return figure
