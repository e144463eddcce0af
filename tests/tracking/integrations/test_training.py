"""The run of a training is opened when it begins, and ends as it did."""

import copy
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import pytest
from trained import Fitted, recorded, train

from tracking import ExperimentTracker, InvalidValueError, active_run
from tracking.integrations import huggingface
from tracking.integrations.huggingface import Following
from tracking.integrations.lightning import Logging
from tracking.integrations.live import Live, log
from tracking.integrations.sklearn import log_search
from tracking.integrations.training import Training


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


def test_each_block_of_one_callback_has_a_run_of_its_own(tracker: ExperimentTracker, base: Path) -> None:
    training = Training("ctr", store=base)
    for _ in range(2):
        with training:
            train(training)
    train(training)
    with training:
        train(training)
        train(training)
    training.begin({})  # which raises, say
    with training:
        train(training)
    found = [(each.status.value, "loss" in each.summary) for each in recorded(tracker)]
    assert found == [("completed", True)] * 4 + [("ended", False), ("completed", True)]


def test_a_block_goes_on_with_the_run_of_an_evaluation_before_it(
    tracker: ExperimentTracker, base: Path
) -> None:
    training = Training("ctr", store=base)
    training.run.log({"test_loss": 2.0})
    training.end()
    with training:
        assert active_run() is training.run
        train(training)
    assert [(each.status.value, len(each.summary)) for each in recorded(tracker)] == [("completed", 2)]


def test_what_a_user_says_of_a_training_that_raised_stays(tracker: ExperimentTracker, base: Path) -> None:
    training = Training("ctr", store=base)
    training.begin({})
    training.run.finish("failed", "the loss diverged")
    train(training)
    assert [each.status.value for each in recorded(tracker)] == ["failed", "completed"]


def test_a_copy_in_a_training_has_a_run_of_its_own_and_leaves_that_of_the_training(
    tracker: ExperimentTracker, base: Path
) -> None:
    training = Training("ctr", store=base)
    training.begin({"lr": 0.1})
    with ThreadPoolExecutor(1) as pool:
        pool.submit(train, copy.deepcopy(training)).result()
    assert recorded(tracker)[0].status.value == "running"
    training.log({"loss": 0.5}, 0)
    training.end()
    assert len(recorded(tracker)) == 2
    assert {each.status.value for each in recorded(tracker)} == {"completed"}


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


def test_after_a_training_its_run_is_looked_at_and_none_is_made(
    tracker: ExperimentTracker, base: Path
) -> None:
    training = Training("ctr", store=base)
    for number in (1, 2):
        train(training)
        run = training.run
        assert (run.run_id, len(recorded(tracker))) == (f"run_00{number}", number)
        assert recorded(tracker)[-1].status.value == "completed"
    training.run.log({"test_loss": 0.6})
    training.end()
    assert [each.status.value for each in recorded(tracker)] == ["completed"] * 2
    assert recorded(tracker)[1].summary["test_loss"].last == 0.6
    with training:
        train(training)
    assert (training.run.run_id, len(recorded(tracker))) == ("run_003", 3)
    train(copy.deepcopy(training))
    train(training)
    assert [each.status.value for each in recorded(tracker)] == ["completed"] * 5


def test_a_run_that_a_training_left_open_is_not_that_of_another_one(
    tracker: ExperimentTracker, base: Path
) -> None:
    for step in range(3):
        left = Training("ctr", store=base)
        left.begin({"number": step})
        left.log({"loss": float(step)}, step)
        log({"test_loss": 0.5})  # the run is open until the next training begins
    train(Training("ctr", store=base))
    assert [(each.status.value, each.summary["loss"].last) for each in recorded(tracker)] == [
        ("ended", 0.0),
        ("ended", 1.0),
        ("ended", 2.0),
        ("completed", 0.5),
    ]
    assert [each.summary["test_loss"].count for each in recorded(tracker)[:3]] == [1] * 3


@pytest.mark.parametrize(
    "begins",
    [
        lambda base: train(Training("next", store=base)),
        lambda base: Training("next", store=base).run,
        lambda base: Training("next", store=base).__enter__(),
        lambda base: Live("next", store=base, of_training=True),
        lambda base: log_search(Fitted(), "next", store=base),
        lambda base: Logging("next", store=base).live,
        lambda base: Following("next", store=base).run,
    ],
)
def test_whatever_trains_next_ends_the_run_that_a_training_left(
    tracker: ExperimentTracker, base: Path, begins: Callable[[Path], object]
) -> None:
    Training("left", store=base).begin({"lr": 0.1})
    kept = begins(base)
    first, second = recorded(tracker)
    assert (first.experiment_name, first.status.value, first.params) == ("left", "ended", {"lr": 0.1})
    assert second.experiment_name == "next"
    del kept
    if run := active_run():
        run.finish()


