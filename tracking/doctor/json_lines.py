"""Files of JSON lines: what a crash tore off their end, and which lines cannot be read."""

import os
from pathlib import Path

from tracking.doctor.findings import Examination, Fault
from tracking.files import append, atomic
from tracking.values import jsontext


def examine_lines(seen: Examination, path: Path) -> bool:
    """Cut a torn end, name damaged lines; whether all whole lines can be read. A missing file is fine."""
    torn, damaged = _faults(path)
    if torn:
        what = f"its last {torn} bytes are of a line that was never finished"
        seen.repair(Fault.TORN_LINE, path, what, "cut them", lambda: _cut(path))
    if damaged:
        more = f", and {len(damaged) - 1} more" if damaged[1:] else ""
        seen.leave(
            Fault.DAMAGED, path, f"line {damaged[0]} is no JSON{more}", "repair the line, or remove it"
        )
    return not damaged


def _faults(path: Path) -> tuple[int, list[int]]:
    torn, damaged = 0, []
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0, []
    with file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                torn = len(line)
            elif line.strip():
                try:
                    jsontext.decode(line)
                except ValueError:
                    damaged.append(number)
    return torn, damaged


def _cut(path: Path) -> None:
    with atomic.writing(path):
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            state = os.fstat(handle)
            append.cut_torn_tail(handle, path)
            # the time of the last line is the last sign of life of whoever wrote it
            os.utime(handle, ns=(state.st_atime_ns, state.st_mtime_ns))
        finally:
            os.close(handle)
