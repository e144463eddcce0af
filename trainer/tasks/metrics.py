"""The metrics that a run logs beside loss, accuracy and AUC, by their names; `tracking.statistics.formulas` holds them.

Each takes the target and the predictions of a split, and what its rows count for, if that differs. A metric that is not
defined, as with NaN among the predictions, is NaN.
"""

from collections.abc import Callable

import numpy as np

from tracking.statistics.formulas import (
    average_precision,
    balanced_accuracy,
    brier,
    calibration_error,
    f1,
    macro_f1,
    mae,
    max_calibration_error,
    r2,
    rmse,
)
from trainer.data.encode import Array
from trainer.data.target import TaskKind

Metric = Callable[[Array, Array, Array | None], float]

METRICS: dict[TaskKind, dict[str, Metric]] = {  # beside loss, accuracy and auc
    TaskKind.BINARY: {
        "average_precision": average_precision,
        "balanced_accuracy": balanced_accuracy,
        "f1": f1,
        "brier": brier,
        "calibration_error": calibration_error,
        "max_calibration_error": max_calibration_error,
    },
    TaskKind.MULTICLASS: {"balanced_accuracy": balanced_accuracy, "f1": macro_f1},
    TaskKind.REGRESSION: {"rmse": rmse, "mae": mae, "r2": r2},
}


def measure(
    kind: TaskKind, name: str, target: Array, predictions: Array, weight: Array | None = None
) -> float:
    """Return one of METRICS; NaN for predictions that are not finite."""
    if not np.isfinite(predictions).all():
        return float("nan")
    return METRICS[kind][name](target, predictions, weight)
