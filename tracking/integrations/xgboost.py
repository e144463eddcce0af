"""A callback of XGBoost that logs a training: one point per data set, metric and round.

`TrackingCallback` is made when it is asked for, as its base class is XGBoost's.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tracking.integrations.training import Training, callback_of
from tracking.values.floats import shortened
from tracking.values.plain import flat

PREFIX = "xgboost"
# Second names of settings, and what is about XGBoost itself: the booster's config has more than anybody has set.
_NOT_KEPT = frozenset(
    {
        "debug_synchronize",
        "disable_default_eval_metric",
        "fail_on_invalid_gpu_id",
        "learning_rate",
        "max_cached_hist_node",
        "max_row_perbatch",
        "min_split_loss",
        "n_jobs",
        "random_state",
        "refresh_leaf",
        "reg_alpha",
        "reg_lambda",
        "sparse_threshold",
        "updater_seq",
        "validate_parameters",
    }
)

History = Mapping[str, Mapping[str, Sequence[Any]]]


class _TrackingCallback(Training):
    """Logs what is evaluated in each round, as `validation/auc`, with the round as the step.

    `xgboost.cv` gives the mean over the folds as `test/auc`, and as `test/auc_std` its standard deviation. Parameters are
    those that the booster goes by, defaults included, under XGBoost's own names: `xgboost.eta`, `xgboost.max_depth`. When
    the run is asked to stop, the training stops after that round. Of a distributed training the first worker logs. The
    arguments are those of `Training`.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        _base().__init__(self)
        Training.__init__(self, *args, **named)
        self._history: History = {}
        self._next = 0  # the entry of the history that is not logged yet
        self._before = 0  # rounds that the booster had when the training began

    def before_training(self, model: Any) -> Any:
        """Open the run, if none is, and log the parameters of the booster."""
        folds = getattr(model, "cvfolds", None)  # of xgboost.cv
        booster = folds[0].bst if folds else model
        self._history, self._next, self._before = {}, 0, booster.num_boosted_rounds()
        if self.logs_here():
            self.begin(flat({PREFIX: parameters(json.loads(booster.save_config()))}))
        return model

    def before_iteration(self, model: Any, epoch: int, evals_log: History) -> bool:  # noqa: ARG002 - XGBoost's signature
        """Note the history: no callback hears of a round after one before it has ended the training."""
        self._history = evals_log
        return False

    def after_iteration(self, model: Any, epoch: int, evals_log: History) -> bool:  # noqa: ARG002 - XGBoost's signature
        """Log a round; return whether the run was asked to stop."""
        should_stop = False
        if self.logs_here():
            self._log_new()
            should_stop = self.should_stop()
        return self._agreed(should_stop)

    def after_training(self, model: Any) -> Any:
        """Log what is left, and complete a run of its own."""
        if self.logs_here():
            self._log_new()
            self.end()
        return model

    def _log_new(self) -> None:
        for rank in range(self._next, _length(self._history)):
            self.log(dict(_points(self._history, rank)), self._before + rank)
            self._next = rank + 1

    def logs_here(self) -> bool:
        """Return whether this is the first worker, or the only one."""
        from xgboost import collective

        return bool(collective.get_rank() == 0)

    @staticmethod
    def _agreed(should_stop: bool) -> bool:
        """Return what the first worker has heard, to all of them: each waits for the others in the next round."""
        from xgboost import collective

        if collective.get_world_size() == 1:
            return should_stop
        return bool(collective.broadcast(should_stop, 0))


def parameters(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a booster goes by, from its `save_config`: the settings of its training, of its trees and its objective."""
    learner = config["learner"]
    found = dict(_settings(learner.get("gradient_booster", {})))
    found |= dict(_settings(learner.get("objective", {}), "_param"))
    found |= dict(_settings({"_train_param": learner.get("generic_param", {})}))
    return found | dict(_settings({"_train_param": learner.get("learner_train_param", {})}))


def _settings(section: Mapping[str, Any], ending: str = "_train_param") -> Iterator[tuple[str, Any]]:
    for name, value in section.items():
        if not isinstance(value, Mapping):
            continue
        if name.endswith(ending):
            yield from ((key, _number(each)) for key, each in value.items() if key not in _NOT_KEPT)
        else:
            yield from _settings(value, ending)


def _number(text: Any) -> Any:
    for kind in (int, float):
        with suppress(TypeError, ValueError):
            return shortened(kind(text))
    return text


def _length(history: History) -> int:
    return max((len(points) for metrics in history.values() for points in metrics.values()), default=0)


def _points(history: History, rank: int) -> Iterator[tuple[str, Any]]:
    for data, metrics in history.items():
        for metric, points in metrics.items():
            if rank >= len(points):
                continue
            if isinstance(points[rank], tuple):  # of xgboost.cv
                yield f"{data}/{metric}", points[rank][0]
                yield f"{data}/{metric}_std", points[rank][1]
            else:
                yield f"{data}/{metric}", points[rank]


def _base() -> Any:
    from xgboost.callback import TrainingCallback

    return TrainingCallback


def __getattr__(name: str) -> Any:
    if name != "TrackingCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = callback_of(_TrackingCallback, _base(), __name__)
    globals()[name] = made  # so that it is the same one the next time, for pickles too
    return made
