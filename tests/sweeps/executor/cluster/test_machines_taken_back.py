"""A batch system that takes a machine back sends SIGTERM to all its processes, the jobs' perhaps before that of their node."""

import os
import signal
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from omegaconf import DictConfig

from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.conformance_app import PATIENCE_S, App, await_file
from sweeps.executor.engines.processes import Place, ProcessEngine
from sweeps.jobs import Event, EventKind, JobStatus
from sweeps.settings.launcher_settings import LauncherSettings

pytestmark = pytest.mark.usefixtures("hydra_restore_singletons")


def task(config: DictConfig) -> int:
    """Wait for a signal the first time, and fail the second time."""
    folder = Path(config.folder)
    begun = folder / "begun"
    attempt = len(begun.read_text()) + 1 if begun.exists() else 1
    begun.write_text("." * attempt)
    if attempt == 1:
        if config.does == "exit on SIGTERM":
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
        (folder / "waits").touch()
        await_file(folder / "never")
    if attempt == 2:
        os._exit(4)
    return attempt


@pytest.mark.parametrize("does", ["end by SIGTERM", "exit on SIGTERM"])
def test_a_job_whose_machine_is_taken_back_goes_on_and_keeps_its_retry(tmp_path: Path, does: str) -> None:
    app = replace(App.made_in(tmp_path), task_function=task)
    engine, events, taking = ProcessEngine(Place("only")), list[Event](), list[Future[None]]()
    settings = LauncherSettings(1, 1, (), grace_s=60.0, sets_threads=True, retries=1)

    def take_back(pid: int) -> None:
        assert await_file(tmp_path / "waits")
        (node,) = psutil.Process(engine.running[0].pid).children()
        job = psutil.Process(pid)
        job.terminate()
        job.wait(PATIENCE_S)
        node.terminate()

    def listen(event: Event) -> None:
        events.append(event)
        if event.kind is EventKind.STARTED and event.data["attempt"] == 1:
            taking.append(
                thread.submit(take_back, event.data["pid"])
            )  # meanwhile the job may ask for something

    with ThreadPoolExecutor() as thread:
        (outcome,) = ClusterExecutor(engine, settings, app.common, app.folder).run(app.jobs(does), listen)
    taking[0].result()
    assert [event.data["error"] for event in events if event.kind is EventKind.RETRY] == [
        "its node only left",
        "the process ended without reporting a result (exit code 4)",
    ]
    assert (outcome.status, outcome.value, outcome.attempt) == (JobStatus.COMPLETED, 3.0, 3)
