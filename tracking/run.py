"""The live handle of one run; nothing else writes into its folder while the run is open."""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, Self

from tracking.errors import InvalidValueError, MissingFileError, TrackingError, quoted
from tracking.files import atomic, folders
from tracking.metrics.journal import journal_of
from tracking.metrics.line import LineEncoder
from tracking.paths import RunPaths
from tracking.process import identity
from tracking.process.signals import guard
from tracking.process.sweep_context import RUN_DIR, JobContext, current_gate, current_job
from tracking.process.turns import per_job
from tracking.records import RunStatus
from tracking.store import ending
from tracking.store.scan import shown_status
from tracking.store.store import Store
from tracking.values.checks import param_values
from tracking.values.jsontext import kept
from tracking.values.names import check_artifact, check_path

log = logging.getLogger("tracking")

_active: list["Run"] = per_job([])
_outer_run: str | None = None  # that of the process which started this one, while this one has its own


class Run:
    """An open run. `with tracker.start_run(...) as run:` finishes it as completed, failed, killed or pruned.

    Threads may share it, and several processes may write to one run: all metrics, parameters and tags are kept. When
    two processes set the same parameter or tag, the later value stays. It can be pickled into another process, which
    takes part in the run and does not end it.
    """

    def __init__(self, store: Store, run_id: str, *, is_guest: bool = False) -> None:
        self._store = store
        self._paths: RunPaths = store.paths.run(run_id)
        self._claim = ending.claimed(store, run_id)
        self._claim.is_guest = self._claim.is_guest or is_guest  # another process opened the run, and ends it
        self._journal = journal_of(self._paths, self._claim)
        self._lines = LineEncoder()
        self._stop_file = str(self._paths.stop)
        self._gate = current_gate()
        self._new: Callable[..., Mapping[str, Any]] | None = None  # of a log call, in a run that goes on
        self._is_held = False  # by this handle, for the time between start_run and its block
        self._ended_before = self._claim.ended
        self._cleanups: list[Callable[[], None]] = []
        self._opener = os.getpid()  # a forked child must not finish the run of its parent
        self._thread = threading.current_thread()
        self._job: JobContext | None = None
        self.run_id = run_id

    def __repr__(self) -> str:
        return f"Run({self.run_id!r}, store={str(self._store.paths.named)!r})"

    def __reduce__(self) -> tuple[Callable[..., "Run"], tuple[Path, Path, str, str]]:
        paths = self._store.paths
        return _passed_on, (paths.named, paths.base, self.run_id, identity.owner()["token"])

    def _repr_html_(self) -> str | None:
        try:
            record = self._store.scan.record(self._store.require(self.run_id))
        except TrackingError:
            return None  # it was deleted or damaged; the repr still names it
        return record._repr_html_()

    @property
    def run_dir(self) -> Path:
        """Return the folder of the run, an absolute path."""
        return self._paths.folder

    @property
    def artifacts_dir(self) -> Path:
        """Return the folder for files of the run, created if needed."""
        folders.make_dir(self._paths.artifacts)
        return self._paths.artifacts

    def log(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Append one point per metric. Once this returns, the points survive the death of the process.

        Values are real numbers, or scalars of numpy, torch and the like; NaN and infinities are kept. Raise
        InvalidValueError and keep nothing when one value is invalid. The cost does not depend on earlier calls.
        """
        if self._new is not None:
            metrics = self._new(metrics, step)
        line = self._lines.encode(metrics, step)
        if line:
            self._journal.append(line)
            if self._gate is not None:
                self._gate.count(self._paths.folder, metrics)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Add parameters to those already logged; a known name gets the new value."""
        values = param_values(params)
        with self._journal.held():
            self._claim.take(reopens=False)
            known = self._store.scan.params(self.run_id)
            atomic.write_json(self._paths.params, kept({**known, **values}), durable=False)
            self._claim.tell()

    def log_artifact(self, path: Any, name: str | PurePath | None = None) -> Path:
        """Copy a file or a folder into the run's artifacts as `name` (such as 'plots/roc.png') or its own name.

        A figure, a dict or a list may be given too; see `log_figure` and `log_dict`. Return the path of the artifact. A
        copy can be read by no more people than its origin, and stays executable.
        """
        from tracking.files import artifacts  # here and below: few runs need it

        if isinstance(path, Mapping | list):
            return self.log_dict(path, artifacts.needed(name, "config.json"))
        if callable(getattr(path, "savefig", None)):
            return self.log_figure(path, artifacts.needed(name, "plots/roc.png"))
        source = check_path("artifact", path, example="plots/roc.png")
        name = source.name or source.resolve().name if name is None else name
        is_folder = os.path.isdir(source)  # noqa: PTH112 - here and below, also of a text too long for a path
        if not is_folder and not os.path.isfile(source):  # noqa: PTH113
            raise MissingFileError(
                f"artifact {str(source)!r} is not a file or folder; give the path of an existing one, "
                "or use log_text for text"
            )
        target = self._place_for(name, is_folder=is_folder)
        # what the program wrote into the artifacts folder is already in its place
        if not (target.exists() and target.samefile(source)):
            (artifacts.copy_folder if is_folder else atomic.copy_file)(source, target)
        return target

    def log_text(self, text: str, name: str | PurePath) -> Path:
        """Keep a text as an artifact, such as 'notes.md'; return its path."""
        if not isinstance(text, str):
            raise InvalidValueError(f"{quoted(text)} is no text; use log_dict for dicts and lists")
        return self._keep(text.encode(errors="backslashreplace"), name)

    def log_dict(self, values: Mapping[str, Any] | list[Any], name: str | PurePath) -> Path:
        """Keep a dict or a list as an artifact, YAML if the name ends in .yaml or .yml, else JSON; return its path."""
        from tracking.files import artifacts

        return self._keep(artifacts.data_bytes(values, check_artifact(name)), name)

    def log_figure(self, figure: Any, name: str | PurePath) -> Path:
        """Draw a figure of matplotlib as an artifact, in the format of the name's ending; return its path."""
        from tracking.files import artifacts

        return self._keep(artifacts.figure_bytes(figure, check_artifact(name)), name)

    def _keep(self, data: bytes, name: str | PurePath) -> Path:
        target = self._place_for(name)
        atomic.write_bytes(target, data)
        return target

    def _place_for(self, name: str | PurePath, *, is_folder: bool = False) -> Path:
        from tracking.files import artifacts

        name = check_artifact(name)
        self._claim.take(reopens=False)
        return artifacts.place_for(self._paths.artifacts, name, is_folder=is_folder)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Add tags to the run; a known tag gets the new value."""
        self._amend("set_tags", tags)

    def remove_tags(self, *names: str) -> None:
        """Remove tags; ignore those that the run does not have."""
        self._amend("set_tags", remove=names)

    def describe(self, text: str, *, append: bool = False) -> None:
        """Replace the run's description, or add a line to it."""
        self._amend("describe", text, append=append)

    def set_data(self, data: Mapping[str, Any]) -> None:
        """Record the fingerprint of the data, such as {"fingerprint": "sha256:..."}, when it is known only now."""
        self._amend("set_data", data)

    def _amend(self, change: str, *values: Any, **named: Any) -> None:
        from tracking.store import amend  # most processes that log runs never need it

        getattr(amend, change)(self._store, self.run_id, *values, **named)
        self._store.publisher.publish()

    def should_stop(self) -> bool:
        """Return whether the run was asked to stop early; costs one look at the file system.

        In a sweep that judges its jobs while they run, it waits for the judgement once enough values are logged.
        """
        if self._gate is not None and self._gate.closes(self._paths.folder):
            ending.prune(self._claim)
            self._claim.was_stopped = True
        elif os.path.exists(self._stop_file):  # noqa: PTH110 - called at every step, three times as fast
            self._claim.was_stopped = True
        else:
            return False
        return True

    @property
    def is_pruned(self) -> bool:
        """Whether its sweep has asked the run to stop: it ends as pruned, and may go on later from what it keeps."""
        return self._claim.is_pruned or ending.is_asked(self._paths)

    @property
    def is_finished(self) -> bool:
        """Whether this process has ended the run since it got this handle, and has logged nothing since."""
        return not self._claim.is_open and self._claim.ended != self._ended_before

    def finish(self, status: str = "completed", error: str | BaseException | None = None) -> None:
        """Finish the run as completed, failed, killed or pruned, so that it survives a power loss.

        `error` may be an exception or a full traceback: run.json gets the line that names the exception, error.txt all
        of it. A finished run may be finished again, with what was logged since. A process that takes part in a run that
        another one has open completes only its own part; the run ends as failed if any of them fails.
        """
        with guard.deferring():
            ending.finish(self._claim, self._journal, status, error)
            self._deactivate_all()

    def release(self) -> None:
        """Close the journal without finishing the run; the next log call opens it again."""
        self._journal.close()

    def __enter__(self) -> Self:
        self._opener = os.getpid()
        if not self._is_held:
            self._claim.enter()
        self._is_held = False
        self._ended_before = self._claim.ended
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if os.getpid() != self._opener:
            self._deactivate()  # a forked child leaves the block too, while the run continues in its parent
            return
        is_last, status = self._claim.leave(), ending.status_after(error)
        was_ended = self._claim.ended != self._ended_before
        if not self._claim.is_open and (was_ended or status is not RunStatus.FAILED):
            return  # it was finished in the block, or had ended before and was only looked at
        with guard.deferring():
            if not is_last or self._claim.takes_part:
                self._leave(status, error, is_last=is_last)
                return
            try:
                if error is None or status in (RunStatus.COMPLETED, RunStatus.ENDED):
                    self.finish(status)
                else:
                    self._finish_after(status, error)
            finally:
                self._deactivate_all()

    def _leave(self, status: RunStatus, error: BaseException | None, *, is_last: bool) -> None:
        """Leave a run that goes on in another block or process, which ends it."""
        if error is not None and status is RunStatus.FAILED:
            try:
                ending.note_failure(self._claim, error)
            except (TrackingError, OSError) as fault:
                self._tell(f"the failure could not be noted in {self.run_id}: {fault}", error)
        if is_last:
            ending.leave_part(self._claim, self._journal)

    def _tell(self, note: str, error: BaseException) -> None:
        log.error("%s", note)  # the error of the block must stay the one that is raised
        error.add_note(note)

    def _finish_after(self, status: RunStatus, error: BaseException) -> None:
        try:
            self.finish(status, error=error)
        except (TrackingError, OSError) as fault:
            self._tell(f"{self.run_id} could not be finished as {status}: {fault}", error)

    def activate(self, *, goes_on: bool = False) -> None:
        """Make this the innermost open run of the thread until it, or its job, ends; SIGTERM then unwinds the block.

        Processes that are started meanwhile find it in the environment. A run that `goes_on` was pruned before.
        """
        self._claim.begin()
        self._activate()
        if goes_on:
            from tracking.store.going_on import Known

            self._new = Known.of(self._store, self.run_id, self._gate).new

    def reopen(self) -> None:
        """Activate the run again if this process has ended it since it got this handle; one that is active goes on."""
        if self._claim.ended != self._ended_before and all(run._claim is not self._claim for run in _active):
            self._claim.take()
            self._claim.before = None  # how it had ended says nothing of what follows
            self._activate()

    def _activate(self) -> None:
        global _outer_run
        self._opener, self._thread = os.getpid(), threading.current_thread()
        if not _opened_here():
            _outer_run = os.environ.get(RUN_DIR)
        _active.append(self)
        os.environ[RUN_DIR] = str(self.run_dir)
        self._job, self._gate = current_job(), current_gate()
        if self._job is not None:
            self._job.at_end.append(self._deactivate)
        guard.enter()
        self._is_held = True
        self._claim.enter()

    def add_cleanup(self, cleanup: Callable[[], None]) -> None:
        """Call `cleanup` once when the run ends in any way, the last one added first. It must not raise."""
        self._cleanups.append(cleanup)

    def _deactivate_all(self) -> None:
        """Deactivate this handle, and the one that opened the run."""
        for run in [self, *(run for run in _active if run._claim is self._claim)]:
            run._deactivate()

    def _deactivate(self) -> None:
        while self._cleanups:
            self._cleanups.pop()()
        if self not in _active:
            return
        _active.remove(self)
        guard.leave()
        if self._job is not None and self._deactivate in self._job.at_end:
            self._job.at_end.remove(self._deactivate)
        left = _opened_here()
        folder = str(left[-1].run_dir) if left else _outer_run
        os.environ.pop(RUN_DIR, None)
        if folder is not None:
            os.environ[RUN_DIR] = folder


def active_run() -> Run | None:
    """Return the innermost open run of the calling thread, or of the process when that thread opened none.

    A process that opened none gets the run in which it was started, to log into it beside the process that opened it;
    leaving a `with` of that handle does not finish the run. None when that run has ended.
    """
    thread = threading.current_thread()
    innermost_first = _opened_here()[::-1]
    own = (run for run in innermost_first if run._thread is thread)
    return next(own, next(iter(innermost_first), None)) or _run_around()


def _opened_here() -> list[Run]:
    # a forked child has a copy of the list, and no open run until it opens one
    return [run for run in _active if run._opener == os.getpid()]


_around: tuple[object, Run | None] = None, None  # the last answer of `_run_around`, and what it holds for
_guests: dict[Path, Run] = {}  # kept to the end of the process, which puts their journals in order


def _run_around() -> Run | None:
    """Return a handle of the run that the environment names; None when it names no run that is going on."""
    global _around
    named = os.environ.get(RUN_DIR)
    if not named:
        return None
    try:
        state = os.stat(f"{named}/run.json")  # noqa: PTH116 - asked at every step
    except (OSError, ValueError):
        return None
    holds_for = os.getpid(), named, state.st_ino, state.st_mtime_ns
    if _around[0] != holds_for:
        _around = holds_for, _handle_of(Path(named))
    return _around[1]


def _handle_of(folder: Path) -> Run | None:
    if not folder.is_absolute() or folder.parent.name != "runs":
        return None
    store = Store(folder.parents[1])
    try:
        if shown_status(store.require(folder.name), store.paths) is not RunStatus.RUNNING:
            return None
    except (TrackingError, OSError):
        return None
    return _guest_in(store, folder.name)


def _guest_in(store: Store, run_id: str) -> Run:
    folder = store.paths.run(run_id).folder
    known = _guests.get(folder)
    if known is None or known._opener != os.getpid():
        known = _guests[folder] = Run(store, run_id, is_guest=True)
    return known


def _passed_on(named: Path, base: Path, run_id: str, token: str) -> Run:
    """Return the handle that `Run.__reduce__` describes; `token` is that of the process that pickled it.

    In another process, `active_run()` gives that run from then on: a worker of a pool may be older than the run.
    """
    store = Store(named, at=base)
    if token == identity.owner()["token"]:
        return Run(store, run_id)
    if not _opened_here():
        os.environ[RUN_DIR] = str(store.paths.run(run_id).folder)
    return _guest_in(store, run_id)
