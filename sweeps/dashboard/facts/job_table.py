"""The jobs and the candidates of a sweep as tables: a list per column, in the order of the leaderboard."""

from collections.abc import Iterable, Mapping
from typing import Any

from sweeps.dashboard.facts.timeline import RUNNING, Timeline
from sweeps.jobs import JobState
from sweeps.ranking.leaderboard import Leaderboard, Row
from sweeps.ranking.status import SweepStatus
from sweeps.state.job_runs import JobRuns
from tracking.objective import Objective
from tracking.values.secrets import masked, masked_text

LARGEST = 2**53  # JavaScript rounds whole numbers beyond it


def job_columns(found: SweepStatus, times: Timeline) -> dict[str, Any]:
    """Return the table of jobs, the best first; a running job has its run, its latest value and how long it has run."""
    board = found.board
    present = {row.job: row for row in found.jobs}
    rows = [present[row.job] for row in board.rows]
    now = _running(found, rows, times)
    columns: dict[str, Any] = {
        "job": [row.job for row in rows],
        "run": [now[row.job]["run"] if row.job in now else row.run for row in rows],
        "rank": [row.rank for row in rows],
        "status": [str(row.status) for row in rows],
        "point": {key: _column(key, [row.point.get(key) for row in rows]) for key in board.swept},
        "values": [list(column) for column in zip(*(_values(row, board) for row in rows), strict=True)]
        or [[] for _ in board.objectives],
        "metrics": {name: [row.metrics.get(name) for row in rows] for name in board.report},
        "epochs": [now[row.job]["epochs"] if row.job in now else row.epochs for row in rows],
        "duration_s": [now[row.job]["duration_s"] if row.job in now else row.duration_s for row in rows],
        "latest": [now[row.job]["latest"] if row.job in now else None for row in rows],
        "error": [None if row.error is None else masked_text(row.error) for row in rows],
        "note": [None if row.note is None else masked_text(row.note) for row in rows],
    }
    if any(row.reused for row in rows):
        columns["reused"] = [row.reused for row in rows]
    return columns


def _column(key: str, values: list[Any]) -> list[Any]:
    """Return the values of a swept key, with MASK for what looks secret."""
    (number,) = masked({key: 1}).values()  # one answer for all numbers
    return [
        (value if number == 1 else number)
        if type(value) in (int, float)
        else next(iter(masked({key: value}).values()))
        for value in values
    ]


def _values(row: Row, board: Leaderboard) -> tuple[float | None, ...]:
    return (row.objective, *(row.others.get(label) for label in board.labels[1:]))


def _running(found: SweepStatus, rows: Iterable[Row], times: Timeline) -> dict[int, dict[str, Any]]:
    """Return what is known of each running job: its run, and what it has logged of the objective."""
    runs = JobRuns(found.folder.parent.parent, found.plan.sweep)
    since = {span.job: span.to_s - span.from_s for span in times.spans if span.status == RUNNING}
    known = {}
    for row in rows:
        if row.status is not JobState.RUNNING:
            continue
        run = found.history.jobs[row.job].last_run or row.run
        latest, epochs = (None, None) if run is None else _logged(runs, run, row.job, found.board.objective)
        seconds = since.get(row.job)
        known[row.job] = {
            "run": run,
            "latest": latest,
            "epochs": epochs,
            "duration_s": None if seconds is None else round(seconds, 3),
        }
    return known


def _logged(runs: JobRuns, run: str, job: int, objective: Objective) -> tuple[float | None, int | None]:
    record = runs.find(run, job).record
    summary = None if record is None else record.summary.get(objective.metric or "")
    return (None, None) if summary is None else (float(summary.last), summary.count)


def candidate_rows(board: Leaderboard) -> list[dict[str, Any]]:
    """Return the candidates, the best first; none where nothing repeats them."""
    return [
        {
            "rank": each.rank,
            "point": masked(dict(each.point)),
            "mean": each.objective,
            "std": each.std,
            "n": each.n,
            "jobs": list(each.jobs),
            "others": dict(each.others),
            "others_std": dict(each.others_std),
            "metrics": dict(each.metrics),
            "error": None if each.error is None else masked_text(each.error),
            "note": each.note,
        }
        for each in board.candidates
    ]


def readable(value: Any) -> Any:
    """Return a value with whole numbers that JavaScript rounds as their digits, and tuples as lists."""
    if isinstance(value, dict):
        return {str(key): readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [readable(item) for item in value]
    if type(value) is int and abs(value) > LARGEST:
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value
