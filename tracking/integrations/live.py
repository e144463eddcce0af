"""One line that logs: into the run that is open, else into one of its own.

`log({"loss": 0.5})` needs nothing before it. `Live` counts steps and ends its run; its calls have the names that DVCLive gives them.
"""

import functools
import os
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, Literal, Self

from tracking.errors import InvalidValueError, quoted
from tracking.process.hooks import renew_in_children
from tracking.process.sweep_context import current_job
from tracking.records import RunStatus
from tracking.run import Run, active_run
from tracking.tracker import ExperimentTracker
from tracking.values.names import check_path

STORE = "experiments"
LEFT_OUT = "PODIUM_RUN_DIRS_OF_TRAININGS"  # of runs that trainings in processes of this one do not log into


@dataclass(frozen=True)
class _Trainer:
    thread: threading.Thread
    is_held: bool = False  # the run is for all trainings of the thread, by a block


# Runs that integrations made for trainings, with who trains.
_of_trainings: "weakref.WeakKeyDictionary[Run, _Trainer]" = weakref.WeakKeyDictionary()
_beginning = (
    threading.RLock()
)  # so that no thread sees the run of another one's training before it is among them


def _renew() -> None:
    global _beginning
    _beginning = threading.RLock()


renew_in_children(_renew)


def _note(run: Run, *, is_held: bool) -> None:
    """Note that this thread trains in a run, until that ends also for processes that are started from now on."""
    with _beginning:
        _of_trainings[run] = _Trainer(threading.current_thread(), is_held)
        if is_held:
            _join(run)
        elif str(run.run_dir) not in _left_out():
            os.environ[LEFT_OUT] = os.pathsep.join([*_left_out(), str(run.run_dir)])
            run.add_cleanup(functools.partial(_join, run))


def _join(run: Run) -> None:
    """Let trainings of processes that are started from now on log into a run, while it is open."""
    with _beginning:
        others = [each for each in _left_out() if each != str(run.run_dir)]
        os.environ.pop(LEFT_OUT, None)
        if others:
            os.environ[LEFT_OUT] = os.pathsep.join(others)


def _left_out() -> list[str]:
    return [each for each in os.environ.get(LEFT_OUT, "").split(os.pathsep) if each]


def log(metrics: Mapping[str, Any], step: int | None = None) -> Run:
    """Log one point per metric into the open run, or into a new one if none is open; return the run.

    A new run is in the store of the sweep whose job this is, else in `experiments`, in the experiment that is named as the
    script. It is open until the process ends, and then `ended`; `finish()` of the run that is returned says more.
    """
    run = active_run() or ExperimentTracker(nearest_store()).start_run(script_name())
    run.log(metrics, step)
    return run


def nearest_store() -> Path:
    """Return the store of the sweep whose job this is; outside of sweeps `experiments`, below the working folder."""
    job = current_job()
    return (job and job.store) or Path(STORE)


def script_name() -> str:
    """Return the name of the script that runs, for an experiment; `python` where there is none."""
    return Path(sys.argv[0]).stem.removeprefix("-") or "python"


def checked_run(run: Any) -> Run | None:
    """Return a run that was given to log into, or None for none; raise InvalidValueError unless it is one that may go on."""
    if run is None:
        return None
    if not isinstance(run, Run):
        raise InvalidValueError(
            f"run is {quoted(run)}; give an open run, such as tracker.open_run('run_001')"
        )
    if run.is_finished:
        raise InvalidValueError(
            f"run is {run.run_id}, which has ended; give an open run, such as tracker.open_run({run.run_id!r})"
        )
    return run


def checked_checkpoints(choice: bool | Literal["all"]) -> bool | Literal["all"]:
    """Return which checkpoints become artifacts: none, the best and the last, or "all"; raise InvalidValueError for others."""
    if choice not in (True, False, "all"):
        raise InvalidValueError(f"log_checkpoints is {quoted(choice)}; give True, False or 'all'")
    return choice


def refuse_others(of: str, others: Sequence[object], unknown: Mapping[str, object], *known: str) -> None:
    """Raise TypeError, which says what is allowed, for arguments that a class of an integration does not take."""
    first, *named = known
    if unknown:
        raise TypeError(
            f"{of} has no argument {quoted(next(iter(unknown)))}; it takes {first}, and by name {', '.join(named)}"
        )
    if others:
        raise TypeError(f"{of} takes {first} by place, and by name {', '.join(named)}")


def start_of_training(experiment: str | None, store: str | PurePath | None) -> Run:
    """Start a run for one training, whatever is open: other trainings do not log into it."""
    with _beginning:
        run = _tracker(store).start_run(script_name() if experiment is None else experiment)
        _note(run, is_held=False)
    return run


