"""A node that cannot run the jobs of a sweep is refused with the reason, before its first job."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from swept_nodes import Sweep, handled

from sweeps.errors import SweepError
from sweeps.executor.cluster import cluster_executor
from sweeps.executor.cluster.engine import NodeCommand, NodeRefusedError
from sweeps.executor.cluster.node_process import NodeProcess
from sweeps.executor.cluster.sharing import Nonce
from sweeps.executor.conformance_app import PATIENCE_S
from sweeps.executor.engines import processes
from sweeps.executor.engines.processes import Place
from sweeps.jobs import EventKind, JobStatus

pytestmark = pytest.mark.usefixtures("hydra_restore_singletons")


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
    with handled(Hearing()):
        (outcome,) = sweep.run("return").values()
    assert outcome.status is JobStatus.COMPLETED
    assert [event.data["node"] for event in sweep.of(EventKind.STARTED)] == ["second"]


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


def test_no_file_of_the_proof_is_left(tmp_path: Path) -> None:
    Nonce(tmp_path)  # of a process that was killed
    Sweep(tmp_path, Place("only")).run("return")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
