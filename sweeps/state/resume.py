"""Resume or extend a sweep: which outcomes are kept, and which jobs run again.

The plan and the recorded points are frozen; a resumed sweep may add points of the same keys (`sweeps.state.same_sweep`).
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sweeps.errors import SweepError
from sweeps.jobs import JobStatus, Outcome, PlannedJob, Reason
from sweeps.paths import find_sweep
from sweeps.plan.plan import Plan, Recorded
from sweeps.settings.search_settings import Mode
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.state.job_runs import JobRuns
from sweeps.state.ledger import JobHistory, Ledger, SweepHistory, judge_by_run, read_sweep
from sweeps.state.lock import await_jobs
from sweeps.state.same_sweep import (
    SHOWN,
    names_its_first,
    other_surroundings,
    point_text,
    require_same,
)
from tracking import TrackingError
from tracking.process.program import command
from tracking.values.units import counted

# Another attempt would end the same way: the job did this, or its limits did.
FINAL = frozenset({Reason.ERROR, Reason.EXIT, Reason.TIMEOUT, Reason.MEMORY, Reason.REFUSED})
ONCE = ("resume", "resume_failed", "resume_changed", "output", "dry_run", "name")  # settings of one session
STAY = "are no longer in the space and stay as they are"

AGAIN = "the same call with"


@dataclass(frozen=True)
class Resumed:
    """What a session of a sweep takes from the sessions before it.

    `jobs` are those that the ledger has recorded. `kept` are the outcomes that stand, `found` those among them that
    the ledger lacks, because the session died first. `again` are the jobs that were begun and run again. `notes` are
    remarks for the user. `wall_s` is how long those sessions took, `lived_until` when a job that the last one left open was
    last heard of.
    """

    jobs: Mapping[int, PlannedJob]
    kept: Mapping[int, Outcome]
    found: tuple[Outcome, ...]
    again: Mapping[int, JobHistory]
    notes: tuple[str, ...] = ()
    wall_s: float = 0.0
    lived_until: str | None = None


NOTHING = Resumed({}, {}, (), {})


def resumed_folder(settings: SweeperSettings) -> Path:
    """Return the folder of the sweep that ``resume`` names; raise `SweepError` when there is none."""
    return find_sweep(settings.store.absolute(), Path(str(settings.resume)).name)


def swept_before(settings: SweeperSettings) -> set[str]:
    """Return the keys of a resumed sweep of which one value on the command line is an axis, too; none of a new sweep."""
    if settings.resume is None:
        return set()
    swept = set(Plan.read(resumed_folder(settings) / "plan.json").swept)
    has_seeds = settings.space.repeat > 1 or settings.search is not None
    return swept - {settings.space.seed_key} if has_seeds else swept


def recorded_jobs(settings: SweeperSettings) -> Recorded:
    """Return the jobs that the resumed sweep has recorded; none of a new sweep."""
    if settings.resume is None:
        return Recorded()
    _, history = read_sweep(resumed_folder(settings))
    jobs = {number: job.planned for number, job in history.jobs.items() if job.planned is not None}
    return Recorded(jobs, [*(history.jobs.keys() - jobs)], settings.space.mode is Mode.RANDOM)


def take_over(
    folder: Path,
    now: Plan,
    jobs: Sequence[PlannedJob],
    settings: SweeperSettings,
    signed: Callable[[Plan], Plan] = lambda plan: plan,
) -> tuple[Plan, Resumed]:
    """Return the plan of the sweep in `folder`, which must be locked, and what its sessions left.

    `now` and `jobs` are what today's files and overrides make of it. If they have other points, or a metric to rank by
    where none was named, the plan is replaced by one that `signed` returns; if they differ otherwise, raise `SettingsError` with the differences. Waits for jobs of
    the last session that have not ended yet.
    """
    plan, history = read_sweep(folder)
    frozen = {number: job.planned for number, job in history.jobs.items() if job.planned is not None}
    begun = {number: PlannedJob(number, key=job.key) for number, job in history.jobs.items() if job.attempts}
    require_same(plan, begun | frozen, now, jobs, changed_is_fine=settings.resume_changed)
    await_jobs(folder)
    notes = [*other_surroundings(plan, now)]
    if settings.name not in (None, plan.sweep):
        notes.append(f"{settings.section}.name={settings.name}: a resumed sweep keeps its name, {plan.sweep}")
    if names_its_first(plan, now):
        notes.append(f"ranked by {now.objective['metric']} from now on, by the returned value so far")
    asked = ("total", "left", "objective", "constraints", "search")
    if any(getattr(plan, name) != getattr(now, name) for name in asked):
        notes += [*_new_points(history, jobs), *_points_left(history, now, jobs, settings)]
        if plan.jobs:  # the plan that replaces it cannot hold them
            Ledger(folder / "jobs.jsonl").ask(plan.jobs)
        # Before the new jobs are recorded: one that the plan counts and the ledger lacks is recorded when it is resumed.
        plan = signed(plan.extended(replace(now, command=_without_resuming(plan, now, settings))))
        plan.save(folder / "plan.json")
    elif settings.resume_failed:  # which runs none of those that are left
        notes += _points_left(history, now, jobs, settings)
    _, history = read_sweep(folder)
    left = sort_out(frozen, history, JobRuns(settings.store, plan.sweep), settings)
    wall_s = sum(session.wall_s for session in history.sessions)
    heard = max(history.signs.values(), default=None)
    lived_until = None if heard is None else heard.isoformat(timespec="milliseconds")
    return plan, replace(left, notes=tuple(notes), wall_s=wall_s, lived_until=lived_until)


def _new_points(history: SweepHistory, jobs: Sequence[PlannedJob]) -> Iterator[str]:
    new = [job for job in jobs if job.number not in history.jobs or history.jobs[job.number].planned is None]
    if new:
        yield f"{counted(len(new), 'new job')}, {len(jobs)} in all"


def _points_left(
    history: SweepHistory, now: Plan, jobs: Sequence[PlannedJob], settings: SweeperSettings
) -> Iterator[str]:
    """Yield a sentence about the recorded points that are not asked for, with those that would run if they were."""
    if not now.left:
        return
    again = [job for job in jobs if job.number in now.left and _would_run(job.number, history, settings)]
    shown = ", ".join(f"job {job.number} ({point_text(job)})" for job in again[:SHOWN])
    more = f" and {len(again) - SHOWN} more" if len(again) > SHOWN else ""
    what = "unfinished or failed" if settings.resume_failed else "unfinished"
    rest = f"; {what}: {shown}{more}, give their values too to run them" if again else ""
    stay = "is no longer in the space and stays as it is" if len(now.left) == 1 else STAY
    yield f"{counted(len(now.left), 'job')} {stay}{rest}"


def _would_run(number: int, history: SweepHistory, settings: SweeperSettings) -> bool:
    outcome = history.outcomes.get(number)
    return outcome is None or not stands(outcome, resume_failed=settings.resume_failed)


def _without_resuming(old: Plan, now: Plan, settings: SweeperSettings) -> tuple[str, ...]:
    """Return the command of `now` without what only its own session was told, such as to resume."""
    once = re.compile(rf"\+*(hydra\.sweeper|{re.escape(settings.section)})\.({'|'.join(ONCE)})=")
    return tuple(word for word in now.command if word in old.command or not once.match(word))


def resume_hint(folder: Path) -> str:
    """Return the command that resumes the sweep in `folder`, or how to resume it where none was recorded."""
    with suppress(SweepError, TrackingError, OSError):  # the caller has a worse error to tell
        if not Plan.read(folder / "plan.json").command:
            return f"{AGAIN} hydra.sweeper.resume={folder.name}"
    store = folder.parent.parent
    is_usual = store == (Path.cwd() / "experiments")
    return command(f"resume {folder.name}", "sweeps") + (
        "" if is_usual else f" --store {shlex.quote(str(store))}"
    )


def sort_out(
    jobs: Mapping[int, PlannedJob],
    history: SweepHistory,
    runs: JobRuns,
    settings: SweeperSettings,
) -> Resumed:
    """Decide for each job whether its outcome stands.

    Completed jobs stand, and so do those that failed by themselves or by their limits, unless ``resume_failed``, and
    all that a search has heard of. A job whose parent died after its run was completed stands too, when its run holds
    the objective; one that a judgement had ended by then is paused.
    """
    kept: dict[int, Outcome] = {}
    found: list[Outcome] = []
    again: dict[int, JobHistory] = {}
    for number, known in history.jobs.items():
        if not known.attempts and known.outcome is None:
            continue
        outcome = None if known.is_open else known.outcome
        unrecorded = _unrecorded(number, known, runs, settings.objective.metric)
        if unrecorded is not None:
            outcome = unrecorded
            found.append(outcome)
        if (known.is_told and not known.is_open and outcome is not None) or (
            outcome is not None and stands(outcome, resume_failed=settings.resume_failed)
        ):
            kept[number] = outcome
        else:
            again[number] = known
    return Resumed(jobs, kept, tuple(found), again)


def _unrecorded(number: int, known: JobHistory, runs: JobRuns, metric: str | None) -> Outcome | None:
    """Return how a job ended whose end the ledger lacks; None if it has to run again, or the ledger has it."""
    seen = judge_by_run(runs, number, known.open_run) if known.is_open and known.open_run else None
    if seen is not None and metric is not None:
        parts = [judge_by_run(runs, number, run) for run in known.child_runs]
        is_completed = all(each and each.status is JobStatus.COMPLETED for each in (seen, *parts))
        if is_completed and _hold(metric, runs, number, known.runs):
            return Outcome(number, seen.status, seen.wall_s, runs=known.runs, attempt=max(1, known.attempts))
    is_stopped = known.outcome is not None and known.outcome.reason is Reason.STOPPED
    if known.is_paused and (known.is_open or is_stopped):
        wall_s = seen.wall_s if seen else 0.0
        return Outcome(number, JobStatus.PRUNED, wall_s, runs=known.runs, attempt=max(1, known.attempts))
    return None


def _hold(metric: str, runs: JobRuns, job: int, names: Sequence[str]) -> bool:
    """Return whether one of a job's runs holds a metric."""
    records = (runs.find(name, job).record for name in names)
    return any(record is not None and metric in record.summary for record in records)


