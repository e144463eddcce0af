"""Resume or extend a sweep: which outcomes are kept, which jobs run again, and whether it is the same sweep.

The plan and the recorded points are frozen; a resumed sweep may add points of the same keys. It is composed again and
compared with the plan, because one ranking over jobs of two different configs would be wrong.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sweeps.errors import SettingsError, SweepError
from sweeps.jobs import JobStatus, Outcome, PlannedJob, Reason
from sweeps.paths import find_sweep
from sweeps.plan.plan import Plan, Recorded
from sweeps.settings.checks import shown
from sweeps.settings.sweeper_settings import Mode, SweeperSettings
from sweeps.state.job_runs import JobRuns
from sweeps.state.ledger import JobHistory, Ledger, SweepHistory, judge_by_run, read_sweep
from sweeps.state.lock import await_jobs
from tracking import TrackingError
from tracking.process.program import command
from tracking.values.plain import flat
from tracking.values.units import counted

# Another attempt would end the same way: the job did this, or its limits did.
FINAL = frozenset({Reason.ERROR, Reason.EXIT, Reason.TIMEOUT, Reason.MEMORY, Reason.REFUSED})
SHOWN = 10  # differences in a message
ABSENT = "(not there)"  # of a key
ONCE = ("resume", "resume_failed", "resume_changed", "output", "dry_run", "name")  # settings of one session
STAY = "are no longer in the space and stay as they are"

Pairs = Sequence[tuple[PlannedJob, PlannedJob]]  # a recorded job, and what today's files make of it

AGAIN = "the same call with"


@dataclass(frozen=True)
class Resumed:
    """What a session of a sweep takes from the sessions before it.

    `jobs` are those that the ledger has recorded. `kept` are the outcomes that stand, `found` those among them that
    the ledger lacks, because the session died first. `again` are the jobs that were begun and run again. `notes` are
    remarks for the user. `wall_s` is how long those sessions took.
    """

    jobs: Mapping[int, PlannedJob]
    kept: Mapping[int, Outcome]
    found: tuple[Outcome, ...]
    again: Mapping[int, JobHistory]
    notes: tuple[str, ...] = ()
    wall_s: float = 0.0


NOTHING = Resumed({}, {}, (), {})


def resumed_folder(settings: SweeperSettings) -> Path:
    """Return the folder of the sweep that ``resume`` names; raise `SweepError` when there is none."""
    return find_sweep(settings.store.absolute(), Path(str(settings.resume)).name)


def swept_before(settings: SweeperSettings) -> set[str]:
    """Return the keys of a resumed sweep of which one value on the command line is an axis, too; none of a new sweep."""
    if settings.resume is None:
        return set()
    swept = set(Plan.read(resumed_folder(settings) / "plan.json").swept)
    return swept - {settings.space.seed_key} if settings.space.repeat > 1 else swept


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
    notes = [*_other_surroundings(plan, now)]
    if settings.name not in (None, plan.sweep):
        notes.append(f"{settings.section}.name={settings.name}: a resumed sweep keeps its name, {plan.sweep}")
    if _names_its_first(plan, now):
        notes.append(f"ranked by {now.objective['metric']} from now on, by the returned value so far")
    if (plan.total, plan.left, plan.objective) != (now.total, now.left, now.objective):
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
    return plan, replace(left, notes=tuple(notes), wall_s=wall_s)


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
    shown = ", ".join(f"job {job.number} ({_point_text(job)})" for job in again[:SHOWN])
    more = f" and {len(again) - SHOWN} more" if len(again) > SHOWN else ""
    what = "unfinished or failed" if settings.resume_failed else "unfinished"
    rest = f"; {what}: {shown}{more}, give their values too to run them" if again else ""
    stay = "is no longer in the space and stays as it is" if len(now.left) == 1 else STAY
    yield f"{counted(len(now.left), 'job')} {stay}{rest}"


def _would_run(number: int, history: SweepHistory, settings: SweeperSettings) -> bool:
    outcome = history.outcomes.get(number)
    return outcome is None or not stands(outcome, resume_failed=settings.resume_failed)


def _point_text(job: PlannedJob) -> str:
    return " ".join(f"{key}={shown(key, value)}" for key, value in job.point.items())


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

    Completed jobs stand, and so do those that failed by themselves or by their limits, unless ``resume_failed``.
    A job whose parent died after its run was completed stands too, when its run holds the objective.
    """
    kept: dict[int, Outcome] = {}
    found: list[Outcome] = []
    again: dict[int, JobHistory] = {}
    for number, known in history.jobs.items():
        if not known.attempts and known.outcome is None:
            continue
        outcome = None if known.is_open else known.outcome
        if known.is_open and known.open_run is not None and settings.objective.metric is not None:
            seen = judge_by_run(runs, number, known.open_run)
            parts = [judge_by_run(runs, number, run) for run in known.child_runs]
            ended = seen and all(each and each.status is JobStatus.COMPLETED for each in (seen, *parts))
            if seen and ended and _hold(settings.objective.metric, runs, number, known.runs):
                outcome = Outcome(
                    number, seen.status, seen.wall_s, runs=known.runs, attempt=max(1, known.attempts)
                )
                found.append(outcome)
        if outcome is not None and stands(outcome, resume_failed=settings.resume_failed):
            kept[number] = outcome
        else:
            again[number] = known
    return Resumed(jobs, kept, tuple(found), again)


def _hold(metric: str, runs: JobRuns, job: int, names: Sequence[str]) -> bool:
    """Return whether one of a job's runs holds a metric."""
    records = (runs.find(name, job).record for name in names)
    return any(record is not None and metric in record.summary for record in records)


