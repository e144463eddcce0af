"""The standard streams of a sweep, which a closed pipe or terminal does not end."""

import sys
from typing import TextIO, cast

from tracking.cli.toolkit.streams import LastingStream, open_streams

__all__ = ["lasting_stdout", "open_streams", "say_on_stderr"]


def lasting_stdout() -> TextIO:
    """Return stdout as a stream that discards what is written once its reader has gone."""
    return cast(TextIO, LastingStream(sys.stdout))


def say_on_stderr(text: str) -> None:
    """Write a message to stderr; discard it if that is closed."""
    stderr = LastingStream(sys.stderr)
    stderr.write(text)
    stderr.flush()
