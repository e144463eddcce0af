"""A socket as a file, wherever the folder is."""

import contextlib
import socket
from pathlib import Path


def put_socket(path: Path) -> None:
    """Leave a socket at ``path``; it is bound from its own folder, since an address holds a hundred bytes only."""
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)
