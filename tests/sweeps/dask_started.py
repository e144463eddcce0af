"""A Dask cluster that somebody else has started: in this process, or as processes of its own."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import forked
import forked_nodes
from distributed import Client, LocalCluster
from engine_processes import wait_for

from sweeps.executor.engines.dask import Connection, DaskEngine

Process = subprocess.Popen[str]

start: Callable[..., Process] = partial(forked.start, kind=forked_nodes.DASK)


def local_cluster(n_workers: int) -> Any:
    """Start a cluster of workers with one thread each."""
    return LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address="127.0.0.1:0")


def engine_on(cluster: LocalCluster) -> DaskEngine:
    def connect() -> Connection:
        client = Client(cluster, set_as_default=False)
        return Connection(client, client.close)

    return DaskEngine(connect)


@contextlib.contextmanager
def worker_of(cluster: LocalCluster, *words: str) -> Iterator[Process]:
    """Start a worker with the command of Dask; its processes are a group."""
    command = ("-m", "dask", "worker", cluster.scheduler_address, "--nthreads", "1", "--no-dashboard", *words)
    worker = start(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


class StartedDask:
    """A scheduler and its workers, each a command of Dask that `start` starts; their files are in a folder."""

    def __init__(self, folder: Path, start: Callable[..., Process] = start) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.processes: list[Process] = []
        self._start = start

    def begin(self) -> None:
        self._begin("scheduler", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0")
        wait_for(lambda: self.file.exists() and self.file.read_text().endswith("}"))
        self.address = json.loads(self.file.read_text())["address"]

    def worker(self, *words: str) -> Process:
        return self._begin("worker", "--nthreads", "1", "--no-dashboard", *words)

    def close(self) -> None:
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _begin(self, *words: str) -> Process:
        command = ("-m", "dask", *words, "--scheduler-file", str(self.file))
        with (self.folder / f"{words[0]}-{len(self.processes)}.log").open("w") as log:
            process = self._start(*command, cwd=self.folder, stdout=log, stderr=log)
        self.processes.append(process)
        return process


@contextlib.contextmanager
def started_dask(folder: Path, start: Callable[..., Process] = start) -> Iterator[StartedDask]:
    """Start a scheduler and end it, with all its workers. The folder is made."""
    folder.mkdir()
    dask = StartedDask(folder, start)
    try:
        dask.begin()
        yield dask
    finally:
        dask.close()