def stands(outcome: Outcome, *, resume_failed: bool = False) -> bool:
    """Return whether a resumed sweep keeps a job's outcome instead of running the job again."""
    if outcome.status is JobStatus.COMPLETED:
        return True
    if resume_failed:
        return False
    if outcome.reason is None:  # the ledger is older than reasons
        return outcome.status is JobStatus.FAILED
    return outcome.reason in FINAL


def require_same(
    old: Plan,
    frozen: Mapping[int, PlannedJob],
    new: Plan,
    jobs: Sequence[PlannedJob],
    *,
    changed_is_fine: bool,
) -> None:
    """Raise `SettingsError` with the differences between a frozen sweep and the one that today's files make.

    `frozen` are its recorded jobs, `jobs` those of today. With `changed_is_fine` changed configs and code
    pass; other swept keys or another objective never do.
    """
    # The process may have been killed before it had recorded all jobs, so only those in both are compared.
    pairs = [(frozen[job.number], job) for job in jobs if job.number in frozen]
    other = [*_other_keys(old, new), *([] if _names_its_first(old, new) else _changed_objective(old, new))]
    if other:
        raise SettingsError(
            f"cannot resume {old.sweep}, because its swept keys or its objective differ (a new sweep with reuse=true takes "
            f"the jobs that are the same):\n{_listed(other)}"
        )
    changed = [*_changed_config(old, new, pairs), *_changed_code(old, new)]
    if changed and not changed_is_fine:
        raise SettingsError(
            f"cannot resume {old.sweep}, because its config or its code changed (to accept that: "
            f"{command('resume --changed', 'sweeps')}, or resume_changed=true):\n{_listed(changed)}"
        )


def _names_its_first(old: Plan, new: Plan) -> bool:
    """Return whether a sweep that named no metric names one now. No job depends on it, so its jobs can be ranked by it."""
    return old.objective["metric"] is None and new.objective["metric"] is not None


def _changed_objective(old: Plan, new: Plan) -> Iterator[str]:
    return _changes(old.objective, new.objective, "objective.")


def _listed(lines: Sequence[str]) -> str:
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])


def _other_keys(old: Plan, new: Plan) -> Iterator[str]:
    if (old.total is None) != (new.total is None):  # one of the two decides its points while it runs
        yield f"jobs: {old.total} -> {new.total}"
    if set(old.swept) != set(new.swept):
        before, after = (", ".join(plan.swept) or "none" for plan in (old, new))
        yield f"swept keys: {before} -> {after}"


def _other_surroundings(old: Plan, new: Plan) -> Iterator[str]:
    """Yield a line for each key that is written as it was and has another value now, such as ``${oc.env:DATA}``."""
    if not (old.config and new.config and old.written and new.written):
        return
    before, after = _without(old.written, _apart(old)), _without(new.written, _apart(old))
    for key, change in _differences(_without(old.config, _apart(old)), _without(new.config, _apart(old))):
        if key in after and before.get(key) == after[key]:
            yield f"resumed with another value of {key} ({shown(key, after[key])}): {change}"


def _changed_config(old: Plan, new: Plan, pairs: Pairs) -> Iterator[str]:
    """Yield what changed in the config before a job's overrides, or else in the configs of single jobs.

    Interpolations are compared as they are written: their inputs are other keys, or come from outside the config (the
    time, a job's id, the environment).
    """
    if old.config is None or new.config is None:
        return
    # A plan of version 0.1.0 has only values; or, if one of them could not be resolved, all as they are written.
    sides = [new.written or new.config] if old.written else [new.config, new.written or new.config]
    before = _without(old.written or old.config, _apart(old))
    base = min((list(_changes(before, _without(side, _apart(old)))) for side in sides), key=len)
    yield from base
    if base:  # the keys of all jobs differ by it
        return
    for was, is_now in pairs:
        if not _has_same_config(was, is_now):
            yield f"job {was.number} ({_point_text(is_now)}): its config: {was.key} -> {is_now.key}"


def _apart(plan: Plan) -> tuple[str, ...]:
    return (*plan.swept, *filter(None, [plan.store_key]))


def _has_same_config(before: PlannedJob, after: PlannedJob) -> bool:
    if before.key is None or after.key is None:
        return True
    if before.written is not None and after.written is not None:
        return before.written == after.written
    # Version 0.1.0 recorded the key alone: that of the config as it is written if a value could not be resolved.
    return before.key in (after.key, after.written)


def _without(config: Mapping[str, Any], swept: Sequence[str]) -> dict[str, Any]:
    """Return a config without the swept keys and what is below them, as the values of a swept group."""
    apart = tuple(f"{name}." for name in swept)
    return {key: value for key, value in flat(config).items() if not f"{key}.".startswith(apart)}


def _changed_code(old: Plan, new: Plan) -> Iterator[str]:
    if old.code is None or new.code is None:
        return
    for name in sorted({*old.code, *new.code}):
        before, after = old.code.get(name), new.code.get(name)
        if before != after:
            how = "is new" if before is None else "is gone" if after is None else "changed"
            yield f"code: {name} {how}"


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield ``key: old -> new`` for each value that differs between two nested mappings."""
    for key, difference in _differences(flat(old), flat(new)):
        yield f"{prefix}{key}: {difference}"


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in dict.fromkeys((*before, *after)):
        was, is_now = before.get(key, ABSENT), after.get(key, ABSENT)
        if was != is_now:
            yield key, f"{shown(key, was)} -> {shown(key, is_now)}"


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
