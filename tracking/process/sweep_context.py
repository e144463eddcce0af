"""What a sweep tells the runs that its job makes, without the job knowing: who they belong to.

The context is of the whole process, because a job may make its run in a thread of its own.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

OnStart = Callable[[str, Path], None]


class JobContext(NamedTuple):
    """The job this process works on: what run.json keeps under "sweep", and whom to tell of a new run."""

    sweep: dict[str, Any]
    on_start: OnStart | None

    @property
    def previous(self) -> tuple[str, ...]:
        """The runs of the job's earlier attempts, oldest first."""
        return tuple(self.sweep.get("previous", ()))


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
    """Mark every run made inside as one of this job, and call `on_start(run_id, run_dir)` as soon as it exists.

    `previous` are the runs of the job's earlier attempts, `objective` the metric that the sweep is ranked by and its
    mode, ``max`` or ``min``; a run's record names them too.
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
    """The innermost job context of this process."""
    return _contexts[-1] if _contexts else None
