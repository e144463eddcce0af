"""The names of the measures of each task, and other names that mean the same; it loads no library of numbers."""

import re

_BINARY = (
    "auc",
    "average_precision",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "log_loss",
    "brier",
    "calibration_error",
    "max_calibration_error",
)
MEASURE_NAMES: dict[str, tuple[str, ...]] = {
    "binary": _BINARY,
    "multiclass": ("auc", "accuracy", "balanced_accuracy", "f1", "log_loss"),
    "regression": ("rmse", "mse", "mae", "r2"),
}
_SAME = {
    "acc": "accuracy",
    "auroc": "auc",
    "roc_auc": "auc",
    "macro_auc": "auc",
    "macro_f1": "f1",
    "pr_auc": "average_precision",
    "logloss": "log_loss",
    "nll": "log_loss",
    "cross_entropy": "log_loss",
    "brier_score": "brier",
    "ece": "calibration_error",
}
_SPLIT = re.compile(r"^(train|val|valid|validation|test|promotion)[_/]")


def standard_name(name: str) -> str:
    """Return the name of the measure that a metric's name means: auc for val_auc and auroc; else the name without its split."""
    plain = _SPLIT.sub("", name)
    return _SAME.get(plain, plain)
