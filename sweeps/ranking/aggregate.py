"""Ranks the jobs of a sweep by what they logged.

Reads the plan, the ledger and the run records, never the running sweep: the answer is the same during a sweep, at its
end, after a crash, and years later.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweeps.errors import SweepError
from sweeps.jobs import JobState, JobStatus, Outcome, PlannedJob, Reason
from sweeps.paths import find_sweep
from sweeps.plan.plan import Plan
from sweeps.ranking.candidates import rank_candidates
from sweeps.ranking.leaderboard import RANKED, Candidate, Leaderboard, Row, place, write_leaderboard
from sweeps.settings.search_settings import Constraint
from sweeps.state.job_runs import FoundRun, JobRuns, value_of, values_of, violations_of
from sweeps.state.ledger import SweepHistory, judge_by_run, read_sweep
from sweeps.state.reached import Reached
from tracking import RunRecord
from tracking.objective import Objective
from tracking.repeats import key_of


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


def rank_jobs(plan: Plan, history: SweepHistory, store: Path, kind: type[JobRuns] = JobRuns) -> Leaderboard:
    """Return the leaderboard of a sweep in `store` from its plan and its ledger; see `rank`. A `kind` of runs may remember them."""
    runs = kind(store, plan.sweep)
    objectives, constraints = plan.objectives, [Constraint.parse(text) for text in plan.constraints]
    objective = objectives[0]
    outcomes = _judged(runs, history) | history.outcomes  # a recorded outcome is more than its run knows
    found = {number: runs.of_outcome(outcome, objective.metric) for number, outcome in outcomes.items()}
    records = {number: run.record for number, run in found.items() if run.record is not None}
    report = _report(plan, records.values(), constraints)
    # A task that returns no number, in a sweep that names no metric, lacks nothing.
    is_asked = objective.metric is not None or any(
        isinstance(each.value, float) for each in outcomes.values()
    )
    stopped_at = history.stopped_at
    rows: list[Row] = []
    for job in history.planned:
        run, outcome = found.get(job.number, FoundRun()), outcomes.get(job.number)
        is_stopped = outcome is not None and outcome.status is JobStatus.PRUNED
        judged = stopped_at.get(job.number) if is_stopped else None
        row = _row(job, outcome, run, objectives, judged, report=report, is_asked=is_asked)
        rows.append(_held_to(constraints, row, objectives, outcome, run, judged))
    candidates: tuple[Candidate, ...] = ()
    ranked = place(rows, objectives)
    if plan.repeats and is_asked:
        noun = "seeds" if plan.repeats == (plan.seed_key,) else "repeats"
        ranked, candidates = rank_candidates(
            rows, plan.repeats, objectives, noun=noun, confirms=plan.search is not None
        )
    placed = [records.get(row.job) for row in ranked if row.rank is not None]
    completed = [records[row.job] for row in rows if row.status in RANKED and row.job in records]
    return Leaderboard(
        plan.sweep,
        objective,
        _keys(plan, rows),
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
        others=objectives[1:],
        constraints=plan.constraints,
        data=_data(records.values()),
    )


def read_value(runs: JobRuns, objective: Objective, outcome: Outcome) -> float | None:
    """Return a job's objective; None when its run cannot be used."""
    return value_of(objective, outcome, runs.of_outcome(outcome, objective.metric))


def _keys(plan: Plan, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the swept keys; of a search without the key of the seed while it has repeated nothing."""
    unused = plan.repeats if plan.search is not None else ()
    return tuple(key for key in plan.swept if key not in unused or any(key in row.point for row in rows))


def _data(records: Iterable[RunRecord]) -> tuple[Mapping[str, Any], ...]:
    """Return what runs say of the data that they read, each once."""
    known = {record.fingerprint or key_of(record.data): record.data for record in records if record.data}
    return tuple(known.values())


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


def on_test(metric: str) -> str | None:
    """Return the name that a metric of the validation has on the test rows: test_auc for val_auc, test/auc for val/auc."""
    return f"test{metric.removeprefix('val')}" if metric.startswith(("val_", "val/")) else None


def _report(plan: Plan, records: Iterable[RunRecord], constraints: Iterable[Constraint]) -> tuple[str, ...]:
    """Return the metrics to show beside the objectives: those that were asked for, and those that are bounded."""
    first, *others = plan.objectives
    asked = plan.report if plan.report is not None else _test_metrics(records, first)
    further = {each.label for each in others}
    bounded = [each.metric for each in constraints if each.metric != first.label]
    return (
        *(name for name in asked if name not in further),
        *(name for name in dict.fromkeys(bounded) if name not in further and name not in asked),
    )


def _test_metrics(records: Iterable[RunRecord], objective: Objective) -> tuple[str, ...]:
    """Return the test metrics that were logged, first the objective's own: test_auc for val_auc, test/auc for val/auc."""
    logged = (name for record in records for name in record.summary if name.startswith(("test_", "test/")))
    twin = on_test(objective.label) or f"test_{objective.label.partition('_')[2]}"
    return tuple(sorted(dict.fromkeys(logged), key=lambda name: name != twin))


def _row(
    job: PlannedJob,
    outcome: Outcome | None,
    run: FoundRun,
    objectives: Sequence[Objective],
    judged: Reached | None,
    *,
    report: tuple[str, ...],
    is_asked: bool,
) -> Row:
    """Return the row of a job; one that was stopped has the values of the judgement that stopped it."""
    objective, *others = objectives
    if outcome is None:
        unknown: dict[str, float | None] = {each.label: None for each in others}
        return Row(
            None, job.number, None, job.point, None, {}, None, None, JobState.UNFINISHED, None, others=unknown
        )
    summary = {} if run.record is None else run.record.summary
    known = {**outcome.named, **{name: each.last for name, each in summary.items()}}
    steps = summary.get(objective.metric or "")
    epochs = steps.count if steps is not None else None  # the objective is logged once per epoch
    values = values_of(objectives, outcome, run)
    if judged is not None and len(judged.values) == len(objectives):
        values, epochs = judged.values, judged.level
    error = outcome.error
    if JobState(outcome.status) in RANKED and is_asked:
        why = map(_why_unranked, objectives, values)
        error = (run.fault if objective.metric is not None else None) or next(filter(None, why), None)
    return Row(
        rank=None,
        job=job.number,
        run=None if run.fault else run.name,
        point=job.point,
        objective=values[0],
        metrics={name: known[name] for name in report if name in known},
        epochs=epochs,
        duration_s=round(outcome.wall_s, 3),
        status=JobState(outcome.status),
        error=error,
        note=outcome.note,
        reused=outcome.reused,
        code=outcome.code or {},
        others={each.label: value for each, value in zip(others, values[1:], strict=True)},
    )


def _held_to(
    constraints: Sequence[Constraint],
    row: Row,
    objectives: Sequence[Objective],
    outcome: Outcome | None,
    run: FoundRun,
    judged: Reached | None,
) -> Row:
    """Return the row of a job; of one that could be ranked and breaks a constraint with that as its error."""
    if outcome is None or not row.can_rank:
        return row
    by = {**violations_of(constraints, objectives, outcome, run), **(judged.violations if judged else {})}
    broken = [text for text, violation in by.items() if violation > 0]
    if not broken:
        return row
    unknown = all(by[text] == math.inf for text in broken)
    why = f"breaks {' and '.join(broken)}" + (": it has no such number" if unknown else "")
    return replace(row, error=why, is_feasible=False)


def _why_unranked(objective: Objective, value: float | None) -> str | None:
    if value is None:
        return f"no finite {objective.label} to rank by"
    return None if math.isfinite(value) else f"{objective.label} is {value}"
