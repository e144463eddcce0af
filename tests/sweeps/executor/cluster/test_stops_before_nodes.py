"""A sweep that is stopped before it has asked for nodes cancels its jobs; that it has no node is no fault then."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.cluster.engine import Node, NodeCommand
from sweeps.executor.conformance_app import PATIENCE_S
from sweeps.jobs import Job, JobStatus
from sweeps.settings.launcher_settings import LauncherSettings


class Engine:
    name, packages, is_starting = "stub", (), False

    def nodes(self, _command: NodeCommand) -> Iterator[Node]:
        yield from ()

    def close(self) -> None:
        pass


def test_jobs_of_a_sweep_that_was_stopped_before_are_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_prepared: Any
) -> None:
    gather, obey, has_gathered = ClusterExecutor._gather, ClusterExecutor._obey, threading.Event()

    def gather_first(*words: Any) -> None:
        gather(*words)
        has_gathered.set()

    def obey_late(*words: Any) -> None:
        assert has_gathered.wait(PATIENCE_S)
        obey(*words)

    monkeypatch.setattr(ClusterExecutor, "_gather", gather_first)
    monkeypatch.setattr(ClusterExecutor, "_obey", obey_late)
    executor = ClusterExecutor(Engine(), LauncherSettings(1, 1, (), grace_s=0.0), nothing_prepared, tmp_path)
    executor.stop()
    job = Job(0, "key", "hash", (), {}, tmp_path / "jobs/0", b"")
    (outcome,) = executor.run([job], lambda _event: None)
    assert outcome.status is JobStatus.CANCELLED
