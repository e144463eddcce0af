"""Whether a node sees the folder of the sweep: the sweep's process writes a file there, and the node reads it.

Runs, logs and checkpoints of jobs lie in that folder, and the sweep's process ranks what it finds there. A folder of the same
name that is another one, such as a disk of the node's own, would make a sweep whose jobs all end and leave nothing.
"""

import contextlib
import os
import secrets
import time
from pathlib import Path

NAME = ".shared-"  # what the name of the file begins with
PATIENCE_S = 10.0  # a network file system may show late what is new
POLL_S = 0.1


class Nonce:
    """A file with a random content in the folder of a sweep; call `remove` when no node will read it any more."""

    def __init__(self, folder: Path) -> None:
        self.text = secrets.token_hex(16)
        # A name that no file had before: a file system may remember that there is no file of a name.
        self.path = folder / f"{NAME}{secrets.token_hex(8)}"
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{NAME}*"):  # by a process of the sweep that was killed
            left.unlink(missing_ok=True)
        self.path.write_text(self.text)

    def remove(self) -> None:
        """Remove the file; it may be gone with its folder."""
        with contextlib.suppress(OSError):
            self.path.unlink()


def why_not_shared(path: Path, text: str) -> str | None:
    """Return why this machine cannot work in the folder of the file `path`, which holds `text`; None if it can.

    A folder, a file or its content that comes late is waited for.
    """
    deadline = time.monotonic() + PATIENCE_S
    while (fault := _fault(path, text)) is not None and time.monotonic() < deadline:
        time.sleep(POLL_S)
    if fault is not None:
        return f"{fault}; the store must lie in a folder that all machines share, at the same path"
    return None if os.access(path.parent, os.W_OK) else f"it may not write into {path.parent}"


def _fault(path: Path, text: str) -> str | None:
    folder = path.parent
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if path.read_text() == text:
                return None
        return f"its folder {folder} is another one" if folder.exists() else f"it has no folder {folder}"
    except OSError as error:  # such as that of a mount that has gone stale
        return f"it cannot read its folder {folder}: {error.strerror}"
