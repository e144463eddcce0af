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
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from unittest import SkipTest

from sweeps.executor.conformance_app import EPOCHS, PATIENCE_S, App, await_file
from sweeps.executor.contract import Executor
from sweeps.jobs import STOPPED, Event, EventKind, Job, JobStatus, Outcome, Reason
from tracking import ExperimentTracker


class ExecutorConformance:
    """The tests; `executor` and the attributes describe the executor under test."""

    places = 2  # how many jobs run at once, in whatever number of processes
    is_lazy = True  # jobs are pulled when there is a place for them, not all at once
    isolates = True  # a job may end its process, or refuse to end
    judges = True  # jobs are judged while they run
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

    def test_a_job_may_be_decided_only_after_the_outcome_of_another(self, tmp_path: Path) -> None:
        self._needs(self.is_lazy)
        app, heard = App.made_in(tmp_path, self.group), threading.Event()

        def decided() -> Iterator[Job]:
            first, *others = app.jobs(*["return"] * 3)
            yield first
            assert self.places == 1 or heard.wait(PATIENCE_S)
            yield from others

        outcomes = list[int]()
        for outcome in self.executor(app).run(_Search(decided()), _ignore):
            outcomes.append(outcome.job)
            heard.set()
        assert outcomes[0] == 0
        assert sorted(outcomes) == [0, 1, 2]

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

    def test_a_job_that_waits_is_judged_at_each_level_and_ends_as_pruned_if_it_does_not_go_on(
        self, tmp_path: Path
    ) -> None:
        self._needs(self.judges)
        app, judged = App.made_in(tmp_path, self.group), list[tuple[int, int, int]]()

        def judge(arrivals: Sequence[tuple[int, int, Path]]) -> dict[int, int | None]:
            judged.extend((job, level, _logged(run)) for job, level, run in arrivals)
            return {job: 4 if level == 2 else None for job, level, _ in arrivals if (job, level) != (1, 2)}

        jobs = [replace(job, until=2) for job in app.jobs("ask", "ask", "ask")]
        outcomes = {each.job: each for each in self.executor(app).run(jobs, _ignore, judge)}
        assert sorted(judged) == [(0, 2, 2), (0, 4, 4), (1, 2, 2), (2, 2, 2), (2, 4, 4)]
        ended = {number: (each.status, each.error, each.reason) for number, each in outcomes.items()}
        assert ended == {
            0: (JobStatus.COMPLETED, None, None),
            1: (JobStatus.PRUNED, None, None),
            2: (JobStatus.COMPLETED, None, None),
        }
        runs = {number: Path(each.runs[-1]) for number, each in outcomes.items()}
        assert {number: _logged(run) for number, run in runs.items()} == {0: EPOCHS, 1: 2, 2: EPOCHS}
        records = ExperimentTracker(tmp_path / "experiments").records()
        statuses = {record.run_id: record.status.value for record in records}
        assert {number: statuses[run.name] for number, run in runs.items()} == {
            0: "completed",
            1: "pruned",
            2: "completed",
        }

    def test_a_pruned_job_goes_on_in_its_run(self, tmp_path: Path) -> None:
        self._needs(self.judges)
        app = App.made_in(tmp_path, self.group)
        (job,) = app.jobs("ask")
        (paused,) = self.executor(app).run([replace(job, until=3)], _ignore, lambda _arrivals: {})
        assert paused.status is JobStatus.PRUNED
        again = replace(job, attempt=2, previous=paused.runs, until=5)
        judged = list[int]()

        def judge(arrivals: Sequence[tuple[int, int, Path]]) -> dict[int, int | None]:
            judged.extend(level for _, level, _ in arrivals)
            return {job: None for job, _, _ in arrivals}

        (ended,) = self.executor(app).run([again], _ignore, judge)
        assert (ended.status, ended.attempt, ended.runs) == (JobStatus.COMPLETED, 2, paused.runs)
        assert judged == [5]
        assert _logged(Path(ended.runs[0])) == EPOCHS

    def test_a_job_that_only_logs_is_ended_with_a_signal(self, tmp_path: Path) -> None:
        self._needs(self.judges and self.isolates)
        app = App.made_in(tmp_path, self.group)
        levels = list[int]()

        def judge(arrivals: Sequence[tuple[int, int, Path]]) -> dict[int, int | None]:
            levels.extend(level for _, level, _ in arrivals)
            return {job: 4 for job, level, _ in arrivals if level == 2}

        (job,) = app.jobs("only log")
        (outcome,) = self.executor(app).run([replace(job, until=2)], _ignore, judge)
        assert levels == [2, 4]
        assert (outcome.status, outcome.error, outcome.reason) == (JobStatus.PRUNED, None, None)
        record = ExperimentTracker(tmp_path / "experiments").record(Path(outcome.runs[0]).name)
        assert record is not None
        assert (record.status, record.error) == ("pruned", None)
        assert record.summary["score"].count >= 4

    def test_stop_ends_a_job_that_waits_for_its_judgement(self, tmp_path: Path) -> None:
        self._needs(self.judges and self.isolates)
        app = App.made_in(tmp_path, self.group)
        executor = self.executor(app)

        stopped = list[int]()

        def judge(arrivals: Sequence[tuple[int, int, Path]]) -> dict[int, int | None]:
            if not stopped:
                executor.stop()
            stopped.extend(job for job, _, _ in arrivals)
            return {job: level + 1 for job, level, _ in arrivals}  # the order may come after the answer

        jobs = [replace(job, until=2) for job in app.jobs("ask for ever", "ask for ever")]
        outcomes = list(executor.run(jobs[:1], _ignore, judge))
        assert [(each.status, each.reason) for each in outcomes] == [(JobStatus.KILLED, Reason.STOPPED)]

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


class _Search:
    """Jobs that are decided when they are asked for; never ready, so that none is taken ahead."""

    def __init__(self, jobs: Iterator[Job]) -> None:
        self._jobs = jobs

    def __iter__(self) -> Iterator[Job]:
        return self

    def __next__(self) -> Job:
        return next(self._jobs)

    def ready(self) -> bool:
        return False


def _ignore(_event: Event) -> None:
    """Listen to nothing."""


def _logged(run_dir: Path) -> int:
    """Return how many values of the objective a run has, each once."""
    run = ExperimentTracker(run_dir.parents[1]).get_run(run_dir.name) or {}
    steps = [point["step"] for point in run["metrics"]["score"]]
    assert steps == [*range(1, len(steps) + 1)]
    return len(steps)


@contextlib.contextmanager
def _when_there(file: Path, *calls: Callable[[], None]) -> Iterator[None]:
    """Make `calls` from a signal handler of the main thread once `file` exists."""

    def handle(*_args: object) -> None:
        for call in calls:
            call()

    def send() -> None:
        if await_file(file):
            os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handle)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
