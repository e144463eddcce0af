"""A Ray that somebody else has started: a head and further machines, all of them processes of this one."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from engine_processes import PACKAGES, PATIENCE_S, ROOT, wait_for

NEEDS_RAY = [
    pytest.mark.ray,
    pytest.mark.timeout(500),
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]
MARK = "PODIUM_TEST_RAY"  # in the environment of all that a Ray starts
LACKING = """
import sys
class Lacking:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "sweeps":
            raise ModuleNotFoundError("No module named 'sweeps'", name="sweeps")
sys.meta_path.insert(0, Lacking)
"""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


class StartedRay:
    """A Ray whose `address` is for `podium_ray`. Its files lie in a folder of a short name: its sockets do too."""

    def __init__(self, *options: str, has_podium: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ray-"))
        self.token = uuid4().hex
        self.machines: list[subprocess.Popen[bytes]] = []
        self._count = 0
        file = self.folder / "ray_current_cluster"
        self.head = self._start(
            "--head",
            "--port=0",
            "--include-dashboard=false",
            f"--temp-dir={self.folder}",
            *options,
            has_podium=has_podium,
        )
        wait_for(lambda: file.exists() and file.read_text().strip())
        self.address = file.read_text().strip()

    def add(self, *options: str, has_podium: bool = True) -> "subprocess.Popen[bytes]":
        """Add a machine, and wait until Ray has it."""
        machine = self._start(f"--address={self.address}", *options, has_podium=has_podium)
        wait_for(lambda: "Ray runtime started" in self._log.read_text())
        return machine

    def remove(self, machine: "subprocess.Popen[bytes]") -> None:
        """End a machine as if it lost its power."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(machine.pid, signal.SIGKILL)
        machine.wait()
        self.machines.remove(machine)

    def take_back(self, machine: "subprocess.Popen[bytes]") -> None:
        """End a machine in order, as Kubernetes does: Ray drains it first. Return once it has ended."""
        machine.terminate()
        machine.wait(PATIENCE_S)
        self.remove(machine)

    def left(self) -> list[psutil.Process]:
        """Return the processes that Ray has started, and those below them."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == self.token and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def close(self) -> None:
        """End all, and see that nothing is left."""
        for machine in reversed([*self.machines]):
            self.remove(machine)
        wait_for(lambda: not self.left())
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, *options: str, has_podium: bool) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--block"]
        more = ["--disable-usage-stats", "--object-store-memory=100000000", *options]
        lacking = self.folder / "lacking"
        lacking.mkdir(exist_ok=True)
        (lacking / "sitecustomize.py").write_text(LACKING)
        packages = PACKAGES if has_podium else f"{lacking}{os.pathsep}{PACKAGES}"
        self._count += 1
        self._log = self.folder / f"machine-{self._count}.log"
        with self._log.open("w") as log:
            machine = subprocess.Popen(
                [*command, *more],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **QUIET, MARK: self.token, "PYTHONPATH": packages},
            )
        self.machines.append(machine)
        return machine


@contextlib.contextmanager
def started_ray(*options: str, has_podium: bool = True) -> Iterator[StartedRay]:
    """Start a Ray and end it."""
    ray = StartedRay(*options, has_podium=has_podium)
    try:
        yield ray
    finally:
        ray.close()
