"""What a sweep tells the runs that its job makes, without the job knowing: who they belong to.

The context is of the whole process, because a job may make its run in a thread of its own.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

OnStart = Callable[[str, Path], None]


class JobContext(NamedTuple):
    """The job this process works on: what run.json keeps under "sweep", and whom to tell of a new run."""

    sweep: dict[str, Any]
    on_start: OnStart | None


_contexts: list[JobContext] = []


@contextlib.contextmanager
def job_context(
    *, sweep: str, job: int, key: str, config_hash: str, attempt: int = 1, on_start: OnStart | None = None
) -> Iterator[None]:
    """Mark every run made inside as one of this job, and call `on_start(run_id, run_dir)` as soon as it exists."""
    identity = {"id": sweep, "job": job, "key": key, "config_hash": config_hash, "attempt": attempt}
    context = JobContext(identity, on_start)
    _contexts.append(context)
    try:
        yield
    finally:
        _contexts.remove(context)


def current_job() -> JobContext | None:
    """The innermost job context of this process."""
    return _contexts[-1] if _contexts else None
