"""The commands about the jobs of one sweep: a list of them, and what each printed."""

import sys
import time
from collections import deque
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeps.cli.finding import find_job
from sweeps.cli.options import DEFAULT_STORE, JobArgument, JsonOption, StoreOption, SweepArgument
from sweeps.cli.saying import say, say_json, say_table
from sweeps.display.tables import Column, number, status_column, swept_columns
from sweeps.errors import SweepError
from sweeps.jobs import JobState
from sweeps.paths import find_sweep, job_folder
from sweeps.ranking.status import JobDetails, SweepStatus, sweep_status
from sweeps.state.ledger import read_sweep, replay
from sweeps.state.lock import parent_of
from tracking.values.units import format_clock

POLL_S = 0.2
BADLY_ENDED = (JobState.FAILED, JobState.KILLED)


def jobs(
    sweep: SweepArgument = "latest",
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed or were killed.")] = False,
    status: Annotated[JobState | None, typer.Option("--status", help="Only those in this state.")] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List the jobs of a sweep, in the order of their numbers, with why they failed.

    Example: python -m sweeps jobs latest --failed
    """
    found = sweep_status(find_sweep(store, sweep))
    chosen = [
        job
        for job in found.jobs
        if (not failed or job.state in BADLY_ENDED) and (status is None or job.state is status)
    ]
    if as_json:
        say_json([_described(found, job) for job in chosen])
    elif not chosen:
        say(f"None of the {len(found.jobs)} jobs of {found.plan.sweep} is like that.")
    else:
        _show(found, chosen)


def logs(
    sweep: SweepArgument,
    job: JobArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as it grows, until the job ends.")
    ] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", metavar="N", min=0, help="Only the last N lines.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Print what a job printed, all its attempts in one.

    Example: python -m sweeps logs latest 3 --tail 20
    """
    if follow and as_json:
        raise typer.BadParameter("--follow prints text as it comes; leave out --json")
    folder = find_sweep(store, sweep)
    _, history = read_sweep(folder)
    number_ = find_job(folder, history, job)
    log = job_folder(folder, number_) / "output.log"
    known = history.outcomes.get(number_)
    if known is not None and known.reused:
        raise SweepError(f"job {number_} of {folder.name} did not run: {known.runs[-1]} stands in for it")
    if not log.exists() and not follow:
        why = "left no log, its launcher keeps it elsewhere or it was removed" if known else "has not started"
        raise SweepError(f"job {number_} of {folder.name} {why}: there is no {log}")
    if as_json:
        said = _tail(log, tail)[0].decode(errors="replace")
        say_json({"sweep": folder.name, "job": number_, "log": str(log), "text": said})
    else:
        text, position = _tail(log, tail) if log.exists() else (b"", 0)
        _print(text)
        if follow:
            _follow(folder, number_, log, position)


def _described(found: SweepStatus, job: JobDetails) -> dict[str, Any]:
    row, outcome = job.row, job.outcome
    log = job_folder(found.folder, row.job) / "output.log"
    return {
        "job": row.job,
        "status": str(job.state),
        "rank": row.rank,
        "run": row.run,
        "runs": [] if outcome is None else list(outcome.runs),
        "point": dict(row.point),
        "overrides": list(job.overrides),
        "objective": row.objective,
        "duration_s": row.duration_s,
        "attempt": None if outcome is None else outcome.attempt,
        "reason": None if outcome is None or outcome.reason is None else str(outcome.reason),
        "error": row.error,
        "reused": row.reused,
        "traceback": None if outcome is None else outcome.traceback,
        "log": str(log) if log.exists() else None,
    }


def _show(found: SweepStatus, chosen: list[JobDetails]) -> None:
    rows = [job.row for job in chosen]
    attempts = [str(job.outcome.attempt) if job.outcome else "-" for job in chosen]
    say_table(
        [
            Column("job", [str(row.job) for row in rows]),
            Column("run", [row.run or "-" for row in rows], left=True, drop=3),
            *swept_columns(found.plan.swept, [row.point for row in rows]),
            Column(found.board.objective.label, [number(row.objective) for row in rows]),
            *([Column("attempt", attempts, drop=4)] if set(attempts) - {"1", "-"} else []),
            Column("time", [format_clock(row.duration_s) for row in rows], drop=5),
            status_column([job.row.how if job.row.reused else str(job.state) for job in chosen]),
        ]
    )
    for row in rows:
        if row.error is not None:
            say(f"job {row.job}: {row.error}", "red")


def _tail(log: Path, lines: int | None) -> tuple[bytes, int]:
    """The last lines of a file, all when None, and how far it was read; no more is held than is asked for."""
    with log.open("rb") as stream:
        return b"".join(deque(stream, maxlen=lines)), stream.tell()


def _print(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def _follow(folder: Path, job: int, log: Path, position: int) -> None:
    """Print what is added to a log until its job has ended, or the sweep has."""
    while True:
        # Asked first: what was printed before the end is read after it.
        goes_on = parent_of(folder) is not None and not _has_ended(folder, job)
        if log.exists():
            with log.open("rb") as stream:
                stream.seek(position)
                text = stream.read()
            position += len(text)
            _print(text)
        if not goes_on:
            return
        time.sleep(POLL_S)


def _has_ended(folder: Path, job: int) -> bool:
    known = replay(folder / "jobs.jsonl").jobs.get(job)
    return known is not None and known.outcome is not None and not known.is_open
