"""The executor contract as tests, for every executor to run; see `sweeps.executor.contract`.

Subclass `ExecutorConformance` in a test module, make your executor from the `App` that it is given, and declare what it
cannot promise:

    class TestDaskExecutor(ExecutorConformance):
        places = 4

        def executor(self, app: App) -> Executor:
            return DaskExecutor(app.common)

Each test takes an empty folder, as pytest's ``tmp_path``; this module needs no test framework.
"""

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import SkipTest

from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from sweeps.executor.contract import Executor
from sweeps.executor.local.program import Common
from sweeps.jobs import STOPPED, Event, EventKind, Job, JobStatus, Outcome, Reason
from sweeps.paths import JOB_FOLDERS
from sweeps.plan.compose import Composer
from tracking import ExperimentTracker
from tracking.process.turns import together

PATIENCE_S = 60.0


def task(config: DictConfig) -> object:
    """Run one job of the suite: do what its config says and return its value."""
    folder, does = Path(config.folder), config.does
    if does == "raise":
        raise ValueError("no such luck")
    if does == "sys.exit":
        sys.exit(3)
    if does == "os._exit":
        os._exit(4)
    if does == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if does == "compute together":
        return together(lambda values: [2 * value for value in values], config.value)
    if does == "return a lock":
        return threading.Lock()
    if does == "track":
        ExperimentTracker(folder / "experiments").start_run("conformance").finish()
    if does == "track in a process":
        code = (
            "import sys; from tracking import ExperimentTracker as T; T(sys.argv[1]).start_run('x').finish()"
        )
        command = [sys.executable, "-c", code, str(folder / "elsewhere")]
        subprocess.run(command, check=True)  # noqa: S603 - our own code
    if does == "warn":
        logging.getLogger("conformance").warning("step %d is slow", config.value)
        logging.getLogger("conformance").warning("step 7 is slow")
    if does == "end second":
        _await_file(folder / "ended-1")
        time.sleep(0.5)  # the outcome of the first is on its way
    if does in {"wait", "ignore signals"}:
        if does == "ignore signals":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (folder / "waiting").touch()
        time.sleep(PATIENCE_S)
    (folder / f"ended-{config.value}").touch()
    return config.value


