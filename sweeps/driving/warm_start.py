"""What a search knows of an earlier sweep before its first job starts.

It is kept in the folder of the sweep: the earlier sweep may be extended or removed, and a search that is resumed must know
what it knew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweeps.driving.objective_values import ObjectiveValues
from sweeps.errors import SettingsError
from sweeps.jobs import JobStatus
from sweeps.paths import find_sweep
from sweeps.search.decisions import EarlierJob, EndKind
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.state.job_runs import JobRuns
from sweeps.state.ledger import read_sweep
from tracking import CorruptFileError
from tracking.files import read_json, write_json
from tracking.repeats import without
from tracking.values.jsontext import kept, revive

KEPT = "warm_start.json"


def earlier_jobs(settings: SweeperSettings, sweep_dir: Path | None) -> list[EarlierJob]:
    """Return the jobs of the sweep that ``warm_start`` names, as they were when the sweep in `sweep_dir` began.

    One without a history that has not failed says nothing, because it lacks an objective.

    Raise `SweepError` if there is no such sweep, and `SettingsError` if it has no job that has ended.
    """
    path = None if sweep_dir is None else sweep_dir / KEPT
    if path is not None and path.exists():
        return _read(path)
    name = None if settings.search is None else settings.search.warm_start
    if name is None:
        return []
    folder = find_sweep(settings.store.absolute(), name)
    jobs = list(_of_sweep(folder, settings))
    if not jobs:
        raise SettingsError(f"warm_start={name}: no job of this sweep has ended")
    if path is not None:
        plain = [{**asdict(job), "point": kept(dict(job.point))} for job in jobs]
        write_json(path, {"sweep": folder.name, "jobs": plain})
    return jobs


def _of_sweep(folder: Path, settings: SweeperSettings) -> Iterator[EarlierJob]:
    plan, history = read_sweep(folder)
    runs = JobRuns(folder.absolute().parent.parent, plan.sweep)
    values = ObjectiveValues(runs, settings.objectives, settings.constraints)
    for number, outcome in sorted(history.outcomes.items()):
        planned, end = history.jobs[number].planned, values.end(outcome)
        if planned is None or end is None or end.kind is EndKind.LOST:
            continue
        point = dict(without(planned.point, plan.repeats))
        lacks = values.lacks(outcome)
        has_failed = end.kind is EndKind.FAILED and not (lacks and outcome.status is JobStatus.COMPLETED)
        yield EarlierJob(point, values.history(outcome), has_failed, end.violations)


def _read(path: Path) -> list[EarlierJob]:
    try:
        return [_job(raw) for raw in read_json(path)["jobs"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(
            f"{path} is damaged ({error!r}); remove it to read the earlier sweep again"
        ) from None


def _job(raw: Mapping[str, Any]) -> EarlierJob:
    history = tuple(
        tuple(None if value is None else float(value) for value in values) for values in raw["history"]
    )
    violations = {name: float(number) for name, number in raw["violations"].items()}
    return EarlierJob(revive(dict(raw["point"])), history, bool(raw["failed"]), violations)
