"""The run of a training is opened when it begins, and ends as it did."""

import copy
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tracking import ExperimentTracker, InvalidValueError
from tracking.integrations.training import Training
from tracking.records import RunRecord


def recorded(tracker: ExperimentTracker) -> list[RunRecord]:
    return list(tracker.records())


def train(training: Training, losses: tuple[float, ...] = (1.0, 0.5)) -> None:
    training.begin({"lr": 0.1})
    for step, loss in enumerate(losses):
        training.log({"loss": loss}, step)
    training.end()


def test_nothing_is_opened_before_a_training_begins_and_each_one_has_its_own_run(
    tracker: ExperimentTracker, base: Path
) -> None:
    training = Training("ctr", store=base)
    assert not base.exists()
    train(training)
    train(training, (3.0,))
    assert [(each.experiment_name, each.status.value, each.params) for each in recorded(tracker)] == [
        ("ctr", "completed", {"lr": 0.1})
    ] * 2
    assert [each.summary["loss"].last for each in recorded(tracker)] == [0.5, 3.0]


def test_a_run_that_is_open_or_given_is_logged_into_and_goes_on(
    tracker: ExperimentTracker, base: Path
) -> None:
    with tracker.start_run("ctr") as run:
        train(Training("other", store=base))
        assert recorded(tracker)[0].status.value == "running"
        assert recorded(tracker)[0].summary["loss"].count == 2
    with tracker.start_run("given") as given, tracker.start_run("open"):
        train(Training(run=given))
    assert [each.experiment_name for each in recorded(tracker) if "loss" in each.summary] == ["ctr", "given"]
    assert run.run_id != given.run_id


def test_a_block_keeps_the_run_open_for_what_is_logged_after_the_training(
    tracker: ExperimentTracker, base: Path
) -> None:
    with Training("ctr", store=base) as training:
        train(training)
        training.run.log({"test_loss": 0.6})
    (record,) = recorded(tracker)
    assert (record.status.value, record.summary["test_loss"].last) == ("completed", 0.6)
    train(training)
    assert len(recorded(tracker)) == 2


def test_a_training_that_raises_in_a_block_fails_the_run(tracker: ExperimentTracker, base: Path) -> None:
    def broken() -> None:
        with Training("ctr", store=base) as training:
            training.begin({})
            raise ZeroDivisionError("no")

    with pytest.raises(ZeroDivisionError):
        broken()
    (record,) = recorded(tracker)
    assert (record.status.value, record.error) == ("failed", "ZeroDivisionError: no")


def test_a_run_that_a_training_left_open_has_ended_when_the_next_one_begins(
    tracker: ExperimentTracker, base: Path
) -> None:
    training = Training("ctr", store=base)
    training.begin({})
    train(training)
    assert [each.status.value for each in recorded(tracker)] == ["ended", "completed"]


def test_a_run_may_be_looked_at_before_its_training_begins(tracker: ExperimentTracker, base: Path) -> None:
    training = Training("ctr", store=base)
    training.run.set_tags({"team": "ads"})
    train(training)
    assert [(each.status.value, each.tags) for each in recorded(tracker)] == [("completed", {"team": "ads"})]


def test_a_run_that_was_open_in_a_training_that_raised_is_not_that_of_the_next(
    tracker: ExperimentTracker, base: Path
) -> None:
    training = Training("ctr", store=base)
    with tracker.start_run("first"):
        training.begin({})
    train(training)
    assert [each.experiment_name for each in recorded(tracker)] == ["first", "ctr"]


def test_a_copy_before_the_training_has_a_run_of_its_own(tracker: ExperimentTracker, base: Path) -> None:
    training = Training("ctr", store=base)
    train(copy.deepcopy(training))
    train(training)
    assert [each.status.value for each in recorded(tracker)] == ["completed"] * 2


def test_the_end_of_no_training_opens_no_run(base: Path) -> None:
    training = Training("ctr", store=base)
    training.end()
    assert not base.exists()


def test_an_integration_imports_its_framework_when_it_is_used() -> None:
    frameworks = ("keras", "lightgbm", "sklearn", "xgboost")
    code = "; ".join(f"import tracking.integrations.{name}" for name in frameworks)
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(sorted(sys.modules))"],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(re.findall(r"'(\w+)[.']", answer.stdout))
    assert "tracking" in loaded
    assert not loaded & {*frameworks, "numpy", "torch"}


@pytest.mark.parametrize("name", ["keras", "xgboost"])
def test_a_framework_that_is_not_installed_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"tracking.integrations.{name}")
    monkeypatch.delitem(vars(module), "TrackingCallback", raising=False)
    for loaded in [each for each in sys.modules if each.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=name):
        module.TrackingCallback  # noqa: B018 - it is made when it is asked for
    with pytest.raises(AttributeError, match="has no attribute 'Callback'"):
        module.Callback  # noqa: B018


def test_what_is_given_as_a_run_is_one(base: Path) -> None:
    with pytest.raises(InvalidValueError, match="run is 'run_001'; give an open run"):
        Training(run="run_001")  # type: ignore[arg-type]