def _tracker(store: str | PurePath | None) -> ExperimentTracker:
    return ExperimentTracker(nearest_store() if store is None else check_path("store", store, example=STORE))


def _surrounding(*, of_training: bool) -> Run | None:
    """Return the run that is open; for a training not that of another one, unless its thread holds it.

    One that was left without an end ends now.
    """
    found = active_run()
    while of_training and found is not None and (trainer := _of_trainings.get(found)) is not None:
        is_here = trainer.thread is threading.current_thread()
        if is_here and trainer.is_held:
            break
        if trainer.thread.is_alive() and not is_here:
            return None  # it may be training still
        found.finish(RunStatus.ENDED)
        found = active_run()
    return None if of_training and found is not None and _is_of_outer(found) else found


def _is_of_outer(run: Run) -> bool:
    """Return whether another process has made the run for a training, and does not hold it."""
    return run not in _of_trainings and str(run.run_dir) in _left_out()


class Live:
    """Logs into a run and counts steps: that is `run`, else the one that is open, else a new one.

    A new run is one of `experiment`, by default the name of the script, in `store`, by default the `nearest_store`. It ends
    with `end()`, or with the `with` block: as completed, or as failed or killed by what left the block. A run that was open
    goes on. One `of_training` does not log into the run that another training has made, unless its thread holds that.
    """

    def __init__(
        self,
        experiment: str | None = None,
        *,
        store: str | PurePath | None = None,
        run: Run | None = None,
        of_training: bool = False,
    ) -> None:
        given, tracker = checked_run(run), _tracker(store)
        with _beginning:
            given = given or _surrounding(of_training=of_training)
            self.is_own = given is None  # it opened the run, and ends it
            self.run = given or tracker.start_run(script_name() if experiment is None else experiment)
            if of_training and self.is_own:
                _note(self.run, is_held=False)
        self._step = 0
        self._has_heard = False  # that the run is to stop

    @property
    def step(self) -> int:
        """The step that `log_metric` logs at; 0 at first."""
        return self._step

    @step.setter
    def step(self, step: int) -> None:
        if type(step) is not int or step < 0:
            raise InvalidValueError(f"step {quoted(step)} is no whole number from 0 on")
        self._step = step

    def next_step(self) -> None:
        """Go on to the next step."""
        self._step += 1

    def log_metric(self, name: str, value: Any) -> None:
        """Log one point at the present step."""
        self.run.log({name: value}, self._step)

    def log_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Log one point per metric at the present step."""
        self.run.log(metrics, self._step)

    def log_param(self, name: str, value: Any) -> None:
        """Add a parameter."""
        self.run.log_params({name: value})

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Add parameters."""
        self.run.log_params(params)

    def log_artifact(self, path: Any, name: str | PurePath | None = None) -> Path:
        """Copy a file or a folder into the artifacts of the run; see `Run.log_artifact`."""
        return self.run.log_artifact(path, name)

    def should_stop(self) -> bool:
        """Return whether the run was asked to stop early."""
        stops = self.run.should_stop()
        self._has_heard |= stops
        return stops

    def end(self, error: str | BaseException | None = None) -> None:
        """Finish a run of its own: as completed, or as failed or killed by `error`; one that was open before goes on.

        Points that are logged later open the run again, until the next `end`. A run that its user has finished stays as it
        is, and one that its sweep stopped early `pruned`.
        """
        if not self.is_own:
            return
        if self.run.is_finished:
            return
        if isinstance(error, BaseException):
            self.run.__exit__(type(error), error, error.__traceback__)
        elif error is not None:
            self.run.finish("failed", error)
        else:
            self.run.finish("pruned" if self._has_heard and self.run.is_pruned else "completed")

    def leave(self) -> None:
        """Leave the run of a training that did not say how it ended: it is `ended`."""
        if self.run in _of_trainings and not self.run.is_finished:
            self.run.finish(RunStatus.ENDED)

    def begin(self) -> None:
        """Begin a training in the run: one of its own that has ended is the open one again."""
        trainer = _of_trainings.get(self.run)
        if trainer is not None:
            self.run.reopen()
            if not trainer.is_held:
                _note(self.run, is_held=False)

    def hold(self) -> None:
        """Keep the run of a training open, also while others begin in its thread, which then log into it."""
        if self.run in _of_trainings:
            _note(self.run, is_held=True)

    def release(self) -> None:
        """Let the next training have a run of its own, and end this one if it was left."""
        trainer = _of_trainings.get(self.run)
        if trainer is not None and trainer.is_held:  # asked at every step
            _note(self.run, is_held=False)

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.end(error)
