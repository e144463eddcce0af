"""Where the index of a store lies: in the user's cache folder, below the store's path, else in memory.

Readers write nothing into a store, so one on a read-only or network mount is indexed like any other. Each host has a
file of its own: homes are shared, and SQLite's locks are reliable only within one host.
"""

import os
from pathlib import Path

from tracking.errors import StoreUnwritableError
from tracking.files import folders
from tracking.paths import StorePaths
from tracking.process import identity

MEMORY = Path(":memory:")


def index_place(paths: StorePaths, version: int) -> Path:
    """Return the file of a store's index; MEMORY for a user without a home."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    try:
        cache = Path(home) if os.path.isabs(home) else Path.home() / ".cache"  # noqa: PTH117 - of a text
    except RuntimeError:
        return MEMORY
    base = paths.base.resolve()
    return cache / "podium" / base.relative_to(base.anchor) / f"{identity.host_name()}.{version}.sqlite"


def prepare(place: Path) -> bool:
    """Create the folder of a place; return whether a file can be created or changed there."""
    if place == MEMORY:
        return False
    try:
        folders.make_dir(place.parent)
    except StoreUnwritableError:
        return False
    return os.access(place.parent, os.W_OK) and (not place.exists() or os.access(place, os.W_OK))
