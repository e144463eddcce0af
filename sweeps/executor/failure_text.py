"""What became of a job that did not complete, as plain data that fits a line, a ledger and a terminal.

A job may say anything: megabytes, escape codes, bytes that are no text. One job's words must cost neither the
records of its sweep nor the screen of who watches it.
"""

import signal
import traceback
from typing import Any

from sweeps.jobs import JobStatus, Reason

LINE = 500  # characters of an error
HEAD, TAIL = 20_000, 40_000  # characters of a traceback
TERMINATED = 128 + signal.SIGTERM  # the exit code of a process that SIGTERM ended


def one_line(text: str) -> str:
    """Write a text in one line of bounded length; what cannot be shown is escaped."""
    short = " ".join(text[: 4 * LINE].split())
    line = _visible(short)
    return line if len(line) <= LINE and len(text) <= 4 * LINE else f"{line[:LINE]}..."


def several_lines(text: str) -> str:
    """Write a text of bounded length, its lines kept and its middle left out; what cannot be shown is escaped."""
    if len(text) > HEAD + TAIL:
        left_out = len(text) - HEAD - TAIL
        text = f"{text[:HEAD]}\n... {left_out:,} characters left out ...\n{text[-TAIL:]}"
    return "\n".join(_visible(line) for line in text.split("\n"))


def failure(
    error: str, *, reason: Reason, status: JobStatus = JobStatus.FAILED, traceback: str | None = None
) -> dict[str, Any]:
    """Say as plain data that a job did not complete."""
    return {"status": status, "value": None, "error": error, "traceback": traceback, "reason": reason}


def ended_by(error: BaseException) -> dict[str, Any]:
    """Say how a job ended that an exception ended."""
    if isinstance(error, KeyboardInterrupt):
        return _told(error, status=JobStatus.KILLED, reason=Reason.SIGNAL)
    if isinstance(error, SystemExit):
        if error.code == TERMINATED:
            return _told(error, status=JobStatus.KILLED, reason=Reason.SIGNAL, line="killed by SIGTERM")
        return _told(error, reason=Reason.EXIT, line=one_line(f"called sys.exit({error.code!r})"))
    return _told(error, reason=Reason.MEMORY if isinstance(error, MemoryError) else Reason.ERROR)


def summary(error: BaseException | None) -> str:
    """Write an exception in one line: its class and what it says."""
    said = one_line(_said(error))
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _told(
    error: BaseException, *, reason: Reason, status: JobStatus = JobStatus.FAILED, line: str | None = None
) -> dict[str, Any]:
    text = several_lines("".join(traceback.format_exception(error)))
    return failure(line or summary(error), reason=reason, status=status, traceback=text)


def _said(error: BaseException | None) -> str:
    try:
        return str(error)
    except Exception as fault:  # noqa: BLE001 - somebody's __str__ may raise anything
        return f"<its message cannot be had: {type(fault).__name__}>"


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\t" else each.encode("unicode_escape").decode()
        for each in text
    )
