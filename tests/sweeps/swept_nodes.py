"""Jobs on nodes that are processes of this machine. A test hears each event, and can kill or pause the node that it is from."""

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
from omegaconf import DictConfig
from waiting_jobs import WaitingJobs

from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.conformance_app import App, await_file
from sweeps.executor.engines.processes import Place, ProcessEngine
from sweeps.jobs import Event, EventKind, Outcome
from sweeps.settings.launcher_settings import LauncherSettings
from tracking import ExperimentTracker


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
        outcomes = list(self.executor.run(jobs if group is None else WaitingJobs(jobs), hear))
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


@contextlib.contextmanager
def handled(handler: logging.Handler) -> Iterator[None]:
    """Give what sweeps log to a handler too."""
    logger = logging.getLogger("sweeps")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
