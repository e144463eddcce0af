"""Ranks the jobs of a sweep by what they logged and writes the leaderboard.

Reads the plan, the ledger and the run records, never the live sweep, so that it gives the same answer
at the end of a sweep, after a crash, and again next year.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sweeps.errors import SweepError
from sweeps.executor.base import JobStatus, Outcome
from sweeps.ledger import read_outcomes, read_runs
from sweeps.plan import Plan
from sweeps.settings import At, Mode, Objective
from tracking import ExperimentTracker, RunRecord, TrackingError
from tracking.files import write_bytes, write_json

LEADERBOARD_VERSION = 1
UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Row:
    """One job: its place (None below the line), what was swept, and what came out."""

    rank: int | None
    job: int
    run: str | None
    point: Mapping[str, Any]
    objective: float | None
    metrics: Mapping[str, float]
    epochs: int | None
    duration_s: float | None
    status: str
    error: str | None


@dataclass(frozen=True)
class Leaderboard:
    """The ranked jobs of a sweep, best first, then those without a rank."""

    sweep: str
    objective: Objective
    swept: tuple[str, ...]
    report: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def winner(self) -> Row | None:
        """The best job, or None when none is ranked."""
        return self.rows[0] if self.rows and self.rows[0].rank is not None else None

    def count(self, *statuses: str) -> int:
        """How many jobs have one of `statuses`."""
        return sum(row.status in statuses for row in self.rows)


def aggregate(sweep_dir: Path | str) -> Leaderboard:
    """Rank the sweep in `sweep_dir` and write ``leaderboard.json``, ``.csv`` and ``.md`` there; see `rank`."""
    board = rank(sweep_dir)
    _write(board, Path(sweep_dir))
    return board


def rank(sweep_dir: Path | str) -> Leaderboard:
    """Return the leaderboard of the sweep in `sweep_dir` as it stands, finished or not; writes nothing.

    Completed jobs with a finite objective are ranked, ties by job number; the others follow with the
    reason. Raises `SweepError` when the folder holds no sweep. Reads one summary per job.
    """
    folder = Path(sweep_dir)
    if not (folder / "plan.json").exists():
        raise SweepError(f"{folder}: no sweep there (plan.json is missing)")
    plan = Plan.read(folder / "plan.json")
    objective = Objective(plan.objective["metric"], Mode(plan.objective["mode"]), At(plan.objective["at"]))
    tracker = ExperimentTracker(folder.parent.parent)
    ledger = folder / "jobs.jsonl"
    outcomes = {**_orphans(tracker, read_runs(ledger)), **read_outcomes(ledger)}
    found = {number: last_record(tracker, outcome) for number, outcome in outcomes.items()}
    records = {number: record for number, (record, _) in found.items()}
    report = plan.report if plan.report is not None else _test_metrics(records.values(), objective)
    rows = []
    for job in plan.jobs:
        record, fault = found.get(job["job"], (None, None))
        row = _row(job, outcomes.get(job["job"]), record, objective, report)
        rows.append(replace(row, error=row.error if fault is None else f"its run cannot be read: {fault}"))
    return Leaderboard(plan.sweep, objective, plan.swept, report, _ranked(rows, objective))


def _orphans(tracker: ExperimentTracker, runs: Mapping[int, str]) -> dict[int, Outcome]:
    """Judge, by their runs alone, jobs whose end nobody wrote down: the sweep's parent was gone by then."""
    outcomes = {}
    for job, run in runs.items():
        record, _ = read_record(tracker, run)
        if record is None or record.finished_at is None:
            continue
        wall_s = (record.finished_at - record.created_at).total_seconds()
        status = JobStatus(str(record.status))
        outcomes[job] = Outcome(job, status, wall_s, error=record.error, runs=(run,))
    return outcomes


def last_record(tracker: ExperimentTracker, outcome: Outcome) -> tuple[RunRecord | None, str | None]:
    """Return the record of the last run that a job opened (None if it opened none), or why it cannot be read."""
    return read_record(tracker, outcome.runs[-1]) if outcome.runs else (None, None)


def read_record(tracker: ExperimentTracker, run: str) -> tuple[RunRecord | None, str | None]:
    """Return a run's record, or why it cannot be read: the fault of one run is no fault of its sweep."""
    try:
        return tracker.record(run), None
    except TrackingError as error:
        return None, str(error)


