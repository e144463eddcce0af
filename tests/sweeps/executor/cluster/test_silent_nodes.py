"""A node is silent only while the sweep's process waits for a word of it, not while that is busy with the last one."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.cluster.engine import NodeCommand, NodeLostError
from sweeps.executor.cluster.messages import decode, encode
from sweeps.executor.cluster.served_nodes import Serving
from sweeps.executor.conformance_app import PATIENCE_S
from sweeps.jobs import Event, EventKind, Job, JobStatus, Outcome
from sweeps.settings.launcher_settings import LauncherSettings

LEASE_S = 0.3  # a node is told something three times as often, and may be silent for twice as long


class Node:
    """Has one place, and starts and ends a job at once."""

    name, places = "only", 1

    def __init__(self) -> None:
        self.closed: list[str] = []
        self._said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def send(self, message: bytes) -> None:
        match decode(message)[0]["kind"]:
            case "hello":
                self._said.put(encode("ready", places=1, host="here"))
                self._said.put(encode("next", ask=1, shard=1))
            case "work":
                self._said.put(encode("event", event=EventKind.STARTED, job=0, data={"attempt": 1}))
                self._said.put(encode("outcome", **asdict(Outcome(0, JobStatus.COMPLETED, 0.1))))
                self._said.put(encode("next", ask=2, shard=2))
            case "end":
                self._said.put(None)

    def receive(self) -> bytes:
        message = self._said.get()
        if message is None:
            raise NodeLostError("it has ended")
        return message

    def close(self, *, for_good: bool = False) -> None:
        self.closed.append("for good" if for_good else "as silent")
        self._said.put(None)


class Engine:
    """Has one node, and none after it."""

    name, packages, is_starting = "stub", (), False

    def __init__(self) -> None:
        self.node = Node()

    def nodes(self, _command: NodeCommand) -> Iterator[Node]:
        yield self.node

    def close(self) -> None:
        pass


def test_a_sweep_that_is_slow_to_write_what_its_nodes_say_ends_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_prepared: Any
) -> None:
    looks, has_looked, really_look = list[bool](), threading.Event(), Serving.look

    def look(serving: Serving, *, says: bool = True) -> None:
        looks.append(says)  # once each time that the nodes were looked at
        if len(looks) > 12:
            has_looked.set()
        really_look(serving, says=says)

    def listen(event: Event) -> None:
        if event.kind is EventKind.STARTED:
            looks.clear()
            assert has_looked.wait(PATIENCE_S)

    monkeypatch.setattr(Serving, "look", look)
    engine = Engine()
    settings = LauncherSettings(1, 1, (), grace_s=0.0)
    executor = ClusterExecutor(engine, settings, nothing_prepared, tmp_path, lease_s=LEASE_S)
    (outcome,) = executor.run([Job(0, "key", "hash", (), {}, tmp_path / "jobs/0", b"")], listen)
    assert outcome.status is JobStatus.COMPLETED
    assert engine.node.closed == []
