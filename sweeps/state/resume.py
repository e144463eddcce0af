"""Resume a sweep that ended early: which outcomes are kept, which jobs run again, and whether it is the same sweep.

The plan and the points are frozen. A resumed sweep is composed again and compared with them, because one ranking over
jobs of two different configs would be wrong.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sweeps.errors import SettingsError, SweepError
from sweeps.jobs import JobStatus, Outcome, PlannedJob, Reason
from sweeps.plan.plan import Plan
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.state.job_runs import JobRuns
from sweeps.state.ledger import JobHistory, SweepHistory, judge_by_run, read_sweep
from sweeps.state.lock import await_jobs
from tracking.values.jsontext import decode, encode
from tracking.values.plain import flat

# Another attempt would end the same way: the job did this, or its limits did.
FINAL = frozenset({Reason.ERROR, Reason.EXIT, Reason.TIMEOUT, Reason.MEMORY, Reason.REFUSED})
SHOWN = 10  # differences in a message
ABSENT = "(not there)"  # of a key

Pairs = Sequence[tuple[PlannedJob, PlannedJob]]  # a recorded job, and what today's files make of it


@dataclass(frozen=True)
class Resumed:
    """What a session of a sweep takes from the sessions before it.

    `jobs` are those that the ledger has recorded. `kept` are the outcomes that stand, `found` those among them that
    the ledger lacks, because the session died first. `again` are the jobs that were begun and run again. `notes` are
    remarks for the user.
    """

    jobs: Mapping[int, PlannedJob]
    kept: Mapping[int, Outcome]
    found: tuple[Outcome, ...]
    again: Mapping[int, JobHistory]
    notes: tuple[str, ...] = ()


NOTHING = Resumed({}, {}, (), {})


def take_over(
    folder: Path, now: Plan, jobs: Sequence[PlannedJob], settings: SweeperSettings
) -> tuple[Plan, Resumed]:
    """Return the frozen plan of the sweep in `folder`, which must be locked, and what its sessions left.

    `now` and `jobs` are what today's files make of it; raise `SettingsError` with the differences. Waits for jobs
    of the last session that have not ended yet.
    """
    plan, history = read_sweep(folder)
    frozen = {number: job.planned for number, job in history.jobs.items() if job.planned is not None}
    require_same(plan, frozen, now, jobs, changed_is_fine=settings.resume_changed)
    await_jobs(folder)
    _, history = read_sweep(folder)
    left = sort_out(frozen, history, JobRuns(settings.store, plan.sweep), settings)
    return plan, replace(left, notes=tuple(_other_surroundings(plan, now)))


def resume_hint(folder: Path) -> str:
    """Return the command that resumes the sweep in `folder`."""
    store = folder.parent.parent
    is_usual = store == (Path.cwd() / "experiments")
    return f"python -m sweeps resume {folder.name}" + (
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
            if seen and all(each and each.status is JobStatus.COMPLETED for each in (seen, *parts)):
                outcome = Outcome(
                    number, seen.status, seen.wall_s, runs=known.runs, attempt=max(1, known.attempts)
                )
                found.append(outcome)
        if outcome is not None and stands(outcome, resume_failed=settings.resume_failed):
            kept[number] = outcome
        else:
            again[number] = known
    return Resumed(jobs, kept, tuple(found), again)


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
    pass; other jobs or another objective never do.
    """
    # The process may have been killed before it had recorded all jobs, so only those in both are compared.
    pairs = [(frozen[job.number], job) for job in jobs if job.number in frozen]
    other = [*_other_jobs(old, new, pairs), *_changes(old.objective, new.objective, "objective.")]
    if other:
        raise SettingsError(
            f"cannot resume {old.sweep}, because its jobs or its objective differ:\n{_listed(other)}"
        )
    changed = [*_changed_config(old, new, pairs), *_changed_code(old, new)]
    if changed and not changed_is_fine:
        raise SettingsError(
            f"cannot resume {old.sweep}, because its config or its code changed (to accept that: "
            f"python -m sweeps resume --changed, or resume_changed=true):\n{_listed(changed)}"
        )


def _listed(lines: Sequence[str]) -> str:
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])


def _other_jobs(old: Plan, new: Plan, pairs: Pairs) -> Iterator[str]:
    if old.total != new.total:
        yield f"jobs: {old.total} -> {new.total}"
    for before, after in pairs:
        for difference in _changes(_swept(before, old), _swept(after, old)):
            yield f"job {before.number}: {difference}"
    if set(old.swept) != set(new.swept):
        yield f"swept keys: {', '.join(old.swept)} -> {', '.join(new.swept)}"


def _swept(job: PlannedJob, plan: Plan) -> dict[str, Any]:
    values: dict[str, Any] = decode(encode({key: job.point.get(key) for key in plan.swept}))
    return values


def _other_surroundings(old: Plan, new: Plan) -> Iterator[str]:
    """Yield a line for each key that is written as it was and has another value now, such as ``${oc.env:DATA}``."""
    if not (old.config and new.config and old.written and new.written):
        return
    before, after = _without(old.written, _apart(old)), _without(new.written, _apart(old))
    for key, change in _differences(_without(old.config, _apart(old)), _without(new.config, _apart(old))):
        if key in after and before.get(key) == after[key]:
            yield f"resumed with another value of {key} ({after[key]}): {change}"


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
            point = " ".join(f"{key}={value}" for key, value in was.point.items())
            yield f"job {was.number} ({point}): its config: {was.key} -> {is_now.key}"


def _apart(plan: Plan) -> tuple[str, ...]:
    return (*plan.swept, plan.store_key or "")


def _has_same_config(before: PlannedJob, after: PlannedJob) -> bool:
    if before.key is None or after.key is None:
        return True
    if before.written is not None and after.written is not None:
        return before.written == after.written
    # Version 0.1.0 recorded the key alone: that of the config as it is written if a value could not be resolved.
    return before.key in (after.key, after.written)


def _without(config: Mapping[str, Any], swept: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in flat(config).items() if key not in swept}


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
            yield key, f"{was} -> {is_now}"


def resume_command(plan: Plan, folder: Path, more: Sequence[str] = ()) -> list[str]:
    """Return the recorded command of the sweep in `folder`, with the override that resumes it and `more` overrides.

    The key of the store is set when the store was moved. Raise `SweepError` when the command was not recorded or its
    working folder is gone.
    """
    if plan.cwd is None:
        raise SweepError(
            f"{plan.sweep}: its command was not recorded; repeat it with hydra.sweeper.resume={plan.sweep}"
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
