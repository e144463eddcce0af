"""A run that logs and prints what a test tells it to."""

import re
import subprocess
import sys
from pathlib import Path

from served import ROOT

LOGGER = """
import sys
from tracking import ExperimentTracker
run = ExperimentTracker(sys.argv[1]).start_run("live", params={"lr": 0.1}, capture_output=True)
print(run.run_id, file=sys.__stdout__, flush=True)
for line in sys.stdin:
    what, _, rest = line.strip().partition(" ")
    if what == "log":
        first, last = map(int, rest.split())
        for step in range(first, last):
            run.log({"loss": 1 / (step + 1)}, step=step)
    elif what == "print":
        print(rest, flush=True)
    elif what == "finish":
        run.finish()
    print("done", file=sys.__stdout__, flush=True)
"""


class Logger:
    """A process with a run that is open; it does what it is told, and then says so."""

    def __init__(self, store: Path, log: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOGGER, str(store)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.run = self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        while (line := self._process.stdout.readline()) and not re.match(r"(done|run_\d+)\n", line):
            pass
        return line.strip()

    def tell(self, words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        assert self._answer() == "done"

    def end(self, *, kill: bool = False) -> None:
        if kill:
            self._process.kill()
        self._process.communicate()
