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
PATIENCE_S = 10.0  # a network file system may show a new file late
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


def why_not_shared(path: Path, text: str, patience_s: float = PATIENCE_S) -> str | None:
    """Return why this machine cannot work in the folder of the file `path`, which holds `text`; None if it can."""
    deadline = time.monotonic() + patience_s
    while (found := _read(path)) is None and time.monotonic() < deadline and path.parent.is_dir():
        time.sleep(POLL_S)
    folder = path.parent
    if found is None and not folder.is_dir():
        return f"it has no folder {folder}; the store must lie in a folder that all machines share, at the same path"
    if found != text:
        return f"its folder {folder} is another one; the store must lie in a folder that all machines share, at the same path"
    return None if os.access(folder, os.W_OK) else f"it may not write into {folder}"


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
