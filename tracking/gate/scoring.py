"""Scores in a process of its own: started clean, stopped at its time limit and with its parent, understood when it dies.

The process gets this one's path of imports, so that the modules of the user import, and nothing else of it. The memory that models
take is free again when it has ended, and this process never loads them.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tracking.errors import InvalidValueError
from tracking.gate.outcomes import RESULT, SCORES, Question
from tracking.process.users_modules import users_path
from tracking.values.secrets import masked_text

# podium itself is found first, because a user's modules may have the names of its packages; theirs are found as in the parent.
PROGRAM = """\
import sys
sys.path[:] = [{own!r}, *{path!r}]
from tracking.gate.scoring_child import main
sys.path[:] = {path!r}
main({pipe})
"""
OWN = Path(__file__).resolve().parents[2]  # the folder of podium's packages
IMPORT = "start"  # the phase in which the process imports the scorer
PRINTED = "printed"  # the file that the process prints to
MOST_TOLD = 2000  # bytes at the end of what the process printed
LOOKS_S = 1.0  # how often it is looked whether the process lives
ENDS_S = 10.0  # how long a process may take to end after its last line

Judgement = Mapping[str, Any]
# told the split, and what its looks are counted by; returns the number of the look
Spend = Callable[[Mapping[str, Any], Mapping[str, Any]], int | None]


@dataclass(frozen=True)
class Scored:
    """What the scoring process found."""

    split: Mapping[str, Any]
    judgement: Judgement
    scores: bytes  # the content of scores.npz


@dataclass(frozen=True)
class Fault:
    """Why nothing could be scored or compared: a sentence, and the end of what the process printed."""

    reason: str
    printed: str
    split: Mapping[str, Any] | None = None


def scored(question: Question, spend: Spend) -> Scored | Fault:
    """Score both versions of a question and judge them; `spend` is called once both are scored and before they are compared.

    What goes wrong in the process is returned as a `Fault`. Raise InvalidValueError for a scorer that cannot be imported, which says
    nothing of the versions. What `spend` raises, and KeyboardInterrupt, ends the process and goes on.
    """
    with tempfile.TemporaryDirectory(prefix="podium-gate-") as scratch, _process(Path(scratch)) as child:
        return child.ask(question, spend)


class _Child:
    """The scoring process while it runs."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: int, folder: Path) -> None:
        self._process, self._pipe, self._folder = process, pipe, folder
        self._phase = "begin"
        self._split: Mapping[str, Any] | None = None

    def ask(self, question: Question, spend: Spend) -> Scored | Fault:
        settings = question.settings
        self._say({"question": question.to_json(), "folder": str(self._folder)})
        who = _who(question)
        for line in self._heard(settings.timeout_s):
            if line is None:
                return self._fault(
                    f"{who[self._phase]}: it took longer than {settings.timeout_s:g} s (timeout_s)"
                )
            if "fault" in line:
                return self._fault(f"{who[self._phase]}: {line['fault']}")
            if line.get("done"):
                return self._result()
            self._phase = line["phase"]
            if self._phase == "compare":
                self._split = line["split"]
                self._say({"look": spend(line["split"], line["counted_by"])})
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDS_S)
        return self._fault(f"{who[self._phase]}: its process {_ending(self._process.returncode)}")

    def _result(self) -> Scored | Fault:
        found = json.loads((self._folder / RESULT).read_text())
        return Scored(self._split or {}, found, (self._folder / SCORES).read_bytes())

    def _heard(self, timeout_s: float) -> Iterator[Mapping[str, Any] | None]:
        """Yield the lines of the process until it closes its pipe; None when the time is over."""
        end, rest = time.monotonic() + timeout_s, b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while True:
                left = end - time.monotonic()
                if not selector.select(max(0.0, min(left, LOOKS_S))):
                    if left > 0 and self._process.poll() is None:
                        continue
                    if left <= 0:
                        yield None
                    return  # it has died, and what it started holds its pipe open
                piece = os.read(self._pipe, 1 << 16)
                if not piece:
                    return
                *lines, rest = (rest + piece).split(b"\n")
                yield from map(json.loads, lines)

    def _say(self, line: Mapping[str, Any]) -> None:
        stdin: IO[bytes] | None = self._process.stdin
        assert stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError):  # it has died, which its pipe tells
            stdin.write(json.dumps(line).encode() + b"\n")
            stdin.flush()

    def _fault(self, reason: str) -> Fault:
        """Return the fault with what the process printed; raise InvalidValueError while it imports the scorer."""
        with (self._folder / PRINTED).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_TOLD))
            printed = file.read().decode(errors="backslashreplace").strip()
        sentence = masked_text(" ".join(reason.split()))
        if self._phase == IMPORT:
            raise InvalidValueError(sentence)
        return Fault(sentence, masked_text(printed), self._split)


@contextlib.contextmanager
def _process(folder: Path) -> Iterator[_Child]:
    """Start the process, and end it with all that it started when the block ends."""
    reading, writing = os.pipe()
    program = PROGRAM.format(own=str(OWN), path=users_path(), pipe=writing)
    with contextlib.ExitStack() as ends:
        ends.callback(os.close, reading)
        try:
            with (folder / PRINTED).open("wb") as printed:
                # in a session of its own, so that Ctrl-C reaches this process, which ends that one
                process = subprocess.Popen(  # noqa: S603 - this interpreter
                    [sys.executable, "-I", "-X", "faulthandler", "-c", program],
                    stdin=subprocess.PIPE,
                    stdout=printed,
                    stderr=printed,
                    pass_fds=[writing],
                    start_new_session=True,
                )
        finally:
            os.close(writing)
        ends.callback(_end, process)
        yield _Child(process, reading, folder)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(BrokenPipeError):
        process.communicate()


def _who(question: Question) -> dict[str, str]:
    """Return how a sentence about a fault begins, by the phase it happened in."""
    champion = "" if question.champion is None else f" (v{question.champion.version})"
    return {
        "begin": "the scoring process could not start",
        IMPORT: f"the scorer {question.settings.scorer} could not be imported",
        "champion": f"the champion{champion} could not be loaded and scored",
        "challenger": f"the challenger (v{question.challenger.version}) could not be loaded and scored",
        "rows": "the rows decide nothing",
        "rules": "no look was spent, because a rule cannot be judged",
        "compare": "the two versions could not be compared",
    }


def _ending(code: int | None) -> str:
    if code is None:
        return "closed its pipe and did not end"
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    hint = ", as the system does when memory runs out" if -code == signal.SIGKILL else ""
    return f"was killed by {name}{hint}"
