"""The command that lists the jobs of one sweep: jobs; and how a job is named."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeps.cli.app import SweepArgument
from sweeps.display.scoreboard import FAILED
from sweeps.display.tables import objective_column, swept_columns
from sweeps.errors import SweepError
from sweeps.jobs import JobState
from sweeps.paths import find_sweep, job_folder, shown_run
from sweeps.ranking.leaderboard import Row
from sweeps.ranking.status import SweepStatus, sweep_status
from sweeps.state.ledger import SweepHistory
from tracking.cli.toolkit import output
from tracking.cli.toolkit.fitting import Column
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.cli.toolkit.tables import say_table
from tracking.values.secrets import masked, masked_command
from tracking.values.units import format_clock


def jobs(
    sweep: SweepArgument = "latest",
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed or were killed.")] = False,
    status: Annotated[JobState | None, typer.Option("--status", help="Only those in this state.")] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List the jobs of a sweep by number, with the errors of those that failed.

    Example: python -m sweeps jobs latest --failed
    """
    found = sweep_status(find_sweep(Path(store), sweep))
    chosen = [
        job
        for job in found.jobs
        if (not failed or job.status in FAILED) and (status is None or job.status is status)
    ]
    if as_json:
        output.say_json([_described(found, job) for job in chosen])
    elif not chosen:
        output.say(f"No job of {output.one_line(found.plan.sweep)} has this status.")
    else:
        _show(found, chosen)


def find_job(folder: Path, history: SweepHistory, job: str) -> int:
    """Return the number of a job that is named by its number or by a run it opened.

    Raise SweepError when there is none.
    """
    numbers = set(history.jobs)
    if job.isdecimal() and int(job) in numbers:
        return int(job)
    by_run = {run: number for number, known in history.jobs.items() for run in known.runs}
    # A run of another store is shown by its folder, relative to the working folder.
    found = by_run.get(job, by_run.get(str(Path(job).absolute())))
    if found is not None:
        return found
    raise SweepError(
        f"{job}: no such job in {folder.name}; it has the jobs 0 to {max(numbers)}"
        + (f", and runs such as {shown_run(next(iter(by_run)))}" if by_run else "")
    )


def _described(found: SweepStatus, row: Row) -> dict[str, Any]:
    known = found.history.jobs[row.job]
    outcome = known.outcome
    log = job_folder(found.folder, row.job) / "output.log"
    return {
        "job": row.job,
        "status": row.status,
        "rank": row.rank,
        "run": row.run,
        "runs": outcome.runs if outcome else [],
        "point": masked(dict(row.point)),
        "overrides": masked_command(known.planned.overrides) if known.planned else [],
        "objective": row.objective,
        "duration_s": row.duration_s,
        "attempt": outcome and outcome.attempt,
        "reason": outcome and outcome.reason,
        "error": row.error,
        "note": row.note,
        "reused": row.reused,
        "code": row.code,
        "traceback": outcome and outcome.traceback,
        "log": log if log.exists() else None,
    }


def _show(found: SweepStatus, rows: list[Row]) -> None:
    outcomes = [found.history.jobs[row.job].outcome for row in rows]
    attempts = [str(outcome.attempt) if outcome else "-" for outcome in outcomes]
    objective = found.board.objective
    say_table(
        [
            Column("job", [str(row.job) for row in rows]),
            Column("run", [shown_run(row.run or "-") for row in rows], left=True, drop=4),
            *swept_columns(found.plan.swept, [row.point for row in rows], [objective.label]),
            replace(objective_column(objective, [output.show(row.objective) for row in rows]), drop=3),
            *([Column("attempt", attempts, drop=5)] if set(attempts) - {"1", "-"} else []),
            Column("time", [format_clock(row.duration_s) for row in rows], drop=6),
            Column("status", [row.how for row in rows], left=True, drop=2),
        ]
    )
    for row in rows:
        if row.error is not None:
            output.say(f"job {row.job}: {output.one_line(row.error)}", "red")
        elif row.note is not None:
            output.say(f"job {row.job}: {output.one_line(row.note)}", "yellow")
