"""The run of a training is opened when it begins, and ends as it did."""

import copy
import importlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tracking import ExperimentTracker, InvalidValueError, active_run
from tracking.errors import InvalidNameError
from tracking.integrations import huggingface
from tracking.integrations.huggingface import Following
from tracking.integrations.lightning import Logging
from tracking.integrations.live import Live, log
from tracking.integrations.sklearn import log_search
from tracking.integrations.training import Training
from tracking.records import RunRecord
from tracking.run import Run


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


class Fitted:
    cv_results_ = {"params": [{"C": 1}], "mean_test_score": [0.5]}  # noqa: RUF012 - as searches have it


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


def test_trainings_in_threads_have_a_run_each(tracker: ExperimentTracker, base: Path) -> None:
    begun = threading.Barrier(3, timeout=60)

    def one(number: int) -> None:
        training = Training("ctr", store=base)
        training.begin({"number": number})
        begun.wait()
        training.log({"loss": float(number)}, 0)
        training.end()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, range(3)))
    found = sorted((each.params["number"], each.summary["loss"].last) for each in recorded(tracker))
    assert found == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert {each.status.value for each in recorded(tracker)} == {"completed"}


@pytest.mark.parametrize("held", [Training, Following, Logging])
def test_what_holds_its_run_in_a_thread_does_not_share_it_with_other_threads(
    tracker: ExperimentTracker, base: Path, held: type[Training]
) -> None:
    begun = threading.Barrier(3, timeout=60)

    def one(number: int) -> None:
        holder = held("ctr", store=base)
        with holder if isinstance(holder, Training) else nullcontext(holder):
            holder.run.log({"number": number})
            if isinstance(holder, Logging):
                holder.live.hold()
            begun.wait()
            train(Training("other", store=base), (float(number),))
            begun.wait()
        if isinstance(holder, Logging):
            holder.finalize("success")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, range(3)))
    found = sorted((each.summary["number"].last, each.summary["loss"].last) for each in recorded(tracker))
    assert found == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert {(each.status.value, each.experiment_name) for each in recorded(tracker)} == {("completed", "ctr")}


@pytest.mark.parametrize("opens", [lambda _tracker: log({}), lambda tracker: tracker.start_run("open")])
def test_trainings_in_threads_log_into_a_run_that_is_of_none(
    tracker: ExperimentTracker,
    base: Path,
    opens: Callable[[ExperimentTracker], Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(base.parent)
    run = opens(tracker)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _number: train(Training("other", store=base)), range(3)))
    run.finish()
    (record,) = ExperimentTracker(run.run_dir.parents[1]).records()
    assert record.summary["loss"].count == 6


def test_a_search_has_runs_of_its_own_beside_the_training_of_another_thread(
    tracker: ExperimentTracker, base: Path
) -> None:
    training = Training("ctr", store=base)

    class Watched(Fitted):
        cv_results_ = {"params": [{"C": 1}, {"C": 2}, {"C": 3}], "mean_test_score": [0.5, 0.6, 0.7]}  # noqa: RUF012

    training.begin({"lr": 0.1})
    with ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(log_search, Watched(), "search", store=base).result()) == 3
    training.end()
    assert [(each.experiment_name, each.params) for each in recorded(tracker)] == [
        ("ctr", {"lr": 0.1}),
        ("search", {"C": 1}),
        ("search", {"C": 2}),
        ("search", {"C": 3}),
    ]


def test_a_training_of_another_thread_does_not_log_into_a_candidate_of_a_search(
    tracker: ExperimentTracker, base: Path
) -> None:
    class Scores(list[float]):
        def __getitem__(self, row: Any) -> Any:  # it is asked while the candidate is logged
            with ThreadPoolExecutor(1) as pool:
                pool.submit(train, Training("beside", store=base)).result()
            return super().__getitem__(row)

    class Watched(Fitted):
        cv_results_ = {"params": [{"C": 1}, {"C": 2}], "mean_test_score": Scores([0.5, 0.6])}  # noqa: RUF012

    log_search(Watched(), "search", store=base)
    assert sorted((each.experiment_name, *each.summary) for each in recorded(tracker)) == [
        ("beside", "loss"),
        ("beside", "loss"),
        ("search", "mean_test_score"),
        ("search", "mean_test_score"),
    ]


def fold(base: Path, number: int) -> None:
    for _ in range(2):
        train(Training("fold", store=base), (float(number),))
    log({"in_a_child": 1.0})


