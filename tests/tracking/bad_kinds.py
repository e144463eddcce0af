"""What may be in the place of a file of a store, and is none."""

import os
from pathlib import Path

from sockets import put_socket

JOURNAL_LINE = b'{"step":1,"timestamp":"2026-01-01T00:00:00+00:00","metrics":{"a":1.0}}\n'

OUTSIDE = JOURNAL_LINE + b"irreplaceable text without an end of line"


def to_pipe(path: Path, _outside: Path) -> None:
    """Put a named pipe at a path."""
    os.mkfifo(path)


def to_folder(path: Path, _outside: Path) -> None:
    """Put a folder with a file in it at a path."""
    path.mkdir()
    (path / "inner").write_text("x")


def to_link(path: Path, outside: Path) -> None:
    """Put a link to a file outside of the store at a path."""
    path.symlink_to(outside)


def to_loop(path: Path, _outside: Path) -> None:
    """Put a link to itself at a path."""
    path.symlink_to(path.name)


def to_device(path: Path, _outside: Path) -> None:
    """Put a link to a device without end at a path."""
    path.symlink_to("/dev/zero")


def to_socket(path: Path, _outside: Path) -> None:
    """Put a socket at a path."""
    put_socket(path)


KINDS = [to_pipe, to_folder, to_link, to_loop, to_device, to_socket]
