"""A program whose sweep runs on simulated nodes: python -m benchmarks.engines.simulated NODES PROGRAM [ARGUMENT...]

The nodes are objects in the process of the sweep that answer as real ones do, at once, without running anything: what the
process takes is the sweep's own work. At its end it prints what that was, as JSON on the last line of stdout.
"""

import contextlib
import json
import os
import queue
import resource
import runpy
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweeps import sweeper
from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.cluster.engine import Engine, NodeCommand, NodeLostError
from sweeps.executor.cluster.messages import Work, decode, encode, unpacked
from sweeps.executor.contract import Executor
from sweeps.executor.local.program import Common
from sweeps.jobs import EventKind, JobStatus, Outcome
from sweeps.settings.launcher_settings import LauncherSettings

WALL_S = 60.0  # what a job says that it took


class SimulatedNode:
    """A node of one place, which answers in the thread of whoever sends to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: int | None = 1
        self._said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._asked = 0

    def send(self, message: bytes) -> None:
        """Answer a message."""
        head, body = decode(message)
        match head["kind"]:
            case "hello":
                self._said.put(encode("ready", places=1, host=self.name))
                self._ask()
            case "work":
                work: Work = unpacked(body)
                for job in work.jobs:
                    data = {"attempt": job.attempt, "key": job.key, "config_hash": job.config_hash}
                    started = {**data, "pid": os.getpid(), "slot": 0}
                    self._said.put(encode("event", event=EventKind.STARTED, job=job.number, data=started))
                    outcome = Outcome(job.number, JobStatus.COMPLETED, WALL_S, value=float(job.number))
                    self._said.put(encode("outcome", **asdict(outcome)))
                self._said.put(encode("ended", shard=self._asked))
                self._ask()
            case "end":
                self.close()

    def receive(self) -> bytes:
        """Return the next message."""
        message = self._said.get()
        if message is None:
            self._said.put(None)
            raise NodeLostError("it has ended")
        return message

    def close(self, *, for_good: bool = False) -> None:  # noqa: ARG002 - a place has one node here
        """End the node."""
        self._said.put(None)

    def _ask(self) -> None:
        self._asked += 1
        self._said.put(encode("next", ask=self._asked, shard=self._asked))


class SimulatedEngine:
    """An engine with a number of places, each of which has a node from the beginning."""

    name = "the simulation"
    packages: tuple[str, ...] = ()
    is_starting = False

    def __init__(self, count: int) -> None:
        self._count = count
        self._closed = threading.Event()

    def nodes(self, _command: NodeCommand) -> Iterator[SimulatedNode]:
        """Yield the nodes."""
        for number in range(self._count):
            yield SimulatedNode(f"node-{number}")
        self._closed.wait()

    def close(self) -> None:
        """End the iteration."""
        self._closed.set()


class Watch:
    """What the process uses from now on, and the most threads that it has."""

    def __init__(self) -> None:
        self.cpu_s, self.wall_s = time.process_time(), time.monotonic()
        self.threads = 0
        self._over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            self.threads = max(self.threads, threading.active_count())

    def told(self) -> dict[str, float]:
        """Return it."""
        self._over.set()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        used = {"cpu_s": time.process_time() - self.cpu_s, "wall_s": time.monotonic() - self.wall_s}
        return {**used, "threads": self.threads, "peak_mb": peak / 1024}


def run_on(engine: Callable[[], Engine], arguments: list[str]) -> None:
    """Run a program, whose sweep takes the nodes of an engine; `arguments` begin with its path."""

    def chosen(
        settings: LauncherSettings, common: Common, folder: Path, closing: contextlib.ExitStack
    ) -> Executor:
        made = engine()
        closing.callback(made.close)
        return ClusterExecutor(made, settings, common, folder)

    named: Any = sweeper
    named.chosen_executor = chosen
    sys.argv[:] = arguments
    sys.path[0] = str(Path(arguments[0]).parent)
    runpy.run_path(arguments[0], run_name="__main__")


def main(arguments: list[str]) -> None:
    """Run the program, and say what it took."""
    count, watches = int(arguments[0]), list[Watch]()

    def engine() -> SimulatedEngine:
        watches.append(Watch())
        return SimulatedEngine(count)

    run_on(engine, arguments[1:])
    sys.stdout.write(f"\n{json.dumps(watches[0].told())}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
