"""Metrics of the user: functions that `metrics.NAME._target_` names, called with the target and the predictions of a split.

Each is logged as `val_NAME` per epoch and as `test_NAME` at the end, and may be the objective. For classes the target is
codes, and the predictions are probabilities, or codes where the function's second parameter is called as labels are.
"""

import inspect
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from tracking.statistics.formulas import decided
from trainer.data.encode import Array
from trainer.data.target import TaskKind
from trainer.errors import ConfigError
from trainer.targets import bound, users_code

logger = logging.getLogger(__name__)

LABELS = (
    "y_pred",
    "predictions",
    "predicted",
    "prediction",
    "labels",
    "y_hat",
)  # names of a second parameter
WEIGHTS = ("sample_weight", "weights", "weight")
# Functions of scikit-learn whose `y_pred` are probabilities.
_OF_PROBABILITIES = ("log_loss", "d2_log_loss_score")


class OwnMetric:
    """One metric: its name, and the function with its arguments."""

    def __init__(self, name: str, spec: Mapping[str, Any]) -> None:
        self.name = name
        self.key = f"metrics.{name}._target_={spec['_target_']}"
        given = {key: value for key, value in spec.items() if key != "takes"}
        self._function = bound(f"metrics.{name}", given)
        try:
            signature = inspect.signature(self._function.func)
            signature.bind(None, None, **self._function.keywords)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"{self.key}: {error}; a metric is called with the target and the predictions, and with the other keys of "
                "its section"
            ) from error
        parameters = signature.parameters
        second = [*parameters][1] if len(parameters) > 1 else ""
        is_of_labels = second in LABELS and self._function.func.__name__ not in _OF_PROBABILITIES
        self._takes = spec.get("takes") or ("labels" if is_of_labels else "probabilities")
        self._weights = next((each for each in WEIGHTS if each in parameters), None)
        self._is_told = False

    def __call__(self, kind: TaskKind, target: Array, predictions: Array, weight: Array | None) -> float:
        """Return the metric, and warn once if it is NaN. Raise ConfigError for a function that raises or returns no number."""
        if kind is not TaskKind.REGRESSION:
            target = target.astype(np.int64)
            predictions = decided(predictions) if self._takes == "labels" else predictions
        with users_code(self.key):
            value = float(self._function(target, predictions, **self._counting(weight)))
        if value != value and not self._is_told:
            self._is_told = True
            logger.warning("%s returned NaN for %d rows", self.key, len(target))
        return value

    def _counting(self, weight: Array | None) -> dict[str, Array]:
        return {} if weight is None or self._weights is None else {self._weights: weight}


def build_metrics(section: Mapping[str, Any] | None) -> list[OwnMetric]:
    """Return the metrics of a config's section; raise ConfigError for one that cannot be called."""
    return [OwnMetric(name, spec) for name, spec in (section or {}).items() if spec is not None]
