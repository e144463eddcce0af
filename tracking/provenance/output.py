"""Copies what a process prints while a run is open to the run's stdout.log.

Replaces the `write` of the stream objects, not the streams: a logging handler that holds one is copied too, and the
stream keeps its encoding, its descriptor and whether it is a terminal. Where `write` is already someone else's, who may
put back the one before (IPython does, around each cell), the stream itself is replaced for the time of the run. A run
copies the thread that opened it and those that opened none. What bypasses the streams (C code, child processes) is not
copied.
"""

import atexit
import functools
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tracking.files import append, atomic
from tracking.process.hooks import renew_in_children
from tracking.process.turns import per_job
from tracking.values.secrets import after_key, ends_in_key, masked_text

log = logging.getLogger("tracking")

MAX_BYTES = 50 << 20
LINE_CHARS = 8192  # of an unfinished line; a longer one is written in parts
LINE_PARTS = 256  # writes to a line after which its length is checked

_outputs: list["_Output"] = per_job([])
_taps: list["_Tap | _Relay"] = per_job([])
_lock = threading.RLock()
_writing = threading.local()  # the stream: what one replaced `write` hands to another is copied once


def capture_output(path: Path, *, printed: str = "") -> Callable[[], None]:
    """Append to `path` what is printed from now on, after what was `printed` before, until the returned function is called.

    Lines are written as they end, so SIGKILL loses at most an unfinished line. Of a line that is redrawn, such as a
    progress bar, the last state is kept. An error in writing is logged once and ends only the copy. A forked child
    writes to its parent's file until it opens a run of its own.
    """
    _prepare()
    output = _Output(path)
    output.add(None, printed)
    with _lock:
        _outputs.append(output)
        for name in ("stdout", "stderr"):
            _tap(name)
    return functools.partial(_stop, output)


def _tap(name: str) -> None:
    stream = getattr(sys, name)
    if stream is None or any(tap.stands_for(stream) for tap in _taps):
        return
    try:
        _taps.append(_Relay(name, stream) if "write" in vars(stream) else _Tap(stream))
    except (AttributeError, TypeError):
        log.info("%s is not copied: it takes no attributes", type(stream).__name__)


def _stop(output: "_Output") -> None:
    with _lock:
        if output in _outputs:
            _outputs.remove(output)
        if not _outputs:
            _taps[:] = [tap for tap in _taps if not tap.restore()]
    output.close()


def _write_and_copy(write: Callable[[str], Any], stream: Any, text: str) -> Any:
    outer = getattr(_writing, "stream", None)
    _writing.stream = stream
    try:
        result = write(text)
    finally:
        _writing.stream = outer
    if outer is not stream:
        _copy(stream, text)
    return result


def _copy(stream: Any, text: str) -> None:
    outputs = list(_outputs)
    pid, thread = os.getpid(), threading.current_thread()
    own = [output for output in outputs if output.opened_by == (pid, thread)]
    for output in own or outputs:
        output.add(stream, text)


class _Tap:
    """A replacement for the `write` of one stream."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._before = vars(stream).get("write")
        self._write = stream.write
        self._hook = self._write_and_copy
        stream.write = self._hook

    def stands_for(self, stream: Any) -> bool:
        """Return whether what is written to `stream` is copied by this."""
        return self.stream is stream

    def restore(self) -> bool:
        """Restore the stream's own `write`; return False if ours was replaced meanwhile."""
        if vars(self.stream).get("write") is not self._hook:
            return False
        if self._before is None:
            del self.stream.write
        else:
            self.stream.write = self._before
        return True

    def _write_and_copy(self, text: str) -> Any:
        return _write_and_copy(self._write, self.stream, text)


class _Relay:
    """A stream in the place of `sys.stdout` or `sys.stderr`; what replaces its `write` is copied too."""

    def __init__(self, name: str, stream: Any) -> None:
        vars(self).update(_name=name, stream=stream, write=_Copying(lambda text: stream.write(text), stream))
        setattr(sys, name, self)

    def stands_for(self, stream: Any) -> bool:
        """Return whether what is written to `stream` is copied by this."""
        return stream is self

    def restore(self) -> bool:
        """Put the stream back; return True, because a relay that is still held only hands on."""
        if getattr(sys, self._name) is self:
            setattr(sys, self._name, self.stream)
        return True

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["stream"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "write":
            vars(self)["write"] = value if isinstance(value, _Copying) else _Copying(value, self.stream)
        else:
            setattr(self.stream, name, value)


class _Copying:
    """A `write` whose text is copied; calling another one from it copies once."""

    def __init__(self, write: Callable[[str], Any], stream: Any) -> None:
        self._write = write
        self._stream = stream

    def __call__(self, text: str) -> Any:
        """Write and copy."""
        return _write_and_copy(self._write, self._stream, text)


class _Output:
    """One stdout.log; the file is made with the first line."""

    def __init__(self, path: Path) -> None:
        self.opened_by = os.getpid(), threading.current_thread()
        self._path = path
        self._lock = threading.RLock()  # a signal's handler may print while we write
        self._handle = -1
        self._size = 0
        self._is_shut = False
        self._in_key = False  # a private key is being printed, line by line
        # by stream and thread, so that threads do not end each other's lines
        self._pending: dict[tuple[int, int], list[str]] = {}

    def add(self, stream: Any, text: str) -> None:
        """Add what was written to `stream`."""
        with self._lock:
            if self._is_shut or not text:
                return
            parts = self._pending.setdefault((id(stream), threading.get_ident()), [])
            parts.append(text)
            # print() writes each argument and space by itself, so most writes end no line
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
        """Write the unfinished lines."""
        with self._lock:
            unfinished = ["".join(parts) for parts in self._pending.values() if parts]
            self._pending.clear()
            if unfinished and not self._is_shut:
                self._write("".join(f"{_last_state(line)}\n" for line in unfinished))

    def close(self) -> None:
        """Write the unfinished lines and close the file."""
        with self._lock:
            self.flush()
            self._is_shut = True
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1

    def renew(self) -> None:
        """Make a forked child independent: a thread of the parent may hold the lock, and unfinished lines are the parent's."""
        self._lock = threading.RLock()
        self._pending.clear()

    def _write(self, text: str) -> None:
        if self._in_key:
            text, self._in_key = after_key(text)
        self._in_key = self._in_key or ends_in_key(text)
        data = masked_text(text).encode(errors="backslashreplace")
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
            self._is_shut = True  # first, because the warning may be printed too
            log.warning("output is no longer copied to the run: %s", error)


def _last_state(line: str) -> str:
    """Return what a terminal shows of a line after its last carriage return."""
    return line.rstrip("\r").rpartition("\r")[2] if "\r" in line else line


@functools.cache
def _prepare() -> None:
    atexit.register(_flush)
    renew_in_children(_renew)


def _flush() -> None:
    for output in list(_outputs):
        output.flush()


def _renew() -> None:
    global _lock
    # a thread that does not exist in the child may hold the old one
    _lock = threading.RLock()
    for output in _outputs:
        output.renew()
