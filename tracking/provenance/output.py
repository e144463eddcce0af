"""What a process prints while a run is open, also in the run's stdout.log.

The `write` of the stream objects is replaced, not the streams: whoever holds one, such as a handler of logging, is
heard too, and the stream keeps its encoding, its descriptor and whether it is a terminal. A run hears the thread that
opened it and those that opened none. What bypasses the streams (C code, child programs) is not heard.
"""

import atexit
import functools
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracking.files import append, atomic

log = logging.getLogger("tracking")

MAX_BYTES = 50 << 20
LINE_CHARS = 8192  # of a line without an end that wait for it
LINE_PARTS = 256  # writes after which it is looked how long the line has become

_outputs: list["_Output"] = []
_taps: list["_Tap"] = []
_lock = threading.RLock()


def capture_output(path: Path) -> Callable[[], None]:
    """Append to `path` what is printed from now on, until the function that is returned is called.

    Lines are written as they end, so what SIGKILL leaves behind lacks at most an unfinished line. Of a line that is
    drawn again and again, such as a progress bar, the last state is kept. An error in writing is logged once and stops
    nothing but the copy. A forked child goes on writing to the file of its parent until it opens a run of its own.
    """
    _prepare()
    output = _Output(path)
    with _lock:
        _outputs.append(output)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not any(tap.stream is stream for tap in _taps):
                _taps.extend(_Tap.on(stream))
    return functools.partial(_stop, output)


def _stop(output: "_Output") -> None:
    with _lock:
        if output in _outputs:
            _outputs.remove(output)
        if not _outputs:
            _taps[:] = [tap for tap in _taps if not tap.restore()]
    output.close()


def _hear(stream: Any, text: str) -> None:
    everybody = list(_outputs)
    if len(everybody) == 1:
        everybody[0].add(stream, text)
        return
    pid, thread = os.getpid(), threading.current_thread()
    own = [output for output in everybody if output.opened_by == (pid, thread)]
    for output in own or everybody:
        output.add(stream, text)


class _Tap:
    """Stands in for the `write` of one stream."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._before = vars(stream).get("write")
        self._write = stream.write
        self._hook = self._write_and_hear
        stream.write = self._hook

    @classmethod
    def on(cls, stream: Any) -> list["_Tap"]:
        """A tap on `stream`; none on one that cannot be tapped."""
        try:
            return [cls(stream)]
        except (AttributeError, TypeError):
            log.info("%s is not copied: it takes no attributes", type(stream).__name__)
            return []

    def restore(self) -> bool:
        """Give the stream its own `write` back; False when somebody has replaced ours meanwhile."""
        if vars(self.stream).get("write") is not self._hook:
            return False
        if self._before is None:
            del self.stream.write
        else:
            self.stream.write = self._before
        return True

    def _write_and_hear(self, text: str) -> Any:
        result = self._write(text)
        _hear(self.stream, text)
        return result


class _Output:
    """One stdout.log. The file is made with the first line."""

    def __init__(self, path: Path) -> None:
        self.opened_by = os.getpid(), threading.current_thread()
        self._path = path
        self._lock = threading.RLock()  # a signal's handler may print while we write
        self._handle = -1
        self._size = 0
        self._is_shut = False
        # of each stream and thread, so that threads never end each other's lines
        self._pending: dict[tuple[int, int], list[str]] = {}

    def add(self, stream: Any, text: str) -> None:
        """Keep what was written to `stream`."""
        with self._lock:
            if self._is_shut or not text:
                return
            parts = self._pending.setdefault((id(stream), threading.get_ident()), [])
            parts.append(text)
            # print() writes each of its arguments and spaces by itself: most writes end nothing
            if "\n" in text or "\r" in text or len(text) + len(parts) > LINE_PARTS:
                *lines, rest = "".join(parts).split("\n")
                whole = "".join(f"{_last_state(line)}\n" for line in lines)
                if "\r" in rest:
                    rest = _last_state(rest) + ("\r" if rest.endswith("\r") else "")
                if len(rest) > LINE_CHARS:
                    whole, rest = whole + rest, ""
                parts[:] = [rest] if rest else []
                if whole:
                    self._write(whole)

    def flush(self) -> None:
        """Write the lines that have no end yet."""
        with self._lock:
            unfinished = ["".join(parts) for parts in self._pending.values() if parts]
            self._pending.clear()
            if unfinished and not self._is_shut:
                self._write("".join(f"{_last_state(line)}\n" for line in unfinished))

    def close(self) -> None:
        """Write what is left and give the file back."""
        with self._lock:
            self.flush()
            self._is_shut = True
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1

    def renew(self) -> None:
        """In a forked child: another thread of the parent may have held the lock; unfinished lines are the parent's."""
        self._lock = threading.RLock()
        self._pending.clear()

    def _write(self, text: str) -> None:
        data = text.encode(errors="backslashreplace")
        try:
            if self._handle < 0:
                self._handle = append.open_append(self._path)
                self._size = os.fstat(self._handle).st_size
            left = MAX_BYTES - self._size
            if len(data) > left:
                self._is_shut = True
                note = f"\n[output beyond {MAX_BYTES:,} bytes is not kept]\n"
                data = data[: max(0, left)] + note.encode()
            atomic.write_all(self._handle, data)
            self._size += len(data)
        except OSError as error:
            self._is_shut = True  # first: the warning itself may be printed
            log.warning("what the run prints is not copied any more: %s", error)


def _last_state(line: str) -> str:
    """What a terminal shows in the end of a line in which the cursor went back to its beginning."""
    return line.rstrip("\r").rpartition("\r")[2] if "\r" in line else line


@functools.cache
def _prepare() -> None:
    atexit.register(_flush)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_renew)


def _flush() -> None:
    for output in list(_outputs):
        output.flush()


def _renew() -> None:
    global _lock
    # the old one may be held by a thread that does not exist in the child
    _lock = threading.RLock()
    for output in _outputs:
        output.renew()
