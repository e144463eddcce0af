"""Where a job of a child process waits for its judgement: it asks the sweep's process, which answers through the pipe.

Jobs that take turns in one process and wait at the same time are judged together.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from sweeps.executor.failure_text import KILLED_BY_SIGTERM
from sweeps.jobs import Job, counted
from tracking.process.announcements import announced
from tracking.process.job_gate import Gate, Verdict
from tracking.process.signals import Terminated
from tracking.process.turns import together

PRUNED = "stopped early by the search of its sweep, with SIGTERM because it does not ask run.should_stop()\n"


class _Waiting(NamedTuple):
    """A job that waits: how many values it has logged, and in which run."""

    connection: Connection
    job: int
    logged: int
    run_dir: Path


def gate_to(connection: Connection, job: Job, objective: Mapping[str, Any] | None) -> Gate | None:
    """Return the gate of a job that is judged, at which it asks through `connection`; None for any other job."""
    metrics = counted(objective)
    if job.until is None or not metrics:
        return None

    def ask(run_dir: Path, count: int) -> Verdict:
        return together(_judged, _Waiting(connection, job.number, count, run_dir), first=True)

    def tell(run_dir: Path) -> None:
        with contextlib.suppress(OSError):  # the sweep's process is gone
            _send(connection, kind="asks", job=job.number, run=str(run_dir))

    return Gate(metrics, job.until, ask, tell)


def log_text(job: Job, message: Mapping[str, Any]) -> str:
    """Return what the log of a job says of its end: the traceback, or that the search has ended it with SIGTERM."""
    if message.get("error") == KILLED_BY_SIGTERM and job.until is not None:
        from tracking.watched import is_to_be_pruned  # few jobs end this way

        if any(is_to_be_pruned(Path(each.folder)) for each in announced(job.folder, job.attempt)):
            return PRUNED
    return message.get("traceback") or ""


def _judged(waiting: Sequence[_Waiting]) -> list[Verdict]:
    connection = waiting[0].connection
    counts = [(each.job, each.logged, str(each.run_dir)) for each in waiting]
    try:
        _send(connection, kind="waits", counts=counts)
        goes_on = json.loads(connection.recv_bytes())
    except (EOFError, OSError):  # the sweep's process is gone, and SIGTERM is on its way
        raise Terminated from None
    return [Verdict(str(each.job) in goes_on, goes_on.get(str(each.job))) for each in waiting]


def _send(connection: Connection, **message: Any) -> None:
    connection.send_bytes(json.dumps(message).encode())
