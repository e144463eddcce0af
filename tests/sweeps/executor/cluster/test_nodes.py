"""Nodes as real processes: killed, paused, added, sent away, and refused; and what becomes of their jobs."""

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from omegaconf import DictConfig

from sweeps.errors import SweepError
from sweeps.executor.cluster import cluster_executor
from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.cluster.engine import NodeCommand, NodeRefusedError
from sweeps.executor.cluster.node_process import NodeProcess
from sweeps.executor.cluster.sharing import Nonce
from sweeps.executor.conformance_app import PATIENCE_S, App, await_file
from sweeps.executor.engines import processes
from sweeps.executor.engines.processes import Place, ProcessEngine
from sweeps.jobs import Event, EventKind, Job, JobStatus, Outcome, Reason
from sweeps.settings.launcher_settings import LauncherSettings
from tracking import ExperimentTracker

pytestmark = pytest.mark.usefixtures("hydra_restore_singletons")


def task(config: DictConfig) -> float:
    """Log in a run that goes on; the first attempt waits for its end, the next one looks whether the first has gone."""
    folder, does = Path(config.folder), config.does
    if does == "return":
        return float(os.environ.get("SLURM_JOB_ID", config.value))
    if does == "wait for another":
        return float(await_file(folder / "another"))
    if does == "be another":
        (folder / "another").touch()
        return 1.0
    with ExperimentTracker(folder / "experiments").start_run("nodes") as run:
        before = folder / f"pid-{config.value}"
        if before.exists():
            run.log({"score": 2.0}, step=2)
            return float(psutil.pid_exists(int(before.read_text())))
        if does == "ignore signals":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        run.log({"score": 1.0}, step=1)
        before.write_text(str(os.getpid()))
        try:
            await_file(folder / "go")
        finally:
            if does == "end slowly":
                (folder / "ending").touch()
                await_file(folder / "go")
                (folder / "ended gently").touch()
    return 3.0


class Search:
    """Jobs that are decided one by one, of which two may share a process at a time."""

    together = 2

    def __init__(self, jobs: list[Job]) -> None:
        self._jobs = jobs

    def __iter__(self) -> Iterator[Job]:
        return self

    def __next__(self) -> Job:
        if not self._jobs:
            raise StopIteration
        return self._jobs.pop(0)

    def ready(self) -> bool:
        return bool(self._jobs)


class Sweep:
    """Jobs of `task` on nodes; `told` is called for each event, with the process of its node."""

    def __init__(self, folder: Path, *places: Place, lease_s: float = 30.0, grace_s: float = 60.0) -> None:
        self.folder = folder
        self.app = replace(App.made_in(folder), task_function=task)
        self.engine = ProcessEngine(*places)
        settings = LauncherSettings(1, 1, (), grace_s=grace_s, sets_threads=True)
        self.executor = ClusterExecutor(self.engine, settings, self.app.common, folder, lease_s=lease_s)
        self.events: list[Event] = []

    def run(
        self, *does: str, group: str | None = None, told: Callable[[Event], None] = lambda _event: None
    ) -> dict[int, Outcome]:
        def hear(event: Event) -> None:
            self.events.append(event)
            told(event)

        jobs = [replace(job, group=group) for job in self.app.jobs(*does)]
        outcomes = list(self.executor.run(jobs if group is None else Search(jobs), hear))
        assert sorted(each.job for each in outcomes) == [*range(len(does))]
        return {each.job: each for each in outcomes}

    def node_of(self, event: Event) -> psutil.Process:
        """Return the process of the node that an event comes from: the child of its guard."""
        (guard,) = [node for node in self.engine.running if node.name == event.data["node"]]
        (node,) = psutil.Process(guard.pid).children()
        return node

    def of(self, kind: EventKind) -> list[Event]:
        return [event for event in self.events if event.kind is kind]


def at_first_run(act: Callable[[Event], None], sweep: Sweep) -> Callable[[Event], None]:
    """Return a listener that acts once, with the start of the first job whose run has logged."""
    starts = dict[int, Event]()

    def hear(event: Event) -> None:
        if event.kind is EventKind.STARTED:
            starts.setdefault(event.job, event)
        elif event.kind is EventKind.RUN and len(sweep.of(EventKind.RUN)) == 1:
            await_file(sweep.folder / f"pid-{event.job}")
            act(starts[event.job])

    return hear


@pytest.mark.parametrize("who", ["node", "guard"])
def test_a_job_of_a_killed_node_goes_on_elsewhere_once_its_own_process_has_gone(
    tmp_path: Path, who: str
) -> None:
    sweep = Sweep(tmp_path, Place("first"), Place("second"))

    def end(event: Event) -> None:
        node = sweep.node_of(event)
        (node if who == "node" else node.parent() or node).kill()

    kill = at_first_run(end, sweep)
    (outcome,) = sweep.run("ignore signals", told=kill).values()
    assert (outcome.status, outcome.value, outcome.attempt) == (JobStatus.COMPLETED, 0.0, 2)
    (retry,) = sweep.of(EventKind.RETRY)
    name = sweep.of(EventKind.STARTED)[0].data["node"]
    assert (retry.data["error"], retry.data["reason"]) == (f"its node {name} was lost", Reason.LOST)
    assert [Path(run).name for run in outcome.runs] == ["run_001", "run_002"]
    record = ExperimentTracker(tmp_path / "experiments").record("run_002")
    assert record is not None
    assert (record.sweep or {})["previous"] == ["run_001"]