@pytest.mark.parametrize("held", [Training, Live, Following])
def test_a_block_holds_its_run_for_the_trainings_in_it(
    tracker: ExperimentTracker, base: Path, held: type[Training]
) -> None:
    with held("ctr", store=base):
        train(Training("other", store=base))
        Training("third", store=base).begin({})
    (record,) = recorded(tracker)
    assert (record.experiment_name, record.status.value) == ("ctr", "completed")


def test_a_further_process_of_a_training_of_hugging_face_opens_no_run(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    further = SimpleNamespace(is_world_process_zero=False, trial_params=None, global_step=1)
    with pytest.raises(ZeroDivisionError), Following("ctr", store=base):
        raise ZeroDivisionError("no")
    callback = Following("ctr", store=base)
    for _ in range(2):
        with callback:
            callback.on_train_begin(None, further, None)
            callback.on_log(
                SimpleNamespace(world_size=1), further, SimpleNamespace(should_training_stop=False)
            )
            callback.on_train_end(None, further, None)
        callback.on_evaluate(None, further, None)
        callback.on_train_begin(None, further, None)  # which raises, say
    assert not base.exists()


def test_processes_of_hugging_face_ask_together_only_where_all_of_them_are(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(huggingface, "_agreed", lambda stops, _args: asked.append(stops) or stops)
    args, control = SimpleNamespace(world_size=2), SimpleNamespace(should_training_stop=False)
    callback = Following("ctr", store=base)
    callback.begin({})
    for step in range(1, 31):
        state = SimpleNamespace(is_world_process_zero=True, global_step=step)
        callback.on_log(args, state, control, {"loss": 1.0})  # of one process, it may be
        callback.on_step_end(args, state, control)
    assert asked == [False] * 3
    (callback.run.run_dir / "stop").touch()
    for passed in (callback.on_evaluate, callback.on_epoch_end):
        control.should_training_stop = False
        passed(args, state, control)
        assert control.should_training_stop
    callback.end()
    callback.on_evaluate(args, state, control)
    assert len(asked) == 5


def test_loggers_of_lightning_side_by_side_have_one_run(tracker: ExperimentTracker, base: Path) -> None:
    first, second = Logging("ctr", store=base), Logging("other", store=base, prefix="b")
    assert first.live.run is second.live.run
    first.live.end()
    assert [each.status.value for each in recorded(tracker)] == ["completed"]


def test_parameters_that_an_open_run_has_stay_beside_those_of_lightning(
    tracker: ExperimentTracker, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("lightning_utilities")
    with tracker.start_run("ctr", params={"lr": 7, "seed": 1}):
        logger = Logging(store=base)
        logger.log_hyperparams({"lr": 0.1, "seed": 1, "layers": 2})
        logger.log_hyperparams({"layers": 3})  # which is its own
        assert logger.run.run_id == "run_001"
    assert recorded(tracker)[0].params == {"lr": 7, "seed": 1, "layers": 3}
    assert caplog.messages == ["run_001: the parameter lr stays 7; that of the module, 0.1, is not logged"]
    logger = Logging("own", store=base)
    for lr in (0.1, 0.2):
        logger.log_hyperparams({"lr": lr})
    logger.live.end()
    assert recorded(tracker)[1].params == {"lr": 0.2}


def test_a_prefix_is_a_text() -> None:
    with pytest.raises(InvalidValueError, match="prefix is 5; give a text"):
        Logging(prefix=5)  # type: ignore[arg-type]


def test_a_run_that_an_evaluation_has_ended_is_open_again_in_the_training_after_it(
    tracker: ExperimentTracker, base: Path
) -> None:
    training = Training("ctr", store=base)
    training.run.log({"test_loss": 2.0})
    training.end()
    training.run.log({"baseline": 2.0})  # opens it again
    assert active_run() is None
    training.begin({"lr": 0.1})
    assert active_run() is training.run
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(log, {"in_a_child": 1.0}).result()
    assert recorded(tracker)[0].status.value == "running"
    training.end()
    (record,) = recorded(tracker)
    assert (record.status.value, set(record.summary)) == (
        "completed",
        {"test_loss", "baseline", "in_a_child"},
    )
    assert active_run() is None


def test_a_run_that_is_open_again_and_left_by_a_training_is_that_of_no_other_one(
    tracker: ExperimentTracker, base: Path
) -> None:
    training = Training("ctr", store=base)
    training.run.log({"test_loss": 2.0})
    training.end()
    training.begin({"lr": 0.1})
    train(Training("other", store=base))
    assert [each.status.value for each in recorded(tracker)] == ["ended", "completed"]


@pytest.mark.parametrize(("end", "status"), [("", "ended"), ("raise ValueError('no')", "failed")])
def test_a_run_that_is_open_again_ends_with_the_process_as_any_other(
    tracker: ExperimentTracker, base: Path, end: str, status: str
) -> None:
    code = f"""
from tracking.integrations.training import Training
training = Training("ctr", store={str(base)!r})
training.run.log({{"test_loss": 2.0}})
training.end()
training.begin({{}})
{end}
"""
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True)
    assert [each.status.value for each in recorded(tracker)] == [status]


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
