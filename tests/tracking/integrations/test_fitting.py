"""A training goes on, and is logged as far as it can be, whatever its metrics and parameters are called and hold."""

import math
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, InvalidValueError, Run
from tracking.integrations.fitting import Fitting
from tracking.integrations.lightning import Logging
from tracking.integrations.summary_writer import SummaryWriter
from tracking.integrations.training import Training

ODD = {"acc\n1": 1.0, "": 2.0, "loss": 0.5, "text": "x", "table": [1, 2], "none": None, "on": True}


def logged(run: Run) -> dict[str, float]:
    """Return the last values of a run's metrics."""
    record = ExperimentTracker(run.run_dir.parents[1]).record(run.run_id)
    assert record is not None
    return {name: each.last for name, each in record.summary.items()}


def params(run: Run) -> dict[str, Any]:
    """Return the parameters of a run."""
    record = ExperimentTracker(run.run_dir.parents[1]).record(run.run_id)
    assert record is not None
    return dict(record.params)


def by_lightning(base: Path, metrics: dict[str, Any]) -> Run:
    logger = Logging("ctr", store=base)
    for step in range(2):
        logger.log_metrics(metrics, step)
    logger.finalize("success")
    return logger.run


def by_scalars(base: Path, metrics: dict[str, Any]) -> Run:
    with SummaryWriter("ctr", store=str(base)) as writer:
        for step in range(2):
            for name, value in metrics.items():
                writer.add_scalar(name, value, step)
    return writer.run


def by_hparams(base: Path, metrics: dict[str, Any]) -> Run:
    with SummaryWriter("ctr", store=str(base)) as writer:
        for step in range(2):
            writer.add_hparams({}, metrics, global_step=step)
    return writer.run


def by_callback(base: Path, metrics: dict[str, Any]) -> Run:
    """As those of Keras, XGBoost, LightGBM and Hugging Face log."""
    training = Training("ctr", store=base)
    training.begin({})
    for step in range(2):
        training.log(metrics, step)
    training.end()
    return training.run


@pytest.mark.parametrize("logs", [by_lightning, by_scalars, by_hparams, by_callback])
def test_names_are_escaped_and_what_is_no_number_is_left_out_with_one_warning(
    base: Path, caplog: pytest.LogCaptureFixture, logs: Any
) -> None:
    run = logs(base, ODD)
    assert logged(run) == {"acc\\n1": 1.0, "unnamed": 2.0, "loss": 0.5, "on": 1}
    assert [message.partition(" is left out")[0] for message in caplog.messages] == [
        "metric 'text'",
        "metric 'table'",
        "metric 'none'",
    ]
    assert "a metric is one real number" in caplog.messages[0]


def test_booleans_of_arrays_are_0_and_1(base: Path) -> None:
    torch, numpy = pytest.importorskip("torch"), pytest.importorskip("numpy")
    given = {"a": True, "b": torch.tensor(False), "c": numpy.bool_(True), "d": torch.tensor([True])}
    assert logged(by_scalars(base, given)) == {"a": 1, "b": 0, "c": 1, "d": 1}


def test_a_step_that_is_none_is_refused(tracker: ExperimentTracker) -> None:
    with tracker.start_run("ctr") as run, pytest.raises(InvalidValueError, match="step must be"):
        Fitting().log(run, {"on": True}, "first")


def test_parameters_that_a_run_refuses_are_left_out_and_the_others_kept(
    base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    itself: dict[str, Any] = {"lr": 0.1}
    itself["again"] = itself["more"] = itself
    given = {
        "a\nb": 1,
        "": 2,
        "rows": bytes(2000),
        "text": "\ud800",
        "big": 10**400,
        "depth": 3,
        "nan": math.nan,
    }
    logger = Logging("ctr", store=base)
    for _ in range(2):
        logger.log_hyperparams({**given, "cfg": {"lr": 0.1, "rows": bytes(2000)}, "itself": itself})
    logger.finalize("success")
    with SummaryWriter("ctr", store=str(base)) as writer:
        writer.add_hparams(given, {"hp": True})
    kept = {"a\\nb": 1, "unnamed": 2, "depth": 3, "nan": math.nan}
    assert str(params(logger.run)) == str({**kept, "cfg.lr": 0.1})
    assert str(params(writer.run)) == str(kept)
    left_out = [message.partition(" is left out")[0] for message in caplog.messages]
    assert left_out == [
        f"parameter {name!r}" for name in ("itself", "rows", "text", "big", "cfg.rows", "rows", "text", "big")
    ]
    assert caplog.messages[0] == "parameter 'itself' is left out: it holds itself"


def test_lists_of_networks_and_arrays_are_their_classes_and_shapes(base: Path) -> None:
    torch = pytest.importorskip("torch")
    logger = Logging("ctr", store=base)
    layers = [torch.nn.Linear(1, 1), torch.nn.ReLU()]
    logger.log_hyperparams({"layers": layers, "weights": (torch.zeros(2000), torch.zeros(2))})
    logger.finalize("success")
    assert params(logger.run) == {
        "layers": ["torch.nn.modules.linear.Linear", "torch.nn.modules.activation.ReLU"],
        "weights": ["Tensor of shape (2000,)", [0.0, 0.0]],
    }