FOLD = """
import sys
from tracking.integrations.live import log
from tracking.integrations.training import Training
for _ in range(2):
    training = Training("fold", store=sys.argv[1])
    training.begin({"lr": 0.1})
    training.log({"loss": 1.0}, 0)
    training.end()
log({"in_a_child": 1.0})
"""


def folds(base: Path, start: str) -> None:
    if start == "program":
        for _ in range(3):
            subprocess.run([sys.executable, "-c", FOLD, base], cwd=Path(__file__).parents[3], check=True)
        return
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        list(pool.map(fold, [base] * 3, range(3)))


@pytest.mark.parametrize("start", ["program", "fork"])
def test_trainings_in_other_processes_do_not_log_into_the_run_that_one_has_left(
    tracker: ExperimentTracker, base: Path, start: str
) -> None:
    left = Training("left", store=base)
    left.begin({})
    folds(base, start)
    first, *others = recorded(tracker)
    # it is open for what is no training
    assert (first.status.value, set(first.summary)) == ("running", {"in_a_child"})
    assert len(others) == 6
    assert {each.status.value for each in others} == {"completed"}
    train(Training("next", store=base))
    assert not {name for name in os.environ if name.startswith("PODIUM_RUN")}


@pytest.mark.parametrize("start", ["program", "fork"])
def test_trainings_in_processes_that_a_block_starts_log_into_its_run(
    tracker: ExperimentTracker, base: Path, start: str
) -> None:
    with Training("ctr", store=base):
        folds(base, start)
    (record,) = recorded(tracker)
    assert (record.status.value, record.summary["loss"].count) == ("completed", 6)


def test_a_training_within_another_has_a_run_of_its_own_and_the_outer_one_is_completed(
    tracker: ExperimentTracker, base: Path
) -> None:
    outer = Training("outer", store=base)
    outer.begin({})
    outer.log({"loss": 1.0}, 0)
    train(Training("inner", store=base))
    outer.log({"loss": 0.5}, 1)
    outer.end()
    assert [
        (each.experiment_name, each.status.value, each.summary["loss"].count) for each in recorded(tracker)
    ] == [("outer", "completed", 2), ("inner", "completed", 2)]


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


MADE: list[Callable[..., object]] = [
    Training,
    Following,
    Logging,
    Live,
    lambda **named: log_search(Fitted(), **named),
]


@pytest.mark.parametrize("made", MADE)
def test_what_is_given_as_a_run_is_one_that_has_not_ended(
    tracker: ExperimentTracker, made: Callable[..., object]
) -> None:
    with pytest.raises(InvalidValueError, match="run is 'run_001'; give an open run"):
        made(run="run_001")
    with tracker.start_run("ctr") as run:
        pass
    with pytest.raises(InvalidValueError, match="run is run_001, which has ended; give an open run"):
        made(run=run)
    opened = tracker.open_run("run_001")
    made(run=opened)  # opened again, it may be logged into
    opened.log({"loss": 1.0})
    made(run=run)
    opened.finish()
    assert len(recorded(tracker)) == 1


def test_a_run_that_ends_before_its_training_begins_is_refused_then(tracker: ExperimentTracker) -> None:
    with tracker.start_run("ctr") as run:
        training = Training(run=run)
    with pytest.raises(InvalidValueError, match="run is run_001, which has ended"):
        training.begin({"lr": 0.1})
    assert recorded(tracker)[0].params == {}


@pytest.mark.parametrize("made", [Training, Following, Logging])
def test_an_argument_that_is_none_is_named_with_those_that_are(made: Callable[..., object]) -> None:
    with pytest.raises(
        TypeError, match=r"^Tracking.* has no argument 'nosuch'; it takes experiment, and by name"
    ):
        made(nosuch=1)
    with pytest.raises(TypeError, match=r"^Tracking.* takes experiment by place, and by name store, run"):
        made("ctr", "store")


@pytest.mark.parametrize("name", ["store", "experiment"])
@pytest.mark.parametrize("value", [5, "", b"x"])
def test_a_place_that_is_none_is_refused_and_nothing_is_made(
    base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for made in (Training, Following):
        with pytest.raises(
            (InvalidNameError, InvalidValueError), match=rf"{name}.* {re.escape(repr(value))}"
        ):
            made(**{"experiment": "ctr", "store": base, name: value}).run  # noqa: B018 - it is opened here
    assert not list(tmp_path.rglob("run_*"))
