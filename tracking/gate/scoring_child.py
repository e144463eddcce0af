"""The process that scores: it loads both versions, scores the same rows with each, and judges once it is told the look.

It reads the question and then the number of the look from stdin, a line each, and answers in lines of JSON on a pipe. When stdin ends,
its parent is gone, and it ends at once. What the scorer prints goes to stderr.
"""

import hashlib
import importlib
import inspect
import json
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from tracking.gate.judgement import counted_by, judged, obstacles, split_of, values_of_rows
from tracking.gate.naming import unknown_names
from tracking.gate.outcomes import RESULT, SCORES, Entrant, Question
from tracking.gate.rules import AUTO
from tracking.gate.scores import Scores, scores_of
from tracking.gate.scores_file import scores_bytes

Line = dict[str, Any]


def main(pipe: int) -> None:
    """Answer one question; the exit code is 0 whether or not the versions could be scored."""
    os.dup2(2, 1)
    lines = _lines()
    with os.fdopen(pipe, "w") as told:

        def say(**line: Any) -> None:
            told.write(json.dumps(line) + "\n")
            told.flush()

        request = lines.get()
        try:
            _answer(Question.from_json(request["question"]), Path(request["folder"]), say, lines)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a scorer of the user's may raise anything
            traceback.print_exc()
            say(fault=_one_line(error))
    sys.stderr.flush()
    os._exit(0)  # a thread of the scorer's, or ours that reads, must not hold the process up


def _answer(question: Question, folder: Path, say: Any, lines: "queue.SimpleQueue[Line]") -> None:
    settings = question.settings
    say(phase="start")
    score = _scorer(str(settings.scorer))
    champion: Scores | None = None
    if question.champion is not None:
        say(phase="champion")
        champion = _scored(score, question.champion, question)
    say(phase="challenger")
    challenger = _scored(score, question.challenger, question)
    say(phase="rows")
    for obstacle in obstacles(challenger, champion):
        say(fault=obstacle)
        return
    say(phase="rules")
    unknown = [*unknown_names(question, challenger, champion)]
    if unknown:
        say(fault="; ".join(unknown))
        return
    split = split_of(challenger, champion, settings.cluster)
    split["values"] = values_of_rows(challenger, settings)
    say(phase="compare", split=split, counted_by=counted_by(challenger))
    look = lines.get()["look"]
    found = judged(question, challenger, champion, look)
    (folder / SCORES).write_bytes(scores_bytes(challenger, champion))
    (folder / RESULT).write_text(json.dumps(found))
    say(done=True)


def _scorer(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    function = getattr(importlib.import_module(module), name)
    if not callable(function):
        raise TypeError(f"{dotted} is {type(function).__name__}, not a function")
    return function


def _scored(score: Any, entrant: Entrant, question: Question) -> Scores:
    settings = question.settings
    split = None if settings.split == AUTO else settings.split
    more = {"allow": settings.allow} if "allow" in inspect.signature(score).parameters else {}
    raw = score(Path(entrant.folder), split, **more)
    file = None if split is None or not Path(split).is_file() else Path(split)
    return scores_of(raw, None if file is None else hashlib.sha256(file.read_bytes()).hexdigest())


def _lines() -> "queue.SimpleQueue[Line]":
    """Return a queue of what stdin says; the process ends when stdin does."""
    found: queue.SimpleQueue[Line] = queue.SimpleQueue()
    told = os.fdopen(os.dup(0), "rb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a scorer that reads stdin finds nothing
        os.dup2(nothing.fileno(), 0)

    def read() -> None:
        for line in told:
            found.put(json.loads(line))
        os.killpg(0, signal.SIGKILL)  # this process leads its group: what the scorer has started ends too

    threading.Thread(target=read, daemon=True).start()
    return found


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return text if kind == "InvalidValueError" else f"{kind}: {text}" if text else kind