def objective_value(objective: Objective, outcome: Outcome, record: RunRecord | None) -> float | None:
    """Return a job's objective: from its run if the metric was logged there, else from its return value."""
    if objective.metric is None:
        return outcome.value if isinstance(outcome.value, float) else None
    if record is not None and objective.metric in record.summary:
        summary = record.summary[objective.metric]
        best = summary.max if objective.mode is Mode.MAX else summary.min
        return summary.last if objective.at is At.LAST else best
    if isinstance(outcome.value, Mapping):
        return outcome.value.get(objective.metric)
    return outcome.value if record is None and isinstance(outcome.value, float) else None


def _test_metrics(records: Iterable[RunRecord | None], objective: Objective) -> tuple[str, ...]:
    """Every test metric that was logged; first the one that is to the test split what the objective is to its own."""
    names: dict[str, None] = {}
    for record in records:
        if record is not None:
            names |= dict.fromkeys(name for name in record.summary if name.startswith("test_"))
    twin = f"test_{objective.label.partition('_')[2]}"
    return tuple(sorted(names, key=lambda name: name != twin))


def _row(
    job: Mapping[str, Any],
    outcome: Outcome | None,
    record: RunRecord | None,
    objective: Objective,
    report: tuple[str, ...],
) -> Row:
    if outcome is None:
        return Row(None, job["job"], None, job["point"], None, {}, None, None, UNFINISHED, None)
    summary = {} if record is None else record.summary
    steps = summary.get(objective.metric or "")
    value = objective_value(objective, outcome, record)
    return Row(
        rank=None,
        job=job["job"],
        run=outcome.runs[-1] if outcome.runs else None,
        point=job["point"],
        objective=value,
        metrics={name: summary[name].last for name in report if name in summary},
        epochs=steps.count if steps is not None else None,
        duration_s=round(outcome.wall_s, 3),
        status=str(outcome.status),
        error=outcome.error if outcome.status is not JobStatus.COMPLETED else _why_unranked(objective, value),
    )


def _why_unranked(objective: Objective, value: float | None) -> str | None:
    if value is None:
        return f"no finite {objective.label} to rank by"
    return None if math.isfinite(value) else f"{objective.label} is {value}"


def _ranked(rows: Iterable[Row], objective: Objective) -> tuple[Row, ...]:
    sign = -1.0 if objective.mode is Mode.MAX else 1.0
    placed: list[tuple[float, Row]] = []
    below: list[Row] = []
    for row in rows:
        if row.status == JobStatus.COMPLETED and row.error is None and row.objective is not None:
            placed.append((sign * row.objective, row))
        else:
            below.append(row)
    placed.sort(key=lambda pair: (pair[0], pair[1].job))
    ranked = [replace(row, rank=place) for place, (_, row) in enumerate(placed, start=1)]
    return (*ranked, *below)


def _write(board: Leaderboard, folder: Path) -> None:
    write_json(
        folder / "leaderboard.json",
        {
            "version": LEADERBOARD_VERSION,
            "sweep": board.sweep,
            "objective": asdict(board.objective),
            "rows": [asdict(row) for row in board.rows],
        },
    )
    header, *lines = as_table(board)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *lines])
    write_bytes(folder / "leaderboard.csv", text.getvalue().encode())
    write_bytes(folder / "leaderboard.md", _markdown(board, header, lines).encode())


def as_table(board: Leaderboard) -> list[list[str]]:
    """Return the leaderboard as rows of text, header first: the columns of the CSV and Markdown files."""
    header = [
        "rank",
        "run",
        *board.swept,
        board.objective.label,
        *board.report,
        "epochs",
        "duration_s",
        "status",
        "error",
    ]
    table = [header]
    for row in board.rows:
        table.append(
            [
                _text(row.rank),
                _text(row.run),
                *(_text(row.point.get(key)) for key in board.swept),
                _text(row.objective),
                *(_text(row.metrics.get(name)) for name in board.report),
                _text(row.epochs),
                _text(row.duration_s),
                row.status,
                _text(row.error),
            ]
        )
    return table


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _markdown(board: Leaderboard, header: list[str], lines: list[list[str]]) -> str:
    how = f"Ranked by the {board.objective.at} {board.objective.label} ({board.objective.mode})."
    cells = [header, ["---"] * len(header), *lines]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in cells)
    return f"# Sweep {board.sweep}\n\n{how}\n\n{table}\n"