@pytest.mark.parametrize("who", ["node", "guard", "all, the job first"])
def test_a_job_of_a_node_that_is_sent_away_goes_on_elsewhere(tmp_path: Path, who: str) -> None:
    sweep = Sweep(tmp_path, Place("only"))

    def end(event: Event) -> None:
        node = sweep.node_of(event)
        guard = node.parent() or node
        every = {"node": [node], "guard": [guard]}.get(who, [psutil.Process(event.data["pid"]), node, guard])
        for each in every:
            each.terminate()

    outcomes = sweep.run("run", "return", told=at_first_run(end, sweep))
    assert {job: (each.status, each.value) for job, each in outcomes.items()} == {
        0: (JobStatus.COMPLETED, 0.0),
        1: (JobStatus.COMPLETED, 1.0),
    }
    assert (outcomes[0].attempt, outcomes[1].attempt) == (2, 1)
    assert [event.data["error"] for event in sweep.of(EventKind.RETRY)] == ["its node only left"]


def test_a_sweep_that_is_stopped_while_a_node_leaves_ends_its_jobs_gently(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, Place("only"))

    def end(event: Event) -> None:
        sweep.node_of(event).terminate()
        await_file(tmp_path / "ending")
        sweep.executor.stop()
        (tmp_path / "go").touch()

    (outcome,) = sweep.run("end slowly", told=at_first_run(end, sweep)).values()
    assert (outcome.status, outcome.reason) == (JobStatus.KILLED, Reason.STOPPED)
    assert (tmp_path / "ended gently").exists()


def test_a_paused_node_goes_on_with_its_job(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, Place("only"), lease_s=0.3)

    def pause(event: Event) -> None:
        node = sweep.node_of(event)
        node.suspend()
        time.sleep(1.0)  # longer than a node that runs waits for a word
        node.resume()
        (tmp_path / "go").touch()

    (outcome,) = sweep.run("run", told=at_first_run(pause, sweep)).values()
    assert (outcome.value, outcome.attempt) == (3.0, 1)


def test_a_node_that_stays_silent_is_ended_and_its_job_goes_on_in_another_one_at_the_same_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = Sweep(tmp_path, Place("only"), lease_s=3.0, grace_s=0.0)
    pause = at_first_run(lambda event: sweep.node_of(event).suspend(), sweep)
    (outcome,) = sweep.run("run", told=pause).values()
    assert (outcome.status, outcome.value, outcome.attempt) == (JobStatus.COMPLETED, 0.0, 2)
    said = [message for message in caplog.messages if "node only was lost" in message]
    assert said == ["node only was lost: it was silent for 6 s; put back: 1 job"]


def test_a_place_that_is_refused_ends_no_sweep_while_another_one_still_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = processes.NodeProcess.__init__

    def refuse_one(self: NodeProcess, command: NodeCommand, name: str, *args: Any, **named: Any) -> None:
        if name == "second":
            assert wait_for_one_to_be_refused.wait(PATIENCE_S)
        start(self, command, name, *args, **named)

    def receive(self: NodeProcess) -> bytes:
        if self.name == "first":
            raise NodeRefusedError("it has no podium")
        return take(self)

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "node first cannot run the jobs: it has no podium":
                wait_for_one_to_be_refused.set()

    wait_for_one_to_be_refused, take = threading.Event(), NodeProcess.receive
    monkeypatch.setattr(processes.NodeProcess, "__init__", refuse_one)
    monkeypatch.setattr(processes.NodeProcess, "receive", receive)
    sweep = Sweep(tmp_path, Place("first"), Place("second"))
    with _handled(Hearing()):
        (outcome,) = sweep.run("return").values()
    assert outcome.status is JobStatus.COMPLETED
    assert [event.data["node"] for event in sweep.of(EventKind.STARTED)] == ["second"]


def test_a_node_that_comes_later_is_given_jobs(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, Place("first"))

    def add(event: Event) -> None:
        if event.kind is EventKind.STARTED and event.job == 0:
            sweep.engine.add(Place("second"))

    outcomes = sweep.run("wait for another", "be another", told=add)
    assert {each.value for each in outcomes.values()} == {1.0}
    assert {event.data["node"]: event.data["slot"] for event in sweep.of(EventKind.STARTED)} == {
        "first": 0,
        "second": 1,
    }
    assert [event.data["places"] for event in sweep.of(EventKind.STARTED)] == [1, 2]


