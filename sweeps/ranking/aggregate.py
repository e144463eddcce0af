"""Ranks the jobs of a sweep by what they logged and writes the leaderboard.

Reads the plan, the ledger and the run records, never the live sweep, so that it gives the same answer
at the end of a sweep, after a crash, and again next year.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from sweeps.errors import SweepError
from sweeps.jobs import JobState, JobStatus, Outcome, PlannedJob
from sweeps.plan.plan import Plan
from sweeps.ranking.candidates import counts, rank_candidates
from sweeps.ranking.leaderboard import Candidate, Leaderboard, Row, write_leaderboard
from sweeps.state.ledger import SweepHistory, judge_by_run, last_record, read_sweep
from tracking import ExperimentTracker, RunRecord
from tracking.objective import Objective


def aggregate(sweep_dir: Path | str) -> Leaderboard:
    """Rank the sweep in `sweep_dir` and write ``leaderboard.json``, ``.csv`` and ``.md`` there; see `rank`."""
    board = rank(sweep_dir)
    write_leaderboard(board, Path(sweep_dir))
    return board


def rank(sweep_dir: Path | str) -> Leaderboard:
    """Return the leaderboard of the sweep in `sweep_dir` as it stands, finished or not; writes nothing.

    Completed jobs with a finite objective are ranked, ties by job number; the others follow with the
    reason. Raises `SweepError` when the folder holds no sweep. Reads one summary per job.
    """
    folder = Path(sweep_dir)
    if not (folder / "plan.json").exists():
        raise SweepError(f"{folder}: no sweep there (plan.json is missing)")
    tracker = ExperimentTracker(folder.parent.parent)
    return rank_jobs(*read_sweep(folder), tracker)


def rank_jobs(plan: Plan, history: SweepHistory, tracker: ExperimentTracker) -> Leaderboard:
    """Return the leaderboard of a sweep whose plan and ledger are read already; see `rank`."""
    objective = Objective.of(plan.objective["metric"], plan.objective["mode"], plan.objective["at"])
    outcomes = _judged(tracker, history) | history.outcomes
    found = {number: last_record(tracker, outcome) for number, outcome in outcomes.items()}
    records = {number: record for number, (record, _) in found.items()}
    report = plan.report if plan.report is not None else _test_metrics(records.values(), objective)
    rows = []
    for job in history.planned:
        record, fault = found.get(job.number, (None, None))
        row = _row(job, outcomes.get(job.number), record, objective, report)
        rows.append(replace(row, error=row.error if fault is None else f"its run cannot be read: {fault}"))
    ranked: tuple[Row, ...]
    candidates: tuple[Candidate, ...] = ()
    if plan.seed_key in plan.swept:
        ranked, candidates = rank_candidates(rows, str(plan.seed_key), objective)
    else:
        ranked = _ranked(rows, objective)
    placed = [records[row.job] for row in ranked if row.rank is not None]
    return Leaderboard(
        plan.sweep,
        objective,
        plan.swept,
        report,
        ranked,
        candidates,
        plan.seed_key,
        history.usage,
        fingerprints=frozenset(each.data.get("fingerprint") for each in placed if each is not None),
        winner_metrics=placed[0].last_values if placed and placed[0] is not None else {},
    )


def _judged(tracker: ExperimentTracker, history: SweepHistory) -> dict[int, Outcome]:
    """Return the outcomes of jobs that opened a run and have no recorded end, where their run has one."""
    judged = (
        judge_by_run(tracker, number, job.last_run)
        for number, job in history.jobs.items()
        if job.outcome is None and job.last_run is not None
    )
    return {outcome.job: outcome for outcome in judged if outcome is not None}


def objective_value(objective: Objective, outcome: Outcome, record: RunRecord | None) -> float | None:
    """Return a job's objective: from its run if the metric was logged there, else from its return value."""
    if objective.metric is None:
        return outcome.value if isinstance(outcome.value, float) else None
    if record is not None and objective.metric in record.summary:
        return objective.value(record)
    return outcome.value.get(objective.metric) if isinstance(outcome.value, Mapping) else None


def _test_metrics(records: Iterable[RunRecord | None], objective: Objective) -> tuple[str, ...]:
    """Every test metric that was logged; first the one that is to the test split what the objective is to its own."""
    names: dict[str, None] = {}
    for record in records:
        if record is not None:
            names |= dict.fromkeys(name for name in record.summary if name.startswith("test_"))
    twin = f"test_{objective.label.partition('_')[2]}"
    return tuple(sorted(names, key=lambda name: name != twin))


def _row(
    job: PlannedJob,
    outcome: Outcome | None,
    record: RunRecord | None,
    objective: Objective,
    report: tuple[str, ...],
) -> Row:
    if outcome is None:
        return Row(None, job.number, None, job.point, None, {}, None, None, JobState.UNFINISHED, None)
    summary = {} if record is None else record.summary
    steps = summary.get(objective.metric or "")
    value = objective_value(objective, outcome, record)
    return Row(
        rank=None,
        job=job.number,
        run=outcome.runs[-1] if outcome.runs else None,
        point=job.point,
        objective=value,
        metrics={name: summary[name].last for name in report if name in summary},
        epochs=steps.count if steps is not None else None,
        duration_s=round(outcome.wall_s, 3),
        status=JobState(outcome.status),
        error=outcome.error if outcome.status is not JobStatus.COMPLETED else _why_unranked(objective, value),
        reused=outcome.reused,
    )


def _why_unranked(objective: Objective, value: float | None) -> str | None:
    if value is None:
        return f"no finite {objective.label} to rank by"
    return None if math.isfinite(value) else f"{objective.label} is {value}"


def _ranked(rows: Iterable[Row], objective: Objective) -> tuple[Row, ...]:
    placed: list[Row] = []
    below: list[Row] = []
    for row in rows:
        (placed if counts(row) else below).append(row)
    placed.sort(key=lambda row: (objective.key(row.objective), row.job))
    return (*(replace(row, rank=place) for place, row in enumerate(placed, start=1)), *below)
