"""The sweep and job that the runs of this process belong to, without the job's code knowing.

The context holds for the whole process, because a job may start its run in another thread.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

OnStart = Callable[[str, Path], None]


class JobContext(NamedTuple):
    """The job of this process: what run.json keeps under "sweep", and the callback for a new run."""

    sweep: dict[str, Any]
    on_start: OnStart | None


_contexts: list[JobContext] = []


@contextlib.contextmanager
def job_context(
    *,
    sweep: str,
    job: int,
    key: str,
    config_hash: str,
    attempt: int = 1,
    previous: Sequence[str] = (),
    objective: Mapping[str, str] | None = None,
    on_start: OnStart | None = None,
) -> Iterator[None]:
    """Mark every run started in the block as one of this job, and call `on_start(run_id, run_dir)` when it exists.

    `previous` are the runs of the job's earlier attempts. `objective` is the metric that ranks the sweep and its mode,
    ``max`` or ``min``. A run's record holds both.
    """
    identity: dict[str, Any] = {
        "id": sweep, "job": job, "key": key, "config_hash": config_hash, "attempt": attempt,
    }  # fmt: skip
    if previous:
        identity["previous"] = list(previous)
    if objective is not None:
        identity["objective"] = dict(objective)
    context = JobContext(identity, on_start)
    _contexts.append(context)
    try:
        yield
    finally:
        _contexts.remove(context)


def current_job() -> JobContext | None:
    """Return the innermost job context of this process."""
    return _contexts[-1] if _contexts else None
