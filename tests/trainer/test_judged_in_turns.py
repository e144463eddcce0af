"""Trainings that are judged while they take turns in one process, pause and go on, give the numbers that they give alone."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import forked
import pytest
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.types import HydraContext, RunMode
from waiting_jobs import WaitingJobs

from sweeps.executor.local import server_process
from sweeps.executor.local.executor import LocalExecutor
from sweeps.executor.local.program import Common
from sweeps.jobs import Event, EventKind, Job, JobStatus, Outcome
from sweeps.plan.compose import Composer
from sweeps.settings.launcher_settings import LauncherSettings
from tracking import ExperimentTracker
from trainer.app import CONF
from trainer.task import train

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("hydra_restore_singletons")]

RATES = (0.001, 0.003, 0.01)
# What a job that waits after so many epochs does: go on until it waits again, or to its end (None); else it pauses.
GOES_ON: dict[tuple[int, int], int | None] = {(1, 1): 2, (2, 1): 3, (2, 3): 4, (2, 4): None, (1, 4): None}
LEVELS = {0: {1: 3, 3: None}, 1: {2: 4}}  # where a job that was paused goes on to


def planned(folder: Path) -> tuple[Common, list[Job]]:
    loader = ConfigLoaderImpl(create_config_search_path(str(CONF)))
    words = [
        "data.rows=3000",
        "training.epochs=5",
        "model.dropout=0.3",
        "model.hidden_dims=[16]",
        "device=cpu",
        "hydra.mode=MULTIRUN",
    ]
    words += [
        f"paths.experiments={folder / 'experiments'}",
        f"hydra.sweep.dir={folder}",
        "hydra.sweep.subdir='jobs/${hydra.job.num}'",
    ]
    config = loader.load_configuration("config", words, RunMode.MULTIRUN)
    composer = Composer(loader, config, words)
    jobs = []
    for number, rate in enumerate(RATES):
        overrides = (f"training.learning_rate={rate}",)
        made = composer.job_config(number, overrides)
        jobs.append(Job(number, f"key-{number}", "hash", overrides, {}, made.folder, made.packed()))
    objective = {"metric": "val_auc", "mode": "max", "at": "best"}
    return Common(HydraContext(loader, Callbacks()), train, folder.name, objective=objective), jobs


def run_jobs(common: Common, jobs: Sequence[Job], judge: Any = None) -> dict[int, Outcome]:
    settings = LauncherSettings(1, 1, (), grace_s=60.0)
    return {each.job: each for each in LocalExecutor(settings, common).run(jobs, lambda _event: None, judge)}


def judge(arrivals: Sequence[tuple[int, int, Path]]) -> dict[int, int | None]:
    return {job: GOES_ON[job, level] for job, level, _ in arrivals if (job, level) in GOES_ON}


def going_on(job: Job, outcome: Outcome) -> Job:
    """Return the next attempt at a job that was paused."""
    level = len(numbers(outcome)["val_auc"])
    return replace(job, attempt=job.attempt + 1, previous=outcome.runs, until=LEVELS[job.number][level])


def numbers(outcome: Outcome) -> Mapping[str, Any]:
    folder = Path(outcome.runs[-1])
    found = ExperimentTracker(folder.parents[1]).get_run(folder.name)
    assert found is not None
    return {
        name: [each["value"] for each in points if each["step"] is not None] or points[-1]["value"]
        for name, points in found["metrics"].items()
    }


@pytest.fixture(scope="module", autouse=True)
def forkservers() -> Iterator[None]:
    """Have the processes of jobs begin with torch imported."""
    with pytest.MonkeyPatch.context() as patch:
        popen = {**vars(subprocess), "Popen": forked.Server.of("trainer").command}
        patch.setattr(server_process, "subprocess", SimpleNamespace(**popen))
        yield


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Mapping[str, Any]]:
    """The numbers of trainings that ran each in a process of its own, in one go."""
    outcomes = run_jobs(*planned(tmp_path_factory.mktemp("alone")))
    return {number: numbers(outcome) for number, outcome in outcomes.items()}


def check(ended: Mapping[int, Outcome], alone: Mapping[int, Mapping[str, Any]]) -> None:
    assert {number: str(outcome.status) for number, outcome in ended.items()} == dict.fromkeys(
        ended, "completed"
    )
    assert {number: outcome.attempt for number, outcome in ended.items()} == {0: 3, 1: 2, 2: 1}
    assert {number: len(outcome.runs) for number, outcome in ended.items()} == dict.fromkeys(range(3), 1)
    for number, outcome in ended.items():
        assert numbers(outcome) == alone[number]


def test_trainings_that_pause_in_turns_give_the_numbers_of_trainings_alone(
    tmp_path: Path, alone: Mapping[int, Mapping[str, Any]]
) -> None:
    common, jobs = planned(tmp_path)
    asked: list[list[tuple[int, int]]] = []

    def ask(arrivals: Sequence[tuple[int, int, Path]]) -> dict[int, int | None]:
        asked.append([(job, level) for job, level, _ in arrivals])
        return judge(arrivals)

    waiting = [replace(job, group="all", until=1) for job in jobs]
    ended: dict[int, Outcome] = {}
    while waiting:
        outcomes = run_jobs(common, waiting, ask)
        ended |= outcomes
        paused = [job for job in waiting if outcomes[job.number].status is JobStatus.PRUNED]
        waiting = [going_on(job, outcomes[job.number]) for job in paused]
    assert asked[0] == [(0, 1), (1, 1), (2, 1)]  # in one question
    check(ended, alone)


def test_trainings_that_join_those_of_a_process_give_the_numbers_of_trainings_alone(
    tmp_path: Path, alone: Mapping[int, Mapping[str, Any]]
) -> None:
    common, jobs = planned(tmp_path)
    begun = {job.number: replace(job, group="all", until=1) for job in jobs}
    search, events, ended = WaitingJobs(begun.values()), list[Event](), dict[int, Outcome]()
    settings = LauncherSettings(1, 1, (), grace_s=60.0)
    for outcome in LocalExecutor(settings, common).run(search, events.append, judge):
        ended[outcome.job] = outcome
        if outcome.status is JobStatus.PRUNED:
            begun[outcome.job] = going_on(begun[outcome.job], outcome)
            search.waiting.append(begun[outcome.job])
    started = [event.data["pid"] for event in events if event.kind is EventKind.STARTED]
    assert len(started) == 6
    assert len(set(started)) < 3
    check(ended, alone)
