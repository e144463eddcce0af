"""The failure of a job as plain data, bounded, printable and without secrets.

An exception's text may be megabytes long and may hold escape codes or bytes that are no text. It must fit a line, the
ledger and a terminal.
"""

import signal
import traceback
from pathlib import Path
from typing import Any

from sweeps.jobs import JobStatus, Reason
from tracking.values.secrets import masked_text

PODIUM = Path(__file__).resolve().parents[2]  # the folder of podium's packages
LINE = 500  # characters of an error
HEAD, TAIL = 20_000, 40_000  # characters of a traceback
KILLED_BY_SIGTERM = "killed by SIGTERM"
TERMINATED = 128 + signal.SIGTERM  # the exit code of a process that SIGTERM ended


def one_line(text: str) -> str:
    """Return a text as one line of bounded length, with unprintable characters escaped."""
    short = masked_text(" ".join(text[: 4 * LINE].split()))
    line = _visible(short)
    return line if len(line) <= LINE and len(text) <= 4 * LINE else f"{line[:LINE]}..."


def several_lines(text: str) -> str:
    """Return a text of bounded length with its lines kept and unprintable characters escaped; cut in the middle."""
    if len(text) > HEAD + TAIL:
        left_out = len(text) - HEAD - TAIL
        text = f"{text[:HEAD]}\n... {left_out:,} characters left out ...\n{text[-TAIL:]}"
    return "\n".join(_visible(line) for line in masked_text(text).split("\n"))


def failure(
    error: str, *, reason: Reason, status: JobStatus = JobStatus.FAILED, traceback: str | None = None
) -> dict[str, Any]:
    """Return the message of a job that did not complete."""
    return {"status": status, "error": error, "traceback": traceback, "reason": reason}


def ended_by(error: BaseException) -> dict[str, Any]:
    """Return the message of a job that ended with an exception."""
    line, reason, status = summary(error), Reason.ERROR, JobStatus.FAILED
    if isinstance(error, KeyboardInterrupt):
        reason, status = Reason.SIGNAL, JobStatus.KILLED
    elif isinstance(error, SystemExit) and error.code == TERMINATED:
        line, reason, status = KILLED_BY_SIGTERM, Reason.SIGNAL, JobStatus.KILLED
    elif isinstance(error, SystemExit):
        line, reason = one_line(f"called sys.exit({error.code!r})"), Reason.EXIT
    elif isinstance(error, MemoryError):
        reason = Reason.MEMORY
    elif isinstance(error, ImportError) and str(error.path or "").startswith(f"{PODIUM}/"):
        name = str(error.name).partition(".")[0]
        line = f"{line}; {name!r} is a package of podium's, so a module of yours needs another name"
    text = several_lines("".join(traceback.format_exception(error)))
    return failure(line, reason=reason, status=status, traceback=text)


def summary(error: BaseException) -> str:
    """Return an exception as one line: its class and its message, and the first cause that the message leaves out."""
    line, cause, seen = _named(error), error, {id(error)}
    while cause.__cause__ is not None and id(cause.__cause__) not in seen:
        cause = cause.__cause__
        seen.add(id(cause))
    text = _message(cause)
    if cause is error or (text and text in line):
        return line
    return one_line(f"{line} (because of {_named(cause)})")


def _named(error: BaseException) -> str:
    text = _message(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _message(error: BaseException) -> str:
    try:
        return one_line(str(error))
    except Exception as fault:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"<no message: its __str__ raised {type(fault).__name__}>"


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\t" else each.encode("unicode_escape").decode()
        for each in text
    )
