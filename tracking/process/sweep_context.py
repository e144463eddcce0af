"""The sweep and job that the runs of this process belong to, without the job's code knowing.

The context holds for the whole process, because a job may start its run in another thread. It stands in the
environment as well, so it also holds for processes that the job starts, in any way.
"""

import contextlib
import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import quoted
from tracking.process.turns import per_job
from tracking.values.secrets import masked_command

if TYPE_CHECKING:  # few processes have one
    from tracking.process.job_gate import Gate

log = logging.getLogger("tracking")

JOB = "PODIUM_JOB"  # the job of a process and of those that it starts, as JSON
RUN_DIR = "PODIUM_RUN_DIR"  # the folder of the innermost open run of the process
OPTIONAL = ("attempt", "previous", "overrides")
MOST_TEXT = 16 << 10  # characters of overrides in a variable: Linux starts no process with one of 128 KiB

OnStart = Callable[[str, Path], None]


@dataclass(eq=False)
class JobContext:
    """A job: what run.json keeps under "sweep", where its runs are announced, and the folder its sweep was started in.

    `overrides` make the job out of the sweep's config. `pid` is the process that opened the context, None in processes that know it from the environment. `at_end` is
    called when the context ends. At the `gate` the runs of that process ask whether to go on.
    """

    sweep: dict[str, Any]
    folder: Path | None = None
    cwd: Path | None = None
    on_start: OnStart | None = None
    pid: int | None = None
    at_end: list[Callable[[], None]] = field(default_factory=list)
    gate: "Gate | None" = None
    overrides: Sequence[str] = ()

    @property
    def store(self) -> Path | None:
        """The store that holds its sweep, as the folder STORE/sweeps/ID/jobs/NUMBER says; None where a job has another."""
        place = self.folder.parts[-4:-1] if self.folder is not None else ()
        is_told = place == ("sweeps", self.sweep["id"], "jobs")
        return self.folder.parents[3] if is_told and self.folder is not None else None

    def announce(self, run_dir: Path) -> None:
        """Tell the sweep of a new run; a sweep that cannot be told does not stop the run."""
        from tracking.process.announcements import announce  # most runs belong to no job

        is_own = self.pid == os.getpid()
        if self.folder is not None:
            try:
                announce(self.folder, run_dir, attempt=self.sweep.get("attempt", 1), by_child=not is_own)
            except OSError as error:
                log.warning("the sweep may not count %s for its job: %s", run_dir, error)
        if self.on_start is not None and is_own:
            self.on_start(run_dir.name, run_dir)


_contexts: list[JobContext] = per_job([])


@contextlib.contextmanager
def job_context(
    *,
    sweep: str,
    job: int,
    key: str,
    config_hash: str,
    attempt: int = 1,
    previous: Sequence[str] = (),
    overrides: Sequence[str] = (),
    objective: Mapping[str, str] | None = None,
    folder: Path | None = None,
    cwd: str | os.PathLike[str] | None = None,
    on_start: OnStart | None = None,
    gate: "Gate | None" = None,
) -> Iterator[None]:
    """Mark every run started in the block as one of this job, in this process and in those that it starts.

    `on_start(run_id, run_dir)` is called for each run of this process once it exists. With `folder`, the job's own,
    every run is appended to its runs.jsonl. `previous` are the runs of the job's earlier attempts, as folders or ids.
    `overrides` are those of Hydra that make the job, for runs that are given none. `objective` is the metric that ranks the sweep, its mode, ``max`` or ``min``, and which value counts, ``best`` or
    ``last``. A relative store lies below `cwd`, by default the working folder at the start of the block. With a `gate`,
    `Run.should_stop` asks there too.
    """
    identity: dict[str, Any] = {
        "id": sweep, "job": job, "key": key, "config_hash": config_hash, "attempt": attempt,
    }  # fmt: skip
    if previous:
        identity["previous"] = list(previous)
    if objective is not None:
        identity["objective"] = dict(objective)
    start = _working_folder() if cwd is None else Path(cwd).absolute()
    place = None if folder is None else folder.absolute()
    context = JobContext(identity, place, start, on_start, os.getpid(), gate=gate, overrides=list(overrides))
    # The job has not opened a run yet; that of a process around the sweep is not its own.
    before = {name: os.environ.pop(name, None) for name in (JOB, RUN_DIR)}
    os.environ[JOB] = _as_text(context)
    _contexts.append(context)
    try:
        yield
    finally:
        for leave in reversed(context.at_end.copy()):
            leave()
        _contexts.remove(context)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def current_job() -> JobContext | None:
    """Return the innermost job context of this process, else the job that started it; None outside of jobs.

    A variable that cannot be read, or that names a job whose folder is gone, is ignored.
    """
    if _contexts:
        return _contexts[-1]
    text = os.environ.get(JOB)
    inherited = _from_text(text) if text else None
    if inherited is None or (inherited.folder is not None and not inherited.folder.is_dir()):
        return None
    return inherited


def has_own_command() -> bool:
    """Return whether a job has started this process as another program, whose own command says what it computes.

    It does not for the job's own process and for those that multiprocessing makes of it.
    """
    processes = sys.modules.get("multiprocessing.process")
    is_child = processes is not None and processes.parent_process() is not None
    return not _contexts and not is_child and current_job() is not None


def current_gate() -> "Gate | None":
    """Return the gate of the innermost job context of this process; None without one."""
    return _contexts[-1].gate if _contexts else None


def located(path: Path) -> Path:
    """Return an absolute path; in a job, a relative one lies below the folder that the sweep was started in."""
    job = None if path.is_absolute() else current_job()
    return path.absolute() if job is None or job.cwd is None else job.cwd / path


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was removed
        return None


def _as_text(context: JobContext) -> str:
    identity = {name: value for name, value in context.sweep.items() if name != "id"}
    places = {"folder": context.folder, "cwd": context.cwd}
    known: dict[str, Any] = {name: str(place) for name, place in places.items() if place is not None}
    overrides = masked_command(context.overrides)
    if overrides and sum(map(len, overrides)) <= MOST_TEXT:
        known["overrides"] = overrides
    return json.dumps({"sweep": context.sweep["id"], **identity, **known}, default=str)


@functools.lru_cache(maxsize=1)
def _from_text(text: str) -> JobContext | None:
    try:
        known = json.loads(text)
        identity = {"id": known.pop("sweep"), **known}
        folder, cwd = (_absolute(identity.pop(name, None)) for name in ("folder", "cwd"))
        for name, kind in {
            "id": str,
            "job": int,
            "attempt": int,
            "previous": list,
            "overrides": list,
        }.items():
            if type(identity.get(name, kind())) is not kind or name not in {*identity, *OPTIONAL}:
                raise TypeError(f"{name} is {identity.get(name)!r}")
        overrides = [str(each) for each in identity.pop("overrides", ())]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        log.warning("%s is ignored, because it does not name a job (%r): %s", JOB, error, quoted(text))
        return None
    return JobContext(identity, folder, cwd, overrides=overrides)


def _absolute(place: Any) -> Path | None:
    path = None if place is None else Path(place)
    if path is not None and not path.is_absolute():
        raise ValueError(f"{place} is not an absolute path")
    return path
