"""Trainings that are judged while they take turns in one process, pause and go on, give the numbers that they give alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.types import HydraContext, RunMode

from sweeps.executor.local.executor import LocalExecutor
from sweeps.executor.local.program import Common
from sweeps.jobs import Job, JobStatus, Outcome
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


def numbers(outcome: Outcome) -> Mapping[str, Any]:
    folder = Path(outcome.runs[-1])
    found = ExperimentTracker(folder.parents[1]).get_run(folder.name)
    assert found is not None
    return {
        name: [each["value"] for each in points if each["step"] is not None] or points[-1]["value"]
        for name, points in found["metrics"].items()
    }


def test_trainings_that_pause_in_turns_give_the_numbers_of_trainings_alone(tmp_path: Path) -> None:
    for name in ("alone", "judged"):
        (tmp_path / name).mkdir()
    common, jobs = planned(tmp_path / "alone")
    alone = run_jobs(common, jobs)
    common, jobs = planned(tmp_path / "judged")
    asked: list[list[tuple[int, int]]] = []

    def judge(arrivals: Sequence[tuple[int, int, Path]]) -> dict[int, int | None]:
        asked.append([(job, level) for job, level, _ in arrivals])
        return {job: GOES_ON[job, level] for job, level, _ in arrivals if (job, level) in GOES_ON}

    waiting = [replace(job, group="all", until=1) for job in jobs]
    ended: dict[int, Outcome] = {}
    paused_at = dict.fromkeys(range(3), 0)
    while waiting:
        outcomes = run_jobs(common, waiting, judge)
        now, waiting = waiting, []
        for job in now:
            outcome = ended[job.number] = outcomes[job.number]
            assert outcome.status in (JobStatus.COMPLETED, JobStatus.PRUNED), outcome.traceback
            if outcome.status is JobStatus.PRUNED:
                level = paused_at[job.number] = len(numbers(outcome)["val_auc"])
                again = {
                    "attempt": job.attempt + 1,
                    "previous": outcome.runs,
                    "until": LEVELS[job.number][level],
                }
                waiting.append(replace(job, **again))
    assert asked[0] == [(0, 1), (1, 1), (2, 1)]  # in one question
    assert {number: outcome.attempt for number, outcome in ended.items()} == {0: 3, 1: 2, 2: 1}
    assert {number: len(outcome.runs) for number, outcome in ended.items()} == {0: 1, 1: 1, 2: 1}
    for number, outcome in ended.items():
        assert numbers(outcome) == numbers(alone[number])
