"""A dashboard as a process, and a run that logs when it is told."""

import re
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import psutil

from benchmarks.contestants import ROOT, DriverError

LOGGER = """
import sys, time
from tracking import ExperimentTracker
run = ExperimentTracker(sys.argv[1]).start_run("live", capture_output=False)
run.log({"loss": 1.0}, step=0)
print(run.run_id, flush=True)
for step, line in enumerate(sys.stdin, 1):
    before = time.time()
    run.log({"loss": 1 / (step + 1)}, step=step)
    print(before * 1e3, flush=True)
run.finish()
"""
SAID = re.compile(r"http://[\w.]+:(?P<port>\d+)/\?token=(?P<token>\S+)")


class Dashboard:
    """`python -m sweeps dashboard` of a store; `ready_ms` is the time from its start to its first answer."""

    def __init__(self, store: Path) -> None:
        began = time.perf_counter()
        command = ["-m", "sweeps", "dashboard", "--no-open", "--port", "0", "--store", str(store)]
        self._process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None  # a pipe was asked for
        found = SAID.search(self._process.stdout.readline())
        if found is None:
            raise DriverError(f"failed: the dashboard did not start: {self._process.communicate()[1]}")
        self.origin = f"http://127.0.0.1:{found['port']}/"
        self.address = f"{self.origin}?token={found['token']}"
        connection = HTTPConnection("127.0.0.1", int(found["port"]), timeout=60)
        connection.request("GET", f"/?token={found['token']}")
        connection.getresponse().read()
        self.ready_ms = (time.perf_counter() - began) * 1e3
        connection.close()
        self._measured = psutil.Process(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def memory_mb(self) -> float:
        """Return the memory of the process."""
        return float(self._measured.memory_info().rss / 2**20)

    def cpu_s(self) -> float:
        """Return the processor time of the process since its start."""
        times = self._measured.cpu_times()
        return float(times.user + times.system)


class Logger:
    """A process with a run that is open and has logged one point."""

    def __init__(self, store: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOGGER, str(store)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.run = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def log(self) -> float:
        """Log a point; return the time just before, in ms since the epoch."""
        assert self._process.stdin is not None  # a pipe was asked for
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None  # a pipe was asked for
        return self._process.stdout.readline().strip()