def stands(outcome: Outcome, *, resume_failed: bool = False) -> bool:
    """Return whether a resumed sweep keeps a job's outcome instead of running the job again."""
    if outcome.status in {JobStatus.COMPLETED, JobStatus.PRUNED}:
        return True
    if resume_failed:
        return False
    if outcome.reason is None:  # the ledger is older than reasons
        return outcome.status is JobStatus.FAILED
    return outcome.reason in FINAL


def resume_command(plan: Plan, folder: Path, more: Sequence[str] = ()) -> list[str]:
    """Return the recorded command of the sweep in `folder`, with the override that resumes it and `more` overrides.

    The key of the store is set when the store was moved. Raise `SweepError` when the command was not recorded or its
    working folder is gone.
    """
    if plan.cwd is None or not plan.command:
        raise SweepError(
            f"{plan.sweep}: its command was not recorded, as of a notebook; to resume it, make {AGAIN} "
            f"hydra.sweeper.resume={plan.sweep}"
        )
    if not Path(plan.cwd).is_dir():
        raise SweepError(
            f"{plan.sweep}: its working folder {plan.cwd} is gone; where it is now, repeat its command with "
            f"hydra.sweeper.resume={plan.sweep}: {shlex.join(map(str, plan.command))}"
        )
    command = list(plan.command)
    store = str(folder.absolute().parent.parent)
    moved = [f"{plan.store_key}='{store}'"] if plan.store_key and plan.store != store else []
    # Hydra takes no override after an option.
    overrides = [index for index, word in enumerate(command) if "=" in word and not word.startswith("-")]
    place = overrides[-1] + 1 if overrides else len(command)
    return [*command[:place], f"hydra.sweeper.resume='{plan.sweep}'", *moved, *more, *command[place:]]
