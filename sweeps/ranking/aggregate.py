"""Ranks the jobs of a sweep by what they logged.

Reads the plan, the ledger and the run records, never the running sweep: the answer is the same during a sweep, at its
end, after a crash, and years later.
"""

import math
from collections.abc import Iterable
from pathlib import Path

from sweeps.errors import SweepError
from sweeps.jobs import JobState, JobStatus, Outcome, PlannedJob, Reason
from sweeps.paths import find_sweep
from sweeps.plan.plan import Plan
from sweeps.ranking.candidates import rank_candidates
from sweeps.ranking.leaderboard import Candidate, Leaderboard, Row, place, write_leaderboard
from sweeps.state.job_runs import FoundRun, JobRuns, value_of
from sweeps.state.ledger import SweepHistory, judge_by_run, read_sweep
from tracking import RunRecord
from tracking.objective import Objective


def aggregate(sweep: Path | str, *, store: Path | str = "experiments") -> Leaderboard:
    """Rank a sweep and write ``leaderboard.json``, ``.csv`` and ``.md`` into its folder; see `rank`.

    `sweep` is its folder, or a name in `store` as on the command line: an id, the beginning of one, or ``latest``.
    """
    folder = Path(sweep)
    if len(folder.parts) == 1 and not folder.exists():
        folder = find_sweep(Path(store), str(sweep))
    board = rank(folder)
    write_leaderboard(board, folder)
    return board


def rank(sweep_dir: Path | str) -> Leaderboard:
    """Return the leaderboard of the sweep in `sweep_dir`, finished or not; writes nothing.

    Completed jobs with a finite objective are ranked, ties in the order of the jobs; the others follow with the
    reason. Raise `SweepError` when the folder holds no sweep. Reads one summary per job.
    """
    folder = Path(sweep_dir)
    if not (folder / "plan.json").exists():
        raise SweepError(f"{folder}: no sweep there (plan.json is missing)")
    return rank_jobs(*read_sweep(folder), folder.parent.parent)


def rank_jobs(plan: Plan, history: SweepHistory, store: Path) -> Leaderboard:
    """Return the leaderboard of a sweep in `store` from its plan and its ledger; see `rank`."""
    runs = JobRuns(store, plan.sweep)
    objective = Objective.of(plan.objective["metric"], plan.objective["mode"], plan.objective["at"])
    outcomes = _judged(runs, history) | history.outcomes  # a recorded outcome is more than its run knows
    found = {number: runs.of_outcome(outcome, objective.metric) for number, outcome in outcomes.items()}
    records = {number: run.record for number, run in found.items() if run.record is not None}
    report = plan.report if plan.report is not None else _test_metrics(records.values(), objective)
    # A task that returns no number, in a sweep that names no metric, lacks nothing.
    is_asked = objective.metric is not None or any(
        isinstance(each.value, float) for each in outcomes.values()
    )
    rows: list[Row] = []
    for job in history.planned:
        run, outcome = found.get(job.number, FoundRun()), outcomes.get(job.number)
        rows.append(_row(job, outcome, run, objective, report=report, is_asked=is_asked))
    candidates: tuple[Candidate, ...] = ()
    ranked = place(rows, objective)
    if plan.repeats and is_asked:
        noun = "seeds" if plan.repeats == (plan.seed_key,) else "repeats"
        ranked, candidates = rank_candidates(rows, plan.repeats, objective, noun=noun)
    placed = [records.get(row.job) for row in ranked if row.rank is not None]
    completed = [records[row.job] for row in rows if row.status is JobState.COMPLETED and row.job in records]
    return Leaderboard(
        plan.sweep,
        objective,
        plan.swept,
        report,
        ranked,
        candidates,
        plan.repeats,
        plan.seed_key,
        history.usage,
        logged=frozenset(name for record in completed for name in record.summary),
        left=frozenset(number for number in plan.left if _never_ended(history.outcomes.get(number))),
        returned=frozenset(name for outcome in outcomes.values() for name in outcome.named),
        fingerprints=frozenset(record.fingerprint for record in placed if record is not None),
    )


def read_value(runs: JobRuns, objective: Objective, outcome: Outcome) -> float | None:
    """Return a job's objective; None when its run cannot be used."""
    return value_of(objective, outcome, runs.of_outcome(outcome, objective.metric))


def _never_ended(outcome: Outcome | None) -> bool:
    return outcome is None or outcome.reason is Reason.STOPPED


def _judged(runs: JobRuns, history: SweepHistory) -> dict[int, Outcome]:
    """Return the outcomes of jobs that opened a run and have no recorded end, where their run has one."""
    judged = (
        judge_by_run(runs, number, job.last_run)
        for number, job in history.jobs.items()
        if job.outcome is None and job.last_run is not None
    )
    return {outcome.job: outcome for outcome in judged if outcome is not None}


def _test_metrics(records: Iterable[RunRecord], objective: Objective) -> tuple[str, ...]:
    """Return the test metrics that were logged, first the objective's own: test_auc for val_auc."""
    logged = (name for record in records for name in record.summary if name.startswith("test_"))
    twin = f"test_{objective.label.partition('_')[2]}"
    return tuple(sorted(dict.fromkeys(logged), key=lambda name: name != twin))


def _row(
    job: PlannedJob,
    outcome: Outcome | None,
    run: FoundRun,
    objective: Objective,
    *,
    report: tuple[str, ...],
    is_asked: bool,
) -> Row:
    if outcome is None:
        return Row(None, job.number, None, job.point, None, {}, None, None, JobState.UNFINISHED, None)
    summary = {} if run.record is None else run.record.summary
    steps = summary.get(objective.metric or "")
    value = value_of(objective, outcome, run)
    error = outcome.error
    if outcome.status is JobStatus.COMPLETED and is_asked:
        error = (run.fault if objective.metric is not None else None) or _why_unranked(objective, value)
    return Row(
        rank=None,
        job=job.number,
        run=None if run.fault else run.name,
        point=job.point,
        objective=value,
        metrics={name: summary[name].last for name in report if name in summary},
        epochs=steps.count if steps is not None else None,  # the objective is logged once per epoch
        duration_s=round(outcome.wall_s, 3),
        status=JobState(outcome.status),
        error=error,
        note=outcome.note,
        reused=outcome.reused,
        code=outcome.code or {},
    )


def _why_unranked(objective: Objective, value: float | None) -> str | None:
    if value is None:
        return f"no finite {objective.label} to rank by"
    return None if math.isfinite(value) else f"{objective.label} is {value}"
