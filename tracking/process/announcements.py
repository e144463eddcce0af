"""``runs.jsonl`` in the folder of a job: the runs that the job and the processes it started have opened.

Any number of processes append to it, each line in one write. It is how a sweep learns of the runs of a process that it
did not start, and of the runs of a job that was killed.
"""

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FILE = "runs.jsonl"


class Announced(NamedTuple):
    """A run that was opened for a job: its folder, and whether a process that the job started opened it."""

    folder: str
    by_child: bool


def announce(job_folder: Path, run_dir: Path, *, attempt: int, by_child: bool) -> None:
    """Append a run that was opened in an attempt at the job; raise OSError if the system refuses."""
    entry: dict[str, Any] = {"run": str(run_dir), "attempt": attempt}
    if by_child:
        entry["child"] = True
    # Begins with a newline, so that a line torn by a crash damages no other. ASCII keeps a name that is not UTF-8.
    line = f"\n{json.dumps(entry)}\n".encode()
    handle = os.open(job_folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        if os.write(handle, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(handle)


def announced(job_folder: Path, attempt: int) -> list[Announced]:
    """Return the runs of one attempt at a job in the order they were opened; none without a readable file."""
    try:
        with os.scandir(job_folder) as entries:
            next(entries, None)  # or a network file system may remember that the file was not there
        text = _bytes_of(job_folder / FILE)
    except (OSError, ValueError):  # ValueError: a name that the file system cannot hold
        return []
    return list(dict.fromkeys(_runs_in(text, attempt)))


def _bytes_of(path: Path) -> bytes:
    # without tracking.files, which builds on this package: a link is not followed, a pipe or a device not read
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        return file.read() if stat.S_ISREG(os.fstat(handle).st_mode) else b""


def _runs_in(text: bytes, attempt: int) -> Iterator[Announced]:
    for line in text.split(b"\n"):
        try:
            entry = json.loads(line)
            if entry["attempt"] == attempt and isinstance(entry["run"], str):
                yield Announced(entry["run"], entry.get("child") is True)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue  # the empty line before each entry, or a torn one