def test_a_sweep_without_a_node_says_so_and_waits_for_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = Sweep(tmp_path, Place("first"))
    waits = "has no node left; the sweep waits"

    class Adding(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if waits in record.getMessage():
                sweep.engine.add(Place("second"))

    def kill(event: Event) -> None:
        sweep.engine.give_up("first")
        sweep.node_of(event).kill()

    with _handled(Adding()):
        (outcome,) = sweep.run("run", told=at_first_run(kill, sweep)).values()
    assert (outcome.value, outcome.attempt) == (0.0, 2)
    assert [record.levelname for record in caplog.records if waits in record.getMessage()] == ["WARNING"]


def test_jobs_of_a_search_join_those_of_a_process_on_a_node(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, Place("only"))
    outcomes = sweep.run(*["return"] * 4, group="all")
    assert {job: each.value for job, each in outcomes.items()} == {0: 0.0, 1: 1.0, 2: 2.0, 3: 3.0}
    assert len({event.data["pid"] for event in sweep.of(EventKind.STARTED)}) == 1


def test_a_node_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_executor, "versions", lambda: {"podium": "0.0.1", "python": "3.11"})
    with pytest.raises(
        SweepError, match=r"first: it has podium \S+, and the sweep was started with podium 0\.0\.1"
    ):
        Sweep(tmp_path, Place("first")).run("return")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            lambda nonce: nonce.path.write_text("another"),
            "its folder .* is another one; the store must lie in a folder",
        ),
        (
            lambda nonce: setattr(nonce, "path", nonce.path / "no" / "folder"),
            "it has no folder .*/no; the store must",
        ),
    ],
)
def test_a_node_that_does_not_share_the_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Nonce], Any], error: str
) -> None:
    class Changed(Nonce):
        def __init__(self, folder: Path) -> None:
            super().__init__(folder)
            change(self)

    monkeypatch.setattr(cluster_executor, "Nonce", Changed)
    with pytest.raises(SweepError, match=f"no node of .* can run the jobs; first: {error}"):
        Sweep(tmp_path, Place("first")).run("return")


@pytest.mark.usefixtures("nodes_of_interpreters")
def test_a_node_that_cannot_start_says_why(tmp_path: Path) -> None:
    place = Place("first", variables={"PYTHONHOME": str(tmp_path)})
    with pytest.raises(SweepError, match=r"first: its process ended .* exit code 1: ModuleNotFoundError"):
        Sweep(tmp_path, place).run("return")


def test_a_job_finds_nothing_of_the_allocation_of_its_node(tmp_path: Path) -> None:
    (outcome,) = Sweep(tmp_path, Place("only", variables={"SLURM_JOB_ID": "77"})).run("return").values()
    assert outcome.value == 0.0


def test_no_file_of_the_proof_is_left(tmp_path: Path) -> None:
    Nonce(tmp_path)  # of a process that was killed
    Sweep(tmp_path, Place("only")).run("return")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


PARENT = """
import sys
from pathlib import Path
from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.conformance_app import App
from sweeps.executor.engines.processes import Place, ProcessEngine
from sweeps.settings.launcher_settings import LauncherSettings

if __name__ == "__main__":
    app = App.made_in(Path(sys.argv[1]))
    settings = LauncherSettings(1, 1, (), grace_s=60.0)
    executor = ClusterExecutor(ProcessEngine(Place("only")), settings, app.common, app.folder)
    list(executor.run(app.jobs("ignore signals"), print))
"""


def test_no_process_is_left_when_the_process_of_the_sweep_is_killed(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    with _ended(
        subprocess.Popen([sys.executable, "-W", "error", "parent.py", str(tmp_path)], cwd=tmp_path)
    ) as parent:
        assert await_file(tmp_path / "waiting")
        below = psutil.Process(parent.pid).children(recursive=True)
        assert len(below) >= 4  # a guard, a node, its forkserver, a job
        parent.kill()
        _, alive = psutil.wait_procs(below, timeout=PATIENCE_S)
        assert alive == []


SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.conformance_app import App
from sweeps.executor.engines.processes import Place, ProcessEngine
from sweeps.settings.launcher_settings import LauncherSettings

SETTING = 1


def task(config):
    return SETTING + config.value


if __name__ == "__main__":
    SETTING = 40
    app = replace(App.made_in(Path(sys.argv[1])), task_function=task)
    settings = LauncherSettings(1, 1, (), grace_s=60.0)
    executor = ClusterExecutor(ProcessEngine(Place("only")), settings, app.common, app.folder)
    print([(each.value, each.error) for each in executor.run(app.jobs("return", "return"), lambda event: None)])
"""


def test_what_only_the_process_of_the_sweep_sets_reaches_a_job_on_a_node(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-W", "error", "script.py", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert re.sub(r"\s", "", done.stdout) == "[(40.0,None),(41.0,None)]", done.stderr


@contextlib.contextmanager
def _handled(handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger("sweeps")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextlib.contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()
