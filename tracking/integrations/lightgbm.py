"""A callback of LightGBM that logs a training: one point per data set, metric and round.

LightGBM takes any callable, so this module needs it only to stop a training.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tracking.integrations.training import Training
from tracking.values.plain import flat

PREFIX = "lightgbm"

Scores = Sequence[
    tuple[Any, ...]
]  # (data set, metric, value, is the highest the best, standard deviation over folds)


class TrackingCallback(Training):
    """Logs what is evaluated in each round, as `valid_0/auc`, with the round as the step.

    `lightgbm.cv` gives the mean over the folds as `valid/auc`, and as `valid/auc_std` its standard deviation. Parameters
    are those of the call: `lightgbm.num_leaves`. When the run is asked to stop, the training stops after that round as
    LightGBM's early stopping does: `best_iteration` is the best round so far by the first metric of the first validation
    set, the last round where there is none. The last round ends the training, if no other callback has stopped it before:
    LightGBM tells nobody of that, so put a `with` around a training with early stopping. The arguments are those of
    `Training`.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        # LightGBM reads these. Early stopping has the order 30, and would hide its last round from callbacks after it.
        self.order = 25
        self.before_iteration = False
        self._best: tuple[int, Scores] | None = None

    def __call__(self, env: Any) -> None:
        """Log a round; raise EarlyStopException where the run was asked to stop."""
        scores: Scores = env.evaluation_result_list or []
        if env.iteration == env.begin_iteration:
            self._best = None
            rounds = env.end_iteration - env.begin_iteration
            self.begin(flat({PREFIX: {"num_iterations": rounds, **env.params}}))
        self._note_best(env, scores)
        self.log(_points(scores), env.iteration)
        is_last = env.iteration == env.end_iteration - 1
        should_stop = self.should_stop()
        if is_last or should_stop:
            self.end()
        if should_stop and not is_last:
            from lightgbm.callback import EarlyStopException

            best_iteration, best_scores = self._best or (env.iteration, scores)
            raise EarlyStopException(best_iteration, list(best_scores))

    def _note_best(self, env: Any, scores: Scores) -> None:
        if _is_dart(env.params):
            return  # its later rounds change the trees of earlier ones
        trained_on = {"train", getattr(env.model, "_train_data_name", "training")}
        value = _first(scores, trained_on)
        if value is None:
            return
        best = _first(self._best[1], trained_on) if self._best else None
        if best is None or value > best:
            self._best = env.iteration, scores


def _first(scores: Scores, trained_on: set[str]) -> float | None:
    """Return the first value that is not of the training data, turned so that the highest is the best."""
    for data, _, value, is_highest_best, *_ in scores:
        if data not in trained_on:
            return float(value if is_highest_best else -value)
    return None


def _is_dart(params: Mapping[str, Any]) -> bool:
    return any(params.get(name) == "dart" for name in ("boosting", "boosting_type", "boost"))


def _points(scores: Scores) -> dict[str, Any]:
    found = {}
    for data, metric, value, _, *spread in scores:
        found[f"{data}/{metric}"] = value
        if spread and spread[0] is not None:
            found[f"{data}/{metric}_std"] = spread[0]
    return found
