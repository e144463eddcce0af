"""Standard streams that are closed, whose reader has gone, or whose encoding lacks a character."""

import contextlib
import os
import sys
from pathlib import Path
from typing import TextIO, cast


def open_streams() -> None:
    """Make writing to stdout and stderr safe for the rest of the process.

    Connect each standard stream that the process was started without to the null device. Escape what the encoding of a
    stream cannot hold.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)  # another file may have been opened under its number since
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null == number:
                os.set_inheritable(number, True)
            else:
                os.dup2(null, number)
                os.close(null)
        setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open as long as the process
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # another object in its place, such as a notebook's
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # not None by now


def silence(stream: TextIO) -> None:
    """Discard the buffer of a stream and all that is written to it from now on."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # an object in its place has no descriptor
        number = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


class _LastingStream:
    """A standard stream on which writing never fails.

    It discards what is written once its reader has gone, and escapes what its encoding cannot hold. An object that only
    writes and flushes may stand in the place of the stream.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, attribute: str) -> object:
        return getattr(self._stream, attribute)

    @property
    def encoding(self) -> str:
        """The encoding of the stream, as far as it has one."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return bool(getattr(self._stream, "isatty", bool)())

    def write(self, text: str) -> int:
        """Write text, or discard it; return its length."""
        try:
            try:
                return self._stream.write(text)
            except UnicodeEncodeError:
                encoding = getattr(self._stream, "encoding", None) or "ascii"
                return self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError:
            silence(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush the stream, or discard what it holds."""
        try:
            self._stream.flush()
        except OSError:
            silence(self._stream)


def lasting(stream: TextIO) -> TextIO:
    """Return a standard stream as one on which writing never fails: its reader may go, its encoding lack a character."""
    return cast(TextIO, _LastingStream(stream))
