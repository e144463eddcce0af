"""Writes the report at the end of a sweep, in a process of its own: that of the sweep has none of the libraries that draw.

The process starts when the last job has been given out. It loads what it needs while that runs, at a low priority, and waits
to be told that all is decided. Whatever becomes of it, the sweep has ended as it has.
"""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from sweeps.paths import shown

VARIABLE = "PODIUM_REPORT"  # 0 writes no report, whatever the settings say
OFF = frozenset({"0", "off", "no", "false"})
HTML, MARKDOWN = "report.html", "report.md"
TIMEOUT_S = 300.0
NICENESS = 5  # the jobs of the sweep have gone when the report is written
MADE_OF = (
    "plan.json",
    "jobs.jsonl",
    "promotion.json",
)  # a report that is older than one of them is made anew
# The path comes first, because podium itself may lie on it; its packages come from their own folder, because a user's may
# have modules of the same names. A signal from the terminal is for the sweep, which ends this process.
PROGRAM = """\
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.nice({niceness})
sys.path[:] = [{own!r}, *{path!r}]
import sweeps, tracking
sys.path[:] = {path!r}
from pathlib import Path
from sweeps.dashboard.report.report import warm_up, write_report
warm_up({jobs})
if sys.stdin.buffer.read():
    write_report(Path(os.fsdecode({folder!r})), has_ended=True)
os._exit(0)  # the libraries take long to end
"""
OWN = Path(__file__).resolve().parents[3]  # the folder of podium's packages


def is_wanted() -> bool:
    """Return whether the environment lets sweeps write reports."""
    return os.environ.get(VARIABLE, "").strip().lower() not in OFF


class ReportWriter:
    """The process that writes the report of the sweep in `folder`; with `is_off` it never starts.

    As a context manager it ends the process with the block.
    """

    def __init__(self, folder: Path, *, is_off: bool = False) -> None:
        self._folder = folder
        self._is_off = is_off or not is_wanted()
        self._process: subprocess.Popen[bytes] | None = None
        self._fault: str | None = None
        self._lock = threading.Lock()

    @property
    def is_current(self) -> bool:
        """Whether there is a report that is no older than what it tells of."""
        try:
            made = (self._folder / HTML).stat().st_mtime_ns
        except OSError:
            return False
        with contextlib.suppress(OSError):
            return all(
                (self._folder / name).stat().st_mtime_ns <= made
                for name in MADE_OF
                if (self._folder / name).exists()
            )
        return False

    def start(self, jobs: int) -> None:
        """Start the process if that has not been done; `jobs` decides what it loads. Any thread may call it."""
        with self._lock:
            if self._is_off or self._process is not None or self._fault is not None:
                return
            path = [entry for entry in sys.path if isinstance(entry, str)]
            program = PROGRAM.format(
                niceness=NICENESS, own=str(OWN), path=path, jobs=jobs, folder=os.fsencode(self._folder)
            )
            try:
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                    [sys.executable, "-c", program],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )
            except OSError as error:
                self._fault = str(error)

    def write(self, jobs: int) -> str | None:
        """Write the report as the sweep is now; return the line that says where it is or why there is none, None if it is off."""
        if self._is_off:
            return None
        self.start(jobs)
        fault = self._fault
        if self._process is not None:
            try:
                output, _ = self._process.communicate(b"write", timeout=TIMEOUT_S)
                fault = (
                    None if self._process.returncode == 0 else _last_line(output, self._process.returncode)
                )
            except subprocess.TimeoutExpired as error:
                fault = f"it took longer than {error.timeout:g} s"
            except OSError as error:  # the process ended before it was told
                fault = str(error)
        if fault is not None:
            return f"no report was written: {fault}"
        return f"Report: {shown(self._folder / HTML)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """End the process, if it still runs."""
        if self._process is not None:
            self._process.kill()  # does nothing to one that has ended
            self._process.communicate()


def _last_line(output: bytes, code: int) -> str:
    lines = output.decode(errors="backslashreplace").strip().splitlines()
    return lines[-1] if lines else f"exit code {code}"
