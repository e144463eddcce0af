"""Where the index of a store may lie: in the store, else in a cache of the user's, else in memory.

Each host has a file of its own, and none lies on a network: SQLite's locks hold only within one host.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tracking.errors import StoreUnwritableError
from tracking.files import folders
from tracking.paths import StorePaths
from tracking.process import identity

MEMORY = Path(":memory:")
NETWORKS = re.compile(
    r"(nfs\d*|cifs|smb\w*|9p|afs|ceph|lustre|gpfs|beegfs\w*|glusterfs|pvfs2|orangefs|davfs|ncpfs|panfs|wekafs|virtiofs"
    r"|fuse\.(?!fuseblk|ext\w*|ntfs|overlayfs|fuse-overlayfs).*)"
)
_MOUNTS = Path("/proc/self/mountinfo")


def places(paths: StorePaths, version: int) -> Iterator[Path]:
    """The files to try, best first; MEMORY at the end.

    A store that this software never wrote to is left without files of its own.
    """
    name = f"{identity.host_name()}.{version}.sqlite"
    mounts = _mounts()
    if paths.inner.is_dir() and not is_on_network(paths.base, mounts):
        yield paths.index / name
    import hashlib  # here and below: most readers need no second place

    store = hashlib.sha256(os.fsencode(paths.base.resolve())).hexdigest()[:24]
    for cache in _caches(mounts):
        yield cache / store / name
    yield MEMORY


def prepare(place: Path) -> bool:
    """Make the folder of a place; whether a database may be made or changed there."""
    if place == MEMORY:
        return True
    try:
        folders.make_dir(place.parent)
    except StoreUnwritableError:
        return False
    return os.access(place.parent, os.W_OK) and (not place.exists() or os.access(place, os.W_OK))


def is_on_network(path: Path, mounts: str) -> bool:
    """Whether a path lies on a file system that other hosts may share, judged by the text of a mountinfo."""
    path = path.resolve()
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        try:
            point = re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), fields.split()[4])
            found = rest.split()[0]
        except IndexError:
            continue
        # of two mounts at one point the later one covers the earlier
        if len(point) >= best and path.is_relative_to(point):
            best, kind = len(point), found
    return NETWORKS.fullmatch(kind) is not None


def _caches(mounts: str) -> Iterator[Path]:
    home = os.environ.get("XDG_CACHE_HOME", "")
    try:
        cache = Path(home) if os.path.isabs(home) else Path.home() / ".cache"  # noqa: PTH117 - of a text
    except RuntimeError:  # nobody's home
        cache = None
    if cache and not is_on_network(cache, mounts):
        yield cache / "podium"
    import tempfile

    # on a cluster the home lies on the network as well; a folder that is another user's is not used
    own = Path(tempfile.gettempdir()) / f"podium-{_user()}"
    try:
        own.mkdir(mode=0o700, exist_ok=True)
        if own.lstat().st_uid == _user() and not own.is_symlink() and not is_on_network(own, mounts):
            yield own
    except OSError:
        pass


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _mounts() -> str:
    try:
        return _MOUNTS.read_text(errors="surrogateescape")
    except OSError:
        return ""