@dataclass(frozen=True)
class App:
    """A Hydra app with `task`: what executors are made from, and its jobs. `config` is that of the sweep."""

    hydra_context: HydraContext
    config: DictConfig
    folder: Path
    task_function: Callable[[DictConfig], object] = task
    group: str | None = None  # that of all jobs

    @classmethod
    def made_in(cls, folder: Path, group: str | None = None) -> "App":
        """Write the app's config into an empty folder, which is the folder of its sweep too."""
        config = {
            "defaults": [
                "_self_",
                {"override hydra/sweeper": "podium"},
                {"override hydra/job_logging": "none"},
                {"override hydra/hydra_logging": "none"},
            ],
            "does": "return",
            "value": 0,
            "folder": str(folder),
            "hydra": {
                "job": {"name": "conformance", "chdir": False},
                "sweep": {"dir": str(folder), "subdir": JOB_FOLDERS},
                "sweeper": {"store": str(folder / "experiments"), "max_batch_size": 1},
            },
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        loader = ConfigLoaderImpl(create_config_search_path(str(folder)))
        whole = loader.load_configuration("config", [], RunMode.MULTIRUN)
        return cls(HydraContext(loader, Callbacks()), whole, folder, group=group)

    @property
    def common(self) -> Common:
        """What the jobs share."""
        return Common(self.hydra_context, self.task_function, self.folder.name)

    def jobs(self, *does: str) -> list[Job]:
        """Return jobs that do these things, numbered from 0; each returns its number."""
        composer = Composer(self.hydra_context.config_loader, self.config, ())
        jobs = []
        for number, what in enumerate(does):
            overrides = (f"does='{what}'", f"value={number}")
            config = composer.job_config(number, overrides)
            made = Job(number, f"key-{number}", "hash", overrides, {}, config.folder, config.packed())
            jobs.append(replace(made, group=self.group))
        return jobs


class ExecutorConformance:
    """The tests; `executor` and the attributes describe the executor under test."""

    places = 2  # how many jobs run at once, in whatever number of processes
    is_lazy = True  # jobs are pulled when there is a place for them, not all at once
    isolates = True  # a job may end its process, or refuse to end
    group: str | None = None  # that of all jobs: of an executor that runs several in one process, in turns

    def executor(self, app: App) -> Executor:
        """Return a new executor for one call of `run`."""
        raise NotImplementedError(f"{type(self).__name__} must return the executor that it tests")

    def run(self, folder: Path, *does: str) -> tuple[dict[int, Outcome], list[Event]]:
        """Run jobs that do these things; return their outcomes by number, in the order they came, and the events."""
        app, events = App.made_in(folder, self.group), list[Event]()
        outcomes = list(self.executor(app).run(app.jobs(*does), events.append))
        assert Counter(each.job for each in outcomes) == Counter(range(len(does)))
        return {each.job: each for each in outcomes}, events

    def _needs(self, promised: bool) -> None:
        if not promised:
            raise SkipTest("this executor does not promise it")

    def test_each_job_yields_one_outcome_with_its_value(self, tmp_path: Path) -> None:
        outcomes, _ = self.run(tmp_path, *["return"] * 5)
        for number, outcome in outcomes.items():
            assert (outcome.status, outcome.value) == (JobStatus.COMPLETED, number)
            assert (outcome.error, outcome.traceback, outcome.reason) == (None, None, None)
            assert outcome.wall_s >= 0

    def test_what_jobs_compute_together_is_what_each_would_alone(self, tmp_path: Path) -> None:
        outcomes, _ = self.run(tmp_path, *["compute together"] * 5)
        assert {number: outcome.value for number, outcome in outcomes.items()} == {n: 2 * n for n in range(5)}

    def test_no_jobs_yield_no_outcomes(self, tmp_path: Path) -> None:
        assert self.run(tmp_path) == ({}, [])

    def test_jobs_are_pulled_not_more_than_one_ahead_of_a_free_place(self, tmp_path: Path) -> None:
        self._needs(self.is_lazy)
        app = App.made_in(tmp_path, self.group)
        ahead = []

        def pulled() -> Iterator[Job]:
            for number, job in enumerate(app.jobs(*["return"] * 6)):
                ahead.append(number - len(list(tmp_path.glob("ended-*"))))
                yield job

        assert len(list(self.executor(app).run(pulled(), _ignore))) == 6
        assert max(ahead) <= self.places

    def test_outcomes_come_in_the_order_jobs_end(self, tmp_path: Path) -> None:
        first = "end second" if self.places > 1 else "return"
        outcomes, _ = self.run(tmp_path, first, "return")
        assert list(outcomes) == ([1, 0] if self.places > 1 else [0, 1])

    def test_a_job_that_raises_exits_or_returns_an_object_is_its_own_outcome(self, tmp_path: Path) -> None:
        outcomes, _ = self.run(tmp_path, "raise", "sys.exit", "return a lock", "return")
        raised, left, locked, neighbour = (outcomes[number] for number in range(4))
        assert (raised.status, raised.reason) == (JobStatus.FAILED, Reason.ERROR)
        assert raised.error == "ValueError: no such luck"
        assert 'raise ValueError("no such luck")' in (raised.traceback or "")
        assert (left.status, left.reason) == (JobStatus.FAILED, Reason.EXIT)
        assert left.error == "called sys.exit(3)"
        assert (locked.status, locked.value) == (JobStatus.COMPLETED, None)
        assert (neighbour.status, neighbour.value) == (JobStatus.COMPLETED, 3)

    def test_a_job_whose_process_ends_is_its_own_outcome(self, tmp_path: Path) -> None:
        self._needs(self.isolates)
        outcomes, _ = self.run(tmp_path, "die", "os._exit", "return")
        killed, left, neighbour = (outcomes[number] for number in range(3))
        assert (killed.status, killed.reason) == (JobStatus.KILLED, Reason.SIGNAL)
        assert killed.error == "killed by SIGKILL"
        assert (left.status, left.reason) == (JobStatus.FAILED, Reason.EXIT)
        assert "exit code 4" in (left.error or "")
        assert neighbour.status is JobStatus.COMPLETED

    def test_a_job_whose_folder_cannot_be_made_fails_alone_with_that_error(self, tmp_path: Path) -> None:
        (tmp_path / "jobs").mkdir()
        (tmp_path / "jobs" / "1").write_text("a file, not a folder")
        outcomes, events = self.run(tmp_path, "return", "return", "return")
        assert [outcomes[number].value for number in (0, 2)] == [0, 2]
        assert (outcomes[1].status, outcomes[1].reason) == (JobStatus.FAILED, Reason.LOST)
        assert re.search("could not start: .*File exists.*jobs/1", outcomes[1].error or "")
        assert {event.job for event in events} == {0, 2}

    def test_the_listener_hears_that_a_job_starts_and_then_of_its_runs(self, tmp_path: Path) -> None:
        outcomes, events = self.run(tmp_path, "track", "return")
        heard = {number: [each for each in events if each.job == number] for number in outcomes}
        assert [each.kind for each in heard[0]] == [EventKind.STARTED, EventKind.RUN]
        assert [each.kind for each in heard[1]] == [EventKind.STARTED]
        data = heard[0][0].data
        assert (data["attempt"], data["key"], data["config_hash"]) == (1, "key-0", "hash")
        assert outcomes[0].runs == (heard[0][1].data["run"],)
        folder = Path(outcomes[0].runs[0])
        assert folder.parent == tmp_path / "experiments" / "runs"
        record = ExperimentTracker(tmp_path / "experiments").record(folder.name)
        assert record is not None
        assert (record.sweep or {}).items() >= {"id": tmp_path.name, "job": 0, "key": "key-0"}.items()

    def test_the_outcome_names_runs_of_processes_that_the_job_started_in_any_store(
        self, tmp_path: Path
    ) -> None:
        outcomes, events = self.run(tmp_path, "track in a process")
        assert outcomes[0].runs == (str(tmp_path / "elsewhere" / "runs" / "run_001"),)
        assert [each.kind for each in events] == [EventKind.STARTED]
        record = ExperimentTracker(tmp_path / "elsewhere").record("run_001")
        assert record is not None
        assert (record.sweep or {}).items() >= {"id": tmp_path.name, "job": 0, "key": "key-0"}.items()

    def test_an_outcome_names_the_attempt_and_the_runs_before_it(self, tmp_path: Path) -> None:
        app = App.made_in(tmp_path, self.group)
        job = replace(app.jobs("track")[0], attempt=3, previous=("run_of_attempt_2",))
        (outcome,) = self.executor(app).run([job], _ignore)
        assert outcome.attempt == 3
        assert outcome.runs[0] == "run_of_attempt_2"
        assert len(outcome.runs) == 2

    def test_after_stop_no_job_starts(self, tmp_path: Path) -> None:
        app, events = App.made_in(tmp_path, self.group), list[Event]()
        executor = self.executor(app)
        executor.stop()
        executor.stop()
        outcomes = list(executor.run(app.jobs("return", "return", "return"), events.append))
        assert {each.job: (each.status, each.reason) for each in outcomes} == dict.fromkeys(
            range(3), (JobStatus.CANCELLED, Reason.STOPPED)
        )
        assert events == []

    def test_each_kind_of_warning_is_heard_before_the_outcome(self, tmp_path: Path) -> None:
        app, heard = App.made_in(tmp_path, self.group), list[Event]()
        (outcome,) = self.executor(app).run(app.jobs("warn"), heard.append)
        warnings = [event for event in heard if event.kind is EventKind.WARNING]
        assert [(event.job, event.data["text"]) for event in warnings] == [(outcome.job, "step 0 is slow")]

    def test_stop_while_jobs_run_starts_no_more(self, tmp_path: Path) -> None:
        app, started = App.made_in(tmp_path, self.group), list[int]()
        executor = self.executor(app)

        def stop_at_the_first(event: Event) -> None:
            started.append(event.job)
            if len(started) == 1:
                executor.stop()

        outcomes = list(executor.run(app.jobs(*["return"] * 6), stop_at_the_first))
        assert Counter(each.job for each in outcomes) == Counter(range(6))
        assert len(started) <= self.places
        cancelled = {each.job for each in outcomes if each.status is JobStatus.CANCELLED}
        assert cancelled == set(range(6)) - set(started)

    def test_stop_in_a_signal_handler_ends_the_running_job(self, tmp_path: Path) -> None:
        app = App.made_in(tmp_path, self.group)
        executor = self.executor(app)
        with _when_there(tmp_path / "waiting", executor.stop):
            (outcome,) = executor.run(app.jobs("wait"), _ignore)
        assert (outcome.status, outcome.reason) == (JobStatus.KILLED, Reason.STOPPED)
        assert outcome.error == STOPPED
        assert outcome.wall_s < PATIENCE_S

    def test_stop_called_again_ends_a_job_that_refuses_to_end(self, tmp_path: Path) -> None:
        self._needs(self.isolates)
        app = App.made_in(tmp_path, self.group)
        executor = self.executor(app)
        with _when_there(tmp_path / "waiting", executor.stop, executor.stop):
            (outcome,) = executor.run(app.jobs("ignore signals"), _ignore)
        assert (outcome.status, outcome.reason) == (JobStatus.KILLED, Reason.STOPPED)
        assert outcome.wall_s < PATIENCE_S


def _ignore(_event: Event) -> None:
    """Listen to nothing."""


def _await_file(file: Path) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return file.exists()


@contextlib.contextmanager
def _when_there(file: Path, *calls: Callable[[], None]) -> Iterator[None]:
    """Make `calls` from a signal handler of the main thread once `file` exists."""

    def handle(*_args: object) -> None:
        for call in calls:
            call()

    def send() -> None:
        if _await_file(file):
            os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handle)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
