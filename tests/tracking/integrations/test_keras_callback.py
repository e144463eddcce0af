"""Keras logs here: its epochs, the settings of a fit, a stop and an end."""

import math
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trained import last, points

from tracking import ExperimentTracker
from tracking.integrations import keras as integration

os.environ.setdefault("KERAS_BACKEND", "torch")  # which Keras reads when it is imported
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # of Keras on torch

ROWS = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
LABELS = (ROWS[:, 0] > 0).astype("float32")


@pytest.fixture
def fit() -> Callable[..., Any]:
    def fitted(callback: Any, epochs: int = 3, metrics: Any = ("accuracy",), **named: Any) -> Any:
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
        model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", metrics=list(metrics))
        named = {"validation_data": (ROWS, LABELS), "verbose": 0, "batch_size": 32, **named}
        return model.fit(
            ROWS,
            LABELS,
            epochs=epochs,
            callbacks=callback if isinstance(callback, list) else [callback],
            **named,
        )

    return fitted


def test_each_epoch_is_a_point_of_each_metric(
    tracker: ExperimentTracker, base: Path, fit: Callable[..., Any]
) -> None:
    history = fit(integration.TrackingCallback("digits", store=base)).history
    assert (last(tracker).status.value, last(tracker).experiment_name) == ("completed", "digits")
    assert set(last(tracker).summary) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert points(tracker, "val_loss") == list(enumerate(history["val_loss"]))


def test_the_settings_of_a_fit_are_parameters_as_they_were_meant(
    tracker: ExperimentTracker, base: Path, fit: Callable[..., Any]
) -> None:
    fit(integration.TrackingCallback("digits", store=base))
    params = last(tracker).params
    wanted = {
        "keras.epochs": 3,
        "keras.steps": 2,
        "keras.optimizer.name": "Adam",
        "keras.optimizer.learning_rate": 0.1,
        "keras.loss": "binary_crossentropy",
        "keras.weights": 5,
    }
    assert {name: params.get(name) for name in wanted} == wanted


def test_a_run_that_is_asked_to_stop_ends_the_training_after_the_epoch(
    tracker: ExperimentTracker, fit: Callable[..., Any]
) -> None:
    with tracker.start_run("digits") as run:
        (run.run_dir / "stop").touch()
        fit(integration.TrackingCallback(), epochs=50)
        assert last(tracker).status.value == "running"
    assert [step for step, _ in points(tracker, "loss")] == [0]


def test_a_metric_of_several_values_is_a_metric_each(
    tracker: ExperimentTracker, base: Path, fit: Callable[..., Any]
) -> None:
    class Halves(keras.metrics.Metric):  # type: ignore[misc]
        def update_state(self, *_batch: Any, **_weights: Any) -> None:
            pass

        def result(self) -> Any:
            return keras.ops.array([0.25, 0.75])

    class Table(Halves):
        def result(self) -> Any:
            return keras.ops.array([[1.0, 2.0], [3.0, 4.0]])

    class Odd(Halves):
        def result(self) -> Any:
            return keras.ops.array(math.nan)

    fit(
        integration.TrackingCallback("digits", store=base),
        metrics=[Halves(name="f1"), Table(name="confusion"), Odd(name="odd")],
    )
    assert {"f1/0", "f1/1", "val_f1/1", "odd"} <= set(last(tracker).summary)
    assert not [name for name in last(tracker).summary if "confusion" in name]
    assert points(tracker, "f1/1")[-1] == (2, 0.75)
    assert math.isnan(points(tracker, "odd")[-1][1])


def test_a_fit_that_goes_on_counts_its_epochs_on(
    tracker: ExperimentTracker, base: Path, fit: Callable[..., Any]
) -> None:
    with integration.TrackingCallback("digits", store=base) as callback:
        fit(callback, epochs=2)
        fit(callback, epochs=4, initial_epoch=2)
        callback.run.log({"test_loss": 0.5})
    assert [step for step, _ in points(tracker, "loss")] == [0, 1, 2, 3]
    assert len(tracker.records()) == 1
    assert last(tracker).status.value == "completed"


def test_a_fit_that_raises_in_a_block_fails_the_run(
    tracker: ExperimentTracker, base: Path, fit: Callable[..., Any]
) -> None:
    class Broken(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise ZeroDivisionError("no")

    with (
        pytest.raises(ZeroDivisionError),
        integration.TrackingCallback("digits", store=base) as callback,
    ):
        fit([callback, Broken()])
    assert (last(tracker).status.value, last(tracker).error) == ("failed", "ZeroDivisionError: no")


def test_it_is_a_callback_of_keras_and_always_the_same_class() -> None:
    assert issubclass(integration.TrackingCallback, keras.callbacks.Callback)
    assert integration.TrackingCallback is integration.TrackingCallback
    assert integration.TrackingCallback.__name__ == "TrackingCallback"


@pytest.mark.parametrize("in_block", [False, True])
def test_an_evaluation_after_the_training_is_logged_into_its_run(
    tracker: ExperimentTracker, base: Path, fit: Callable[..., Any], in_block: bool
) -> None:
    callback = integration.TrackingCallback("digits", store=base)
    with callback if in_block else nullcontext():
        model = fit(callback).model
        found = model.evaluate(ROWS, LABELS, callbacks=[callback], verbose=0, return_dict=True)
    assert len(tracker.records()) == 1
    assert last(tracker).status.value == "completed"
    assert points(tracker, "test_loss") == [(None, found["loss"])]
    assert points(tracker, "test_accuracy") == [(None, found["accuracy"])]
    assert len(points(tracker, "val_loss")) == 3
    assert callback.run.run_id == "run_001"
