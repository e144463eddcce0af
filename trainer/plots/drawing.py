"""All plots of a run, by its task, as PNG files; the bins of the calibration as CSV."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.statistics.formulas import decided
from trainer.data.target import Target, TaskKind
from trainer.plots.calibration import calibration, table
from trainer.plots.curves import curves
from trainer.plots.of_numbers import predicted_by_true, residuals
from trainer.plots.several_classes import confusion, roc_by_class
from trainer.plots.two_classes import precision_recall, roc
from trainer.tasks.scores import Scores
from trainer.tasks.threshold import HALF, codes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    folder: Path,
    history: Sequence[dict[str, float]],
    best_epoch: int,
    scores: Scores,
    labels: Target | None = None,
    *,
    threshold: float | None = None,
) -> list[Path]:
    """Write the plots of a run into a new folder, and of two classes the table of their calibration; return the plots.

    `labels` name the classes; the confusion matrix of two is drawn at `threshold`, by default at one half.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in _figures(history, best_epoch, scores, labels, threshold):
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=110)
    if scores.task is TaskKind.BINARY:
        (folder / "calibration.csv").write_text(table(scores))
    return paths


def _figures(
    history: Sequence[dict[str, float]],
    best_epoch: int,
    scores: Scores,
    labels: Target | None,
    threshold: float | None,
) -> "Iterator[tuple[str, Figure]]":
    yield "curves", curves(history, best_epoch)
    classes = labels.classes if labels is not None else ("0", "1")
    if scores.task is TaskKind.BINARY:
        yield "roc", roc(scores)
        yield "precision_recall", precision_recall(scores)
        yield "calibration", calibration(scores)
        cut = HALF if threshold is None else threshold
        yield (
            "confusion",
            confusion(scores.target, codes(scores.probabilities, cut), classes, f", from {cut:.3g} on"),
        )
    elif scores.task is TaskKind.MULTICLASS:
        yield "roc", roc_by_class(scores, classes)
        yield "confusion", confusion(scores.target, decided(scores.probabilities), classes)
    else:
        yield "predicted_by_true", predicted_by_true(scores)
        yield "residuals", residuals(scores)
