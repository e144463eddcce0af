"""A callback of Keras that logs a training: one point per metric and epoch.

`TrackingCallback` is made when it is asked for, as its base class is Keras's.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidValueError
from tracking.integrations.training import Training, callback_of
from tracking.values.checks import metric_value
from tracking.values.floats import shortened
from tracking.values.plain import flat

PREFIX = "keras"


class _TrackingCallback(Training):
    """Logs what `fit` tells at the end of each epoch, with the epoch as the step: `loss`, `val_loss` and the metrics.

    Parameters get the names `keras.epochs`, `keras.optimizer.learning_rate` and so on. A metric of several values, such as
    an F1 score per class, is logged as `f1_score/0`, `f1_score/1`. When the run is asked to stop, the training stops after
    that epoch. The arguments are those of `Training`.
    """

    if TYPE_CHECKING:  # of keras.callbacks.Callback
        model: Any
        params: Mapping[str, Any] | None

    def __init__(self, *args: Any, **named: Any) -> None:
        _base().__init__(self)
        Training.__init__(self, *args, **named)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002 - Keras's signature
        """Open the run, if none is, and log the parameters of the fit."""
        self.begin(flat({PREFIX: _parameters(self.model, self.params or {})}))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log an epoch; have the training stop where the run was asked to."""
        self.log(dict(_numbers(logs or {})), epoch)
        if self.should_stop():
            self.model.stop_training = True

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002 - Keras's signature
        """Complete a run of its own."""
        self.end()

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Log an evaluation outside of `fit`, as `test_loss` and so on, into the run of the training before it."""
        if not self._trains:
            self.log({f"test_{name}": value for name, value in _numbers(logs or {})}, None)
            self.end()


def _parameters(model: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in params.items() if name != "verbose" and value is not None}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        found["optimizer"] = {
            name: shortened(value) for name, value in optimizer.get_config().items() if value is not None
        }
        # its own name counts the optimizers of the process
        found["optimizer"]["name"] = type(optimizer).__name__
    loss = getattr(model, "loss", None)
    if loss is not None:
        found["loss"] = getattr(loss, "name", loss)
    if model.built:
        found["weights"] = model.count_params()
    return found


def _numbers(logs: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the metrics of an epoch; of one with several values, each value."""
    for name, value in logs.items():
        shape: tuple[int, ...] = getattr(value, "shape", ())
        if len(shape) == 1 and shape[0] > 1:
            yield from ((f"{name}/{number}", each) for number, each in enumerate(value.tolist()))
            continue
        try:
            yield name, metric_value(name, value)
        except InvalidValueError:  # a confusion matrix, say: no curve
            continue


def _base() -> Any:
    from keras.callbacks import Callback

    return Callback


def __getattr__(name: str) -> Any:
    if name != "TrackingCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = callback_of(_TrackingCallback, _base(), __name__)
    globals()[name] = made  # so that it is the same one the next time, for pickles too
    return made
