"""Trainings in several threads and processes, and one within another, each log into the run that is theirs."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from trained import Fitted, recorded, train

from tracking import ExperimentTracker
from tracking.integrations.huggingface import Following
from tracking.integrations.lightning import Logging
from tracking.integrations.live import log
from tracking.integrations.sklearn import log_search
from tracking.integrations.training import Training
from tracking.run import Run


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
